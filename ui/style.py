"""How the pages look: dark, one accent, and as much height for the image as there is."""

from __future__ import annotations

# Constant: never anything of a record here. The image and what is decided share one screen of
# 1366 by 768 pixels: little empty space, one row of names on top, and a column of sentences that
# scrolls by itself.
STYLE = """<style>
.stMainBlockContainer {padding: .5rem 1rem 0; max-width: none}
.stAppHeader, [data-testid="stDecoration"] {display: none}
.stMain [data-testid="stVerticalBlock"] {gap: .35rem}
.stMain h3, .stMain h5 {padding: 0; margin: 0}
.stMain h5 {font-size: .95rem}
.stMain [data-testid="stAlertContainer"] {padding: .4rem .8rem; min-height: 0}
.stMain .stCode code {font-size: .75rem}
[data-testid="stCaptionContainer"] {color: #b4bec6}
.stMain .stButton button, .stMain .stPopover button {min-height: 1.8rem; padding: 0 .6rem}
.st-key-bar {border-bottom: 1px solid #2b3238; padding-bottom: .25rem}
.st-key-bar [data-testid="stPageLink"] a {padding: .1rem .55rem}
.st-key-bar .stMarkdown p {white-space: nowrap}
.st-key-draft_strip p {font-size: .8rem}
[class*="st-key-sentence-"] button {justify-content: flex-start; text-align: left; white-space: \
normal; height: auto}
[class*="st-key-sentence-"] button p {text-align: left}
[class*="st-key-current-"] {border-left: 3px solid #4fb3c8; padding-left: .5rem}
.st-key-panel, div:has(> .st-key-panel) {height: calc(100vh - 8.9rem) !important; \
min-height: 24rem; flex-basis: auto !important}
</style>"""

"""How the pages look: dark, one accent, and as much height for the image as there is."""

from __future__ import annotations

# Constant: never anything of a record here. The image and what is decided share one screen of
# 1366 by 768 pixels: little empty space, one row of names on top, and a column of sentences that
# scrolls by itself.
STYLE = """<style>
.stMainBlockContainer {padding: .3rem 1rem 0; max-width: none}
.stAppHeader, [data-testid="stDecoration"] {display: none}
.stMain [data-testid="stVerticalBlock"] {gap: .4rem}
.stMain h5 {padding: 0; margin: 0 0 1rem; font-size: .95rem}
.stMain [data-testid="stAlertContainer"] {padding: .4rem .8rem; min-height: 0}
.stMain .stCode code {font-size: .75rem}
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] * \
{color: #aab4bc; opacity: 1}
.stMain .stButton button, .stMain .stPopover button, .stMain .stDownloadButton button \
{min-height: 1.75rem; padding: 0 .55rem; font-size: .87rem}
button[kind^="primary"]:not(:disabled), button[kind^="primary"]:not(:disabled) * \
{color: #06171b; opacity: 1}
button[kind^="primary"]:not(:disabled):hover {background: #6cc4d6; border-color: #6cc4d6}
button[kind="tertiary"]:is(:focus, :active, [aria-expanded="true"]), \
button[kind="tertiary"]:is(:focus, :active, [aria-expanded="true"]) p {color: #8fd3e2}
[data-tag], [data-tag] * {color: #06171b}
.st-key-bar {border-bottom: 1px solid #2b3238; padding-bottom: .15rem}
.st-key-bar [data-testid="stPageLink"] a {padding: .1rem .55rem}
.st-key-bar .stMarkdown p, .st-key-head .stMarkdown p {white-space: nowrap}
.st-key-bar [data-baseweb="select"] > div {min-height: 1.9rem}
.st-key-strip p {font-size: .78rem; line-height: 1.1}
[class*="st-key-sentence-"] button[kind="tertiary"], [class*="st-key-sentence-"] \
button[kind="tertiary"] > div {justify-content: flex-start; text-align: left; white-space: \
normal; height: auto; padding-left: 0}
[class*="st-key-sentence-"] .stButton:not(:first-child) button {margin-left: .3rem}
.st-key-acts {gap: .3rem}
[class*="st-key-current-"] {border-left: 3px solid #4fb3c8; padding: .1rem 0 .3rem .6rem}
[class*="st-key-current-"] textarea {min-height: 3.2rem}
[class*="st-key-viewer-"], [class*="st-key-viewer-"] div {height: calc(100vh - 8.1rem) \
!important; flex-basis: auto !important; min-height: 638px; --medmm-height: calc(100vh - 8.1rem)}
.st-key-panel, div:has(> .st-key-panel) {height: calc(100vh - 14rem) !important; \
min-height: 20rem; flex-basis: auto !important}
.st-key-panel td, .st-key-panel th {font-size: .8rem; padding: .2rem .35rem}
.st-key-history td:is(:nth-child(-n+3), :nth-child(5)) * {white-space: nowrap}
.stButton kbd {opacity: 1}
.st-key-tools {min-height: 0}
.st-key-tools [data-testid="stTextInputRootElement"], .st-key-tools .react-aria-ComboBox \
[role="group"] {height: 1.9rem; min-height: 1.9rem}
.st-key-chips .stButton button {min-height: 1.5rem; padding: 0 .5rem}
[data-testid="stPopoverBody"] {min-width: 26rem}
.st-key-panel [data-testid="stTable"], .st-key-panel [data-testid="stTable"] div {overflow: visible}
.st-key-panel td, .st-key-panel td * {overflow-wrap: anywhere !important}
</style>"""

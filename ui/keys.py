"""The keys of the reading page; the viewer has its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the page: what it does, in words, and the group that it stands in."""

    keys: str
    does: str


# Letters by Shift are the page's, letters alone the viewer's but for J and D. Neither acts while
# somebody types (seen: of Streamlit's shortcuts those with Ctrl or Alt do).
NEXT, BEFORE, ACCEPT, REJECT, ALL, UNDO = "J", "Shift+J", "Shift+A", "Shift+X", "Shift+P", "Shift+Z"
SIGN, NEXT_CASE, RECORD, EARLIER, WORKLIST = (
    "Shift+S",
    "Shift+N",
    "D",
    "Shift+D",
    "Shift+W",
)
PAGE_KEYS = (
    Key(NEXT, "next sentence; the picture follows"),
    Key(BEFORE, "sentence before"),
    Key(ACCEPT, "accept the sentence"),
    Key(REJECT, "reject the sentence"),
    Key(ALL, "accept every open sentence that passed its checks"),
    Key(UNDO, "undo your last decision"),
    Key(SIGN, "look at the whole report and sign it"),
    Key(NEXT_CASE, "next case"),
    Key(RECORD, "the patient's record"),
    Key(EARLIER, "earlier studies and reports"),
    Key(WORKLIST, "back to the worklist"),
    Key("?", "the keys of the viewer, while it has the focus"),
)

"""Words typed into a field of a case that never reached the server, as a tab kept them.

A tab names a field by the class that its element has for the key of its widget. The key holds the
case, and for a sentence its id and a digest of its words: words that were typed for another case,
or for a sentence that says something else by now, fit no field of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST, MOST = 200_000, 100  # characters of all, and how many fields


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsentWords:
    """What a field held.

    Attributes:
        key: of the field's widget; None where no field of the page is meant.
        id: as the tab names the words.
    """

    id: str
    key: str | None
    text: str


def class_of(key: str) -> str:
    """Write a widget's key as Streamlit writes it into the class of its element."""
    return f"st-key-{re.sub(r'[^a-zA-Z0-9_-]', '-', key)}"


def unsent_words(said: object, keys: Iterable[str]) -> tuple[UnsentWords, ...]:
    """Read what a tab kept; what it should not say is left out.

    Args:
        said: the tab's answer, which anybody at it can write.
        keys: of the fields that stand on the page, or would for another sentence.
    """
    by_class = {class_of(key): key for key in keys}
    found: list[UnsentWords] = []
    left = LONGEST
    for one in said[:MOST] if isinstance(said, list) else ():
        if not isinstance(one, dict):
            continue
        words, name, text = (one.get(part) for part in ("id", "name", "text"))
        if not (isinstance(words, str) and isinstance(name, str) and isinstance(text, str)):
            continue
        left -= len(text)
        if text.strip() and left >= 0:
            found.append(UnsentWords(id=words, key=by_class.get(name), text=text))
    return tuple(found)

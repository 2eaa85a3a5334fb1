"""Text from outside as one line that can be printed and quoted."""

from __future__ import annotations

import unicodedata

WORDS_LIMIT = 160


def clean(words: str, limit: int = WORDS_LIMIT) -> str:
    """Reduce words to one line of printable text of at most `limit` characters.

    Quotes become single, so that it can be quoted.
    """
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in words).replace('"', "'")
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"

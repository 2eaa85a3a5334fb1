"""Patterns of whole words, what they are matched with, and blanking what one matched."""

from __future__ import annotations

import re
import unicodedata


def any_of(*phrases: str) -> re.Pattern[str]:
    """Build a pattern for whole words; `_` in a phrase stands for white space."""
    return re.compile(
        r"\b(?:" + "|".join(p.replace("_", r"\s+") for p in phrases) + r")\b", re.IGNORECASE
    )


def blank(match: re.Match[str]) -> str:
    """Return as many blanks as matched, for `re.sub`: what follows keeps its place."""
    return " " * len(match.group())


def undisguised(text: str) -> str:
    """Write a text in lower case, without signs that can't be seen, with plain blanks."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    seen = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(seen.lower().split())

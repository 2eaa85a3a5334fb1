"""Patterns of whole words, and blanking what one matched."""

from __future__ import annotations

import re


def any_of(*phrases: str) -> re.Pattern[str]:
    """Build a pattern for whole words; `_` in a phrase stands for white space."""
    return re.compile(
        r"\b(?:" + "|".join(p.replace("_", r"\s+") for p in phrases) + r")\b", re.IGNORECASE
    )


def blank(match: re.Match[str]) -> str:
    """Return as many blanks as matched, for `re.sub`: what follows keeps its place."""
    return " " * len(match.group())

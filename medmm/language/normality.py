"""Clauses that say that something is normal, and what they deny by that."""

from __future__ import annotations

import re
from functools import cache

from medmm.language.patterns import any_of
from medmm.language.report_parser import Polarity, polarity
from medmm.language.word_tables import rows_of, whole_words

_NORMAL = any_of(
    "normal",
    "normally",
    "unremarkable",
    "clear",
    "intact",
    "sharp",
    "midline",
    "patent",
    r"well_(?:expanded|inflated|aerated|defined|preserved|maintained)",
    "within_limits",
    "satisfactory",
    "negative",
    "maintained",
    "preserved",
    "healthy",
)
_NOT_NORMAL = re.compile(
    r"\b(?:not|no longer|less than)\s+(?:\w+ly\s+)?"
    r"(?:normal|clear|intact|sharp|midline|unremarkable)\b|"
    r"(?<!within )(?<!in )(?<!within the )\blimits?\s+(?:of\s+)?normal|"
    r"normal\s+pressure|\babnormal",
    re.IGNORECASE,
)
_WHOLE = "chest"
_INFLATED = re.compile(r"\b(?:inflated|expanded|aerated|inflation|expansion)\b", re.IGNORECASE)
_ACUTE = re.compile(r"\bacute\b", re.IGNORECASE)


def says_normal(clause: str) -> bool:
    """Tell whether a clause says that something is normal, or denies as a whole."""
    if _NORMAL.search(clause) and not _NOT_NORMAL.search(
        clause.replace("within normal limits", "")
    ):
        return True
    return polarity(clause) is Polarity.DENIED


def structures_named(clause: str) -> tuple[str, ...]:
    """Return the structures of the chest that a clause names."""
    return tuple(row[0] for row in _structures() if row[1].search(clause))


def findings_denied(clause: str) -> frozenset[str] | None:
    """Return the findings that a clause denies by the structures that it names.

    "No acute …" denies what may be acute. None if it names no structure: then it may mean any.
    """
    acute = bool(_ACUTE.search(clause))
    named = [row for row in _structures() if row[1].search(clause)]
    if not named:
        return None
    if _INFLATED.search(clause):
        return frozenset()
    if len(named) > 1:  # "the bones of the thorax" are bones
        named = [row for row in named if row[0] != _WHOLE]
    return frozenset().union(*(row[3] if acute else row[2] for row in named))


@cache
def _structures() -> tuple[tuple[str, re.Pattern[str], frozenset[str], frozenset[str]], ...]:
    return tuple(
        (
            row["structure"],
            whole_words(row["phrases"]),
            frozenset(filter(None, row["findings"].split("|"))),
            frozenset(filter(None, row["acute_findings"].split("|"))),
        )
        for row in rows_of("chest_structures")
    )

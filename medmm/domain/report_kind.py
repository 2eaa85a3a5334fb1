"""What a version of a signed report is to the one before it."""

from __future__ import annotations

from enum import Enum


class ReportKind(Enum):
    """What a version of a signed report is to the one before it."""

    ORIGINAL = "original"  # the first: it replaces none
    AMENDMENT = "amendment"  # other words: new information, another opinion
    CORRECTION = "correction"  # other words: what stood there was wrong
    ADDENDUM = "addendum"  # what stood there stays, words are added
    WITHDRAWAL = "withdrawal"  # nothing of it is valid, entered in error; the last version

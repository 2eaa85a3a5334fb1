"""Critical results: how soon which finding is to be told to whom, and that it was told.

Categories are those of the ACR Actionable Reporting Work Group (Larson et al., J Am Coll Radiol
2014;11:552-558): 1 within minutes, 2 within hours, 3 within days. Which finding is in which stands
in `data/actionable_findings.csv`; how many minutes that is, the site says.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files

from medmm.domain.errors import InputError
from medmm.domain.plain_text import refuse_no_text

MINUTES, HOURS, DAYS = 1, 2, 3  # the categories, by how soon
LONGEST_NAME = 200  # characters


class Route(Enum):
    """How a result was told."""

    PHONE = "phone"
    IN_PERSON = "in person"
    VIDEO = "video"
    SECURE_MESSAGE = "secure message"


class Clock(Enum):
    """What the time to tell a result is counted from."""

    DETECTION = "detection"  # its first draft
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """A person was told of critical findings.

    Attributes:
        findings: their names in the vocabulary.
        to: who was told, by name or duty.
        read_back: whether who was told repeated it, and it was right.
        by: id of the reader who told it; `reader` is the name.
    """

    findings: tuple[str, ...]
    category: int
    to: str
    how: Route
    read_back: bool
    by: str
    reader: str
    at: datetime

    def __post_init__(self) -> None:
        refuse_no_text(self.to, "who was told")
        if not self.to.strip() or len(self.to) > LONGEST_NAME or not self.to.isprintable():
            raise InputError(
                "a communication does not say who was told",
                remedy=f"name the person or the duty, on one line of up to {LONGEST_NAME} "
                "characters",
            )
        if not self.findings or self.category not in (MINUTES, HOURS, DAYS):
            raise InputError(
                "a communication of no finding, or of an unknown category",
                remedy="tell the critical findings of a case",
            )
        if self.at.tzinfo is None:
            raise InputError("a communication without time zone", remedy="use an aware time")


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalRule:
    """How soon a site wants critical results told, and who is next if nobody was reached.

    Attributes:
        minutes: for the categories 1, 2 and 3.
        contacts: names or duties, in the order in which they are shown.
        next_after_minutes: after how many minutes without an answer the next one is shown.
    """

    clock: Clock = Clock.DETECTION
    minutes: tuple[int, int, int] = (60, 360, 4320)
    contacts: tuple[str, ...] = ()
    next_after_minutes: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalResult:
    """Critical findings of a case that nobody was told of yet.

    Attributes:
        since: when their time began; None if it begins with the signature.
        due: when somebody is to be told at the latest; None likewise.
        contact: who is to be tried now; None if the site names nobody.
    """

    findings: tuple[str, ...]
    category: int
    since: datetime | None
    due: datetime | None
    contact: str | None

    def overdue(self, at: datetime) -> bool:
        """Tell whether the time is over."""
        return self.due is not None and at > self.due


@cache
def categories() -> dict[str, int]:
    """Read the category of each finding of the table."""
    text = files("medmm.domain").joinpath("data/actionable_findings.csv")
    rows = csv.DictReader(text.read_text(encoding="utf-8").splitlines())
    return {row["finding"]: int(row["category"]) for row in rows}


def category_of(findings: Iterable[str]) -> int:
    """Find the most urgent category of several findings; of one that is in no row, 1."""
    return min((categories().get(name, MINUTES) for name in findings), default=MINUTES)


def critical_result(
    findings: tuple[str, ...], since: datetime | None, rule: CriticalRule, at: datetime
) -> CriticalResult:
    """Say until when findings are to be told, and whom to try now.

    Args:
        since: when their time began; None if it has not.
    """
    category = category_of(findings)
    if since is None:
        return CriticalResult(
            findings=findings, category=category, since=None, due=None, contact=None
        )
    tried = max((at - since) // timedelta(minutes=rule.next_after_minutes), 0)
    last = len(rule.contacts) - 1
    return CriticalResult(
        findings=findings,
        category=category,
        since=since,
        due=since + timedelta(minutes=rule.minutes[category - 1]),
        contact=rule.contacts[min(tried, last)] if rule.contacts else None,
    )

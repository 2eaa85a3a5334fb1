"""How urgent a case is, in the words of FHIR R4 request-priority, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from medmm.domain.case_state import CaseState
from medmm.domain.errors import InputError

AS_ORDERED = "as ordered"


class Priority(Enum):
    """How urgent something is, the most urgent first (FHIR R4 value set request-priority)."""

    STAT = "stat"
    ASAP = "asap"
    URGENT = "urgent"
    ROUTINE = "routine"

    @property
    def rank(self) -> int:
        """Its place in the order of work, from 0, the most urgent."""
        return list(Priority).index(self)


class Order(Enum):
    """The order of cases: newest first, or by priority and then the longest waiting first."""

    NEWEST = "newest"
    URGENCY = "urgency"


# DICOM PS3.3 C.4.11, Requested Procedure Priority (0040,1003); MEDIUM stands between LOW and HIGH,
# as routine does.
OF_DICOM = {
    "STAT": Priority.STAT,
    "HIGH": Priority.URGENT,
    "ROUTINE": Priority.ROUTINE,
    "MEDIUM": Priority.ROUTINE,
    "LOW": Priority.ROUTINE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePriority:
    """The priority of a case.

    Attributes:
        by: id of the reader who gave it; None if the order states it.
        at: when it was given; None if the order states it.
    """

    level: Priority
    reason: str
    by: str | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise InputError("a priority without a reason", remedy="say why")
        if self.at is not None and self.at.tzinfo is None:
            raise InputError("a priority given without time zone", remedy="use an aware time")


def most_urgent(*found: CasePriority | None) -> CasePriority | None:
    """Choose the most urgent of several, of equals the first; None if there is none."""
    given = [one for one in found if one is not None]
    return min(given, key=lambda one: one.level.rank, default=None)


OPEN = frozenset(
    one.value
    for one in (
        CaseState.OPENED,
        CaseState.DRAFTED,
        CaseState.IN_REVIEW,
        CaseState.PRELIMINARY,
    )
)
LEVELS = frozenset(level.value for level in Priority)


def turn(
    state: str | None,
    priority: str | None,
    waiting_since: str | None,
    critical_since: str | None = None,
) -> str:
    """Say where a case comes in the order of work, as text that sorts.

    Critical findings that nobody was told of come before all. Of the open cases the most urgent
    come first, then who waits longest. What states no priority is routine; of what nobody waits for
    yet any is last; what is done comes after all.

    Args:
        waiting_since, critical_since: in UTC, to the microsecond.
    """
    if critical_since is not None:
        return f"! {critical_since}"
    if state not in OPEN:
        return "9"
    rank = Priority(priority).rank if priority in LEVELS else Priority.ROUTINE.rank
    return f"{rank} {waiting_since or '9999'}"

"""Two readers who see a case independently, and a third who decides and signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from medmm.domain.errors import InputError, StateError
from medmm.domain.finding_said import FindingSaid, said_first
from medmm.domain.first_read import FirstRead
from medmm.domain.report import Reader

READS = 2
LONGEST_REASON = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleReading:
    """The order to read a case twice.

    Attributes:
        adjudicator: who decides and signs; None: any attending who is none of the two.
        dropped_by, dropped_at, reason: who took the order back, when and why; none while it counts.
    """

    case_id: str
    ordered_by: Reader
    at: datetime
    adjudicator: Reader | None = None
    dropped_by: Reader | None = None
    dropped_at: datetime | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        marks = {self.dropped_by is not None, self.dropped_at is not None, bool(self.reason)}
        if len(marks) != 1 or len(self.reason) > LONGEST_REASON:
            raise InputError(
                "an order that is taken back says who did it, when and why",
                remedy=f"give a reason of up to {LONGEST_REASON} characters",
                case=self.case_id,
            )
        if None in {at.tzinfo for at in (self.at, self.dropped_at) if at is not None}:
            raise InputError("a double reading without time zone", remedy="use an aware time")

    @property
    def counts(self) -> bool:
        """Whether it is still to be read twice."""
        return self.dropped_by is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What two readers said of one finding, each without knowing of the other."""

    finding: str
    one: FindingSaid | None
    other: FindingSaid | None

    @property
    def agree(self) -> bool:
        """Whether both claim it on no different sides, or neither does."""
        claims = [said for said in (self.one, self.other) if said is not None and said.claimed]
        if len(claims) < READS:
            return not claims
        sides = {said.side for said in claims}
        return len(sides) == 1 or None in sides


def agreement(one: FirstRead, other: FirstRead) -> tuple[Agreement, ...]:
    """Compare two first reads, one row a finding that either names, where they differ first."""
    left, right = said_first(one), said_first(other)
    rows = [
        Agreement(finding=name, one=left.get(name), other=right.get(name))
        for name in sorted({*left, *right})
    ]
    return tuple(sorted(rows, key=lambda row: row.agree))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstReads:
    """Who read a case first, and what of it may be shown to the one who asks.

    Attributes:
        order: the order to read it twice; None if there never was one.
        readers: all who have, in the order of time.
        reads: those that are shown.
    """

    case_id: str
    order: DoubleReading | None = None
    readers: tuple[Reader, ...] = ()
    reads: tuple[FirstRead, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether the case is to be read twice."""
        return self.order is not None and self.order.counts

    @property
    def pair(self) -> tuple[Reader, ...]:
        """The two who read it, or those of them who have so far."""
        return self.readers[:READS]

    @property
    def complete(self) -> bool:
        """Whether two have read it."""
        return len(self.pair) == READS

    @property
    def agreement(self) -> tuple[Agreement, ...]:
        """How far the two agree; empty until both have read it, or unless both are shown."""
        by_reader = {read.by.id: read for read in self.reads}
        shown = [by_reader[one.id] for one in self.pair if one.id in by_reader]
        return agreement(shown[0], shown[1]) if len(shown) == READS else ()

    def read_by(self, reader: str) -> FirstRead | None:
        """Return what this reader read first, if it is shown."""
        return next((read for read in self.reads if read.by.id == reader), None)

    def refuse_reader(self, reader: Reader) -> None:
        """Refuse a first read that would be none of the two.

        Raises: StateError if so.
        """
        named = self.order.adjudicator if self.order is not None and self.order.counts else None
        if named is not None and named.id == reader.id:
            raise _refused("who adjudicates reads none of the two", self.case_id)
        if self.ordered and self.complete:
            raise _refused("two readers have read the case already", self.case_id)

    def refuse_decision(self, reader: Reader) -> None:
        """Refuse to decide on a case while it is to be read twice, but for who adjudicates.

        Raises: StateError if so.
        """
        if self.order is None or not self.order.counts:
            return
        if not self.complete:
            raise StateError(
                f"the case is to be read twice, and {len(self.pair)} of {READS} readers have "
                "read it",
                remedy="let both record their first read; an attending may drop the order",
                case=self.case_id,
                double_reading="unfinished",
            )
        named = self.order.adjudicator
        may = reader.role == "attending" if named is None else reader.id == named.id
        if not may or reader.id in {one.id for one in self.pair}:
            who = "an attending who is none of the two" if named is None else f"reader {named.id}"
            raise StateError(
                f"two readers have read the case; {who} decides and signs",
                remedy="leave it to who adjudicates",
                case=self.case_id,
                double_reading="adjudication",
                **({} if named is None else {"adjudicator": named.id}),
            )


def _refused(problem: str, case_id: str) -> StateError:
    return StateError(
        problem,
        remedy="look at the case as it is; it is decided by who adjudicates",
        case=case_id,
        double_reading="read",
    )


def in_order_of_time(reads: Sequence[FirstRead]) -> tuple[FirstRead, ...]:
    """Sort first reads, the earliest first."""
    return tuple(sorted(reads, key=lambda read: (read.at, read.by.id)))

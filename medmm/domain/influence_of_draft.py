"""Where a draft moved its reader: what was said first, what was drafted, what was signed.

Without the truth nobody can say who was right. What can be counted is whose side the report took
where the reader's first read and the draft differed (Goddard et al., J Am Med Inform Assoc
2012;19:121-127, on what automation bias is and how it is measured).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from medmm.domain.draft import Draft
from medmm.domain.finding_said import (
    FindingSaid,
    Saids,
    said_beside_draft,
    said_first,
    said_in_draft,
    said_in_report,
)
from medmm.domain.first_read import FirstRead
from medmm.domain.report import SignedReport


class Difference(Enum):
    """How a first read and a draft differ on a finding."""

    DRAFT_ALONE = "the draft claimed it, the reader had not"
    BESIDE_ALONE = "it was also suspected beside the draft, the reader had not claimed it"
    READER_ALONE = "the reader claimed it, the draft did not"
    OTHER_SIDE = "both claimed it, on different sides"


class Taken(Enum):
    """Whose side a report took where the two differed."""

    DRAFT = "the draft's"
    READER = "the reader's"
    NEITHER = "neither's"


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluenceOfDraft:
    """One finding of one case: what a reader said first, what was drafted, what was signed.

    Attributes:
        first, drafted, final: None where nothing was said of it.
        beside: whether the draft does not state it, and it was also suspected beside.
        signed: whether there is a report; without one `final` says nothing.
        listed: as in `FirstRead`.
    """

    finding: str
    first: FindingSaid | None
    drafted: FindingSaid | None
    final: FindingSaid | None
    beside: bool = False
    signed: bool = True
    listed: bool = False

    @property
    def difference(self) -> Difference | None:
        """How first read and draft differ; None if they don't.

        What one of them denies and the other does not name is no difference, nor is a side that
        only one of them names.
        """
        if not _claimed(self.first):
            alone = Difference.BESIDE_ALONE if self.beside else Difference.DRAFT_ALONE
            return alone if _claimed(self.drafted) else None
        if not _claimed(self.drafted):
            return Difference.READER_ALONE
        sides = {_side(self.first), _side(self.drafted)}
        return Difference.OTHER_SIDE if len(sides) == 2 and None not in sides else None

    @property
    def taken(self) -> Taken | None:
        """Whose side the report took; None if there was no difference, or no report is signed."""
        if self.difference is None or not self.signed:
            return None
        if self.difference is not Difference.OTHER_SIDE:
            with_draft = _claimed(self.final) == _claimed(self.drafted)
            return Taken.DRAFT if with_draft else Taken.READER
        if not _claimed(self.final) or _side(self.final) not in (
            _side(self.first),
            _side(self.drafted),
        ):
            return Taken.NEITHER
        return Taken.DRAFT if _side(self.final) is _side(self.drafted) else Taken.READER


def _claimed(said: FindingSaid | None) -> bool:
    return said is not None and said.claimed


def _side(said: FindingSaid | None) -> object:
    return None if said is None else said.side


def influence_of_draft(
    read: FirstRead, draft: Draft, report: SignedReport | None
) -> tuple[InfluenceOfDraft, ...]:
    """Compare first read, draft and report, one row a finding that any of them names.

    Args:
        report: its first version: what is amended later may come from elsewhere; None before the
            signature.
    """
    final = None if report is None else said_in_report(report)
    stated, beside = said_in_draft(draft), said_beside_draft(draft)
    return compared(said_first(read), stated, final, beside=beside, listed=read.listed)


def compared(
    first: Saids,
    stated: Saids,
    final: Saids | None,
    *,
    beside: Saids | None = None,
    listed: bool = False,
) -> tuple[InfluenceOfDraft, ...]:
    """Compare what was said, one row a finding, by name.

    Args:
        final: None if no report is signed.
        beside: what is also suspected; it counts of findings that are not stated.
    """
    signed: Mapping[str, FindingSaid] = final or {}
    drafted = {**(beside or {}), **stated}
    return tuple(
        InfluenceOfDraft(
            finding=name,
            first=first.get(name),
            drafted=drafted.get(name),
            final=signed.get(name),
            beside=name in drafted and name not in stated,
            signed=final is not None,
            listed=listed,
        )
        for name in sorted({*first, *drafted, *signed})
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceCount:
    """Of the findings on which first read and draft differed in one way: what the report took."""

    difference: Difference
    draft: int = 0
    reader: int = 0
    neither: int = 0

    @property
    def differed(self) -> int:
        """On how many findings they differed so."""
        return self.draft + self.reader + self.neither


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSway:
    """How often reports took the draft's side where readers had first seen it otherwise.

    Attributes:
        counts: one for each way to differ.
        agreed: findings that first read or draft claimed, on which they did not differ.
        left_out: differing findings that don't count: unsigned, or listed to the reader before.
    """

    counts: tuple[DifferenceCount, ...]
    agreed: int
    left_out: int

    @property
    def differed(self) -> int:
        """On how many findings first read and draft differed."""
        return sum(one.differed for one in self.counts)

    @property
    def took_draft(self) -> int:
        """On how many of these the report took the draft's side."""
        return sum(one.draft for one in self.counts)

    def count(self, difference: Difference) -> DifferenceCount:
        """Return the count of one way to differ."""
        return next(one for one in self.counts if one.difference is difference)


def draft_sway(rows: Iterable[InfluenceOfDraft]) -> DraftSway:
    """Count whose side reports took, by how first reads and drafts differed."""
    found = {(how, whose): 0 for how in Difference for whose in Taken}
    agreed = left_out = 0
    for row in rows:
        how, whose = row.difference, row.taken
        if how is None:
            agreed += _claimed(row.first) or _claimed(row.drafted)
        elif whose is None or row.listed:
            left_out += 1
        else:
            found[how, whose] += 1
    return DraftSway(
        counts=tuple(
            DifferenceCount(
                difference=how,
                draft=found[how, Taken.DRAFT],
                reader=found[how, Taken.READER],
                neither=found[how, Taken.NEITHER],
            )
            for how in Difference
        ),
        agreed=agreed,
        left_out=left_out,
    )

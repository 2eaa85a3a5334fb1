"""How readers took drafts: figures of many signed cases, each with its 95 % interval.

They say what readers decided, never what was true: nothing here follows a patient up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from medmm.domain.acceptance import Figure
from medmm.domain.errors import InputError
from medmm.domain.influence_of_draft import Difference
from medmm.domain.reviewed_case import Answer


class Group(Enum):
    """What statements are counted by."""

    ALL = "all"
    KIND = "kind of statement"
    FINDING = "finding"
    MODEL = "model"
    WRITER = "writer"
    READER = "reader"
    SITE = "site"
    MODALITY = "modality"
    VIEW = "view"
    SEX = "sex"
    AGE = "age"


SUBGROUPS = (Group.AGE, Group.SEX, Group.VIEW, Group.MODALITY, Group.SITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightFilter:
    """Which signed cases are counted; None asks for nothing.

    Attributes:
        since: the first moment of the first signature; `until` is the first one after the period.
        reader: id of who decided.
        model: name of a network, whatever its version: cases whose draft rests on it, and of them
            the statements that do.
        modality: as DICOM states it.
    """

    since: datetime | None = None
    until: datetime | None = None
    site: str | None = None
    reader: str | None = None
    model: str | None = None
    modality: str | None = None

    def __post_init__(self) -> None:
        for name, at in (("since", self.since), ("until", self.until)):
            if at is not None and at.tzinfo is None:
                raise InputError(
                    f"{name} has no time zone", remedy="give an aware time, such as in UTC"
                )
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InputError("the period ends before it begins", remedy="give an earlier first day")


ALL_SIGNED = InsightFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """How readers decided on the drafted statements of one group.

    Attributes:
        value: which one; of a model its name with the beginning of its digest.
        shares: of the statements those that were accepted, edited, rejected, in this order.
    """

    group: Group
    value: str
    statements: int
    patients: int
    shares: tuple[Figure, Figure, Figure]

    def share(self, answer: Answer) -> Figure:
        """Return the share of one answer."""
        return self.shares[tuple(Answer).index(answer)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """How often claims of one group of patients or images were accepted beside all others.

    Attributes:
        accepted: of the group's claims those that were accepted; unknown where there are few.
        others: the same of all other claims.
        gap: the one minus the other, -1 to 1; unknown if either is.
    """

    group: Group
    value: str
    claims: int
    patients: int
    accepted: Figure
    others: Figure
    gap: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often something occurred."""

    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditFigures:
    """How large edits were.

    Attributes:
        words_changed: median share of words changed, 0 to 1.
        recoded: of the edits those after which the words no longer say the finding, assertion,
            side or number that was drafted.
    """

    edits: int
    words_changed: Figure
    recoded: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFigure:
    """A median duration, in seconds.

    Attributes:
        of: "draft to first decision", "opening to signing", "opening to signing without pauses".
        unknown: cases of which the log does not tell it.
    """

    of: str
    median_s: Figure
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFigures:
    """What claims cost readers.

    Attributes:
        claims_a_case: mean.
        with_claim: of the cases those with a claim.
        false: of the claims those that the reader took back.
        bare_with_claim: of the cases whose signed report claims nothing, those whose draft did.
    """

    claims: int
    claims_a_case: Figure
    with_claim: Figure
    false: Figure
    bare_with_claim: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedRow:
    """Of findings on which first read and draft differed in one way: how the report took them."""

    difference: Difference
    followed: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluenceFigures:
    """Whether readers followed the draft where their first read, made without it, differed.

    Without follow-up nobody knows which of the two was right: a high share is no proof of bias, and
    a low one none of its absence.

    Attributes:
        reads: first reads that count: of signed cases, by who decided them.
        left_out: other first reads of these cases: by somebody else, or of a reader to whom the
            worklist may have named what is suspected.
        differed: of the findings that first read or draft claimed those on which they differed.
        followed: of these, how often the report took the draft's side.
        by_difference: the same of each way to differ.
    """

    reads: int
    left_out: int
    differed: Figure
    followed: Figure
    by_difference: tuple[FollowedRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """How readers took the drafts of the signed cases that were asked for.

    Attributes:
        asked: what was asked for; the reader's own where the role sees no others.
        unsigned: drafted cases of this site and modality that wait for a signature now; they are in
            no figure, whatever the period.
        replaced: of the cases those whose report was amended or withdrawn since, an addendum too.
        reasons: of the rejections, by code; "not given" without one.
        added: findings that readers stated of their own and no draft claimed.
        influence: None if no case of the period was read blind first.
    """

    asked: InsightFilter
    cases: int
    patients: int
    unsigned: int
    replaced: Figure
    answers: tuple[AnswerRow, ...]
    edits: EditFigures
    reasons: tuple[Count, ...]
    added: tuple[Count, ...]
    times: tuple[TimeFigure, ...]
    alarms: AlarmFigures
    gaps: tuple[GapRow, ...]
    influence: InfluenceFigures | None = None

    def of(self, group: Group) -> tuple[AnswerRow, ...]:
        """Return the rows of one group."""
        return tuple(row for row in self.answers if row.group is group)

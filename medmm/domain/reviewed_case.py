"""What a reader made of one draft, as it was signed: what reading statistics count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from medmm.domain.errors import InputError
from medmm.domain.reading import ModelIdentity


class StatementKind(Enum):
    """What a drafted statement says."""

    CLAIM = "claim"  # a finding is there, or may be
    DENIAL = "denial"  # a finding is not there
    MEASUREMENT = "measurement"
    RECORD = "record"  # what the record reports
    OTHER = "other"


class Answer(Enum):
    """What a reader decided on a drafted statement."""

    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedStatement:
    """A drafted statement and what became of it. It holds no word of draft or report.

    Attributes:
        finding: a name of the vocabulary; None of a measurement or a fact.
        model: whose score or measurement it rests on; None if no network's.
        reason: code of a rejection, by `rejection_reasons.csv`; None if none was given.
        words_changed: of an edit, 0 (the same words) to 1 (no word is left).
        recoded: whether the edited words no longer say the finding, assertion, side or number that
            was drafted.
    """

    kind: StatementKind
    finding: str | None
    model: ModelIdentity | None
    answer: Answer
    reason: str | None = None
    words_changed: float | None = None
    recoded: bool = False

    def __post_init__(self) -> None:
        edited = self.answer is Answer.EDITED
        if (self.words_changed is not None) is not edited or (self.recoded and not edited):
            raise InputError(
                "only an edit has changed words, and each has", remedy="count them from the edit"
            )

    @property
    def false_by_reader(self) -> bool:
        """Whether the reader took back that the finding of a claim is there as it was drafted.

        A claim that another statement repeats, or that was only put badly, is none.
        """
        if self.kind is not StatementKind.CLAIM:
            return False
        if self.answer is Answer.REJECTED:
            return self.reason not in TRUE_ALL_THE_SAME
        return self.recoded


TRUE_ALL_THE_SAME = ("duplicate", "wording")  # codes that leave the finding standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedCase:
    """What a reader made of the draft of one case, when its report was first signed.

    Attributes:
        view: of the film that was read; None of other images, or where it is unknown.
        sex: "M", "F" or "O", as the image states it.
        age_years: in whole years, as the image states it first; the least of a range.
        reader: id of who decided last before the signature; of who signed if nobody else did.
        writer: whose words the draft was in.
        models: what the draft rests on.
        statements: what the reader was asked about; each fact once.
        added: findings that readers stated of their own, as present or possible, and that the draft
            did not claim.
        claims_signed: statements of the signed report that claim a finding.
        drafted_at: when the draft was made that was signed; None if the log does not tell.
        first_decision_at: the first decision on that draft.
        looked_at: the first look at it, not blind, by who signed.
        pauses_s: of the time from that look to the signature, gaps of more than `PAUSE_S` between
            two entries of who signed about this case.
    """

    case_id: str
    patient_key: str
    modality: str
    body_part: str
    site: str | None
    view: str | None
    sex: str | None
    age_years: int | None
    reader: str
    signed_by: str
    writer: str
    models: tuple[ModelIdentity, ...]
    statements: tuple[ReviewedStatement, ...]
    added: tuple[str, ...]
    claims_signed: int
    signed_at: datetime
    drafted_at: datetime | None = None
    first_decision_at: datetime | None = None
    looked_at: datetime | None = None
    pauses_s: float = 0.0

    def __post_init__(self) -> None:
        if self.signed_at.tzinfo is None:
            raise InputError(
                "signed_at carries no time zone", remedy="use an aware time", case=self.case_id
            )

    @property
    def claims(self) -> tuple[ReviewedStatement, ...]:
        """The drafted statements that claim a finding."""
        return tuple(one for one in self.statements if one.kind is StatementKind.CLAIM)

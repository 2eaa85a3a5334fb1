"""Decisions of a reader and the signed report they lead to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from medmm.domain.draft import Assertion, Case, CheckedDraft, Evidence, Section, Statement
from medmm.domain.errors import InputError
from medmm.domain.images import ImageReference
from medmm.domain.reading import ModelIdentity, Reading, Side

PLACEHOLDER = "put your own name here"  # as in the settings that ship


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A person (a network that reads is a `ReadingModel`); `role` is a row of the role table."""

    id: str
    name: str
    role: str

    @property
    def unnamed(self) -> bool:
        """Whether the name is still the one that ships with the settings, which is nobody's."""
        return PLACEHOLDER in self.name.casefold()


@dataclass(frozen=True, slots=True)
class Accept:
    """Take a drafted statement as it is."""

    statement_id: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Take a drafted statement with the reader's own words."""

    statement_id: str
    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InputError("an edit without text", remedy="reject the statement instead", statement=self.statement_id)


@dataclass(frozen=True, slots=True)
class Reject:
    """Leave a drafted statement out."""

    statement_id: str
    reason: str = ""


Decision = Accept | Edit | Reject


class CaseState(Enum):
    """Where a case stands."""

    OPENED = "opened"
    DRAFTED = "drafted"
    IN_REVIEW = "in review"
    SIGNED = "signed"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"  # its study was opened with another record or more images before it was signed


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A sentence that a reader signed; `drafted_text` is None where the reader left it unchanged.

    `summarises` is the id of the statement of the findings that it repeats in the impression.
    """

    id: str
    section: Section
    text: str
    assertion: Assertion
    finding: str | None
    side: Side | None
    evidence: tuple[Evidence, ...]
    drafted_text: str | None = None
    summarises: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReference:
    """One series of a study (DICOM PS3.3 C.7.3.1), and when its images here were acquired."""

    uid: str
    modality: str
    sop_class_uid: str
    sop_uids: tuple[str, ...]
    acquired: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReference:
    """The study that a report is about, without pixels; `acquired` is when the image was made that the report rests on."""

    uid: str
    modality: str
    acquired: datetime | None
    series: tuple[SeriesReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """What a reader signed. Only `review` makes one, and `delivery` takes nothing else."""

    id: str
    case_id: str
    study: StudyReference
    patient_key: str
    version: int
    statements: tuple[SignedStatement, ...]
    not_evaluated: tuple[str, ...]
    signed_by: Reader
    signed_at: datetime
    draft_id: str
    writer: str
    models: tuple[ModelIdentity, ...] = ()
    rejected_count: int = 0
    images_read: tuple[ImageReference, ...] = ()
    images_unread: tuple[ImageReference, ...] = ()

    def __post_init__(self) -> None:
        if self.signed_at.tzinfo is None:
            raise InputError("signed_at carries no time zone", remedy="sign with an aware time", report=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """All that is known of one case, as a reader opens it."""

    case: Case
    state: CaseState
    reading: Reading | None
    draft: CheckedDraft | None
    decisions: tuple[Decision, ...]
    report: SignedReport | None

    @property
    def decided(self) -> bool:
        """Whether a person has decided something on it, or signed it."""
        return bool(self.decisions) or self.report is not None

    @property
    def asked(self) -> tuple[Statement, ...]:
        """The statements of the draft that a reader decides on: each fact once, so none that summarises another."""
        return tuple(s for s in (self.draft.statements if self.draft else ()) if s.summarises is None)

    def decision_on(self, statement: Statement) -> Decision | None:
        """What stands decided on a statement; a summary without a decision of its own follows what it summarises."""
        decided = {decision.statement_id: decision for decision in self.decisions}
        own, followed = decided.get(statement.id), decided.get(statement.summarises or "")
        return own if own is not None or followed is None else replace(followed, statement_id=statement.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """One line of the worklist; it names the patient by key only."""

    case_id: str
    study_uid: str
    patient_key: str
    modality: str
    body_part: str
    acquired: datetime | None
    state: CaseState
    suspected: tuple[str, ...]
    opened_at: datetime

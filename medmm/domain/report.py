"""Decisions of a reader and the signed report they lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from medmm.domain.case_state import SIGNED_STATES, CaseState
from medmm.domain.critical_result import Communication
from medmm.domain.draft import (
    CLAIMS,
    AlsoSuspected,
    Assertion,
    Case,
    CheckedDraft,
    Evidence,
    Outcome,
    Section,
    Statement,
    Verdict,
)
from medmm.domain.errors import InputError
from medmm.domain.images import ImageReference
from medmm.domain.priority import CasePriority, turn
from medmm.domain.reading import ModelIdentity, Reading, Side
from medmm.domain.rejection_reasons import refuse_unknown
from medmm.domain.report_kind import ReportKind
from medmm.domain.suspicion import OwnWords, Standing, Suspicion, flagged, suspicions
from medmm.domain.vocabulary import finding_term
from medmm.language.report_parser import Polarity, findings_named, polarity
from medmm.language.sides import named_side

PLACEHOLDER = "put your own name here"  # as in the settings that ship
OWN_IMPRESSION = "impression"  # its id among the statements
# Ids of the findings that readers add; those of drafts start with s and u
OWN = re.compile(r"r[1-9]\d*")


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
            raise InputError(
                "an edit without text",
                remedy="reject the statement instead",
                statement=self.statement_id,
            )


@dataclass(frozen=True, slots=True)
class Reject:
    """Leave a drafted statement out.

    Attributes:
        reason: why, in the reader's words.
        code: why, by `data/rejection_reasons.csv`; None if the reader gave none.
    """

    statement_id: str
    reason: str = ""
    code: str | None = None

    def __post_init__(self) -> None:
        if self.code is not None:
            refuse_unknown(self.code, self.statement_id)


_FORMS = {
    Assertion.PRESENT: ("{}", Polarity.AFFIRMED),
    Assertion.POSSIBLE: ("possible {}", Polarity.HEDGED),
    Assertion.ABSENT: ("no {}", Polarity.DENIED),
}


@dataclass(frozen=True, slots=True)
class Add:
    """State a finding of the reader's own, seen in the image, by vocabulary or free text.

    See `of` for the former.

    Attributes:
        finding: name in the vocabulary; None marks free text, which carries no code.
        statement_id, by: number among the reader's own and who wrote it; given when the addition is
            kept.
    """

    text: str
    finding: str | None = None
    side: Side | None = None
    place: str = ""
    assertion: Assertion = Assertion.PRESENT
    statement_id: str = ""
    by: Reader | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InputError("an added finding without text", remedy="say what you see")
        if self.assertion is Assertion.REPORTED:
            raise InputError(
                "a finding is added as seen, not as reported",
                remedy="edit the clinical information",
            )

    @classmethod
    def of(
        cls,
        finding: str,
        *,
        side: Side | None = None,
        place: str = "",
        assertion: Assertion = Assertion.PRESENT,
    ) -> Add:
        """Build a finding of the vocabulary with the patient's side and the place in words.

        Raises: InputError if the vocabulary has no such finding, it has no side, or the place says
        something else than where it is.
        """
        term, place = finding_term(finding), " ".join(place.split()).rstrip(".")
        named = named_side(place)
        if side is not None and named not in (None, side):
            raise InputError(
                "side and place name different sides", remedy="give one of the two", finding=finding
            )
        side = side or (named if term.sided else None)
        if side is not None and not term.sided:
            raise InputError(
                f"{term.words} has no side", remedy="say where it is as its place", finding=finding
            )
        form, said = _FORMS[assertion]
        words = form.format(f"{side.value} {term.words}" if side and named is None else term.words)
        text = f"{words}, {place}" if place else words
        if findings_named(text) != {finding: said} or (
            place and polarity(place) is not Polarity.AFFIRMED
        ):
            raise InputError(
                "the place says something else than where the finding is",
                remedy="add it as free text",
                place=place,
            )
        text = text[0].upper() + text[1:] + "."
        return cls(text, finding=finding, side=side, place=place, assertion=assertion)


@dataclass(frozen=True, slots=True)
class Impression:
    """Write the impression in the reader's own words, in place of the drafted one.

    A line is a sentence.
    """

    text: str
    by: Reader | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InputError(
                "an impression without text",
                remedy="write it, or reject it to have the drafted one",
            )

    @property
    def statement_id(self) -> str:
        """The id under which it is kept: there is one."""
        return OWN_IMPRESSION


@dataclass(frozen=True, slots=True)
class Addendum:
    """Add words to a signed report, whose own words stay. Kept by `addendum` alone.

    Attributes:
        statement_id, by, at: "a" with the version that it made, who wrote it and when.
    """

    text: str
    statement_id: str = ""
    by: Reader | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InputError("an addendum without text", remedy="say what is to be added")


Decision = Accept | Edit | Reject | Add | Impression | Addendum


@dataclass(frozen=True, slots=True, kw_only=True)
class Preliminary:
    """A reader decided on all of a draft and left the signature to another."""

    by: Reader
    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InputError("a preliminary read without time zone", remedy="use an aware time")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentRead:
    """A reader read a case without knowing what another reader, or a draft, said of it."""

    by: Reader
    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InputError("an independent read without time zone", remedy="use an aware time")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A sentence that a reader signed; `drafted_text` is None if it was left unchanged.

    `summarises` is the id of the statement of the findings that it repeats in the impression.
    `author` wrote it without a draft; None if it was drafted. `place` is where in the image, in
    the author's words. `added_at` is when an addendum was added to the signed report; None of all
    else.
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
    author: Reader | None = None
    place: str = ""
    added_at: datetime | None = None

    @property
    def critical(self) -> bool:
        """Whether it states or suspects what must be told at once.

        That goes by its code or by the reader's own words.
        """
        words = OwnWords(statement_id=self.id, text=self.text)
        own = words.claims if self.drafted_text is not None or self.author is not None else {}
        coded = {self.finding} if self.finding and self.assertion in CLAIMS else set()
        return any(finding_term(name).critical for name in {*coded, *own})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReference:
    """One series of a study (PS3.3 C.7.3.1), and when its images here were acquired.

    `exact` is as in `StudyReference`.
    """

    uid: str
    modality: str
    sop_class_uid: str
    sop_uids: tuple[str, ...]
    acquired: datetime | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReference:
    """The study that a report is about, without pixels.

    `acquired` is when the image was made that the report rests on.

    `exact` is false if its time of day or its time zone is not known: then its date counts
    alone.
    """

    uid: str
    modality: str
    acquired: datetime | None
    series: tuple[SeriesReference, ...]
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """What a reader signed. Only `review` makes one, and `delivery` takes nothing else.

    A report that is amended, added to or withdrawn stays; a further version of it takes its place.

    Attributes:
        version: 1, 2, …, each one more than that of the report which it replaces.
        replaces: id of that report; None of the first version.
        first: id of the first version, under which all of them are one report; None of itself.
        reason: why it was replaced, in the words of who signed; "" of the first version.
        communications: who had been told of critical findings when it was signed.
        preliminary: who had read it before the signature; None if nobody else had.
        independent_reads: the two of a double reading, which who signed adjudicated; else empty.
    """

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
    kind: ReportKind = ReportKind.ORIGINAL
    replaces: str | None = None
    first: str | None = None
    reason: str = ""
    communications: tuple[Communication, ...] = ()
    preliminary: Preliminary | None = None
    independent_reads: tuple[IndependentRead, ...] = ()

    def __post_init__(self) -> None:
        if self.signed_at.tzinfo is None:
            raise InputError(
                "signed_at carries no time zone", remedy="sign with an aware time", report=self.id
            )
        marks = (self.kind is not ReportKind.ORIGINAL, self.replaces, self.first, self.reason)
        if {bool(mark) for mark in marks} != {self.version > 1} or self.version < 1:
            raise InputError(
                "a later version names its kind, what it replaces and why; the first none of it",
                remedy="make it with `amend`, `addendum` or `withdraw`",
                report=self.id,
            )
        if self.withdrawn and self.statements:
            raise InputError(
                "a withdrawn report states nothing", remedy="amend it instead", report=self.id
            )

    @property
    def withdrawn(self) -> bool:
        """Whether nothing of the report is valid."""
        return self.kind is ReportKind.WITHDRAWAL

    @property
    def root(self) -> str:
        """Id of the first version, which is the same for every version of one report."""
        return self.first or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """All that is known of one case, as a reader opens it.

    `rechecked` are the verdicts of the checks on the words that readers wrote: they mark, and
    refuse nothing. `report` is the version that counts; `earlier` are those that it replaced,
    oldest first; `communications` say who was told of critical findings, `preliminary` who left
    the signature to another. `blind` marks a file without anything that was read, drafted, decided
    or reported: see `blinded`.
    """

    case: Case
    state: CaseState
    reading: Reading | None
    draft: CheckedDraft | None
    decisions: tuple[Decision, ...]
    report: SignedReport | None
    rechecked: tuple[Verdict, ...] = ()
    priority: CasePriority | None = None
    earlier: tuple[SignedReport, ...] = ()
    blind: bool = False
    communications: tuple[Communication, ...] = ()
    preliminary: Preliminary | None = None

    def blinded(self) -> CaseFile:
        """Leave images, record and earlier studies alone, for a reader whom nothing may steer.

        Of the earlier studies what models read is left out too, and why the case is urgent.
        """
        priors = tuple(replace(prior, reading=None) for prior in self.case.priors)
        return CaseFile(
            case=replace(self.case, priors=priors),
            state=self.state,
            reading=None,
            draft=None,
            decisions=(),
            report=None,
            blind=True,
        )

    @property
    def versions(self) -> tuple[SignedReport, ...]:
        """Every version of the signed report, oldest first."""
        return self.earlier if self.report is None else (*self.earlier, self.report)

    @property
    def decided(self) -> bool:
        """Whether a person has decided something on it, or signed it."""
        return bool(self.decisions) or self.report is not None

    @property
    def asked(self) -> tuple[Statement, ...]:
        """The statements that a reader decides on: each fact once, and no summary of another.

        A reader's own impression takes the place of the drafted one, on which nothing is asked
        then.
        """
        drafted = (s for s in (self.draft.statements if self.draft else ()) if s.summarises is None)
        return tuple(
            s for s in drafted if self.impression is None or s.section is not Section.IMPRESSION
        )

    @property
    def added(self) -> tuple[Add, ...]:
        """The findings that readers added."""
        return tuple(decision for decision in self.decisions if isinstance(decision, Add))

    @property
    def impression(self) -> Impression | None:
        """The reader's own impression, if there is one."""
        return next(
            (decision for decision in self.decisions if isinstance(decision, Impression)), None
        )

    def decision_on(self, statement: Statement) -> Accept | Edit | Reject | None:
        """Return what stands decided on a statement; a summary follows what it summarises.

        It does so unless it has a decision of its own.
        """
        decided = {
            d.statement_id: d for d in self.decisions if isinstance(d, Accept | Edit | Reject)
        }
        own, followed = decided.get(statement.id), decided.get(statement.summarises or "")
        return (
            own
            if own is not None or followed is None
            else replace(followed, statement_id=statement.id)
        )

    @property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Everything that is suspected in the case, with what became of it; see `suspicions`."""
        draft = self.draft.draft if self.draft else None
        words = {s.id: s.text for s in (draft.decidable if draft else ())}
        decided: dict[str, str | None] = {}
        for one in self.decisions:
            if isinstance(one, Accept | Edit | Reject):
                decided[one.statement_id] = _words_left(one, words)
        return suspicions(self.reading, draft, decided, self._own_words())

    @property
    def flagged(self) -> tuple[Suspicion, ...]:
        """What of the list holds now: nothing that was rejected, or signed the report without."""
        return flagged(self.suspicions, signed=self.state in SIGNED_STATES)

    @property
    def critical_findings(self) -> tuple[str, ...]:
        """The findings that a person must be told of at once, as they stand now."""
        return tuple(dict.fromkeys(one.finding for one in self.flagged if one.critical))

    @property
    def uncommunicated(self) -> tuple[str, ...]:
        """Those of them that nobody was told of yet."""
        told = {name for one in self.communications for name in one.findings}
        return tuple(name for name in self.critical_findings if name not in told)

    def critical(self, statement_id: str) -> bool:
        """Tell whether a statement, as it stands now, must be told at once; not if rejected."""
        statement = next(
            (s for s in (self.draft.statements if self.draft else ()) if s.id == statement_id), None
        )
        if statement is not None and isinstance(self.decision_on(statement), Reject):
            return False
        finding = (
            statement.summarises if statement is not None and statement.summarises else statement_id
        )
        own = {
            name
            for words in self._own_words()
            if words.statement_id == finding
            for name in words.claims
        }
        listed = any(one.critical and one.statement_id == finding for one in self.flagged)
        return listed or any(finding_term(name).critical for name in own)

    @property
    def also_suspected(self) -> tuple[AlsoSuspected, ...]:
        """What is suspected and not stated, in the block beside the findings.

        Those on which a reader decided are in it.

        A draft of an earlier release lists none: what its reading suspects beyond its statements
        stands in `suspicions`.
        """
        return self.draft.draft.also_suspected if self.draft else ()

    @property
    def unstated(self) -> tuple[Suspicion, ...]:
        """What of the list is neither stated nor decided on, and has no statement to decide on."""
        return tuple(
            s for s in self.flagged if s.standing is Standing.NOT_STATED and s.statement_id is None
        )

    def marks(self, statement_id: str) -> tuple[Verdict, ...]:
        """Return what the checks have against a reader's own words."""
        return tuple(
            v
            for v in self.rechecked
            if v.statement_id == statement_id and v.outcome is Outcome.FAILED
        )

    def _own_words(self) -> Iterator[OwnWords]:
        seen = {
            s.id
            for s in (self.draft.draft.decidable if self.draft else ())
            if s.section is Section.FINDINGS
        }
        for one in self.decisions:
            if (isinstance(one, Edit) and one.statement_id in seen) or isinstance(one, Addendum):
                yield OwnWords(statement_id=one.statement_id, text=one.text)
            elif isinstance(one, Add):
                finding = one.finding if one.assertion in CLAIMS else None
                yield OwnWords(
                    statement_id=one.statement_id, text=one.text, finding=finding, side=one.side
                )


def _words_left(decision: Accept | Edit | Reject, drafted: Mapping[str, str]) -> str | None:
    if isinstance(decision, Reject):
        return None
    return decision.text if isinstance(decision, Edit) else drafted.get(decision.statement_id, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """One line of the worklist; it names the patient by key only.

    `suspected` names the findings of `suspicions`, which is the list of `CaseFile.flagged`;
    `seen_in_part` is what keeps an empty one from being said of the whole. `priority` is a level of
    `Priority`, None if neither order nor person gave one; `waiting_since` is when its first
    draft was made, while it is not signed; `assigned` is the id of the reader who has claimed it
    since `assigned_since` until `assigned_until`; `critical_since` is when findings were drafted
    that a person must be told of at once, while nobody was; `withheld` marks a line that does not
    say what is suspected, because its reader is to look first.
    """

    case_id: str
    study_uid: str
    patient_key: str
    modality: str
    body_part: str
    acquired: datetime | None
    state: CaseState
    suspected: tuple[str, ...]
    opened_at: datetime
    suspicions: tuple[Suspicion, ...] = ()
    seen_in_part: tuple[str, ...] = ()
    priority: str | None = None
    priority_reason: str | None = None
    waiting_since: datetime | None = None
    site: str | None = None
    assigned: str | None = None
    assigned_until: datetime | None = None
    assigned_since: datetime | None = None
    critical_since: datetime | None = None
    withheld: bool = False

    @property
    def place(self) -> str:
        """Its place in the worklist as it was listed, after which a page begins: id and turn.

        By urgency its case may stand elsewhere when the next page is asked for.
        """
        waiting, critical = (_utc_text(at) for at in (self.waiting_since, self.critical_since))
        place = turn(self.state.value, self.priority, waiting, critical)
        return f"{self.case_id}@{place.replace(' ', ',')}"


def _utc_text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")

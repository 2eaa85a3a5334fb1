"""A draft: statements that each name their evidence, and the verdicts of the checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from medmm.domain.claim import CLAIMS as CLAIMS
from medmm.domain.claim import Assertion as Assertion  # programs know it by this place
from medmm.domain.claim import Claim
from medmm.domain.errors import InputError
from medmm.domain.frame_reference import FrameReference
from medmm.domain.images import ImageReference
from medmm.domain.prior import Prior
from medmm.domain.reading import Extent, ModelIdentity, Side
from medmm.domain.record import ClinicalContext
from medmm.domain.study import Notice, Study
from medmm.domain.vocabulary import finding_terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A study, the record joined to it, and the patient's earlier studies.

    The record is None if none was given.

    `priors` are those that were known when the case was opened, newest first; empty in cases of
    earlier releases.
    """

    id: str
    study: Study
    context: ClinicalContext | None = None
    priors: tuple[Prior, ...] = ()


# A line of not_evaluated until 0.1.0
SUSPECTED_BEFORE = "suspected by score alone, not stated by the language model"


class Section(Enum):
    """Where a statement stands in the report."""

    CLINICAL_INFORMATION = "clinical information"
    FINDINGS = "findings"
    IMPRESSION = "impression"
    ADDENDUM = "addendum"  # of a signed report alone


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreEvidence:
    """A calibrated probability beside its operating point."""

    finding: str
    probability: float
    threshold: float
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionEvidence:
    """A place in the picture, as fractions of the film, and the patient's side where known.

    `image` is the film, as in `Region`.
    """

    finding: str
    box_xyxy: tuple[float, float, float, float]
    side: Side | None
    image: FrameReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementEvidence:
    """A measured value."""

    name: str
    value: float
    unit: str
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtentEvidence:
    """Labelled voxels of a volume: which map, which slices, where their centre lies."""

    extent: Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEvidence:
    """A fact of the record, by its id and its place in the source."""

    fact_id: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderEvidence:
    """What a person saw: the evidence of a statement that a reader adds, by the reader's id."""

    reader_id: str


Evidence = (
    ScoreEvidence
    | RegionEvidence
    | MeasurementEvidence
    | ExtentEvidence
    | FactEvidence
    | ReaderEvidence
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How a language model wrote a sentence; an outside model may say only its name.

    Attributes:
        tokens, log_probabilities: its tokens, each with its log-probability, so that a check can
            point at one.
        probability: calibrated, that the finding is there, by heads and language model together.
        threshold: the operating point from which it is claimed.
    """

    model: str
    tokens: tuple[str, ...] = ()
    log_probabilities: tuple[float, ...] | None = None
    probability: float | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.log_probabilities is not None and len(self.tokens) != len(self.log_probabilities):
            raise InputError(
                "tokens and log-probabilities differ in number",
                remedy="give one of each",
                model=self.model,
            )

    @property
    def mean_probability(self) -> float | None:
        """The mean probability of the tokens; None if there is none, or the writer does not say."""
        values = [math.exp(value) for value in self.log_probabilities or ()]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a language model says of one finding, before it has evidence.

    Only a writer makes a statement of it.

    `finding` is a name of the vocabulary; None if the model named none, and then it is never
    stated.
    """

    finding: str | None
    assertion: Assertion
    text: str
    generation: Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a language model says of one case, and how likely it thinks each finding.

    The findings are its own, whether said or not.
    """

    proposals: tuple[Proposal, ...]
    probability: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One drafted sentence. Without evidence it can't be built.

    `finding` is a name of the vocabulary, or None if the sentence states a measurement or a
    fact. `summarises` is the id of the statement of FINDINGS that a statement of the impression
    repeats: who decides on that one decides on this one. `generation` is None if rules wrote the
    text.
    """

    id: str
    section: Section
    text: str
    assertion: Assertion
    evidence: tuple[Evidence, ...]
    finding: str | None = None
    side: Side | None = None
    summarises: str | None = None
    generation: Generation | None = None

    def __post_init__(self) -> None:
        if not self.evidence:
            raise InputError(
                "a statement without evidence can't be built",
                remedy="name a region, score, measurement or fact",
                statement=self.id,
            )
        if not self.text.strip():
            raise InputError(
                "a statement without text can't be built", remedy="write it", statement=self.id
            )

    @property
    def critical(self) -> bool:
        """Whether it suspects or states what a reader must be told at once."""
        term = finding_terms().get(self.finding or "")
        return term is not None and term.critical and self.assertion in CLAIMS


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsoSuspected:
    """A finding at or above its operating point that the writer does not state, and why.

    It stands here as it would be stated.

    Nobody has to decide on it; it stands in the report only if a reader accepts or edits it.
    """

    statement: Statement
    why: str


class Fate(Enum):
    """What became of a sentence that a language model proposed."""

    STATED = "stated"
    REPLACED = "replaced"  # another statement of the same finding stands in its place
    WITHHELD = "withheld"
    REWORDED = "reworded"  # a statement says the same claims in other words
    REFUSED = "refused"  # a check that blocks failed on its words


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceRecord:
    """A sentence that a language model proposed, what it would rest on, and what became of it.

    Attributes:
        id: number among the proposals of the draft: p1, p2, ...
        evidence: what the reading holds of its finding; empty if nothing was read of that.
        statement_id: the statement that has its words, or that stands in its place; of a sentence
            that was withheld the one by which its finding is also suspected.
        reason: why it is not stated as it was proposed; empty if it is.
        verdicts: of the checks on its words, as if they were stated; those of a stated one are its
            statement's.
        claims: what its words claim; empty in drafts of earlier releases.
        words: the words that stand in place of its own; of a reworded one alone.
    """

    id: str
    proposal: Proposal
    evidence: tuple[Evidence, ...]
    fate: Fate
    statement_id: str | None = None
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    claims: tuple[Claim, ...] = ()
    words: str = ""

    def __post_init__(self) -> None:
        if self.fate not in (Fate.WITHHELD, Fate.REFUSED) and self.statement_id is None:
            raise InputError(
                f"a sentence that was {self.fate.value} names no statement",
                remedy="name the statement",
                sentence=self.id,
            )
        if (self.fate is Fate.STATED) == bool(self.reason):
            raise InputError(
                "a sentence has a reason exactly where it is not stated",
                remedy="say why it is not stated",
                sentence=self.id,
            )
        if (self.fate is Fate.REWORDED) != bool(self.words.strip()):
            raise InputError(
                "a sentence has other words exactly where it is reworded",
                remedy="give the words that stand instead",
                sentence=self.id,
            )

    @property
    def region(self) -> RegionEvidence | None:
        """Where in the picture its finding is seen, if anywhere."""
        return next((e for e in self.evidence if isinstance(e, RegionEvidence)), None)

    @property
    def probability(self) -> float | None:
        """The calibrated probability of its finding; None if it was not read."""
        return next((e.probability for e in self.evidence if isinstance(e, ScoreEvidence)), None)


class AuthorKind(Enum):
    """Whether a program or a person made a version of a draft."""

    WRITER = "writer"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who made a version of a draft: a writer by its name, or a reader by id."""

    kind: AuthorKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a writer proposes for a case; made again, it is another version with another id.

    `not_evaluated` says openly what neither the models nor the writer looked at; `also_suspected`
    what the models suspect and the writer does not state; `sentences` what a language model
    proposed, whatever became of it. `images_read` are the images that the models looked at, with
    their own times, `images_unread` the others of the study, with the reasons. `writer` is whose
    words it is in, `author` who made this version; `version` counts from 1, and `parent` is the id
    of the one before (None: it is the first).
    """

    id: str
    case_id: str
    writer: str
    author: Author
    statements: tuple[Statement, ...]
    not_evaluated: tuple[str, ...]
    models: tuple[ModelIdentity, ...] = ()
    warnings: tuple[Notice, ...] = ()
    images_read: tuple[ImageReference, ...] = ()
    images_unread: tuple[ImageReference, ...] = ()
    also_suspected: tuple[AlsoSuspected, ...] = ()
    sentences: tuple[SentenceRecord, ...] = ()
    version: int = 1
    parent: str | None = None

    @property
    def decidable(self) -> tuple[Statement, ...]:
        """Everything that a reader may decide on: the statements, then what is also suspected."""
        return (*self.statements, *(also.statement for also in self.also_suspected))

    @property
    def limits(self) -> tuple[str, ...]:
        """What was not evaluated, without suspicions that earlier releases listed there."""
        return tuple(line for line in self.not_evaluated if not line.startswith(SUSPECTED_BEFORE))

    def __post_init__(self) -> None:
        if self.version < 1 or (self.version == 1) != (self.parent is None):
            raise InputError(
                f"version {self.version} of a draft "
                f"{'names no' if self.parent is None else 'names a'} parent",
                remedy="count from 1; every version but the first names the one before",
                draft=self.id,
            )
        ids = [statement.id for statement in self.decidable]
        if len(set(ids)) != len(ids):
            raise InputError(
                "two statements share an id", remedy="number the statements", draft=self.id
            )
        if any(s.statement_id not in (None, *ids) for s in self.sentences):
            raise InputError(
                "a sentence names a statement that the draft does not have",
                remedy="name one of its statements",
                draft=self.id,
            )
        findings = {
            statement.id for statement in self.statements if statement.section is Section.FINDINGS
        }
        for statement in self.statements:
            if statement.summarises is None:
                continue
            if statement.section is not Section.IMPRESSION or statement.summarises not in findings:
                raise InputError(
                    "only a statement of the impression summarises one, and that is one of the "
                    "findings",
                    remedy="name the statement of the findings",
                    statement=statement.id,
                )


class Outcome(Enum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


class Severity(Enum):
    """What it means that a check failed."""

    BLOCKS = "blocks"  # the statement can't be accepted as it stands
    WARNS = "warns"  # a person is asked to look again, and nothing is refused
    INFORMS = "informs"  # of a sentence that is not stated: nobody is asked anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One check's outcome on one statement; `check` is its number in the docs (G1, G2, ...).

    `severity` says what a failure of the check means there; in drafts of earlier releases each
    blocked.
    """

    check: str
    statement_id: str
    outcome: Outcome
    reason: str
    severity: Severity = Severity.BLOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDraft:
    """A draft with a verdict of every check on every statement."""

    draft: Draft
    verdicts: tuple[Verdict, ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The draft's statements."""
        return self.draft.statements

    def verdicts_on(self, statement_id: str) -> tuple[Verdict, ...]:
        """Return all verdicts on one statement."""
        return tuple(v for v in self.verdicts if v.statement_id == statement_id)

    def failed(self, statement_id: str) -> tuple[Verdict, ...]:
        """Return the verdicts that failed on one statement."""
        return tuple(v for v in self.verdicts_on(statement_id) if v.outcome is Outcome.FAILED)

    def blocking(self, statement_id: str) -> tuple[Verdict, ...]:
        """Return the failed verdicts that keep one statement from being accepted as it stands."""
        return tuple(v for v in self.failed(statement_id) if v.severity is Severity.BLOCKS)

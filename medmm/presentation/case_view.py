"""A case as people see it; terminal, HTML page and dashboard take every word from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from medmm.domain.case_state import SIGNED_STATES
from medmm.domain.draft import (
    CheckedDraft,
    Outcome,
    RegionEvidence,
    Section,
    Severity,
    Statement,
    Verdict,
)
from medmm.domain.images import image_lines
from medmm.domain.notices import sorted_notices
from medmm.domain.packaged_films import packaged_note
from medmm.domain.reading import Region
from medmm.domain.report import CaseFile, CaseState, Edit
from medmm.domain.vocabulary import finding_term, most_urgent_first
from medmm.presentation.draft_words import (
    MARKS,
    NO_DRAFT,
    NOTHING_ELSE,
    banner,
    decided_words,
    decision_word,
    generation_words,
    made_by,
    mark_words,
    own_rows,
)
from medmm.presentation.evidence_words import EvidenceView, evidence_lines, evidence_view
from medmm.presentation.opinion_words import opinion_lines
from medmm.presentation.suspicion_words import operating_point_words, suspected_line, unstated_words
from medmm.presentation.value_words import MeasurementRow, measurement_rows
from medmm.presentation.withheld import WithheldView, withheld, withheld_count


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One check of one statement: its outcome, its number in the docs, and why."""

    outcome: Outcome
    number: str
    reason: str
    severity: Severity = Severity.BLOCKS

    @property
    def mark(self) -> str:
        """The outcome as one character."""
        return MARKS[self.outcome]

    @property
    def failed(self) -> bool:
        """Whether the check failed."""
        return self.outcome is Outcome.FAILED

    @property
    def passed(self) -> bool:
        """Whether the check passed; one that does not apply did neither."""
        return self.outcome is Outcome.PASSED

    @property
    def words(self) -> str:
        """Number and mark, and why it failed."""
        mark = f"{self.number} {self.mark}"
        return f"{mark} {self.reason}" if self.failed else mark


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """One statement as it is decided on, or one of a reader's own.

    Attributes:
        text: the words as they stand now.
        drafted_text: the drafted words; None unless a reader wrote others.
        evidence: in few words, with bars; `evidence_lines` say the same at length.
        decided: what was decided, as a sentence; "" if nothing was. `decision` is it in one word.
        heat: the finding whose heat-map shows its evidence.
        summarises: the statement that it repeats, and with which it is decided.
        why: why it is suspected and not stated.
        marks: what the checks have against a reader's own words.
        own: whose words a reader's own statement has; "" for a drafted one.
    """

    id: str
    section: Section
    text: str
    drafted_text: str | None = None
    evidence: tuple[EvidenceView, ...] = ()
    evidence_lines: tuple[str, ...] = ()
    checks: tuple[CheckView, ...] = ()
    decision: str | None = None
    decided: str = ""
    heat: str | None = None
    critical: bool = False
    summarises: str | None = None
    generation: str = ""
    why: str = ""
    marks: tuple[str, ...] = ()
    own: str = ""

    @property
    def drafted(self) -> str:
        """The words as they were drafted, whatever was decided."""
        return self.text if self.drafted_text is None else self.drafted_text

    @property
    def not_stated(self) -> str:
        """That it is not stated, and why; "" if it is."""
        return f"not stated: {self.why}" if self.why else ""

    @property
    def told_checks(self) -> tuple[CheckView, ...]:
        """The checks that apply."""
        return tuple(check for check in self.checks if check.passed or check.failed)

    @property
    def bars(self) -> tuple[tuple[float, float], ...]:
        """(probability, operating point) of each score."""
        return tuple(e.bar for e in self.evidence if e.bar)

    @property
    def evidence_line(self) -> str:
        """All evidence in words, and whose words the sentence has."""
        return " · ".join(filter(None, (*(e.text for e in self.evidence), self.generation)))

    @property
    def may_accept(self) -> bool:
        """Whether it may be accepted unchanged: it failed no check that blocks."""
        return not any(c.failed and c.severity is Severity.BLOCKS for c in self.checks)

    @property
    def passed(self) -> str:
        """The numbers of the checks that passed, in one short line."""
        numbers = [check.number for check in self.checks if check.passed]
        return " ".join([MARKS[Outcome.PASSED], *numbers]) if numbers else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatChoice:
    """A heat-map that can be laid over the film."""

    name: str
    probability: float
    threshold: float
    suspected: bool
    region: Region

    @property
    def words(self) -> str:
        """The finding and its probability."""
        return f"{finding_term(self.name).words} {self.probability:.2f}"

    @property
    def label(self) -> str:
        """The finding, its probability, and whether it is suspected."""
        return f"{self.words} · suspected" if self.suspected else self.words

    @property
    def caption(self) -> str:
        """The finding, its probability, and what that means beside its operating point."""
        return f"{self.words} ({operating_point_words(self.probability, self.threshold)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case as every page shows it.

    Attributes:
        banner: what stands on top of every page of a draft.
        warnings: those that matter for this reading; `recorded` are those for the record alone.
        note: what must stand beside a packaged film.
        statements: those of the draft, in its order; none where it has none.
        own: what readers wrote without a draft; `impression` is their own impression among them.
        also: what is suspected and not stated, as it would be stated.
        unstated: what a draft of an earlier release suspects and does not list.
        proposed: what a language model proposed and the draft does not state, and why.
        opinions: what later models say of what the draft's model states, and where they disagree.
        without_draft: what stands where there is no draft to show.
    """

    case_id: str
    study_uid: str
    banner: str
    what: str
    acquired: datetime | None
    state: CaseState
    drafted: bool
    warnings: tuple[str, ...]
    recorded: tuple[str, ...]
    note: str | None
    statements: tuple[StatementView, ...]
    not_evaluated: tuple[str, ...]
    decided: int
    total: int
    heats: tuple[HeatChoice, ...]
    measured: tuple[MeasurementRow, ...]
    made_by: str
    without_draft: str = NO_DRAFT
    also: tuple[StatementView, ...] = ()
    unstated: tuple[str, ...] = ()
    proposed: tuple[WithheldView, ...] = ()
    own: tuple[StatementView, ...] = ()
    suspected: str = ""
    images: tuple[str, ...] = ()
    opinions: tuple[str, ...] = ()

    @property
    def proposed_title(self) -> str:
        """How many sentences were proposed and are not stated; "" if none."""
        return withheld_count(len(self.proposed)) if self.proposed else ""

    @property
    def title(self) -> str:
        """What the study is, and when it was made."""
        when = f"{self.acquired:%Y-%m-%d %H:%M}" if self.acquired else "no date"
        return f"{self.what}, {when}"

    @property
    def acquired_words(self) -> str:
        """The moment of acquisition (ISO 8601)."""
        return self.acquired.isoformat() if self.acquired else "unknown"

    @property
    def signed(self) -> bool:
        """Whether a signed report counts, and no longer the draft."""
        return self.state in SIGNED_STATES

    @property
    def may_sign(self) -> bool:
        """Whether everything is decided and something is there to sign."""
        return self.total == self.decided and self.state in (
            CaseState.IN_REVIEW,
            CaseState.PRELIMINARY,
        )

    @property
    def impression(self) -> StatementView | None:
        """The reader's own impression; None if there is none."""
        return next((one for one in self.own if one.section is Section.IMPRESSION), None)

    @property
    def added(self) -> tuple[StatementView, ...]:
        """The findings that readers added."""
        return tuple(one for one in self.own if one.section is Section.FINDINGS)

    @property
    def first_heat(self) -> str:
        """The heat-map to begin with, of the first statement that has one; "" if none has."""
        suspected = {heat.name for heat in self.heats if heat.suspected}
        findings = self.in_section(Section.FINDINGS)
        shown = (one.heat for one in (*findings, *self.statements, *self.also))
        return next((heat for heat in shown if heat in suspected), "")

    def in_section(self, section: Section) -> tuple[StatementView, ...]:
        """List the statements of the draft in a section."""
        return tuple(one for one in self.statements if one.section is section)

    def own_in(self, section: Section) -> tuple[StatementView, ...]:
        """List what readers wrote into a section without a draft."""
        return tuple(one for one in self.own if one.section is section)

    def count(self, decision: str) -> int:
        """Count the statements that are decided this way."""
        return sum(s.decision == decision for s in self.statements if s.summarises is None)


def case_view(file: CaseFile) -> CaseView:
    """Make the view of a case."""
    study, draft = file.case.study, file.draft
    matters, recorded = sorted_notices((*(draft.draft.warnings if draft else ()), *study.warnings))
    return CaseView(
        case_id=file.case.id,
        study_uid=study.uid,
        banner=banner(file),
        what=f"{study.modality.value} {study.body_part}",
        acquired=study.image_time.moment if study.image_time else None,
        state=file.state,
        drafted=draft is not None,
        warnings=tuple(notice.text for notice in matters),
        recorded=tuple(notice.text for notice in recorded),
        note=None if file.blind else packaged_note(study),
        statements=statement_views(file, draft.statements) if draft else (),
        not_evaluated=draft.draft.limits if draft else (),
        decided=sum(file.decision_on(s) is not None for s in file.asked),
        total=len(file.asked),
        heats=_heats(file),
        measured=measurement_rows(draft.statements) if draft else (),
        made_by=made_by(draft) if draft else "",
        without_draft=NOTHING_ELSE if file.blind else NO_DRAFT,
        also=_also(file),
        unstated=tuple(map(unstated_words, file.unstated)),
        proposed=withheld(draft) if draft else (),
        own=_own(file),
        suspected=suspected_line(file.flagged),
        opinions=opinion_lines(file.reading),
        images=image_lines(draft.draft.images_read, draft.draft.images_unread) if draft else (),
    )


def statement_views(file: CaseFile, statements: Iterable[Statement]) -> tuple[StatementView, ...]:
    """Make the views of statements of a case's draft."""
    return tuple(_statement(file, statement) for statement in statements)


def _statement(file: CaseFile, statement: Statement) -> StatementView:
    decision, context = file.decision_on(statement), file.case.context
    edited = isinstance(decision, Edit)
    return StatementView(
        id=statement.id,
        section=statement.section,
        text=decision.text if isinstance(decision, Edit) else statement.text,
        drafted_text=statement.text if edited else None,
        evidence=tuple(dict.fromkeys(evidence_view(e, context) for e in statement.evidence)),
        evidence_lines=tuple(evidence_lines(statement)),
        checks=_checks(file.draft, statement),
        decision=decision_word(decision),
        decided=decided_words(file, statement),
        critical=file.critical(statement.id),
        heat=next((e.finding for e in statement.evidence if isinstance(e, RegionEvidence)), None),
        summarises=statement.summarises,
        generation=generation_words(statement.generation) if statement.generation else "",
        marks=_marks(file, statement.id),
    )


def _checks(draft: CheckedDraft | None, statement: Statement) -> tuple[CheckView, ...]:
    verdicts: tuple[Verdict, ...] = tuple(draft.verdicts_on(statement.id)) if draft else ()
    return tuple(
        CheckView(outcome=v.outcome, number=v.check, reason=v.reason, severity=v.severity)
        for v in verdicts
    )


def _also(file: CaseFile) -> tuple[StatementView, ...]:
    """List what is also suspected, as it would be stated.

    Each says why it is not stated until somebody decides on it.
    """
    views = statement_views(file, (one.statement for one in file.also_suspected))
    return tuple(
        replace(view, why="" if view.decision else one.why)
        for view, one in zip(views, file.also_suspected, strict=True)
    )


def _own(file: CaseFile) -> tuple[StatementView, ...]:
    """List what readers wrote themselves, with what the checks have against it."""
    return tuple(
        StatementView(
            id=number,
            section=section,
            text=text,
            own=mark,
            decided=mark,
            critical=file.critical(number),
            marks=_marks(file, number),
        )
        for section, number, text, mark in own_rows(file)
    )


def _marks(file: CaseFile, statement_id: str) -> tuple[str, ...]:
    return tuple(map(mark_words, file.marks(statement_id)))


def _heats(file: CaseFile) -> tuple[HeatChoice, ...]:
    """List the heat-maps of all findings that have one.

    Suspected ones come first, then critical ones, then by probability.
    """
    names = {one.finding for one in file.flagged}
    findings = most_urgent_first(file.reading.findings if file.reading else ())
    return tuple(
        HeatChoice(
            name=f.name,
            probability=f.probability,
            threshold=f.threshold,
            suspected=f.name in names,
            region=f.region,
        )
        for f in sorted(findings, key=lambda f: f.name not in names)
        if f.region is not None
    )

"""From a case to what the page shows. Pure functions: no Streamlit, no I/O."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from medmm.config import Settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.case_state import SIGNED_STATES
from medmm.domain.display import (
    generation_words,
    mark_words,
    own_mark,
    unstated_words,
)
from medmm.domain.display import (
    suspected_line as listed_line,
)
from medmm.domain.draft import (
    CheckedDraft,
    Outcome,
    RegionEvidence,
    Section,
    Statement,
)
from medmm.domain.errors import MedmmError
from medmm.domain.identity import PatientIdentity
from medmm.domain.images import image_lines, with_limits
from medmm.domain.notices import sorted_notices
from medmm.domain.packaged_films import packaged_note
from medmm.domain.reading import Region
from medmm.domain.record import ClinicalContext
from medmm.domain.report import (
    OWN_IMPRESSION,
    CaseFile,
    CaseState,
    CaseSummary,
    Decision,
    Edit,
    Reader,
    SignedStatement,
)
from medmm.domain.study import Volume
from medmm.domain.vocabulary import finding_term, most_urgent_first
from medmm.presentation.draft_words import MARKS, decision_word, made_by
from medmm.presentation.evidence_words import EvidenceView, evidence_view, fact_value
from medmm.presentation.slice_picture import marked_slices

BANNER = "DRAFT: a clinician decides. Research software, not a medical device."
SIGNED_BANNER = (
    "SIGNED: the report stays as a clinician signed it. Research software, not a medical device."
)
WELCOME = (
    "Choose a case in the worklist. If there is none: admit a study on the left, "
    "or run `medmm demo`, which says how to open what it made."
)
WORKLIST_PAGE = 50  # cases, until more are asked for
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# What Streamlit still makes links, icons and arrows of after Markdown's escapes are gone: `http://`, `www.`,
# `a@b`, `:icon:`, `->`. An invisible word joiner (U+2060) at these places keeps them plain text.
REWRITTEN = re.compile(r"(?<=[:@])|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
JOINER = "\u2060"
# Marks that turn the direction of text (Unicode bidirectional embeddings, overrides, isolates) can swap words.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


# What stands beside the film comes first; in the report the clinical information does.
REVIEW_ORDER = (Section.FINDINGS, Section.IMPRESSION, Section.CLINICAL_INFORMATION)


def inert(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is: no HTML, links, formulas, colours or icons come of it."""
    return PUNCTUATION.sub(r"\\\1", REWRITTEN.sub(JOINER, one_line(text)))


def one_line(text: str) -> str:
    """Text on one line, marks that turn its direction shown as U+FFFD."""
    return TURNING.sub("\ufffd", " ".join(text.split()))


def error_lines(error: MedmmError) -> tuple[str, ...]:
    """What went wrong, where, and what helps, as Markdown."""
    place = ", ".join(f"{name} {value}" for name, value in error.where.items())
    lines = (inert(error.problem), inert(place), f"**What helps:** {inert(error.remedy)}")
    return tuple(line for line in lines if line)


def identifier_settings_lacking(settings: Settings) -> str:
    """Which identifier systems the FHIR download goes without, and so what it does not find on a server; else nothing."""
    systems = settings.identifiers
    lacking = {"mrn": systems.mrn, "accession": systems.accession}
    names = [f"`identifiers.{name}`" for name, system in lacking.items() if system is None]
    if not names:
        return ""
    searched = (
        " The patient is not searched for on a server unless the image names the system."
        if not systems.mrn
        else ""
    )
    return f"FHIR R4 goes without the systems of {' and '.join(names)}, which the settings do not name.{searched}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One check of one statement: its mark, its number in the docs, and why."""

    mark: str
    number: str
    reason: str

    @property
    def failed(self) -> bool:
        """Whether the check failed."""
        return self.mark == MARKS[Outcome.FAILED]


DIGESTS = re.compile(r"[0-9a-f]{64}( [0-9a-f]{64})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """One statement as it is decided on.

    `drafted_text` is set where a reader wrote other words, `heat` where a heat-map shows its evidence, `summarises`
    where it is decided on with the finding that it repeats, `why` where it is suspected and not stated. `marks` are what
    the checks have against a reader's own words, `own` whose words a reader's own statement has.
    """

    id: str
    text: str
    drafted_text: str | None
    evidence: tuple[EvidenceView, ...]
    checks: tuple[CheckView, ...]
    decision: str | None
    heat: str | None
    critical: bool
    summarises: str | None = None
    generation: str = ""
    why: str = ""
    marks: tuple[str, ...] = ()
    own: str = ""

    @property
    def bars(self) -> tuple[tuple[float, float], ...]:
        """(probability, operating point) of each score."""
        return tuple(e.bar for e in self.evidence if e.bar)

    @property
    def evidence_line(self) -> str:
        """All evidence in words, and whose words the sentence has."""
        return " · ".join(
            [*(e.text for e in self.evidence), *([self.generation] if self.generation else [])]
        )

    @property
    def may_accept(self) -> bool:
        """A statement that failed a check is edited or rejected, never accepted unchanged."""
        return not any(check.failed for check in self.checks)

    @property
    def passed(self) -> str:
        """The numbers of the checks that passed, in one short line."""
        numbers = [check.number for check in self.checks if check.mark == MARKS[Outcome.PASSED]]
        return " ".join(["✓", *numbers]) if numbers else ""

    def edit_key(self, case_id: str) -> str:
        """Name of the field for new words: another case or another text never meets words typed for this one."""
        return f"text {case_id} {self.id} {zlib.crc32(self.text.encode())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatChoice:
    """A heat-map that can be laid over the film."""

    name: str
    label: str
    suspected: bool
    region: Region


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case as the page shows it."""

    title: str
    state: str
    signed: bool
    warnings: tuple[str, ...]  # those that matter for this reading
    recorded: tuple[str, ...]  # those for the record
    note: str | None  # of a packaged film
    sections: tuple[tuple[str, tuple[StatementView, ...]], ...]
    not_evaluated: tuple[str, ...]
    decided: int
    total: int
    heats: tuple[HeatChoice, ...]
    made_by: str
    also: tuple[StatementView, ...] = ()
    unstated: tuple[str, ...] = ()
    own: tuple[StatementView, ...] = ()
    impression: StatementView | None = None
    suspected: str = ""
    images: tuple[str, ...] = ()

    @property
    def may_sign(self) -> bool:
        """Whether everything is decided and something is there to sign."""
        return self.total == self.decided and self.state == CaseState.IN_REVIEW.value

    @property
    def first_heat(self) -> str:
        """The heat-map to begin with, that of the first statement which has one; "" if none is suspected."""
        suspected = {heat.name for heat in self.heats if heat.suspected}
        shown = (
            s.heat
            for s in (*(s for _, statements in self.sections for s in statements), *self.also)
        )
        return next((heat for heat in shown if heat in suspected), "")

    def count(self, decision: str) -> int:
        """How many statements are decided this way."""
        asked = [s for _, statements in self.sections for s in statements if s.summarises is None]
        return sum(s.decision == decision for s in asked)


def case_line(summary: CaseSummary) -> str:
    """One line of the worklist."""
    when = f"{summary.acquired:%Y-%m-%d}" if summary.acquired else "no date"
    return f"{summary.modality} {summary.body_part} · {when} · {summary.state.value}"


def critical_line(summary: CaseSummary) -> str:
    """The critical findings among what is suspected, or nothing."""
    return ", ".join(
        finding_term(name).words for name in summary.suspected if finding_term(name).critical
    )


def suspected_line(summary: CaseSummary) -> str:
    """What is suspected, under a line of the worklist: the list that every other surface shows too."""
    if summary.state is CaseState.OPENED:
        return "no draft yet"
    if not summary.suspected:
        return f"{with_limits('none flagged', summary.seen_in_part)}: open it to see what was read"
    if summary.suspicions:
        return listed_line(summary.suspicions)
    return ", ".join(
        finding_term(name).words for name in summary.suspected if not finding_term(name).critical
    )


def changed(shown: CaseFile, now: CaseFile) -> bool:
    """Whether a case is no longer what the reader has before the eyes: its draft, a decision, its state or its report."""
    before, after = ((file.draft, file.decisions, file.state, file.report) for file in (shown, now))
    return before != after


def pictures(file: CaseFile) -> tuple[Volume, ...]:
    """The images of a case, the one that was read first: the frontal film, or the volumes that statements are marked on."""
    study = file.case.study
    read = file.reading.volumes_read if file.reading else ()
    first = [study.frontal, *(m.volume for m in marked_slices(study, file.reading, file.draft))]
    return tuple(
        sorted(study.volumes, key=lambda volume: (volume not in first, volume.sha256 not in read))
    )


def picture_line(volume: Volume) -> str:
    """One image in the list of a study's images."""
    slices, rows, columns = volume.shape_zyx
    size = f"{columns} × {rows}" + (f", {slices} slices" if slices > 1 else "")
    if volume.sequence is not None:
        return f"{volume.sequence.role.value} · {size}"
    return f"{volume.view.value} · {size}" if slices == 1 else size


def side_line(volume: Volume) -> str:
    """Which side of the patient is where, under the picture."""
    if volume.sequence is not None:
        known = "Letters name the patient's directions." if volume.affine_lps_mm else ""
        return known or "Orientation unknown: shown as stored, no side is named."
    side = volume.patient_left_on
    return (
        f"The patient's left is on the {side} of the picture."
        if side
        else "Orientation unknown: no side is named."
    )


def case_view(file: CaseFile) -> CaseView:
    """What the page shows of a case."""
    study, draft = file.case.study, file.draft
    when = f"{study.image_time.moment:%Y-%m-%d %H:%M}" if study.image_time else "no date"
    decisions = {s.id: file.decision_on(s) for s in (draft.statements if draft else ())}
    matters, recorded = sorted_notices((*(draft.draft.warnings if draft else ()), *study.warnings))
    return CaseView(
        title=f"{study.modality.value} {study.body_part}, {when}",
        state=file.state.value,
        signed=file.state in SIGNED_STATES,
        warnings=tuple(notice.text for notice in matters),
        recorded=tuple(notice.text for notice in recorded),
        note=packaged_note(study),
        sections=_sections(file, draft, decisions) if draft else (),
        not_evaluated=draft.draft.limits if draft else (),
        decided=sum(decisions[s.id] is not None for s in file.asked),
        total=len(file.asked),
        heats=_heats(file),
        made_by=made_by(draft) if draft else "",
        also=_also(file, draft) if draft else (),
        unstated=tuple(map(unstated_words, file.unstated)),
        own=tuple(
            _own(file, a.statement_id, a.text, own_mark(a.by, coded=a.finding is not None))
            for a in file.added
        ),
        impression=_own(file, OWN_IMPRESSION, file.impression.text, own_mark(file.impression.by))
        if file.impression
        else None,
        suspected=listed_line(file.flagged),
        images=image_lines(draft.draft.images_read, draft.draft.images_unread) if draft else (),
    )


def _also(file: CaseFile, draft: CheckedDraft) -> tuple[StatementView, ...]:
    """What is also suspected, as it would be stated, each with why it is not."""
    views = []
    for one in file.also_suspected:
        decision = file.decision_on(one.statement)
        view = _statement(file, draft, one.statement, decision)
        views.append(replace(view, why="" if decision else one.why))
    return tuple(views)


def _own(file: CaseFile, statement_id: str, text: str, own: str) -> StatementView:
    """A reader's own statement, with what the checks have against it."""
    return StatementView(
        id=statement_id,
        text=text,
        drafted_text=None,
        evidence=(),
        checks=(),
        decision=None,
        heat=None,
        critical=file.critical(statement_id),
        marks=tuple(map(mark_words, file.marks(statement_id))),
        own=own,
    )


def _sections(
    file: CaseFile, draft: CheckedDraft, decisions: Mapping[str, Decision | None]
) -> tuple[tuple[str, tuple[StatementView, ...]], ...]:
    sections = []
    for section in REVIEW_ORDER:
        statements = [s for s in draft.statements if s.section is section]
        if statements:
            views = tuple(_statement(file, draft, s, decisions.get(s.id)) for s in statements)
            sections.append((section.value.capitalize(), views))
    return tuple(sections)


def _statement(
    file: CaseFile, draft: CheckedDraft, statement: Statement, decision: Decision | None
) -> StatementView:
    context = file.case.context
    checks = (
        CheckView(mark=MARKS[v.outcome], number=v.check, reason=v.reason)
        for v in draft.verdicts_on(statement.id)
    )
    edited = isinstance(decision, Edit)
    return StatementView(
        id=statement.id,
        text=decision.text if isinstance(decision, Edit) else statement.text,
        drafted_text=statement.text if edited else None,
        evidence=tuple(dict.fromkeys(evidence_view(e, context) for e in statement.evidence)),
        checks=tuple(checks),
        decision=decision_word(decision),
        critical=file.critical(statement.id),
        heat=next((e.finding for e in statement.evidence if isinstance(e, RegionEvidence)), None),
        summarises=statement.summarises,
        generation=generation_words(statement.generation) if statement.generation else "",
        marks=tuple(map(mark_words, file.marks(statement.id))),
    )


def _heats(file: CaseFile) -> tuple[HeatChoice, ...]:
    """Heat-maps of all findings that have one: suspected ones first, critical ones before others, by probability."""
    names = {one.finding for one in file.flagged}
    findings = sorted(
        most_urgent_first(file.reading.findings if file.reading else ()),
        key=lambda f: f.name not in names,
    )
    return tuple(
        HeatChoice(
            name=f.name,
            label=f"{finding_term(f.name).words} {f.probability:.2f}"
            + (" · suspected" if f.name in names else ""),
            suspected=f.name in names,
            region=f.region,
        )
        for f in findings
        if f.region is not None
    )


def patient_line(identity: PatientIdentity) -> str:
    """Who the patient is, as on the signing screen."""
    name = (
        ", ".join(part for part in (identity.family_name, identity.given_name) if part) or "no name"
    )
    born = f"born {identity.birth_date:%Y-%m-%d}" if identity.birth_date else "birth date unknown"
    return " · ".join(
        part
        for part in (name, identity.patient_id or "no ID", born, identity.sex or "sex unknown")
        if part
    )


def signing_question(reader: Reader, identity: PatientIdentity, view: CaseView) -> str:
    """What is asked before a signature: who signs what for whom."""
    counts = ", ".join(f"{view.count(word)} {word}" for word in ("accepted", "edited", "rejected"))
    own = len(view.own) + (view.impression is not None)
    counts += f", {own} of your own" if own else ""
    left_out = sum(s.decision is None for s in view.also) + len(view.unstated)
    counts += f"; {left_out} also suspected and left out" if left_out else ""
    return (
        f"{reader.name} ({reader.role}) signs the report on {view.title} for {patient_line(identity)}: "
        f"{view.total} statements, {counts}. A signed report stays as it is."
    )


def report_words(statements: tuple[SignedStatement, ...], not_evaluated: tuple[str, ...]) -> str:
    """What will stand in the report, section by section as there."""
    parts = {s.value: [one_line(t.text) for t in statements if t.section is s] for s in Section}
    parts["not evaluated by the models"] = (
        ["; ".join(map(one_line, not_evaluated)) + "."] if not_evaluated else []
    )
    return "\n\n".join("\n".join([name.upper(), *lines]) for name, lines in parts.items() if lines)


def fact_rows(context: ClinicalContext | None) -> list[dict[str, str]]:
    """The record as a table."""
    return [
        {
            "fact": fact.label,
            "value": fact_value(fact),
            "status": fact.status.value,
            "when": fact.when.isoformat() if fact.when else "",
            "doubt": "; ".join(fact.marks),
            "source": fact.source,
        }
        for fact in (context.facts if context else ())
    ]


def _short(detail: str) -> str:
    """A detail as a table has room for it: of several digests the first and how many there are."""
    first, *more = detail.split(" ") if DIGESTS.fullmatch(detail) else [detail]
    return f"{first} and {len(more)} more" if more else first


def history_rows(events: tuple[AuditEvent, ...]) -> list[dict[str, str]]:
    """The audit log of a case as a table, newest first."""
    return [
        {
            "when": f"{e.at:%Y-%m-%d %H:%M:%S}",
            "verb": e.verb,
            "outcome": e.outcome,
            "who": e.actor,
            "role": e.role,
            "details": ", ".join(
                f"{name} {_short(value)}" for name, value in e.details.items() if name != "request"
            ),
        }
        for e in reversed(events)
    ]

"""From a case to what the page shows. Pure functions: no Streamlit, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from medmm.domain.audit_event import AuditEvent
from medmm.domain.draft import (
    CheckedDraft,
    Evidence,
    FactEvidence,
    MeasurementEvidence,
    Outcome,
    RegionEvidence,
    ScoreEvidence,
    Section,
    Statement,
)
from medmm.domain.identity import PatientIdentity
from medmm.domain.reading import Region
from medmm.domain.record import ClinicalContext
from medmm.domain.report import Accept, CaseFile, CaseState, CaseSummary, Decision, Edit, Reader
from medmm.domain.vocabulary import finding_term

BANNER = "DRAFT: a clinician decides. Research software, not a medical device."
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def inert(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is: no HTML, links, formulas, colours or emoji come of it."""
    return PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """One piece of evidence in words; a score also as a bar with its operating point."""

    text: str
    share: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """One statement as it is decided on."""

    id: str
    text: str
    evidence: tuple[EvidenceView, ...]
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    decision: str | None
    decided_text: str

    @property
    def may_accept(self) -> bool:
        """A statement that failed a check is edited or rejected, never accepted unchanged."""
        return not self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatChoice:
    """A heat-map that can be laid over the film."""

    name: str
    label: str
    region: Region


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case as the page shows it."""

    title: str
    state: str
    signed: bool
    warnings: tuple[str, ...]
    sections: tuple[tuple[str, tuple[StatementView, ...]], ...]
    not_evaluated: tuple[str, ...]
    decided: int
    total: int
    heats: tuple[HeatChoice, ...]
    made_by: str

    @property
    def may_sign(self) -> bool:
        """Whether everything is decided and something is there to sign."""
        return 0 < self.total == self.decided and not self.signed


def case_line(summary: CaseSummary) -> str:
    """One line of the worklist."""
    when = f"{summary.acquired:%Y-%m-%d}" if summary.acquired else "no date"
    return f"{summary.modality} {summary.body_part} · {when} · {summary.state.value}"


def case_view(file: CaseFile) -> CaseView:
    """What the page shows of a case."""
    study, draft = file.case.study, file.draft
    when = f"{study.acquired.moment:%Y-%m-%d %H:%M}" if study.acquired else "no date"
    decisions = {d.statement_id: d for d in file.decisions}
    statements = draft.statements if draft else ()
    return CaseView(
        title=f"{study.modality.value} {study.body_part}, {when}",
        state=file.state.value,
        signed=file.state is CaseState.SIGNED,
        warnings=tuple(w.text for w in (draft.draft.warnings if draft else study.warnings)),
        sections=_sections(draft, decisions) if draft else (),
        not_evaluated=draft.draft.not_evaluated if draft else (),
        decided=sum(s.id in decisions for s in statements),
        total=len(statements),
        heats=_heats(file),
        made_by=_made_by(draft) if draft else "",
    )


def _sections(draft: CheckedDraft, decisions: dict[str, Decision]) -> tuple[tuple[str, tuple[StatementView, ...]], ...]:
    sections = []
    for section in Section:
        views = tuple(_statement(draft, s, decisions.get(s.id)) for s in draft.statements if s.section is section)
        if views:
            sections.append((section.value.capitalize(), views))
    return tuple(sections)


def _statement(draft: CheckedDraft, statement: Statement, decision: Decision | None) -> StatementView:
    verdicts = draft.verdicts_on(statement.id)
    return StatementView(
        id=statement.id,
        text=statement.text,
        evidence=tuple(evidence_view(e) for e in statement.evidence),
        passed=tuple(v.check for v in verdicts if v.outcome is Outcome.PASSED),
        failed=tuple(f"{v.check}: {v.reason}" for v in verdicts if v.outcome is Outcome.FAILED),
        decision=decision_word(decision),
        decided_text=decision.text if isinstance(decision, Edit) else statement.text,
    )


def decision_word(decision: Decision | None) -> str | None:
    """accepted, edited, rejected, or None."""
    if decision is None:
        return None
    return "accepted" if isinstance(decision, Accept) else "edited" if isinstance(decision, Edit) else "rejected"


def evidence_view(evidence: Evidence) -> EvidenceView:
    """One piece of evidence in words."""
    if isinstance(evidence, ScoreEvidence):
        text = f"probability {evidence.probability:.2f}, operating point {evidence.threshold:.2f}"
        return EvidenceView(text=text, share=evidence.probability, threshold=evidence.threshold)
    if isinstance(evidence, RegionEvidence):
        side = f"patient's {evidence.side.value} side" if evidence.side else "side unknown"
        return EvidenceView(text=f"region in the film, {side}")
    if isinstance(evidence, MeasurementEvidence):
        unit = "" if evidence.unit == "1" else f" {evidence.unit}"
        low, high = evidence.interval
        return EvidenceView(text=f"measured {evidence.value:g}{unit}, 95 % interval {low:g} to {high:g}")
    assert isinstance(evidence, FactEvidence)
    return EvidenceView(text=f"record: {evidence.source}")


def _heats(file: CaseFile) -> tuple[HeatChoice, ...]:
    """Heat-maps of all findings that have one, suspected ones first, by probability."""
    findings = [f for f in (file.reading.findings if file.reading else ()) if f.region is not None]
    findings.sort(key=lambda f: (not f.suspected, -f.probability))
    return tuple(
        HeatChoice(
            name=f.name,
            label=f"{finding_term(f.name).words} {f.probability:.2f}" + (" · suspected" if f.suspected else ""),
            region=f.region,
        )
        for f in findings
        if f.region is not None
    )


def _made_by(draft: CheckedDraft) -> str:
    models = ", ".join(f"{m.name} {m.manifest_sha256[:12]}" for m in draft.draft.models) or "none"
    return f"writer {draft.draft.writer}; models {models}"


def patient_line(identity: PatientIdentity) -> str:
    """Who the patient is, as on the signing screen."""
    name = ", ".join(part for part in (identity.family_name, identity.given_name) if part) or "no name"
    born = f"born {identity.birth_date:%Y-%m-%d}" if identity.birth_date else "birth date unknown"
    return " · ".join(
        part for part in (name, identity.patient_id or "no ID", born, identity.sex or "sex unknown") if part
    )


def signing_question(reader: Reader, identity: PatientIdentity, view: CaseView) -> str:
    """What is asked before a signature: who signs for whom."""
    return f"{reader.name} ({reader.role}) signs {view.total} decided statements on {view.title} for {patient_line(identity)}."


def fact_rows(context: ClinicalContext | None) -> list[dict[str, str]]:
    """The record as a table."""
    rows = []
    for fact in context.facts if context else ():
        value = fact.value if isinstance(fact.value, str) else ""
        if fact.value is not None and not isinstance(fact.value, str):
            value = f"{fact.value.comparator or ''}{fact.value.value:g} {fact.value.unit}"
        when = fact.when.isoformat() if fact.when else ""
        marks = "; ".join(fact.marks)
        rows.append(
            {
                "fact": fact.label,
                "value": value,
                "status": fact.status.value,
                "when": when,
                "doubt": marks,
                "source": fact.source,
            }
        )
    return rows


def history_rows(events: tuple[AuditEvent, ...]) -> list[dict[str, str]]:
    """The audit log of a case as a table, newest first."""
    return [
        {"when": f"{e.at:%Y-%m-%d %H:%M:%S}", "verb": e.verb, "outcome": e.outcome, "who": e.actor, "role": e.role}
        for e in reversed(events)
    ]

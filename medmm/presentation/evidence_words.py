"""Evidence in words: at length for terminal and page, short for the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.draft import (
    Evidence,
    ExtentEvidence,
    MeasurementEvidence,
    ReaderEvidence,
    RegionEvidence,
    ScoreEvidence,
    Statement,
)
from medmm.domain.reading import Side
from medmm.domain.record import ClinicalContext, Fact
from medmm.domain.vocabulary import finding_term
from medmm.presentation.draft_words import generation_words
from medmm.presentation.record_view import fact_view
from medmm.presentation.suspicion_words import probability_words
from medmm.presentation.value_words import extent_words, measured_words

BAR = 20


def evidence_lines(statement: Statement) -> list[str]:
    """Say the evidence of a statement, each line once, and whose words it has."""
    lines = dict.fromkeys(evidence_line(evidence) for evidence in statement.evidence)
    return [*lines, generation_words(statement.generation)] if statement.generation else [*lines]


def evidence_line(evidence: Evidence) -> str:
    """Say one piece of evidence at length."""
    if isinstance(evidence, ScoreEvidence):
        filled = round(evidence.probability * BAR)
        bar = "█" * filled + "░" * (BAR - filled)
        words = probability_words(evidence.probability, evidence.threshold)
        return f"{bar} probability {words} ({evidence.model})"
    if isinstance(evidence, RegionEvidence):
        x0, y0, x1, y1 = (f"{100 * v:.0f}" for v in evidence.box_xyxy)
        return f"strongest {x0}-{x1} % across, {y0}-{y1} % down, {_side_words(evidence.side)}"
    if isinstance(evidence, MeasurementEvidence):
        value, interval = measured_words(
            evidence.name, evidence.unit, evidence.value, evidence.interval
        )
        return f"measured {value} (95 % interval {interval})"
    if isinstance(evidence, ExtentEvidence | ReaderEvidence):
        return _place_words(evidence)
    return f"record: {evidence.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """One piece of evidence in words; a score also as a bar: (probability, operating point)."""

    text: str
    bar: tuple[float, float] | None = None


def evidence_view(evidence: Evidence, context: ClinicalContext | None = None) -> EvidenceView:
    """Say one piece of evidence in few words.

    A fact of the record has its value beside it if the context has it.
    """
    if isinstance(evidence, ScoreEvidence):
        words = finding_term(evidence.finding).words
        text = f"{words} {probability_words(evidence.probability, evidence.threshold)}"
        return EvidenceView(text=text, bar=(evidence.probability, evidence.threshold))
    if isinstance(evidence, RegionEvidence):
        return EvidenceView(text=f"region in the film ({_side_words(evidence.side)})")
    if isinstance(evidence, MeasurementEvidence):
        value, interval = measured_words(
            evidence.name, evidence.unit, evidence.value, evidence.interval
        )
        return EvidenceView(text=f"{evidence.name} {value}, 95 % interval {interval}")
    if isinstance(evidence, ExtentEvidence | ReaderEvidence):
        return EvidenceView(text=_place_words(evidence))
    fact = next((f for f in (context.facts if context else ()) if f.id == evidence.fact_id), None)
    return EvidenceView(text=f"record: {_fact_line(fact)}[{evidence.source}]")


def _side_words(side: Side | None) -> str:
    return side.phrase if side else "no side named"


def _place_words(evidence: ExtentEvidence | ReaderEvidence) -> str:
    """Say where something is seen, or by whom: the same at length and short."""
    if isinstance(evidence, ExtentEvidence):
        return extent_words(evidence.extent)
    return f"seen by reader {evidence.reader_id}"


def _fact_line(fact: Fact | None) -> str:
    if fact is None:
        return ""
    view = fact_view(fact)
    parts = (view.label, view.value, view.when, view.state.lower(), *view.doubts)
    return ", ".join(part for part in parts if part) + " "

"""A draft as a readable page in the terminal: every statement with its evidence and its checks."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

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
from medmm.domain.report import CaseFile

BANNER = "DRAFT, not signed: a clinician decides. Research software, not a medical device."
BAR = 20


def draft_page(file: CaseFile, console: Console) -> None:
    """Print the draft of a case, or that it has none."""
    study = file.case.study
    console.print(Panel(Text(BANNER, style="bold"), border_style="yellow"))
    when = study.acquired.moment.isoformat() if study.acquired else "unknown"
    console.print(escape(f"case {file.case.id}   {study.modality.value} {study.body_part}   acquired {when}"))
    for warning in file.draft.draft.warnings if file.draft else study.warnings:
        console.print(Text(f"! {warning.text}", style="yellow"))
    if file.draft is None:
        console.print("No draft yet.")
        return
    for section in Section:
        statements = [s for s in file.draft.statements if s.section is section]
        if statements:
            console.print(Rule(section.value.upper(), align="left"))
            for statement in statements:
                console.print(statement_panel(file.draft, statement))
    _print_limits(file.draft, console)


def statement_panel(draft: CheckedDraft, statement: Statement) -> RenderableType:
    """One statement with its evidence and checks."""
    lines: list[RenderableType] = [Text.assemble((f"{statement.id:>4}  ", "cyan"), (statement.text, "bold"))]
    lines += [Padding(Text(evidence_line(e), style="dim"), (0, 0, 0, 6)) for e in statement.evidence]
    lines.append(Padding(_checks(draft, statement), (0, 0, 0, 6)))
    return Group(*lines)


def evidence_line(evidence: Evidence) -> str:
    """One piece of evidence in words."""
    if isinstance(evidence, ScoreEvidence):
        filled = round(evidence.probability * BAR)
        bar = "█" * filled + "░" * (BAR - filled)
        return (
            f"{bar} probability {evidence.probability:.2f}, operating point {evidence.threshold:.2f} ({evidence.model})"
        )
    if isinstance(evidence, RegionEvidence):
        x0, y0, x1, y1 = (f"{100 * v:.0f}" for v in evidence.box_xyxy)
        side = f", patient's {evidence.side.value} side" if evidence.side else ", side unknown"
        return f"region {x0}-{x1} % across, {y0}-{y1} % down{side}"
    if isinstance(evidence, MeasurementEvidence):
        unit = "" if evidence.unit == "1" else f" {evidence.unit}"
        return f"measured {evidence.value:g}{unit} (95 % interval {evidence.interval[0]:g} to {evidence.interval[1]:g})"
    assert isinstance(evidence, FactEvidence)
    return f"record: {evidence.source}"


def _checks(draft: CheckedDraft, statement: Statement) -> Text:
    text = Text()
    for verdict in draft.verdicts_on(statement.id):
        if verdict.outcome is Outcome.PASSED:
            text.append(f"{verdict.check} ✓  ", style="green")
        elif verdict.outcome is Outcome.FAILED:
            text.append(f"{verdict.check} ✗ {verdict.reason}  ", style="bold red")
    return text


def _print_limits(draft: CheckedDraft, console: Console) -> None:
    console.print(Rule("NOT EVALUATED", align="left"))
    for item in draft.draft.not_evaluated:
        console.print(Padding(Text(f"- {item}"), (0, 0, 0, 2)))
    models = ", ".join(f"{m.name} {m.manifest_sha256[:12]}" for m in draft.draft.models) or "none"
    console.print(Rule())
    console.print(escape(f"writer {draft.draft.writer}; models {models}"), style="dim")

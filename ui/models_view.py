"""What the models page shows of a network. Pure functions: no Streamlit."""

from __future__ import annotations

from medmm.domain.acceptance import Acceptance
from medmm.domain.drift import DriftReport, DriftVerdict
from medmm.domain.model_card import ModelCard
from medmm.domain.study_inspection import Duty, ModelRow
from medmm.presentation.insight_words import share_words

NOT_HERE = "not accepted here"


def model_rows(rows: tuple[ModelRow, ...]) -> list[dict[str, str]]:
    """List the networks as a table."""
    return [
        {
            "name": row.name,
            "task": row.task,
            "reads": " ".join(filter(None, (row.modality, row.body_part))),
            "state": row.state,
            "here": duty_words(row),
            "version": row.manifest_sha256[:12],
            "research only": "yes" if row.research_only else "no",
            "terms": row.licence,
        }
        for row in rows
    ]


def duty_words(row: ModelRow) -> str:
    """Say what a network may do in drafts here, and who said so."""
    duty = row.duty
    if duty is None:
        return "reads no study by itself"
    by, day = f" by {duty.by}" if duty.by else "", f" since {duty.since[:10]}" if duty.since else ""
    if duty.duty is Duty.ACCEPTED:
        return f"accepted here{by}{day}, measured on {duty.studies} studies of this site"
    if duty.duty is Duty.SHADOW:
        return f"in shadow{by}{day}, {NOT_HERE}; it read {duty.studies} studies unseen"
    return f"speaks as it shipped, {NOT_HERE}"


def acceptance_lines(card: ModelCard) -> tuple[str, ...]:
    """Say what a network was measured to do, here and before it shipped."""
    signed = card.standing.accepted if card.standing else None
    lines = []
    if signed is not None:
        lines.append(
            f"Accepted here by {signed.reader.name} ({signed.reader.role}) on "
            f"{signed.at:%Y-%m-%d} (UTC). {measured_words(signed.acceptance)}"
        )
    else:
        lines.append(
            f"{NOT_HERE.capitalize()}: nobody has measured and accepted this version on studies of "
            "this site."
        )
    if card.shipped is not None:
        lines.append(f"Before it shipped: {measured_words(card.shipped)}")
    return tuple(lines)


def measured_words(measured: Acceptance) -> str:
    """Say on what it was measured, and with which alarms and hits."""
    of = measured.measured
    return (
        f"Measured on {of.studies} studies of {of.patients} patients ({measured.films}): of those "
        f"without any finding {share_words(measured.burden)} carry a claim; of labelled findings "
        f"{share_words(measured.labelled_claimed)} are claimed."
    )


def drift_rows(report: DriftReport) -> list[dict[str, str | int]]:
    """List the distributions that were compared, those that drifted first."""
    ordered = sorted(report.rows, key=lambda row: row not in report.drifted)
    return [
        {
            "of": f"{row.then.of} of {row.then.finding}" if row.then.finding else row.then.of,
            "then": row.then.studies,
            "now": row.now.studies,
            "verdict": row.verdict.value,
        }
        for row in ordered
    ]


def drift_summary(report: DriftReport) -> str:
    """Say whether later studies look like those of the acceptance, or too few tell."""
    of, few = len(report.rows), too_few(report)
    parts = []
    if report.drifted:
        parts.append(f"{len(report.drifted)} of {of} distributions drifted")
    elif few < of:
        parts.append(f"no drift seen in {of - few} of {of} distributions")
    if few or not of:
        parts.append(f"too few studies to tell in {few} of {of}")
    said = "; ".join(parts)
    return (
        f"{said[:1].upper()}{said[1:]}: {report.studies} studies beside those that it was accepted "
        "on."
    )


def too_few(report: DriftReport) -> int:
    """Count the distributions of which nothing can be told yet."""
    return sum(row.verdict is DriftVerdict.TOO_FEW for row in report.rows)

"""Later studies beside those of an acceptance, as one page that stands alone (HTML)."""

from __future__ import annotations

from medmm.domain.drift import DriftReport, DriftRow, DriftVerdict
from medmm.presentation.acceptance_html import (
    counts_words,
    distribution_title,
    missing_words,
    shares,
)
from medmm.presentation.draft_words import RESEARCH
from medmm.presentation.pages import page
from medmm.presentation.plots import PALETTE, Plot
from medmm.presentation.svg_plots import cumulative

THEN, NOW = "at acceptance", "since"
HEAD = (
    "distribution",
    "studies then",
    "studies since",
    "stability index",
    "p, corrected",
    "verdict",
)


def drift_html(report: DriftReport) -> str:
    """Make the page of a comparison; it holds counts alone, of no patient."""
    return page(
        "drift.html",
        title=f"{report.acceptance.model.name} since its acceptance",
        banner=f"{drift_words(report)} {RESEARCH}",
        lead=(
            f"{report.studies:,} studies since, beside those that the model was measured on "
            f"{report.acceptance.measured_at:%Y-%m-%d}.",
            "A distribution drifted where the chance of such a difference is below 1 %, corrected "
            "for the number of comparisons, and the population stability index is above 0.1. "
            "Drift says that studies are different, not that the model is wrong: measure again.",
        ),
        head=HEAD,
        rows=tuple((_row(row), row.verdict is DriftVerdict.DRIFTED) for row in report.rows),
        plots_drawn=tuple(_plot(row) for row in report.rows if len(row.then.edges) > 1),
        legend=tuple(zip((THEN, NOW), PALETTE, strict=False)),
        names=tuple(_names(row) for row in report.rows if len(row.then.edges) <= 1),
    )


def drift_words(report: DriftReport) -> str:
    """Say in a sentence what a comparison found."""
    drifted = [distribution_title(row.then) for row in report.drifted]
    if drifted:
        return f"DRIFTED: {', '.join(drifted)}."
    if all(row.verdict is DriftVerdict.TOO_FEW for row in report.rows):
        return "Too few studies to tell whether anything drifted."
    return "No drift seen."


def _row(row: DriftRow) -> tuple[str, ...]:
    return (
        distribution_title(row.then),
        str(row.then.studies),
        str(row.now.studies),
        "not known" if row.stability_index is None else f"{row.stability_index:.3f}",
        "not known" if row.p_value is None else f"{row.p_value:.2g}",
        row.verdict.value,
    )


def _plot(row: DriftRow) -> Plot:
    note = f"{missing_words(row.then)} then, {missing_words(row.now)} since\n{row.verdict.value}"
    both = [shares(row.then), shares(row.now)]
    return cumulative(distribution_title(row.then), row.then.edges, both, note)


def _names(row: DriftRow) -> str:
    now = counts_words(row.now).removeprefix(f"{distribution_title(row.now)}: ")
    return f"{counts_words(row.then)} then; {now} since: {row.verdict.value}"

"""Reliability diagrams of calibrated probabilities as a page that stands alone (HTML).

There is one for each finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medmm.acceptance.metrics import Interval
from medmm.evaluation.cards.drafted import MOST_ECE, calibration_said
from medmm.evaluation.cards.tables import figure
from medmm.presentation.pages import page
from medmm.presentation.plots import Plot
from medmm.presentation.svg_plots import reliability

Json = dict[str, Any]
# In the figures of chest-findings and of chest-report
PRIORS = ("brier_label_prior", "brier_prior")
LEAD = (
    "Test films in ten parts of equal count by rising probability: the mean probability of "
    "a part against its share of positives, with the 95 % interval by patient. On the "
    "dashed line a probability is what it says."
)


def html(name: str, findings: Mapping[str, Json]) -> str:
    """Write the page of one network.

    Findings without a calibration or with too few cases are named, not drawn.

    Args: name: of the weights; findings: its figures by finding, as evaluation.json holds them.
    """
    drawn = {n: row for n, row in findings.items() if "reliability" in row}
    rest = [f"{n} ({row['cases']} cases)" for n, row in findings.items() if n not in drawn]
    said = calibration_said(
        {n: (row["ece"], row["brier"], prior_of(row)) for n, row in drawn.items()}
    )
    return page(
        "reliability.html",
        name=name,
        lead=LEAD,
        said=said,
        drawn=[_plot(n, row) for n, row in sorted(drawn.items())],
        rest=rest,
    )


def prior_of(row: Json) -> float:
    """Return the Brier score of the label prior."""
    return float(next(row[key] for key in PRIORS if key in row))


def _plot(name: str, row: Json) -> Plot:
    points = [(float(p["mean_probability"]), _interval(p["share"])) for p in row["reliability"]]
    better = "below" if row["brier"] < prior_of(row) else "not below"
    note = (
        f"{row['cases']} cases, AUROC {figure(row['auroc'])}\n"
        f"ECE {row['ece']:.3f}, {'at most' if row['ece'] <= MOST_ECE else 'above'} {MOST_ECE}; "
        f"Brier {row['brier']:.4f}, {better} the prior's {prior_of(row):.4f}"
    )
    return reliability(name, points, note)


def _interval(share: Json) -> Interval:
    return Interval(value=share["value"], low=share["low"], high=share["high"])

"""Calibrate the chest film language model on val reports: its heads and claims.

What is set for claims is from when a finding is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from medmm.acceptance.calibration import LEAST_CARRIERS, calibration, sigmoid
from medmm.acceptance.metrics import auroc
from medmm.domain.errors import InputError
from medmm.domain.record import ClinicalContext
from medmm.models.report_model.chest_report import ChestReportModel, ClaimRule, Job
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.reports.examples import ReportExample, examples
from medmm.training.reports.sources import ReportSource
from medmm.training.reports.statements import FindingSaid, report_findings
from medmm.training.weights_export import write_json

Array = NDArray[np.float64]
LEAST_AUROC = 0.6  # of a head on val reports; below, it says next to nothing of a finding
# Likelier than not: from there a finding is said to be present, below it possible
PRESENT_FROM = 0.5
NEUTRAL = ClaimRule(head=0.0, language=1.0, intercept=0.0, threshold=0.5, present=0.5)


def calibrate(
    folder: Path, source: ReportSource, most_invented: float, *, quiet: bool = False
) -> None:
    """Write calibration.json of a weights folder from val reports with film and findings.

    Raises: InputError if there is none, or if they bear no rule out.
    Raises: InputError if there is none, or if they bear out no rule.
    """
    chosen = examples(source.reports("val"))
    if not chosen:
        raise InputError(
            "no val report has a film and findings", remedy="look at the folder's splits"
        )
    write_json(folder / "calibration.json", {"heads": {}, "claim": vars_of(NEUTRAL)})
    weights = WeightsFolder(row=row_named("chest-report"), folder=folder)
    model = ChestReportModel.open(weights, torch.device("cpu"))
    names = list(model.network.config.findings)
    heads, claims = opinions(model, source, chosen, quiet=quiet)
    reported = np.asarray(
        [[told(f"{e.report.findings} {e.report.impression}", n) for n in names] for e in chosen],
        dtype=float,
    )
    written = np.asarray([[told(e.report.findings, n) for n in names] for e in chosen], dtype=float)
    carried = [j for j in range(len(names)) if ranks(heads[:, j], reported[:, j])]
    rows = calibration([names[j] for j in carried], heads[:, carried], reported[:, carried], {})
    rule = claim_rule(heads, claims, written, most_invented)
    write_json(folder / "calibration.json", {"heads": rows, "claim": vars_of(rule)})


def ranks(logit: Array, truth: Array) -> bool:
    """Tell whether a head may be read: val reports bear it out, and it beats a guess."""
    area = auroc(truth, logit)
    return bool(truth.sum() >= LEAST_CARRIERS // 2) and area is not None and area >= LEAST_AUROC


def vars_of(rule: ClaimRule) -> dict[str, float]:
    """Return a claim rule as JSON values."""
    return {name: round(float(getattr(rule, name)), 6) for name in ClaimRule.__dataclass_fields__}


def told(text: str, finding: str) -> bool:
    """Tell whether a report calls a finding present or possible."""
    return report_findings(text).get(finding) in (FindingSaid.PRESENT, FindingSaid.POSSIBLE)


def opinions(
    model: ChestReportModel, source: ReportSource, chosen: Sequence[ReportExample], *, quiet: bool
) -> tuple[Array, Array]:
    """Return what heads and language model think of each finding of each film.

    Both are log-odds, (n, findings).
    """
    heads, claims = [], []
    greys = source.greys([e.report for e in chosen])
    for example, grey in track(
        zip(chosen, greys, strict=True), total=len(chosen), description="opinions", disable=quiet
    ):
        context = ClinicalContext(patient_key="", as_of=None, facts=example.facts)
        head, claim = model.opinion(Job(grey=grey, context=context))
        heads.append(head)
        claims.append(claim)
    return np.asarray(heads), np.asarray(claims)


def claim_rule(heads: Array, claims: Array, truth: Array, most_invented: float) -> ClaimRule:
    """Fit one rule for all findings, and the threshold of the best micro F1.

    It invents at most so many findings a report.

    Where no point of the search keeps to that, the lowest one above it that does; at 1 nothing is
    claimed.

    Args: heads, claims: log-odds (n, findings); truth: 0 or 1, (n, findings); most_invented: wrong
        claims a report.
    Raises: InputError if no report calls a finding, or each report calls all.
    """
    if truth.min() == truth.max():
        raise InputError(
            "the val reports call no finding, or all of them", remedy="give more val reports"
        )
    inputs = np.stack([heads.ravel(), claims.ravel()], 1)
    fit = LogisticRegression(C=1.0).fit(inputs, truth.ravel())
    probability = sigmoid(inputs @ fit.coef_[0] + fit.intercept_[0]).reshape(truth.shape)
    best, threshold = -1.0, 1.0
    for point in np.arange(0.05, 0.6, 0.01):
        called = probability >= point
        if invented(called, truth) > most_invented:
            continue
        score = 2 * float((called & (truth > 0)).sum()) / float(called.sum() + truth.sum())
        if score > best:
            best, threshold = score, float(point)
    if best < 0:
        careful = [
            p
            for p in np.arange(0.6, 1.0, 0.01)
            if invented(probability >= p, truth) <= most_invented
        ]
        threshold = float(min(careful, default=1.0))
    return ClaimRule(
        head=float(fit.coef_[0, 0]),
        language=float(fit.coef_[0, 1]),
        intercept=float(fit.intercept_[0]),
        threshold=threshold,
        present=max(PRESENT_FROM, threshold),
    )


def invented(called: NDArray[np.bool_], truth: Array) -> float:
    """Compute findings a report that are called and not there."""
    return float((called & (truth == 0)).sum() / len(truth))

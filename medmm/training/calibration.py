"""Calibration on held-back patients: Platt scaling, operating and rule-out thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

from medmm.domain.vocabulary import finding_term

Array = NDArray[np.float64]
Row = dict[str, float | bool | None]
SPECIFICITY = 0.90  # on the calibration films
MISSED = 0.05  # of the films that carry a finding: so many may lie below its rule-out point
LEAST_CARRIERS = 19  # the lowest of 19 scores has one in twenty below it, on average
LEAST_RULED_OUT = 0.10  # of the films without the finding: a point that rules out fewer says little


def sigmoid(x: Array) -> Array:
    """Compute the logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


def platt(logit: Array, truth: Array) -> tuple[float, float]:
    """Fit slope and intercept of p = sigmoid(slope * logit + intercept), slope kept positive.

    Source: Platt 1999.

    A slope below zero would turn the ranking round on a few unlucky films; then the slope 1 is kept
    and only the intercept is fitted.
    """
    model = LogisticRegression(C=10.0).fit(logit[:, np.newaxis], truth)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        slope = 1.0
        intercept = float(
            brentq(
                lambda b: sigmoid(logit + b).mean() - truth.mean(),
                -50 - logit.max(),
                50 - logit.min(),
            )
        )
    return slope, intercept


def operating_point(probability: Array, truth: Array) -> float:
    """Choose the threshold that one in ten films without the finding reaches.

    It lies within (0.001, 0.999).

    Thirteen findings are drafted at once: at the largest Youden index some four of them would be
    called on a film that shows none.
    """
    return float(
        np.clip(
            np.quantile(probability[truth == 0], SPECIFICITY, method="higher") + 1e-6, 0.001, 0.999
        )
    )


def rule_out_point(
    probability: Array, truth: Array, threshold: float, *, critical: bool
) -> float | None:
    """Choose the probability below which a finding may be denied.

    The largest score of a carrier with at most `MISSED` of the carriers below it, none for a
    critical finding, and at most the operating point, rounded down to the four digits of a reading.
    None for fewer than `LEAST_CARRIERS` carriers, and where fewer than `LEAST_RULED_OUT` of the
    films without the finding lie below.

    Returns: None if these films do not bear out a denial.
    """
    carriers = np.sort(probability[truth > 0])
    if len(carriers) < LEAST_CARRIERS:
        return None
    below = 0 if critical else int(MISSED * len(carriers))
    point = float(np.floor(min(carriers[below], threshold) * 1e4) / 1e4)
    ruled_out = (np.round(probability[truth == 0], 4) < point).mean()
    return point if ruled_out >= LEAST_RULED_OUT else None


def calibration(
    names: list[str], logits: Array, truth: Array, sides: dict[str, bool]
) -> dict[str, Row]:
    """Build one row a finding: slope, intercept, both points, prevalence, and its side.

    The points lie on the calibrated scale; the row says whether a side may be named.
    """
    rows: dict[str, Row] = {}
    for j, name in enumerate(names):
        slope, intercept = platt(logits[:, j], truth[:, j])
        probability = sigmoid(slope * logits[:, j] + intercept)
        threshold = operating_point(probability, truth[:, j])
        critical = finding_term(name).critical
        rows[name] = {
            "slope": round(slope, 6),
            "intercept": round(intercept, 6),
            "threshold": round(threshold, 6),
            "rule_out": rule_out_point(probability, truth[:, j], threshold, critical=critical),
            "prevalence": round(float(truth[:, j].mean()), 6),
            "side": sides.get(name, False),
        }
    return rows

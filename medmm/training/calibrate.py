"""Calibration on held-back patients: Platt scaling and an operating point a finding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Array = NDArray[np.float64]
SPECIFICITY = 0.90  # on the calibration films


def sigmoid(x: Array) -> Array:
    """Logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


def platt(logit: Array, truth: Array) -> tuple[float, float]:
    """Slope and intercept of p = sigmoid(slope * logit + intercept) (Platt 1999), slope kept positive.

    A slope below zero would turn the ranking round on a few unlucky films; then the slope 1 is kept and only the
    intercept is fitted.
    """
    model = LogisticRegression(C=10.0).fit(logit[:, np.newaxis], truth)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        slope = 1.0
        for _ in range(50):  # Newton steps for the intercept alone
            p = sigmoid(logit + intercept)
            intercept += float((truth.mean() - p.mean()) / max((p * (1 - p)).mean(), 1e-6))
    return slope, intercept


def operating_point(probability: Array, truth: Array) -> float:
    """The threshold that one in ten films without the finding reaches, within (0.001, 0.999).

    Thirteen findings are drafted at once: at the largest Youden index some four of them would be called on a film that
    shows none.
    """
    return float(np.clip(np.quantile(probability[truth == 0], SPECIFICITY, method="higher") + 1e-6, 0.001, 0.999))


def calibration(names: list[str], logits: Array, truth: Array) -> dict[str, dict[str, float]]:
    """One row a finding: slope, intercept, threshold on the calibrated scale, prevalence on these films."""
    rows = {}
    for j, name in enumerate(names):
        slope, intercept = platt(logits[:, j], truth[:, j])
        probability = sigmoid(slope * logits[:, j] + intercept)
        rows[name] = {
            "slope": round(slope, 6),
            "intercept": round(intercept, 6),
            "threshold": round(operating_point(probability, truth[:, j]), 6),
            "prevalence": round(float(truth[:, j].mean()), 6),
        }
    return rows

"""From a network's logit to a finding: the one place that applies calibration.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medmm.domain.reading import Finding, Region
from medmm.domain.vocabulary import finding_term

Row = Mapping[str, Any]  # of one finding: slope, intercept, threshold, rule_out


def calibrated_probability(row: Row, logit: float) -> float:
    """Compute the probability of a logit: 1 / (1 + exp(-(slope * logit + intercept))).

    It is rounded to four digits (Platt 1999).
    """
    return round(float(1 / (1 + np.exp(-(row["slope"] * logit + row["intercept"])))), 4)


def calibrated_finding(
    name: str, row: Row, logit: float, region: Region | None, model: str | None = None
) -> Finding:
    """Build a finding with its probability, points and codes; `model` is as in `Finding`."""
    return Finding(
        name=name,
        probability=calibrated_probability(row, logit),
        threshold=round(row["threshold"], 4),
        rule_out=row["rule_out"],
        codings=finding_term(name).codings,
        region=region,
        model=model,
    )

"""Calibration on held-back patients: Platt scaling, operating and rule-out thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance.promises import (
    ALARM_BURDEN,
    DIGITS,
    FALSE_CLAIMS,
    Flags,
    controlled_point,
    promise_row,
)
from medmm.domain.calibration import ALARM, any_finding
from medmm.domain.errors import InputError
from medmm.domain.vocabulary import finding_term

Array = NDArray[np.float64]
Row = dict[str, Any]
MISSED = 0.05  # of the films that carry a finding: so many may lie below its rule-out point
LEAST_CARRIERS = 19  # the lowest of 19 scores has one in twenty below it, on average
LEAST_OF_A_GROUP = 50  # films without any finding, before a group of patients sets a point
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
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0).fit(logit[:, np.newaxis], truth)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    return (slope, intercept) if slope > 0 else (1.0, intercept_alone(logit, truth))


def intercept_alone(logit: Array, truth: Array) -> float:
    """Fit b of p = sigmoid(logit + b), so that the mean probability is the share of positives."""
    from scipy.optimize import brentq

    return float(
        brentq(
            lambda b: sigmoid(logit + b).mean() - truth.mean(),
            -50 - logit.max(),
            50 - logit.min(),
        )
    )


def operating_point(probability: Array, truth: Array) -> float:
    """Choose the lowest threshold from which false claims are rare enough.

    See `FALSE_CLAIMS`. Every film without the finding counts, those below the alarm point too,
    although they carry no claim: counted among films above it alone, the point of a rare finding
    falls to a probability of one in twenty. Thirteen findings are drafted at once: at the largest
    Youden index some four of them would be called on a film that shows none.
    """
    return controlled_point(np.round(probability, DIGITS)[truth == 0], FALSE_CLAIMS)


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
    names: list[str],
    logits: Array,
    truth: Array,
    sides: dict[str, bool],
    *,
    bare: Flags | None = None,
    groups: Mapping[str, Flags] | None = None,
    films: str = "",
) -> dict[str, Row]:
    """Build one row a finding: slope, intercept, both points, prevalence, and its side.

    The points lie on the calibrated scale; the row says whether a side may be named.

    Args:
        names: the findings, as columns of `logits` and `truth`, (films, findings).
        bare: whether a film shows no finding at all, one that is not among `names` included; with
            it the rows have an alarm point beside them, and say what is promised of claims from it
            on.
        groups: masks of the films that each group of patients has, by its name; the alarm point
            holds in all of them.
        films: what the films are, in words that stand in drafts.
    Raises: InputError if no film is bare.
    """
    if not names:
        return {}
    scales = [platt(logits[:, j], truth[:, j]) for j in range(len(names))]
    probability = np.stack(
        [sigmoid(slope * logits[:, j] + bias) for j, (slope, bias) in enumerate(scales)], 1
    )
    alarm = None
    if bare is not None:
        alarm = alarm_row(probability, bare, groups or {}) | {"films": films}
    reached = None if alarm is None else any_findings(probability) >= alarm["point"]
    rows: dict[str, Row] = {}
    for j, name in enumerate(names):
        there = truth[:, j]
        threshold = operating_point(probability[:, j], there)
        critical = finding_term(name).critical
        rows[name] = {
            "slope": round(scales[j][0], 6),
            "intercept": round(scales[j][1], 6),
            "threshold": threshold,
            "rule_out": rule_out_point(probability[:, j], there, threshold, critical=critical),
            "prevalence": round(float(there.mean()), 6),
            "side": sides.get(name, False),
        }
        if reached is not None:
            claimed = reached & (np.round(probability[:, j], DIGITS) >= threshold)
            rows[name]["promise"] = promise_row(claimed, there)
    return rows if alarm is None else {**rows, ALARM: alarm}


def any_findings(probability: Array) -> Array:
    """Compute each film's probability of any finding, (films,), as a reading does."""
    return np.asarray([any_finding(film) for film in np.round(probability, DIGITS).tolist()])


def alarm_row(
    probability: Array,
    bare: Flags,
    groups: Mapping[str, Flags],
    burden: float = ALARM_BURDEN,
) -> Row:
    """Find the alarm point that few enough films without any finding reach, in every group.

    A group with fewer than `LEAST_OF_A_GROUP` such films bears nothing out and is left alone. What
    holds for all patients together can fail for those of one group, and for a site that has more
    of them.

    Raises: InputError if there is no such film at all.
    """
    if not bare.any():
        raise InputError(
            "every calibration film has a finding",
            remedy="give films without any, so that false alarms can be counted",
        )
    score = any_findings(probability)
    of_groups = {name: score[bare & mask] for name, mask in groups.items()}
    enough = {name: s for name, s in of_groups.items() if len(s) >= LEAST_OF_A_GROUP}
    points = {
        name: controlled_point(one, burden) for name, one in {"all": score[bare], **enough}.items()
    }
    return {
        "point": max(points.values()),
        "burden": burden,
        "studies": int(bare.sum()),
        "points": points,
    }

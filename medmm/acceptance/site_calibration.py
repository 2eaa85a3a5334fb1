"""A site's scale and points, from the half of its studies that is calibrated on."""

from __future__ import annotations

import numpy as np

from medmm.acceptance.calibration import (
    alarm_row,
    any_findings,
    intercept_alone,
    operating_point,
    platt,
    rule_out_point,
)
from medmm.acceptance.promises import DIGITS, FALSE_CLAIMS, least_studies, promise_row
from medmm.acceptance.scores import Array, Flags, Scores
from medmm.domain.acceptance import Attribute, NotMeasured
from medmm.domain.calibration import AlarmPoint, FindingCalibration, SiteCalibration, logit_of
from medmm.domain.errors import InputError
from medmm.domain.patient_age import NOT_STATED
from medmm.domain.promise import LEAST_POSITIVES, Promise
from medmm.domain.vocabulary import finding_term

LEAST_OF_INTERCEPT = 10  # studies of each kind: events per parameter (Peduzzi et al. 1996)
LEAST_WITHOUT = least_studies(FALSE_CLAIMS)


def site_calibration(
    scores: Scores, burden: float, films: str
) -> tuple[SiteCalibration, list[NotMeasured]]:
    """Set scale, alarm point and operating points on calibration studies.

    With at least `LEAST_POSITIVES` studies of each kind the probabilities of a finding are scaled
    by slope and intercept, with `LEAST_OF_INTERCEPT` by the intercept alone, with fewer not at all.
    A finding with fewer than `LEAST_WITHOUT` studies without it has no point, and is not claimed.

    Args:
        burden: of the studies without any finding, the most that may carry a claim.
        films: the site's studies in words, as drafts say them.
    Returns: the calibration, and what it could not be made of, with the reason.
    Raises: InputError if too few studies are without any finding for the burden, or without each
        of the findings.
    """
    if not scores.names:
        return SiteCalibration(), []
    _enough_bare(scores, burden)
    left: list[NotMeasured] = []
    kept: list[int] = []
    for j, name in enumerate(scores.names):
        why = _why_not(scores, j)
        if why is None:
            kept.append(j)
        else:
            left.append(NotMeasured(of=name, why=why))
    if not kept:
        raise InputError(
            "the labels bear out no operating point for any finding of the model",
            remedy=f"label at least {LEAST_WITHOUT} studies without a finding: {left[0].why}",
            model=scores.model.name,
        )
    scales = {j: _scale(scores, j) for j in kept}
    probability = _recalibrated(scores, scales)
    alarm = alarm_row(probability, scores.bare, _groups(scores), burden)
    raised = any_findings(probability) >= alarm["point"]
    rows = [
        _row(scores, j, place, scales[j], probability[:, place], raised, left)
        for place, j in enumerate(kept)
    ]
    point = AlarmPoint(point=alarm["point"], burden=burden, studies=alarm["studies"], films=films)
    return SiteCalibration(findings=tuple(rows), alarm=point), left


def _enough_bare(scores: Scores, burden: float) -> None:
    bare, needed = int(scores.bare.sum()), least_studies(burden)
    if bare < needed:
        raise InputError(
            f"{bare} of the studies to calibrate on show no finding at all, and a burden of "
            f"{burden:.0%} needs {needed} at least",
            remedy=f"label {needed - bare} more such studies of patients of that half, every "
            "finding of the model 0 (or no_finding 1), or choose a larger burden",
            model=scores.model.name,
        )


def _why_not(scores: Scores, j: int) -> str | None:
    """Say why no operating point can be set for a finding; None if one can."""
    known = ~np.isnan(scores.truth[:, j])
    if not known.any():
        return "No study of the half that is calibrated on has a label of it."
    if np.isnan(scores.probability[known, j]).all():
        return "The model states it of no study that has a label of it."
    without = int((scores.truth[:, j] == 0).sum())
    if without < LEAST_WITHOUT:
        return (
            f"{without} studies of the half that is calibrated on are without it, and an operating "
            f"point needs {LEAST_WITHOUT} at least."
        )
    return None


Scale = tuple[float, float]


def _scale(scores: Scores, j: int) -> Scale:
    """Fit slope and intercept as far as the labels of a finding bear out; see above."""
    known = ~np.isnan(scores.truth[:, j]) & ~np.isnan(scores.probability[:, j])
    truth = scores.truth[known, j]
    fewest = int(min(truth.sum(), (1 - truth).sum()))
    if fewest < LEAST_OF_INTERCEPT:
        return 1.0, 0.0
    logit = np.asarray([logit_of(p) for p in scores.probability[known, j].tolist()])
    if fewest < LEAST_POSITIVES:
        return 1.0, round(intercept_alone(logit, truth), 6)
    slope, intercept = platt(logit, truth)
    return round(slope, 6), round(intercept, 6)


def _recalibrated(scores: Scores, scales: dict[int, Scale]) -> Array:
    """Recalibrate the kept findings, (studies, kept); 0 where nothing may be claimed."""
    columns = []
    for j, (slope, intercept) in scales.items():
        row = FindingCalibration(
            name=scores.names[j], slope=slope, intercept=intercept, threshold=0.5
        )
        own = np.where(scores.silent[:, j], np.nan, scores.probability[:, j])
        columns.append([0.0 if np.isnan(p) else row.probability(p) for p in own.tolist()])
    return np.asarray(columns, dtype=np.float64).T.reshape(len(scores.studies), len(scales))


def _groups(scores: Scores) -> dict[str, Flags]:
    """Mask the groups in which the alarm point has to hold too; scanners are too many."""
    masks: dict[str, Flags] = {}
    for attribute in (Attribute.SEX, Attribute.AGE, Attribute.VIEW):
        values = [study.groups[attribute] for study in scores.studies]
        for value in sorted({*values} - {NOT_STATED}):
            masks[f"{attribute.value} {value}"] = np.asarray([one == value for one in values])
    return masks


def _row(
    scores: Scores,
    j: int,
    place: int,
    scale: Scale,
    probability: Array,
    raised: Flags,
    left: list[NotMeasured],
) -> FindingCalibration:
    name, truth = scores.names[j], scores.truth[:, j]
    threshold = operating_point(probability, truth)
    claimed = raised & (np.round(probability, DIGITS) >= threshold)
    promise = promise_row(claimed, truth)
    if promise is None:
        left.append(
            NotMeasured(
                of=name,
                why=f"{int((truth > 0).sum())} studies of the half that is calibrated on have it: "
                f"with fewer than {LEAST_POSITIVES} nothing is promised of claims of it.",
            )
        )
    known = ~np.isnan(truth)
    return FindingCalibration(
        name=name,
        slope=scale[0],
        intercept=scale[1],
        threshold=threshold,
        rule_out=rule_out_point(
            probability,
            np.where(scores.silent[:, j], np.nan, truth),
            threshold,
            critical=finding_term(name).critical,
        ),
        promise=_promise(promise, float(truth[known].mean())),
    )


def _promise(row: dict[str, float | int] | None, prevalence: float) -> Promise | None:
    if row is None:
        return None
    return Promise(
        false_claim_rate=float(row["false_claim_rate"]),
        claimed=float(row["claimed"]),
        positives=int(row["positives"]),
        negatives=int(row["negatives"]),
        prevalence=round(prevalence, 6),
    )

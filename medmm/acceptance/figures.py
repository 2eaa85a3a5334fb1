"""What claims are worth on studies that nothing was calibrated on, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance import metrics
from medmm.acceptance.metrics import BOOTSTRAPS, Interval, patient_draws
from medmm.acceptance.scores import Array, Flags, Scores
from medmm.domain.acceptance import (
    Attribute,
    Figure,
    MeasuredFinding,
    MeasuredGroup,
    ReliabilityBin,
)

Draws = Sequence[NDArray[np.int64]]
LEAST_CASES = 10  # studies with a finding, and without it, for an AUROC
LEAST_OF_GROUP = 20  # studies, before a group's figures are more noise than news
GROUP_DRAWS = 200
DIGITS = 4
MOST_ROC_POINTS = 60
BINS = 10
LEAST_OF_BIN = 10  # studies a point of a reliability diagram


@dataclass(frozen=True, kw_only=True)
class Read:
    """Studies that were measured on, with what drafts would say of them.

    Attributes:
        probability: on the scale that drafts use, (studies, findings); NaN where none is stated.
        claimed: whether a draft claims a finding, (studies, findings).
        prevalence: of each finding in the studies that were calibrated on, (findings,).
    """

    scores: Scores
    probability: Array
    claimed: Flags
    prevalence: Array

    def part(self, keep: Flags) -> Read:
        """Keep some studies."""
        return Read(
            scores=self.scores.part(keep.tolist()),
            probability=self.probability[keep],
            claimed=self.claimed[keep],
            prevalence=self.prevalence,
        )

    @cached_property
    def burden(self) -> Figure:
        """Of the studies without any finding, the share that carries a claim."""
        bare = self.scores.bare
        return share(np.asarray(self.claimed.any(1))[bare], self._patients(bare))

    @cached_property
    def labelled_claimed(self) -> Figure:
        """Of the findings that labels name, the share that is claimed."""
        there = self.scores.truth > 0
        named = np.broadcast_to(np.asarray(self.scores.patients)[:, np.newaxis], there.shape)
        return share(self.claimed[there], named[there].tolist())

    def _patients(self, keep: Flags) -> list[str]:
        return [p for p, kept in zip(self.scores.patients, keep, strict=True) if kept]

    def known(self, j: int) -> Flags:
        """Mask the studies in which a finding has a label and a probability, (studies,)."""
        return ~np.isnan(self.scores.truth[:, j]) & ~np.isnan(self.probability[:, j])

    def columns(self) -> list[int]:
        """List the findings with enough studies of both kinds to be ranked."""
        return [j for j in range(len(self.scores.names)) if self.ranked(j)]

    def ranked(self, j: int) -> bool:
        """Tell whether a finding has enough studies of both kinds for an AUROC."""
        truth = self.scores.truth[self.known(j), j]
        return min(truth.sum(), (1 - truth).sum()) >= LEAST_CASES

    def finding(self, j: int, draws: int = BOOTSTRAPS, *, curves: bool = True) -> MeasuredFinding:
        """Measure one finding."""
        known = self.known(j)
        truth, patients = self.scores.truth[known, j], self._patients(known)
        probability, claimed, there = self.probability[known, j], self.claimed[known, j], truth > 0
        drawn = patient_draws(patients, draws) if len(patients) else []

        def figure(value: Callable[[NDArray[np.int64]], float | None], *, wanted: bool) -> Figure:
            return interval(value, len(truth), drawn) if wanted else Figure(value=None)

        enough, prevalence = self.ranked(j), float(self.prevalence[j])
        return MeasuredFinding(
            name=self.scores.names[j],
            positives=int(there.sum()),
            negatives=int((~there).sum()),
            auroc=figure(lambda i: metrics.auroc(truth[i], probability[i]), wanted=enough),
            sensitivity=share(claimed[there], _chosen(patients, there)),
            specificity=share(~claimed[~there], _chosen(patients, ~there)),
            right=share(there[claimed], _chosen(patients, claimed)),
            ece=figure(
                lambda i: metrics.expected_calibration_error(truth[i], probability[i], BINS),
                wanted=enough,
            ),
            brier=figure(lambda i: metrics.brier(truth[i], probability[i]), wanted=enough),
            brier_of_prevalence=figure(
                lambda i: metrics.brier(truth[i], np.full(len(i), prevalence)),
                wanted=enough and not np.isnan(prevalence),
            ),
            reliability=_reliability(truth, probability, patients) if curves and enough else (),
            roc=roc(truth, probability) if curves and enough else (),
        )

    def groups(self, attribute: Attribute) -> list[MeasuredGroup]:
        """Measure each group of an attribute that has enough studies."""
        values = [study.groups[attribute] for study in self.scores.studies]
        return [self._group(attribute, value, values) for value in sorted({*values})]

    def _group(self, attribute: Attribute, value: str, values: Sequence[str]) -> MeasuredGroup:
        part = self.part(np.asarray([one == value for one in values], dtype=bool))
        counted = part.scores.counted
        few = counted.studies < LEAST_OF_GROUP
        return MeasuredGroup(
            attribute=attribute,
            value=value,
            studies=counted.studies,
            patients=counted.patients,
            burden=part.burden,
            labelled_claimed=part.labelled_claimed,
            findings=()
            if few
            else tuple(part.finding(j, GROUP_DRAWS, curves=False) for j in part.columns()),
        )


def drawn_aurocs(truth: Array, score: Array, draws: Draws) -> Array:
    """Compute the AUROC of every finding on all studies, and on each draw of them.

    Args:
        truth, score: (studies, findings), NaN where unknown.
    Returns: (1 + draws, findings), the first of all studies; NaN where one class is missing.
    """
    known = ~np.isnan(truth) & ~np.isnan(score)
    out = np.full((1 + len(draws), truth.shape[1]), np.nan)
    for row, index in enumerate([np.arange(len(truth)), *draws]):
        for j in range(truth.shape[1]):
            among = index[known[index, j]]
            value = metrics.auroc(truth[among, j], score[among, j])
            out[row, j] = np.nan if value is None else value
    return out


def mean_of(drawn: Array, columns: Sequence[int]) -> Array:
    """Average drawn figures over findings, (1 + draws,), without those that are missing."""
    chosen = drawn[:, columns]
    known = ~np.isnan(chosen)
    total = np.where(known, chosen, 0.0).sum(1)
    return np.asarray(total / np.where(known.any(1), known.sum(1), np.nan))


def figure_of(drawn: Array, of: int) -> Figure:
    """Make the figure of all studies, with the interval of its draws, (1 + draws,)."""
    value, rest = float(drawn[0]), drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(value):
        return Figure(value=None, of=of)
    if not len(rest):
        return Figure(value=round(value, DIGITS), of=of)
    low, high = (round(float(q), DIGITS) for q in np.percentile(rest, [2.5, 97.5]))
    return Figure(value=round(value, DIGITS), low=low, high=high, of=of)


def interval(
    figure: Callable[[NDArray[np.int64]], float | None], count: int, draws: Draws
) -> Figure:
    """Compute a figure of all studies with its interval over draws of patients."""
    return _figure(metrics.interval(figure, count, draws), count)


def share(hits: Flags, patients: Sequence[str]) -> Figure:
    """Compute a share with its Wilson interval by patient; see `metrics.share`."""
    found = metrics.share(hits, patients)
    return Figure(value=found["value"], low=found["low"], high=found["high"], of=len(hits))


def _figure(found: Interval, of: int) -> Figure:
    value, low, high = (
        None if one is None else round(one, DIGITS) for one in (found.value, found.low, found.high)
    )
    return Figure(value=value, low=low, high=high, of=of)


def _chosen(patients: Sequence[str], keep: Flags) -> list[str]:
    return [p for p, kept in zip(patients, keep, strict=True) if kept]


def _reliability(
    truth: Array, probability: Array, patients: Sequence[str]
) -> tuple[ReliabilityBin, ...]:
    bins = max(2, min(BINS, len(truth) // LEAST_OF_BIN))
    return tuple(
        ReliabilityBin(
            mean_probability=point["mean_probability"],
            share=Figure(
                value=point["share"]["value"],
                low=point["share"]["low"],
                high=point["share"]["high"],
                of=point["share"]["count"],
            ),
        )
        for point in metrics.reliability(truth, probability, patients, bins)
    )


def roc(truth: Array, score: Array) -> tuple[tuple[float, float], ...]:
    """Compute points of the ROC curve, from (0, 0) to (1, 1), at most `MOST_ROC_POINTS`."""
    from sklearn.metrics import roc_curve

    false, right, _ = roc_curve(truth, score)
    steps = np.unique(np.linspace(0, len(false) - 1, min(len(false), MOST_ROC_POINTS)).round())
    return tuple(
        (round(float(false[i]), DIGITS), round(float(right[i]), DIGITS))
        for i in steps.astype(int).tolist()
    )

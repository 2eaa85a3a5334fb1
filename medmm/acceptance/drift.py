"""Whether later studies still look like those of an acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance.distributions import SCORE, SeenStudy, aligned, counted_as
from medmm.domain.acceptance import Acceptance, Distribution
from medmm.domain.drift import DriftReport, DriftRow, DriftVerdict

# With fewer later studies (beside 200 at acceptance, 20 distributions) only a shift that moves more
# than a third of the studies across a point would be found: "no drift" would be no news.
LEAST_STUDIES = 50
ALARM_P = 0.01  # chance of any alarm of a look if nothing drifted
ALARM_INDEX = 0.1  # population stability index: "some change" by usage, below it none
INDEX_PARTS = 10
MOST_EXACT = 1_000_000  # pairs of studies, up to which the p-value is exact
LEAST_EXPECTED = 5.0  # studies a cell of a chi-squared test (Cochran 1954)
Counts = NDArray[np.int64]


def drifted(acceptance: Acceptance, studies: Sequence[SeenStudy]) -> DriftReport:
    """Compare later studies with those of an acceptance, distribution by distribution.

    A distribution drifted where its p-value, times the number of distributions, is below `ALARM_P`
    and its population stability index is above `ALARM_INDEX`: the one for the sake of few studies,
    the other for the sake of many, in which any difference is certain.
    """
    then = acceptance.distributions
    scored = [d.finding for d in then if d.of == SCORE and d.finding is not None]
    rows = tuple(_row(one, counted_as(one, studies, scored), len(then)) for one in then)
    return DriftReport(acceptance=acceptance, studies=len(studies), rows=rows)


def _row(then: Distribution, now: Distribution, compared: int) -> DriftRow:
    if min(then.studies, now.studies) < LEAST_STUDIES:
        return DriftRow(
            then=then, now=now, stability_index=None, p_value=None, verdict=DriftVerdict.TOO_FEW
        )
    if then.labels:
        pairs = np.asarray([(a, b) for _, a, b in aligned(then, now)], dtype=np.int64).T
        now = _same_labels(then, now)
        p_value = _names_p(pairs[0], pairs[1])
    else:
        pairs = np.asarray([then.counts, now.counts], dtype=np.int64)
        p_value = _numbers_p(pairs[0], pairs[1])
    index = stability_index(pairs[0], pairs[1], ordered=not then.labels)
    together = min(1.0, p_value * compared)
    drift = together < ALARM_P and index > ALARM_INDEX
    return DriftRow(
        then=then,
        now=now,
        stability_index=round(index, 4),
        p_value=float(f"{together:.3g}"),
        verdict=DriftVerdict.DRIFTED if drift else DriftVerdict.SAME,
    )


def _same_labels(then: Distribution, now: Distribution) -> Distribution:
    """Give later counts the names of both, so that a name that came or went is seen."""
    rows = list(aligned(then, now))
    return replace(now, labels=tuple(r[0] for r in rows), counts=tuple(r[2] for r in rows))


def _numbers_p(then: Counts, now: Counts) -> float:
    """Compute the p-value of the two-sample Kolmogorov-Smirnov test over the edges.

    Between edges nothing is told apart, so the true p-value is at most this one.
    """
    from scipy.stats import ks_2samp

    samples = [np.repeat(np.arange(len(counts)), counts) for counts in (then, now)]
    exact = len(samples[0]) * len(samples[1]) <= MOST_EXACT
    return float(ks_2samp(*samples, method="exact" if exact else "asymp").pvalue)


def _names_p(then: Counts, now: Counts) -> float:
    """Compute the p-value of the chi-squared test, with rare names as one."""
    from scipy.stats import chi2_contingency

    both = then + now
    rare = both * min(then.sum(), now.sum()) / both.sum() < LEAST_EXPECTED
    columns = [[a, b] for a, b in zip(then[~rare], now[~rare], strict=True)]
    if rare.any():
        columns.append([then[rare].sum(), now[rare].sum()])
    return float(chi2_contingency(np.asarray(columns).T).pvalue) if len(columns) > 1 else 1.0


def stability_index(then: Counts, now: Counts, *, ordered: bool = True) -> float:
    """Compute the population stability index, without what two draws differ by on average.

    It is the sum of (q - p) ln(q / p) over `INDEX_PARTS` parts of equal count at acceptance, or
    over names. Of two draws of one distribution it is (parts - 1)(1/n + 1/m) on average, which is
    taken off (Yurdakul and Naranjo, J. Risk Model Validation 2020;14(4)).
    """
    if ordered:
        then, now = _parts(then, now)
    n, m = int(then.sum()), int(now.sum())
    p, q = (then + 0.5) / (n + 0.5 * len(then)), (now + 0.5) / (m + 0.5 * len(now))
    by_chance = (len(then) - 1) * (1 / n + 1 / m)
    return max(0.0, float(np.sum((q - p) * np.log(q / p))) - by_chance)


def _parts(then: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Join neighbouring counts to parts of about equal count at acceptance."""
    share = np.cumsum(then) / then.sum()
    part = np.minimum((share * INDEX_PARTS - 1e-9).astype(int), INDEX_PARTS - 1)
    joined = [np.bincount(part, weights=one, minlength=INDEX_PARTS) for one in (then, now)]
    there = (joined[0] > 0) | (joined[1] > 0)
    return joined[0][there].astype(np.int64), joined[1][there].astype(np.int64)

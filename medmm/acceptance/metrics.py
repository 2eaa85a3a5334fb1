"""Figures of merit for multi-label findings, with bootstrap intervals by patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BOOTSTRAPS = 500
Z = 1.96  # standard deviations either side that hold 95 % of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval; None if the films at hand carry no such figure."""

    value: float | None
    low: float | None
    high: float | None

    def json(self) -> dict[str, float | None]:
        """Return the figures rounded to four digits."""
        rounded = [
            None if v is None else round(float(v), 4) for v in (self.value, self.low, self.high)
        ]
        return dict(zip(("value", "low", "high"), rounded, strict=True))


def auroc(truth: Array, score: Array) -> float | None:
    """Compute the area under the ROC curve of one label; None if one class is missing.

    It is the share of pairs in which the positive scores higher (Mann and Whitney 1947), ties
    counted half: the number that the curve gives, fast enough for hundreds of draws.

    Args:
        truth: (n,) of 0 and 1.
        score: (n,), greater for what is likelier.
    """
    there = truth > 0
    with_it, without = score[there], np.sort(score[~there])
    if not len(with_it) or not len(without):
        return None
    below, not_above = (np.searchsorted(without, with_it, side=s) for s in ("left", "right"))
    return float((below + not_above).sum() / (2 * len(with_it) * len(without)))


def macro_auroc(truth: Array, score: Array, columns: Sequence[int] | None = None) -> float | None:
    """Average AUROC over labels, shape (films, labels), without labels of one class only."""
    labels = range(truth.shape[1]) if columns is None else columns
    values = [v for j in labels if (v := auroc(truth[:, j], score[:, j])) is not None]
    return float(np.mean(values)) if values else None


def auprc(truth: Array, score: Array) -> float | None:
    """Compute the average precision of one label; None without a positive."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, score)) if truth.sum() > 0 else None


def expected_calibration_error(truth: Array, probability: Array, bins: int = 10) -> float:
    """Compute the ECE over bins of equal count.

    Source: Guo et al., ICML 2017, with quantile bins, since most labels are rare.
    """
    parts = _bins(probability, bins)
    gaps = [len(p) * abs(truth[p].mean() - probability[p].mean()) for p in parts]
    return float(sum(gaps) / len(truth))


def reliability(
    truth: Array, probability: Array, patients: Sequence[str], bins: int = 10
) -> list[dict[str, Any]]:
    """Compute a reliability diagram's points: mean probability and positive share of a bin.

    The bins are those of the ECE.

    Source: Niculescu-Mizil and Caruana, ICML 2005. Shares with their interval by patient; see
    `share`.
    """
    return [
        {
            "mean_probability": round(float(probability[part].mean()), 4),
            "share": share(truth[part] > 0, [patients[i] for i in part]),
        }
        for part in _bins(probability, bins)
    ]


def _bins(probability: Array, bins: int) -> list[NDArray[np.int64]]:
    """Split places by rising probability into parts of equal count."""
    order = np.argsort(probability, kind="stable")
    return [part for part in np.array_split(order, bins) if len(part)]


def brier(truth: Array, probability: Array) -> float:
    """Compute the mean squared distance of probability and truth."""
    return float(np.mean((truth - probability) ** 2))


def share(hits: NDArray[np.bool_], patients: Sequence[str]) -> dict[str, float | None]:
    """Compute the share of hits with its 95 % Wilson interval, drawing patients.

    Source: JASA 1927. It counts as many draws as there are patients.

    Several films of one patient tell less than as many films of several: each patient counts as one
    draw.
    """
    count, draws = len(hits), len(set(patients))
    counted = {"hits": int(hits.sum()), "count": count, "patients": draws}
    return {**counted, **wilson(counted["hits"], count, draws).json()}


def wilson(hits: int, count: int, draws: int) -> Interval:
    """Compute a share with its 95 % Wilson interval, by as many draws as there are patients.

    Args:
        hits, count: the share is hits of count.
        draws: patients, at most `count`.
    Source: Wilson, JASA 1927;22:209-212.
    """
    if count == 0:
        return Interval(value=None, low=None, high=None)
    value, z = hits / count, Z
    middle = (value + z**2 / (2 * draws)) / (1 + z**2 / draws)
    half = (
        z / (1 + z**2 / draws) * float(np.sqrt(value * (1 - value) / draws + z**2 / (4 * draws**2)))
    )
    return Interval(value=value, low=max(middle - half, 0.0), high=min(middle + half, 1.0))


def patient_draws(
    patients: Sequence[str], draws: int = BOOTSTRAPS, seed: int = 0
) -> list[NDArray[np.int64]]:
    """Draw film indices of `draws` bootstrap samples of whole patients, with replacement."""
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    films_of = [np.flatnonzero(codes == code) for code in range(len(names))]
    random = np.random.default_rng(seed)
    return [
        np.concatenate([films_of[i] for i in random.integers(0, len(names), len(names))])
        for _ in range(draws)
    ]


def interval(
    figure: Callable[[NDArray[np.int64]], float | None],
    count: int,
    draws: Sequence[NDArray[np.int64]],
) -> Interval:
    """Compute a figure on all `count` films, with its 95 % interval over bootstrap draws."""
    value = figure(np.arange(count))
    drawn = [v for draw in draws if (v := figure(draw)) is not None]
    if value is None or not drawn:
        return Interval(value=value, low=None, high=None)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))

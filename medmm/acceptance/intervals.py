"""Figures of counts with their 95 % intervals, where no case is kept in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medmm.acceptance.metrics import Z, wilson
from medmm.domain.acceptance import Figure

DIGITS = 4
TAIL = 0.025  # beyond either end of an interval
LEAST_OF_MEAN = 20  # values, before their mean is near enough to normal


def share(hits: int, of: int, patients: int) -> Figure:
    """Compute a share of counts with its Wilson interval by patient; see `metrics.wilson`.

    Args:
        hits, of: the share is hits of these.
        patients: whose they are: so many draws count.
    """
    found = wilson(hits, of, patients)
    return _figure(found.value, found.low, found.high, of)


def difference(one: Figure, other: Figure) -> Figure:
    """Compute one share minus another of other patients, with its interval, -1 to 1.

    Source: Newcombe, Stat Med 1998;17:873-890, method 10, by the Wilson intervals of both.
    """
    known = (one.value, one.low, one.high, other.value, other.low, other.high)
    if any(value is None for value in known):
        return Figure(value=None, of=one.of)
    p, low, high, q, q_low, q_high = (float(value or 0.0) for value in known)
    least = p - q - math.hypot(p - low, q_high - q)
    most = p - q + math.hypot(high - p, q - q_low)
    return _figure(p - q, max(least, -1.0), min(most, 1.0), one.of)


def median(values: Sequence[float]) -> Figure:
    """Compute a median with the interval of order statistics, whatever their shape.

    Of fewer than six values no interval holds 95 %, and none is given.

    Source: David and Nagaraja, Order Statistics, 3rd ed., section 7.1.
    """
    ordered, count = sorted(values), len(values)
    if not count:
        return Figure(value=None)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    rank = _rank(count)
    if rank == 0:
        return Figure(value=round(middle, DIGITS), of=count)
    return _figure(middle, ordered[rank - 1], ordered[count - rank], count)


def mean(count: int, total: float, squares: float) -> Figure:
    """Compute the mean of values by their sum and the sum of their squares.

    Of fewer than `LEAST_OF_MEAN` no interval is given.
    """
    if not count:
        return Figure(value=None)
    value = total / count
    if count < LEAST_OF_MEAN:
        return Figure(value=round(value, DIGITS), of=count)
    spread = math.sqrt(max(squares - count * value**2, 0.0) / (count - 1))
    half = Z * spread / math.sqrt(count)
    return _figure(value, value - half, value + half, count)


def _rank(count: int) -> int:
    """Find the greatest rank below which, and above its mirror, a tail of a median lies.

    Returns: from 1; 0 if even the ends leave out more than `TAIL`.
    """
    # Logarithms: two to the power of ten thousand is no float
    tail, rank = 0.0, 0
    while rank < count / 2:
        log = math.lgamma(count + 1) - math.lgamma(rank + 1) - math.lgamma(count - rank + 1)
        tail += math.exp(log - count * math.log(2))
        if tail > TAIL:
            return rank
        rank += 1
    return rank


def _figure(value: float | None, low: float | None, high: float | None, of: int) -> Figure:
    rounded = (None if one is None else round(one, DIGITS) for one in (value, low, high))
    return Figure(**dict(zip(("value", "low", "high"), rounded, strict=True)), of=of)

"""Pixels without signal: padding that the header states, and values far from all others.

Padding fills what a device or a program did not measure, as the corners around a circular field
(PS3.3 C.7.5.1.1.2). It counts in no minimum, percentile or network input, and is shown black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.study import Notice
from medmm.imaging.dicom.header import Tags

_REMEDY = "export the image again"
BACKGROUND_ASSUMED = Notice(
    code="background-assumed",
    text="Many pixels have a value far from all others that nothing states as padding; they were "
    "taken as background and are shown black.",
)
SAMPLE = 10_000  # values that are looked at for what lies far off
BINS, NARROW = 256, 5  # of the range of values; a far-off spike is that narrow
# Part of the values below which a bin counts as empty: blurred edges of a spike fill some
SPARSE = 0.0005
DARKEST = 0.01  # part of the signal below the value that stands for background
MANY = 0.01  # part of the values from which a far-off spike counts
NEAR = 0.01  # part of the range of values: padding that is nearer to them may be a value too
LEVELS = 8  # different values that the rest has at least: coarse steps are no gap
FAR, FAR_FROM_BLACK, FAR_BELOW_ZERO = 0.5, 10.0, 0.1  # see `_least`
FAR_INSIDE = 4.0  # within a picture a bright structure may be far from all others too
AT_EDGE = 0.05  # part of the picture's edge that background takes at least


@dataclass(frozen=True, slots=True)
class Padding:
    """The stored values from `low` to `high` are padding."""

    low: int
    high: int

    def holds(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where values are padding, of the same shape."""
        if self.low == self.high:
            return np.asarray(values == self.low, dtype=np.bool_)
        return np.asarray((values >= self.low) & (values <= self.high), dtype=np.bool_)


def stated_padding(tags: Tags) -> Padding | None:
    """Read Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121).

    Both may be written as if the cells had the other sign: then the bits of the cell count. Raises:
    InputError if one is not a whole number of a cell, or the limit stands alone.

    Returns: None if no padding is stated; a single value if there is no limit.
    """
    value, limit = (
        _stated(tags, keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    )
    if value is None and limit is None:
        return None
    if value is None:
        raise InputError(
            "image header not consistent: PixelPaddingRangeLimit without PixelPaddingValue",
            remedy=_REMEDY,
            tag="PixelPaddingRangeLimit",
        )
    ends = (value, value if limit is None else limit)
    return Padding(min(ends), max(ends))


def _stated(tags: Tags, keyword: str) -> int | None:
    """Return a padding value as the stored values hold it.

    Raises: InputError if it is not one whole number of a cell.
    """
    if keyword not in tags.dataset:
        return None
    raw = tags.raw(keyword)
    if raw is None or raw in ("", b""):
        return None
    allocated = 8 * -(-int(tags.number("BitsAllocated") or 16) // 8)
    number = (
        int.from_bytes(raw, "little")
        if isinstance(raw, bytes) and 8 * len(raw) == allocated
        else tags.number(keyword)
    )
    if number is None or number % 1 or not -(1 << (allocated - 1)) <= number < 1 << allocated:
        raise InputError(f"image header not consistent: {keyword}", remedy=_REMEDY, tag=keyword)
    return _as_stored(int(number), tags, allocated)


def _as_stored(number: int, tags: Tags, allocated: int) -> int:
    signed = tags.number("PixelRepresentation") == 1
    stored = int(tags.number("BitsStored") or allocated)
    high = tags.number("HighBit")
    shift = 0 if high is None else max(int(high) + 1 - stored, 0)
    if _within(number, stored, signed):
        return number
    cell = number % (1 << allocated)
    if shift and cell % (1 << shift) == 0:
        cell >>= shift
        return cell - (1 << stored) if signed and cell >= 1 << (stored - 1) else cell
    return cell - (1 << allocated) if signed and cell >= 1 << (allocated - 1) else cell


def _within(number: int, bits: int, signed: bool) -> bool:
    return -(1 << (bits - 1)) <= number < 1 << (bits - 1) if signed else 0 <= number < 1 << bits


def padded(stored: NDArray[Any], padding: Padding | None) -> NDArray[np.bool_] | None:
    """Find where pictures (…, rows, columns) hold padding; return None if none do.

    Padding that is a value like others (many devices state 0 whatever they fill with) counts only
    from the picture's edge inwards: within the picture it may be signal.
    """
    if padding is None:
        return None
    mask = padding.holds(stored)
    if not mask.any():
        return None
    if mask.ndim > 2:
        for plane, values in zip(mask, stored, strict=True):
            if plane.any() and _near(values[~plane], padding):
                plane[...] = _from_edge(plane)
    elif _near(stored[~mask], padding):
        mask = _from_edge(mask)
    return mask


def _near(others: NDArray[Any], padding: Padding) -> bool:
    """Tell whether the values beside padding come as near to it as to each other."""
    if not others.size:
        return False
    below, above = others[others < padding.low], others[others > padding.high]
    gaps = [padding.low - float(below.max())] if below.size else []
    gaps += [float(above.min()) - padding.high] if above.size else []
    return min(gaps) <= max(1.0, NEAR * (float(others.max()) - float(others.min())))


def _from_edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the connected parts of a mask (rows, columns) that touch the picture's edge."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    keep = np.zeros(count + 1, dtype=np.bool_)
    for edge in _edges(labels):
        keep[edge] = True
    keep[0] = False
    return np.asarray(keep[labels], dtype=np.bool_)


def _edges(picture: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return picture[..., 0, :], picture[..., -1, :], picture[..., :, 0], picture[..., :, -1]


@dataclass(frozen=True, slots=True)
class SignalRange:
    """The range `low` to `high` in which a picture's values lie; beyond it is background.

    Attributes:
        foreign: whether a spike lies within the picture, so far off that it is nothing a device
            measured.
    """

    low: float
    high: float
    foreign: bool

    @property
    def background(self) -> bool:
        """Whether a spike takes part of the picture's edge, as background does."""
        return bool(np.isfinite(self.low) or np.isfinite(self.high))

    def beyond(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where values lie beyond, of the same shape."""
        return np.asarray((values < self.low) | (values > self.high), dtype=np.bool_)


def signal_range_of(
    values: NDArray[Any], without: NDArray[np.bool_] | None = None, *, black: float = 0.0
) -> SignalRange | None:
    """Find the range of the values of pictures (…, rows, columns) beside a far-off spike.

    Args:
        without: padding that is known already, of the same shape.
        black: the value of nothing measured, at which many pixels may lie without being far off.
    Returns: None if there is no spike.
    """
    sample = _sample(values, without)
    ends = np.concatenate([edge.ravel() for edge in _edges(values)])
    low, high, foreign = -np.inf, np.inf, False
    while (cut := _cut(sample, black)) is not None:
        side, at, far = cut
        spike_at_edge = float((ends < at).mean() if side < 0 else (ends > at).mean()) >= AT_EDGE
        if spike_at_edge:
            low, high = (at, high) if side < 0 else (low, at)
        foreign |= not spike_at_edge and far >= FAR_INSIDE
        sample = sample[sample >= at] if side < 0 else sample[sample <= at]
    found = SignalRange(float(low), float(high), foreign)
    return found if found.background or foreign else None


def _sample(values: NDArray[Any], without: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Sample finite values that are not padding from all over the pictures."""
    step = max(1, int(np.ceil((values.size / SAMPLE) ** 0.5)))
    places = (..., slice(None, None, step), slice(None, None, step))
    some = values[places]
    some = some.ravel() if without is None else some[~without[places]]
    numbers = np.asarray(some, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def _cut(sample: NDArray[np.float64], black: float) -> tuple[int, float, float] | None:
    """Find a far-off spike in a sample; return None if there is none.

    Returns: -1 or 1 for a spike below or above the other values, where to cut it off, and how far
        off it is.
    """
    if sample.size < 1 / MANY:
        return None
    low, high = (float(v) for v in np.quantile(sample, (0.001, 0.999)))
    if not high > low:
        return None
    bins = np.clip((sample - low) * (BINS / (high - low)), 0, BINS - 1).astype(np.intp)
    shares = np.bincount(bins, minlength=BINS) / sample.size
    for side, end, far in ((-1, low, high), (1, high, low)):
        gap = _gap(shares if side < 0 else shares[::-1])
        if gap is None:
            continue
        # Of nothing, from the spike to the rest
        first, last = (end + (far - end) * n / BINS for n in gap)
        rest = sample[sample >= last] if side < 0 else sample[sample <= last]
        ratio = abs(last - first) / max(abs(far - last), 1e-30)
        if ratio >= _least(side, end, last, black) and np.unique(rest).size >= LEVELS:
            return side, (first + last) / 2, ratio
    return None


def _gap(shares: NDArray[np.float64]) -> tuple[int, int] | None:
    """Find the empty bins between a spike in the lowest few and the rest, if there are any.

    Returns: the first empty bin and the one after the last.
    """
    full = np.flatnonzero(shares >= SPARSE)
    spike, rest = full[full < NARROW], full[full >= NARROW]
    if not spike.size or not rest.size or min(shares[:NARROW].sum(), shares[NARROW:].sum()) < MANY:
        return None
    return int(spike[-1]) + 1, int(rest[0])


def _least(side: int, spike: float, rest: float, black: float) -> float:
    """Return the least gap before a far-off spike, in widths of the rest of the values.

    Black around a body is no spike: on JSRT films (training) the gap above it is up to 1.5 times as
    wide as the rest. A spike below zero among values that have few there is one at a small gap too:
    signal has no sign.
    """
    if abs(spike - black) <= 0.1 * abs(rest - black):
        return FAR_FROM_BLACK
    return FAR_BELOW_ZERO if side < 0 and spike < 0 and rest >= spike / 2 else FAR


def without_background(values: NDArray[np.float32], *, finite: bool = True) -> NDArray[np.float32]:
    """Put what is not signal at the level of the darkest signal, changed in place.

    The signal has shape (…, rows, columns).

    That is what lies far off and, where `finite`, what is not finite (padding comes as NaN). The
    darkest is the value that a hundredth of the rest lies below, so that single outliers do not
    count. Raises: InputError if nothing is signal.
    """
    missing = ~np.isfinite(values)
    limits = signal_range_of(values, missing if missing.any() else None)
    none = missing if finite else np.zeros_like(missing)
    if limits is not None and limits.background:
        none = none | (limits.beyond(values) & ~missing)
    if not none.any():
        return values
    signal = _sample(values, none)
    if not signal.size:
        raise InputError("the pictures hold nothing but padding", remedy="send the original images")
    values[none] = np.float32(np.quantile(signal, DARKEST))
    return values

"""Measurements on outlined anatomy: the cardiothoracic ratio, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
SMALLEST_PART = 0.25  # of the largest part of a structure: smaller islands are noise


def largest_parts(mask: Mask, count: int) -> Mask:
    """Keep at most `count` connected parts, none smaller than a quarter of the largest, holes filled."""
    labels, found = ndimage.label(mask)
    if found == 0:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, found + 1))
    order = np.argsort(sizes)[::-1][:count]
    kept = [i + 1 for i in order if sizes[i] >= SMALLEST_PART * sizes.max()]
    return np.asarray(ndimage.binary_fill_holes(np.isin(labels, kept)), dtype=bool)


def columns_of(mask: Mask) -> tuple[int, int]:
    """First and last column that a mask touches."""
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(columns[-1])


def cardiothoracic_ratio(lungs: Mask, heart: Mask) -> float:
    """Greatest width of the heart over the width between the outer edges of the lungs (Danzer 1919).

    Both are horizontal extents on one grid, so neither spacing nor stretching matters.
    """
    left, right = columns_of(heart)
    outer_left, outer_right = columns_of(lungs)
    return (right - left + 1) / (outer_right - outer_left + 1)


def implausible(lungs: Mask, heart: Mask, bounds: Mapping[str, tuple[float, float]]) -> str | None:
    """Why no ratio should be measured on these outlines, or None where they look like a chest.

    `bounds` are (low, high) of the shares of the film that lungs and heart cover, and of the two lungs' sizes
    (smaller over larger), as seen on drawn masks.
    """
    if not lungs.any() or not heart.any():
        return "lungs or heart were not found"
    middle = sum(columns_of(lungs)) / 2
    halves = lungs[:, : int(middle)].sum(), lungs[:, int(middle) :].sum()
    shares = {
        "lungs": float(lungs.mean()),
        "heart": float(heart.mean()),
        "balance": float(min(halves) / max(*halves, 1)),
    }
    for name, share in shares.items():
        low, high = bounds[name]
        if not low <= share <= high:
            return f"the outline of the {'lungs' if name != 'heart' else 'heart'} is unusual ({name} {share:.2f})"
    return None

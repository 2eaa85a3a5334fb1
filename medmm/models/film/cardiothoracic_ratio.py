"""Measurements on outlined anatomy: the cardiothoracic ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
SMALLEST_PART = 0.25  # of the largest part of a structure: smaller islands are noise


def largest_parts(mask: Mask, count: int) -> Mask:
    """Keep at most `count` connected parts, none under a quarter of the largest, filled.

    That is, their holes are filled.
    """
    labels, found = ndimage.label(mask)
    if found == 0:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, found + 1))
    order = np.argsort(sizes)[::-1][:count]
    kept = [i + 1 for i in order if sizes[i] >= SMALLEST_PART * sizes.max()]
    return np.asarray(ndimage.binary_fill_holes(np.isin(labels, kept)), dtype=bool)


def columns_of(mask: Mask) -> tuple[int, int]:
    """Return the first and last column that a mask touches."""
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(columns[-1])


def cardiothoracic_ratio(lungs: Mask, heart: Mask) -> float:
    """Compute the heart's greatest width over the width between the lungs' outer edges.

    Both are horizontal extents on one grid, so neither spacing nor stretching matters.
    Source: Danzer 1919.

    Args:
        lungs, heart: masks (rows, columns) of one grid; neither may be empty.
    Returns: a ratio without unit.
    """
    left, right = columns_of(heart)
    outer_left, outer_right = columns_of(lungs)
    return (right - left + 1) / (outer_right - outer_left + 1)

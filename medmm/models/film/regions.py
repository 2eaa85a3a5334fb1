"""From a class-activation map to a region with the patient's side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from medmm.domain.reading import Region, Side

Array = NDArray[np.float32]
STRONG = 0.5  # of the map's greatest value: what the box surrounds
BOTH_SIDES = 0.6  # the weaker half has at least this part of the stronger half's weight
NEAR_MIDLINE_CELLS = 0.75  # so near the midline a strongest place speaks against neither side
SMOOTHING_CELLS = 0.7
CHEST_SHARE = 0.05  # of a cell that is lung or heart: from there it counts as chest


def chest_cells(chest: NDArray[np.bool_] | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Find the cells of a map in which a finding of the chest may be shown.

    Row by row from the outermost lung or heart to the other side: an opaque lung is missing from
    its outline, so what lies between counts too. Without outlines, all but the outermost cells,
    where the convolutions saw padding.

    Args:
        chest: (rows, columns) of the film, where lung or heart is; None if no outline is known.
        shape: rows and columns of the map.
    """
    inner = np.zeros(shape, dtype=bool)
    inner[1:-1, 1:-1] = True
    if chest is None or not chest.any():
        return inner
    shares = Image.fromarray(chest.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX)
    there = np.asarray(shares) > CHEST_SHARE
    filled: NDArray[np.bool_] = (
        np.logical_or.accumulate(there, 1) & np.logical_or.accumulate(there[:, ::-1], 1)[:, ::-1]
    )
    return filled if filled.any() else inner


def within_chest(heat: Array, cells: NDArray[np.bool_]) -> Array:
    """Smooth a map a little and set it to -inf outside `cells`: what is shown and points.

    Args:
        heat: (rows, columns) of a finding.
        cells: of the same shape, see `chest_cells`.
    """
    smooth = ndimage.gaussian_filter(heat.astype(np.float32), SMOOTHING_CELLS)
    return np.where(cells, smooth, np.float32(-np.inf))


def region_of(
    heat: Array,
    patient_left_on: str | None,
    midline: float = 0.5,
    cells: NDArray[np.bool_] | None = None,
) -> Region | None:
    """Find the region of a map; return None if nothing in it speaks for the finding.

    Args:
        heat: (rows, columns) class-activation map; positive speaks for the finding.
        patient_left_on: the film's edge that shows the patient's left, None if unknown (then no
            side).
        midline: column between the lungs, as a fraction of the film's width.
        cells: (rows, columns) of the map, where a finding may be shown, as `chest_cells` says for
            all maps of a film at once; None if no outline is known.
    """
    rows, columns = heat.shape
    if cells is None:
        cells = chest_cells(None, (rows, columns))
    weight = np.clip(within_chest(heat, cells), 0, None).astype(np.float64)
    if weight.max() <= 0:
        return None
    weight /= weight.max()
    row, column = np.unravel_index(int(weight.argmax()), weight.shape)
    parts, _ = ndimage.label(weight >= STRONG)
    around_rows, around_columns = ndimage.find_objects((parts == parts[row, column]).astype(int))[0]
    return Region(
        peak_xy=(float((column + 0.5) / columns), float((row + 0.5) / rows)),
        box_xyxy=(
            around_columns.start / columns,
            around_rows.start / rows,
            around_columns.stop / columns,
            around_rows.stop / rows,
        ),
        heat=tuple(map(tuple, np.rint(weight * 255).astype(int).tolist())),
        side=side_of(weight, (column + 0.5) / columns, patient_left_on, midline),
    )


def side_of(
    weight: NDArray[np.float64], peak_x: float, patient_left_on: str | None, midline: float
) -> Side | None:
    """Name the patient's side that carries a map's weight above the box threshold.

    None if the film does not say, if both halves carry it (one box can't show both sides),
    and if the strongest place lies on the other side than most of the weight: a draft that named
    one would contradict its own evidence.

    Args:
        weight: (rows, columns) of the map, its greatest value 1.
        peak_x: column of the strongest place, as a fraction of the film's width.
        patient_left_on: the film's edge that shows the patient's left, None if unknown.
        midline: column between the lungs, as a fraction of the film's width.
    """
    if patient_left_on is None:
        return None
    strong = np.where(weight >= STRONG, weight, 0).sum(axis=0)
    columns = len(strong)
    edges = np.arange(columns + 1) / columns
    # Share of each column that lies left of the midline
    left_part = np.clip((midline - edges[:-1]) * columns, 0, 1)
    image_left, image_right = (
        float((strong * left_part).sum()),
        float((strong * (1 - left_part)).sum()),
    )
    if min(image_left, image_right) >= BOTH_SIDES * max(image_left, image_right):
        return None
    stronger = "left" if image_left > image_right else "right"
    beyond_midline = peak_x - midline if stronger == "left" else midline - peak_x
    if beyond_midline * columns > NEAR_MIDLINE_CELLS:
        return None
    return Side.LEFT if stronger == patient_left_on else Side.RIGHT

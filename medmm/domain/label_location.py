"""Where a label lies in its volume: slices, centre, half of the image, patient's side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medmm.domain.reading import Extent, ImageHalf, LabelMap, Side
from medmm.domain.study import Affine, Volume

Indices = NDArray[np.intp]
# Of the voxels that lie on one side of a middle for the label to be called of that half or side
SHARE = 0.9
# A field of view as wide as this holds both sides of a head; a smaller one may be a cut-out
WHOLE_HEAD_MM = 120.0
MIDLINE_MARGIN_MM = 20.0  # how far a head may lie from the centre of its field of view


def indices_zyx(label_map: LabelMap, *labels: str) -> Indices:
    """Find the voxels with one of these labels, shape (n, 3): slice, row, column."""
    values = [label_map.labels.index(label) + 1 for label in labels if label in label_map.labels]
    return np.argwhere(np.isin(label_map.array(), values))


def to_lps_mm(index_zyx: NDArray[np.float64], affine_lps_mm: Affine) -> NDArray[np.float64]:
    """Convert voxel indices (n, 3) to patient coordinates in mm, shape (n, 3).

    An index is slice, row, column. Source: DICOM PS3.3 C.7.6.2.
    """
    matrix = np.array(affine_lps_mm)
    return np.asarray(index_zyx[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float64)


def extent_of(
    label_map: LabelMap, label: str, volume: Volume, *, midline_x_lps_mm: float | None = None
) -> Extent | None:
    """Find where a label lies; return None if no voxel carries it.

    Args:
        volume: the volume whose grid the map has.
        midline_x_lps_mm: the patient's midline on the left-right axis; without it no side is given.
    """
    found = indices_zyx(label_map, label)
    if not len(found):
        return None
    slices = np.unique(found[:, 0])
    centroid = found.mean(0)
    places = (
        None
        if volume.affine_lps_mm is None
        else to_lps_mm(found.astype(float), volume.affine_lps_mm)
    )
    low, high = halves(found, volume.shape_zyx[2])
    half = (
        ImageHalf.LOW_COLUMNS
        if low >= SHARE
        else ImageHalf.HIGH_COLUMNS
        if high >= SHARE
        else ImageHalf.BOTH
    )
    return Extent(
        label_map=label_map.name,
        label=label,
        volume_sha256=label_map.volume_sha256,
        slices=(int(slices[0]), int(slices[-1])),
        slice_count=len(slices),
        centroid_index_zyx=_three(centroid),
        centroid_lps_mm=None if places is None else _three(places.mean(0)),
        image_half=half,
        side=None
        if places is None or midline_x_lps_mm is None
        else _side(places[:, 0], midline_x_lps_mm),
    )


def halves(found: Indices, columns: int) -> tuple[float, float]:
    """Return shares of voxels (n, 3) in the first and last half of the columns.

    A middle column counts for both.
    """
    middle = (columns - 1) / 2
    return float((found[:, 2] <= middle).mean()), float((found[:, 2] >= middle).mean())


def _side(x_lps_mm: NDArray[np.float64], midline_mm: float) -> Side:
    """Return the patient's side; in LPS, x grows toward the patient's left."""
    left = float((x_lps_mm > midline_mm).mean())
    return Side.LEFT if left >= SHARE else Side.RIGHT if left <= 1 - SHARE else Side.BILATERAL


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = (round(float(v), 3) for v in values)
    return z, y, x


def centre_x_lps_mm(volume: Volume) -> float | None:
    """Return the centre of the field of view on the patient's left-right axis, in mm.

    Returns: None unless it spans a whole head.
    """
    if volume.affine_lps_mm is None:
        return None
    far = np.array(volume.shape_zyx) - 1
    corners = (
        np.array(np.meshgrid(*[(0, n) for n in far], indexing="ij")).reshape(3, -1).T.astype(float)
    )
    x = to_lps_mm(corners, volume.affine_lps_mm)[:, 0]
    return float((x.min() + x.max()) / 2) if np.ptp(x) >= WHOLE_HEAD_MM else None


def largest_slice(label_map: LabelMap, *labels: str) -> int | None:
    """Return the slice on which these labels cover the most voxels, the first of equals.

    Returns: None if there is none.
    """
    counts = np.sum([label_map.voxels_by_slice(label) for label in set(labels)], axis=0)
    return int(counts.argmax()) if np.any(counts) else None

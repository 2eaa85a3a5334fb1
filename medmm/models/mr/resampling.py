"""Grids of volumes: voxel sizes, parts of masks, the head, one volume on another's grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medmm.domain.errors import InputError
from medmm.domain.grid import index_transform
from medmm.domain.label_location import to_lps_mm
from medmm.domain.study import Notice, SequenceRole, Study, Volume

Mask = NDArray[np.bool_]
Signal = NDArray[np.float32]


def spacing_zyx_mm(volume: Volume) -> tuple[float, float, float] | None:
    """Return the voxel size of a volume; None unless all three are known."""
    if volume.spacing_yx_mm is None or volume.spacing_z_mm is None:
        return None
    return volume.spacing_z_mm, *volume.spacing_yx_mm


def middle_x_lps_mm(body: Mask, volume: Volume) -> float | None:
    """Find where a body's middle lies on the patient's left-right axis, in mm.

    Returns: None if geometry or body is not known.
    """
    if volume.affine_lps_mm is None or not body.any():
        return None
    return float(
        to_lps_mm(np.argwhere(body).astype(float).mean(0)[None], volume.affine_lps_mm)[0, 0]
    )


def on_grid_of(target: Volume, source: Volume) -> Signal:
    """Resample the signal of `source` onto the grid of `target`, linearly.

    It takes its least value where it does not reach.

    The outermost voxels reach a voxel further, so that rounding of a place on the edge loses no
    slice.

    Raises: InputError if the two differ in shape and a geometry is unknown, state different
        frames of reference (PS3.3 C.7.4.1), or do not share half of the target.
    """
    frames = {volume.frame_of_reference_uid for volume in (target, source)} - {None}
    if len(frames) > 1:
        raise InputError(
            "two sequences of the study have different frames of reference",
            remedy="send sequences of one examination, or registered to each other",
        )
    signal = source.signal()
    if source.affine_lps_mm is None or target.affine_lps_mm is None:
        if source.shape_zyx != target.shape_zyx:
            raise InputError(
                f"volumes of {source.shape_zyx} and {target.shape_zyx} voxels whose geometry is "
                "unknown",
                remedy="send sequences of one grid, or with their geometry",
            )
        return signal
    to_source = index_transform(target.affine_lps_mm, source.affine_lps_mm)
    if source.shape_zyx == target.shape_zyx and np.allclose(to_source, np.eye(4), atol=1e-3):
        return signal
    flipped = to_source[:3, :3][::-1, ::-1]  # from (column, row, slice) to (slice, row, column)
    least = float(signal.min())
    moved = ndimage.affine_transform(
        np.pad(signal, 1, mode="edge"),
        flipped,
        offset=to_source[:3, 3][::-1] + 1,
        output_shape=target.shape_zyx,
        order=1,
        cval=np.nan,
    )
    there = np.isfinite(moved)
    if there.mean() < 0.5:
        raise InputError(
            "two sequences of the study hardly overlap",
            remedy="check that they are of one examination",
        )
    return np.where(there, moved, least).astype(np.float32)


def sequences_on_grid(
    study: Study, role: SequenceRole, reference: Volume, roles: Sequence[SequenceRole]
) -> tuple[dict[SequenceRole, Signal], tuple[Notice, ...]]:
    """Bring a study's sequences onto the grid of `reference`, its volume of `role`.

    Returns: them, and why others of `roles` were left out.
    """
    found, left_out = {role: reference.signal()}, []
    for other in roles:
        volume = study.chosen(other)
        if volume is None or other is role:
            continue
        try:
            found[other] = on_grid_of(reference, volume)
        except InputError as error:
            text = f"{other.value} was not used: {error.problem}. {role.value} stood in for it."
            left_out.append(Notice(code="sequence-not-used", text=text))
    return {one: found[one] for one in roles if one in found}, tuple(left_out)


def without_specks(mask: Mask, smallest: int, share: float = 0.0) -> Mask:
    """Remove connected parts of few voxels, or of a small share of the largest part.

    Args:
        mask: (slices, rows, columns); voxels that touch at a corner are connected.
        smallest: voxels that a part must have.
        share: of the largest part's voxels that a part must have, 0 to 1.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if not count:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    return np.asarray(
        np.isin(labels, 1 + np.flatnonzero(sizes >= max(smallest, share * sizes.max()))), dtype=bool
    )


def largest_part(mask: Mask) -> Mask:
    """Keep the largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sizes)), dtype=bool)


def head_of(signal: Signal) -> Mask:
    """Find the head in an MR volume: brighter than air, the largest part a slice, filled.

    The threshold is half of Otsu's (1979), below which dark parts of the head lie.

    Args:
        signal: (slices, rows, columns), finite, of any unit.
    """
    low, high = np.percentile(signal, (0.5, 99.5))
    counts, edges = np.histogram(np.clip(signal, low, high), bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = np.cumsum((counts * centres)[::-1])[::-1] / np.maximum(above, 1)
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    # Dark parts of the head lie below Otsu's
    threshold = (low + centres[int(np.argmax(between))]) / 2
    bright = signal > threshold
    return np.stack(
        [ndimage.binary_fill_holes(largest_part(ndimage.binary_opening(plane))) for plane in bright]
    )

"""Grids of volumes: where labelled voxels lie, how much they measure, and one volume on the grid of another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medmm.domain.errors import InputError
from medmm.domain.reading import Extent, ImageHalf, Side
from medmm.domain.study import Volume

Mask = NDArray[np.bool_]
Signal = NDArray[np.float32]
ONE_SIDED = 0.9  # of the voxels lie in one half: then that half is named, else both


def spacing_zyx_mm(volume: Volume) -> tuple[float, float, float] | None:
    """Voxel size of a volume; None unless all three are known."""
    if volume.spacing_yx_mm is None or volume.spacing_z_mm is None:
        return None
    return volume.spacing_z_mm, *volume.spacing_yx_mm


def millilitres(voxels: int, spacing_zyx_mm: tuple[float, float, float]) -> float:
    """Volume of so many voxels in ml."""
    return voxels * math.prod(spacing_zyx_mm) / 1000


def lps_mm(volume: Volume, index_zyx: tuple[float, float, float]) -> tuple[float, float, float] | None:
    """A place in voxels in patient coordinates (LPS); None where the geometry is unknown."""
    if volume.affine_lps_mm is None:
        return None
    x, y, z, _ = np.asarray(volume.affine_lps_mm) @ (*index_zyx[::-1], 1.0)
    return float(x), float(y), float(z)


def extent_of(
    label_map: str, label: str, mask: Mask, volume: Volume, *, body: Mask | None = None, halves: bool = False
) -> Extent:
    """Where a label lies. With `halves` also in which half of the body: of the patient where the geometry says so.

    Args:
        mask: (slices, rows, columns), not empty.
        body: what the halves are halves of, same shape; the whole grid without it.
    """
    places = np.argwhere(mask)
    slices = np.unique(places[:, 0])
    z, y, x = (float(v) for v in places.mean(0))
    half, side = (
        _half_and_side(places, volume, body if body is not None else np.ones_like(mask)) if halves else (None, None)
    )
    return Extent(
        label_map=label_map,
        label=label,
        volume_sha256=volume.sha256,
        slices=(int(slices[0]), int(slices[-1])),
        slice_count=len(slices),
        centroid_index_zyx=(round(z, 2), round(y, 2), round(x, 2)),
        centroid_lps_mm=_rounded(lps_mm(volume, (z, y, x))),
        image_half=half,
        side=side,
    )


def _rounded(place: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    return None if place is None else (round(place[0], 1), round(place[1], 1), round(place[2], 1))


def _half_and_side(places: NDArray[np.int64], volume: Volume, body: Mask) -> tuple[ImageHalf, Side | None]:
    """The half of the columns, and the patient's side where the axes say which way left is."""
    middle = np.argwhere(body.any((0, 1))).mean()
    high = float((places[:, 2] > middle).mean())
    half = ImageHalf.BOTH
    if max(high, 1 - high) >= ONE_SIDED:
        half = ImageHalf.HIGH_COLUMNS if high > 0.5 else ImageHalf.LOW_COLUMNS
    if volume.affine_lps_mm is None:
        return half, None
    to_left = np.asarray(volume.affine_lps_mm)[0, :3]  # how a step along columns, rows, slices moves to the left, in mm
    centre = np.argwhere(body).mean(0)
    lefts = (places - centre) @ to_left[::-1]
    left = float((lefts > 0).mean())
    if max(left, 1 - left) < ONE_SIDED:
        return half, Side.BILATERAL
    return half, Side.LEFT if left > 0.5 else Side.RIGHT


def on_grid_of(target: Volume, source: Volume) -> Signal:
    """The signal of `source` on the grid of `target`, linearly; its least value where it does not reach.

    Raises: InputError where the two differ in shape and a geometry is unknown, or do not share half of the target.
    """
    signal = source.signal()
    if source.affine_lps_mm is None or target.affine_lps_mm is None:
        if source.shape_zyx != target.shape_zyx:
            raise InputError(
                f"volumes of {source.shape_zyx} and {target.shape_zyx} voxels whose geometry is unknown",
                remedy="send sequences of one grid, or with their geometry",
            )
        return signal
    to_source = np.linalg.inv(np.asarray(source.affine_lps_mm)) @ np.asarray(target.affine_lps_mm)
    if source.shape_zyx == target.shape_zyx and np.allclose(to_source, np.eye(4), atol=1e-3):
        return signal
    flipped = to_source[:3, :3][::-1, ::-1]  # from (column, row, slice) to (slice, row, column)
    least = float(signal.min())
    moved = ndimage.affine_transform(
        np.pad(signal, 1, mode="edge") if 1 in signal.shape else signal,
        flipped,
        offset=to_source[:3, 3][::-1] + (1 if 1 in signal.shape else 0),
        output_shape=target.shape_zyx,
        order=1,
        cval=np.nan,
    )
    there = np.isfinite(moved)
    if there.mean() < 0.5:
        raise InputError("two sequences of the study hardly overlap", remedy="check that they are of one examination")
    return np.where(there, moved, least).astype(np.float32)


def without_specks(mask: Mask, smallest: int) -> Mask:
    """A mask without connected parts of fewer than `smallest` voxels."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if not count:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    return np.asarray(np.isin(labels, 1 + np.flatnonzero(sizes >= smallest)), dtype=bool)


def largest_part(mask: Mask) -> Mask:
    """The largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sizes)), dtype=bool)


def head_of(signal: Signal) -> Mask:
    """The head in an MR volume: what is brighter than air (Otsu 1979), its largest part a slice, holes filled."""
    low, high = np.percentile(signal, (0.5, 99.5))
    counts, edges = np.histogram(np.clip(signal, low, high), bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = np.cumsum((counts * centres)[::-1])[::-1] / np.maximum(above, 1)
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    bright = signal > centres[int(np.argmax(between))] / 2
    return np.stack([ndimage.binary_fill_holes(largest_part(ndimage.binary_opening(plane))) for plane in bright])

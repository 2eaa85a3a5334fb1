"""Whether two files lie on one grid, and how far one reaches over the other by what their headers say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.grid import index_transform
from medmm.domain.study import Volume
from medmm.imaging.nifti import NiftiFile


def same_grid(one: NiftiFile, other: NiftiFile) -> bool:
    """Same shape and voxel size, and by the headers no corner half a voxel or more from the other's."""
    if one.shape_zyx != other.shape_zyx or not np.allclose(_sizes(one), _sizes(other), rtol=0.01):
        return False
    ends = [(0, count - 1) for count in reversed(one.shape_zyx)]
    corners = np.array([(*corner, 1) for corner in itertools.product(*ends)], dtype=np.float64)
    if not (np.isfinite(one.matrix_mm).all() and np.isfinite(other.matrix_mm).all()):
        return False
    with np.errstate(over="ignore", invalid="ignore"):  # of absurd numbers, which are then apart
        apart = np.linalg.norm((corners @ (one.matrix_mm - other.matrix_mm).T)[:, :3], axis=1).max()
    return bool(apart < 0.5 * min(size or 1.0 for size in _sizes(one)))


def _sizes(file: NiftiFile) -> list[float]:
    return [size or 0.0 for size in file.spacing_zyx_mm]


def index_in(source: Volume, target: Volume) -> NDArray[np.float64]:
    """4 x 4: voxel index (slice, row, column) of the target to that of the source. Raises: InputError of unknown geometry."""
    if source.affine_lps_mm is None or target.affine_lps_mm is None:
        raise InputError("a volume of unknown geometry lies on no grid", remedy="send it with its affine")
    turned = np.eye(4)[[2, 1, 0, 3]]  # affines take (column, row, slice)
    return np.asarray(turned @ index_transform(target.affine_lps_mm, source.affine_lps_mm) @ turned)


def coverage(index: NDArray[np.float64], target_zyx: Sequence[int], source_zyx: Sequence[int]) -> float:
    """Part of the target's voxels that lie within the source, by every fourth of them along each axis."""
    places = np.stack(np.meshgrid(*[np.arange(0, n, 4) for n in target_zyx], indexing="ij"), -1).reshape(-1, 3)
    found = places @ index[:3, :3].T + index[:3, 3]
    return float(np.all((found >= -0.5) & (found <= np.array(source_zyx) - 0.5), axis=1).mean())

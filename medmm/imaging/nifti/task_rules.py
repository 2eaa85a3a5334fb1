"""What an array of a task must be like: its grid by the header, then its values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.grid import index_transform
from medmm.domain.read_task import ReadTask
from medmm.domain.study import Notice, SequenceRole, Volume
from medmm.imaging.gate import rules
from medmm.imaging.gate.layout import judge_shown_nifti
from medmm.imaging.gate.rules import Refusal
from medmm.imaging.nifti.files import NiftiFile, shown_nifti

# A crop around one hippocampus: those of the Decathlon's Task04 span 31 to 43 x 40 to 59 x 24 to 47
# voxels of 1 mm. An adult's head is more than 100 mm wide, long and high.
CROP_MM = (20.0, 64.0)
CROP_VOXEL_MM = (0.5, 2.0)
# Short-axis cine; ACDC has pixels of 0.70 to 1.92 mm and slices 5 to 10 mm apart.
CINE_PIXEL_MM = (0.4, 3.0)
CINE_SLICE_MM = (3.0, 15.0)
BOX = 0.02  # of products of axes in voxels: about 1 degree of slant, 1 % of a length


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFile:
    """One file that a task looks for: its name without the suffix, and the role of its volume."""

    stem: str
    role: SequenceRole
    needed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """One opened file of a task and its volume on the grid of the study."""

    part: TaskFile
    file: NiftiFile
    volume: Volume

    @property
    def name(self) -> str:
        """The file's name."""
        return self.file.path.name


def judge_grid(array: Array, task: ReadTask) -> Refusal | None:
    """Judge an array by its header alone."""
    name, file = array.name, array.file
    if not file.grey:
        return Refusal(
            code="colour",
            reason=f"not evaluable: {name} holds colours or complex numbers, not grey",
        )
    if file.volumes > 1:
        return Refusal(
            code="frames",
            reason=f"not evaluable: {name} holds {file.volumes} volumes, and one is read; send the "
            "one that is meant",
        )
    if min(file.shape_zyx) < 2:
        return Refusal(
            code="single-slice", reason=f"not evaluable: {name} is a single slice, not a volume"
        )
    if task is ReadTask.HIPPOCAMPUS:
        return _judge_crop(name, file)
    if max(file.shape_zyx[1:]) < rules.SMALLEST_MR_PX:
        return Refusal(
            code="too-small",
            reason=f"not evaluable: the longest side of {name} is under {rules.SMALLEST_MR_PX} "
            "pixels",
        )
    return _judge_cine(name, file) if task is ReadTask.CARDIAC else None


def _judge_crop(name: str, file: NiftiFile) -> Refusal | None:
    """Judge whether a T1 is a crop around one hippocampus.

    In a whole head the hippocampi would have to be found first.
    """
    spacing = _known_spacing(file)
    if spacing is None:
        return _no_spacing(name)
    if not all(_within(step, CROP_VOXEL_MM) for step in spacing):
        return _odd_spacing(name, spacing, f"voxels of {_range(CROP_VOXEL_MM)} mm are read")
    if not _is_box(file, spacing):
        return _no_box(name)
    sides = [count * step for count, step in zip(file.shape_zyx, spacing, strict=True)]
    if all(_within(side, CROP_MM) for side in sides):
        return None
    return Refusal(
        code="not-a-crop",
        reason=(
            f"not evaluable: {name} spans "
            f"{' x '.join(f'{side:.0f}' for side in reversed(sides))} mm; a crop around one "
            f"hippocampus of {_range(CROP_MM)} mm a side is read, a whole head is not: the "
            "hippocampi are not looked for in it"
        ),
    )


def _judge_cine(name: str, file: NiftiFile) -> Refusal | None:
    """Judge whether a voxel can be that of short-axis cine, slices along the third axis."""
    spacing = _known_spacing(file)
    if spacing is None:
        return _no_spacing(name)
    ranges = (CINE_SLICE_MM, CINE_PIXEL_MM, CINE_PIXEL_MM)
    if all(_within(step, limits) for step, limits in zip(spacing, ranges, strict=True)):
        return None if _is_box(file, spacing) else _no_box(name)
    words = (
        f"short-axis cine has pixels of {_range(CINE_PIXEL_MM)} mm and slices "
        f"{_range(CINE_SLICE_MM)} mm apart"
    )
    return _odd_spacing(name, spacing, f"{words}, along the third axis")


def _known_spacing(file: NiftiFile) -> tuple[float, float, float] | None:
    z, y, x = file.spacing_zyx_mm
    return None if z is None or y is None or x is None else (z, y, x)


def _is_box(file: NiftiFile, spacing_zyx_mm: Sequence[float]) -> bool:
    """Tell whether the header's axes are orthogonal and as long as its voxel size.

    What is not finite says nothing.
    """
    axes = file.matrix_mm[:3, :3] / np.array(spacing_zyx_mm)[::-1]
    return not np.isfinite(axes).all() or bool(np.allclose(axes.T @ axes, np.eye(3), atol=BOX))


def _no_box(name: str) -> Refusal:
    return Refusal(
        code="slanted",
        reason=(
            f"not evaluable: the axes of {name} stand at a slant, as of a tilted gantry, or "
            "contradict its voxel size; nothing is measured in such voxels, resample it onto a "
            "grid of right angles first"
        ),
    )


def _within(value: float, limits: tuple[float, float]) -> bool:
    """Tell whether a value is within limits or a thousandth beyond, as headers hold float32."""
    return limits[0] * 0.999 <= value <= limits[1] * 1.001


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"


def _no_spacing(name: str) -> Refusal:
    return Refusal(
        code="spacing-unknown",
        reason=f"not evaluable: {name} states no usable voxel size, without which nothing is "
        "measured in ml",
    )


def _odd_spacing(name: str, spacing: Sequence[float], wanted: str) -> Refusal:
    voxel = " x ".join(f"{step:.4g}" for step in reversed(spacing))
    return Refusal(
        code="spacing-odd", reason=f"not evaluable: {name} states voxels of {voxel} mm; {wanted}"
    )


def judge_values(array: Array, notices: list[Notice]) -> Refusal | None:
    """Refuse values without a picture, or of several; add what a reader must know.

    `notices` takes the latter. Raises: InputError if the file can't be read.
    """
    signal = array.volume.signal()
    if not np.isfinite(signal).all():
        return Refusal(
            code="not-finite",
            reason=f"not evaluable: {array.name} holds values that are not finite (NaN or "
            "infinite); send the image as it was made, or leave it out if it may be missing",
        )
    if signal.min() == signal.max():
        return Refusal(
            code="blank",
            reason=f"not evaluable: all values of {array.name} are the same; send the image as it "
            "was made, or leave it out if it may be missing",
        )
    picture = shown_nifti(array.file.path)
    notices.extend(picture.notices)
    refusal = judge_shown_nifti(picture)
    if refusal is None:
        return None
    reason = f"not evaluable: {refusal.reason.removeprefix('not evaluable: ')} ({array.name})"
    return replace(refusal, reason=reason, held=False)


def same_grid(one: NiftiFile, other: NiftiFile) -> bool:
    """Tell whether two files share shape, voxel size and place.

    By the headers no corner is half a voxel or more from the other's.
    """
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
    """Compute the 4 x 4 from the target's voxel index to the source's.

    An index is (slice, row, column). Raises: InputError if a geometry is unknown.
    """
    if source.affine_lps_mm is None or target.affine_lps_mm is None:
        raise InputError(
            "a volume of unknown geometry lies on no grid", remedy="send it with its affine"
        )
    turned = np.eye(4)[[2, 1, 0, 3]]  # affines take (column, row, slice)
    return np.asarray(turned @ index_transform(target.affine_lps_mm, source.affine_lps_mm) @ turned)


def coverage(
    index: NDArray[np.float64], target_zyx: Sequence[int], source_zyx: Sequence[int]
) -> float:
    """Compute the part of the target's voxels that lie within the source.

    Every fourth voxel along each axis is asked.
    """
    places = np.stack(
        np.meshgrid(*[np.arange(0, n, 4) for n in target_zyx], indexing="ij"), -1
    ).reshape(-1, 3)
    found = places @ index[:3, :3].T + index[:3, 3]
    return float(np.all((found >= -0.5) & (found <= np.array(source_zyx) - 0.5), axis=1).mean())

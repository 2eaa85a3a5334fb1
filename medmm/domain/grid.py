"""Grids: label maps to frames of images and back, and from one volume's grid to another.

DICOM Segmentation (PS3.3 A.51) refers to the source image of each frame by SOP Instance UID and,
where that image has several frames, by Referenced Frame Number (PS3.3 table 10-3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.study import Affine, Volume

# cosine of 45 degrees: beyond, slices lie nearer to another plane of the body than to the axial
# one. Choice of series, check of pixels and networks all ask `axial`; it stands here because no
# stage of the way may import another.
AXIAL_COSINE = math.sqrt(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFrame:
    """The image frame that one slice of a volume comes from.

    Attributes:
        frame_number: from 1; 1 for an image of a single frame.
        position_lps_mm: centre of its first pixel, Image Position (Patient); None if the volume
            has no affine.
    """

    sop_uid: str
    frame_number: int = 1
    position_lps_mm: tuple[float, float, float] | None = None


def source_frames(volume: Volume) -> tuple[SourceFrame, ...]:
    """Return the frame of every slice of a volume, in the order of its slices.

    Raises: InputError if the volume does not say which image or frame each slice is.
    """
    slices = volume.shape_zyx[0]
    several = len(volume.sop_uids) == 1 and len(volume.frame_numbers) == slices
    single = len(volume.sop_uids) == slices and not volume.frame_numbers
    if not (several or single):
        raise InputError(
            f"{slices} slices of {len(volume.sop_uids)} images and {len(volume.frame_numbers)} "
            "frame numbers",
            remedy="admit the study again, so that each slice names its frame",
            series=volume.series_uid,
        )
    uids = volume.sop_uids * slices if several else volume.sop_uids
    numbers = volume.frame_numbers if several else (1,) * slices
    return tuple(
        SourceFrame(
            sop_uid=uid, frame_number=number, position_lps_mm=_place(volume.affine_lps_mm, z)
        )
        for z, (uid, number) in enumerate(zip(uids, numbers, strict=True))
    )


def _place(affine_lps_mm: Affine | None, z: int) -> tuple[float, float, float] | None:
    if affine_lps_mm is None:
        return None
    x, y, height = (row[2] * z + row[3] for row in affine_lps_mm[:3])
    return x, y, height


def to_frames(
    labels_zyx: NDArray[np.generic], volume: Volume
) -> tuple[tuple[SourceFrame, NDArray[np.generic]], ...]:
    """Split a mask or label map on a volume's grid into frames, in the order of slices.

    Rows and columns are those of the stored image: nothing is flipped. Raises: InputError if it is
    of another grid.

    Returns: pairs of frame and (rows, columns).
    """
    if labels_zyx.shape != volume.shape_zyx:
        raise InputError(
            f"a label map of {labels_zyx.shape} on a grid of {volume.shape_zyx}",
            remedy="bring it to the volume's grid first",
            series=volume.series_uid,
        )
    return tuple(zip(source_frames(volume), labels_zyx, strict=True))


def from_frames(
    frames: Iterable[tuple[SourceFrame, NDArray[np.generic]]],
    volume: Volume,
    dtype: np.dtype[np.generic] | type = np.uint8,
) -> NDArray[np.generic]:
    """Build the label map on the volume's grid, shape `shape_zyx`, from frames in any order.

    Slices without a frame are 0.

    Raises: InputError if a frame is none of the volume's, comes twice or is of another size.
    """
    place = {(f.sop_uid, f.frame_number): z for z, f in enumerate(source_frames(volume))}
    labels = np.zeros(volume.shape_zyx, dtype=dtype)
    seen: set[int] = set()
    for frame, values in frames:
        z = place.get((frame.sop_uid, frame.frame_number))
        if z is None or z in seen or values.shape != volume.shape_zyx[1:]:
            problem = (
                "is none of this volume"
                if z is None
                else "comes twice"
                if z in seen
                else "is of another size"
            )
            raise InputError(
                f"a frame of the label map {problem}",
                remedy="give each frame of this volume at most once, on its rows and columns",
                series=volume.series_uid,
                frame=str(frame.frame_number),
            )
        seen.add(z)
        labels[z] = values
    return labels


def axial(affine_lps_mm: Affine) -> bool:
    """Tell whether slices lie across the patient's long axis.

    Their normal is then less than 45 degrees away from it.
    """
    columns, rows = np.asarray(affine_lps_mm, dtype=np.float64)[:3, :2].T
    normal = np.cross(columns, rows)
    return bool(abs(normal[2]) > AXIAL_COSINE * np.linalg.norm(normal))


def index_transform(from_affine: Affine, to_affine: Affine) -> NDArray[np.float64]:
    """Compute the 4 x 4 from voxel indices of one grid to those of another.

    An index is (column, row, slice, 1).

    Both affines must be of one frame of reference. Raises: InputError if `to_affine` spans no
    volume.
    """
    target = np.array(to_affine, dtype=np.float64)
    if abs(np.linalg.det(target[:3, :3])) < 1e-9:
        raise InputError(
            "the affine to go to spans no volume",
            remedy="use a volume with known spacing",
            grid="to",
        )
    return np.asarray(
        np.linalg.solve(target, np.array(from_affine, dtype=np.float64)), dtype=np.float64
    )

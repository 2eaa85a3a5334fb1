"""MR slices that passed the gate to `Volume`s: one a stack of parallel slices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from medmm.domain.errors import InputError
from medmm.domain.stored_frame import StoredFrame
from medmm.domain.study import Affine, Notice, SpacingMeaning, Volume
from medmm.domain.study import Sequence as Sequence_
from medmm.imaging.built_volume import Built
from medmm.imaging.dicom.anatomy import body_part_of
from medmm.imaging.dicom.equipment import scanner_of
from medmm.imaging.dicom.files import DicomFile
from medmm.imaging.dicom.functional_groups import Frame
from medmm.imaging.dicom.geometry import (
    Plane,
    frame_planes,
    parallel,
    pixel_aspect,
    plausible_spacing,
    sheared,
    skips,
    stack_affine,
)
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.laterality import side_conflicts, side_notice
from medmm.imaging.dicom.padding import without_background
from medmm.imaging.dicom.pixels import display, frame_count, signal, stored_values, voi_notices
from medmm.imaging.dicom.stored_frames import stored_frame
from medmm.imaging.mr.acquisitions import order_of_slices, parts_of, time_of_slices
from medmm.imaging.mr.physics import Physics, frames_physics, physics_of
from medmm.imaging.mr.sequence_roles import MIXED, sequence_of
from medmm.imaging.mr.slice_grouping import Placed, SliceGroup, by_contrast, placed
from medmm.imaging.mr.stack_joining import parts_of_image

T = TypeVar("T")
UNEVEN = Notice(
    code="no-volume",
    text="Slices are missing, uneven or of several planes; they are single pictures, no volume.",
)
SINGLE = Notice(
    code="single-slice",
    text="A single slice has no distance to a next one: it is read, and no volume is measured.",
)
SHEARED = Notice(
    code="sheared-stack",
    text="The slices are stacked at a slant to their planes, as of a tilted gantry; no volume is "
    "measured in them.",
)
SLICES_LEFT_OUT = Notice(
    code="slices-left-out",
    text="The slices lie a multiple of their stated spacing apart: some are missing; no volume "
    "is measured in them.",
)
SEVERAL_CONTRASTS = Notice(
    code="several-contrasts",
    text="A series holds images of several contrasts that their places do not tell apart; it is "
    "no volume.",
)
GEOMETRY_UNKNOWN = Notice(
    code="geometry-unknown", text="The slices do not say where they lie in the patient."
)
# What says of the whole image how its values are to be understood.
_IMAGE_VALUES = (
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PresentationLUTShape",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RealWorldValueMappingSequence",
)
_VALUE_GROUPS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
}


def load_slices(paths: Sequence[Path], frame_numbers: Sequence[int] = ()) -> NDArray[np.float32]:
    """Load display-ready pixels of MR slices in the order of the files or frames.

    Args:
        frame_numbers: the frames of the one file, from 1; if there are none, all of each file in
            order of position.

    Returns: shape (slices, rows, columns), float32. Raises: InputError.
    """
    return _stacked([frame for path in paths for frame in _frames(path, frame_numbers, display)])


def load_stored(path: Path, frame_numbers: Sequence[int] = ()) -> list[StoredFrame]:
    """Load the slices of one file before their windows; otherwise as `load_slices`."""
    return _frames(path, frame_numbers, stored_frame)


def load_signal(paths: Sequence[Path], frame_numbers: Sequence[int] = ()) -> NDArray[np.float32]:
    """Load the signal of MR slices on one scale, in the same order, without a window.

    It is the stored values after the rescale of each frame.

    What is no signal (padding, values far from all others) is at the level of the darkest signal.

    Source: PS3.3 C.11.1 (Modality LUT) and C.7.6.16.2.9 (Pixel Value Transformation); a slope of
    its own for each slice, as Philips writes it, is applied to that slice. Args, returns and raises
    as `load_slices`.
    """
    return without_background(
        _stacked([frame for path in paths for frame in _frames(path, frame_numbers, signal)])
    )


def signal_of(
    paths: Sequence[Path], frame_numbers: Sequence[int], slices: Sequence[int]
) -> NDArray[np.float32]:
    """Load the signal of some slices of a volume, by their indices.

    Only the files and frames that hold them are decoded.
    """
    if frame_numbers:
        return load_signal(paths, [frame_numbers[z] for z in slices])
    return load_signal([paths[z] for z in slices])


def _stacked(slices: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    if len({frame.shape for frame in slices}) != 1:
        raise InputError(
            "slices of different size in one volume", remedy="send the original series"
        )
    return np.stack(slices)


def _frames(
    path: Path,
    frame_numbers: Sequence[int],
    shown: Callable[[NDArray[np.generic], Dataset, Path], T],
) -> list[T]:
    wanted = [number - 1 for number in frame_numbers]
    stored, dataset = stored_values(path, wanted)
    if not wanted:
        wanted = frame_order(Tags(dataset), len(stored))
        stored = stored[wanted]
    return [
        shown(values, frame_header(dataset, i), path)
        for i, values in zip(wanted, stored, strict=True)
    ]


def frame_order(tags: Tags, frames: int) -> list[int]:
    """Order frames of a multi-frame image along the normal; as stored if not parallel."""
    planes = [plane for plane in frame_planes(tags, frames) if plane is not None]
    if (
        frames == 1
        or len(planes) != frames
        or not all(parallel(planes[0], plane) for plane in planes)
    ):
        return list(range(frames))
    return sorted(range(frames), key=lambda i: planes[i].depth_mm)


def frame_header(dataset: Dataset, index: int) -> Dataset:
    """Return the header of one frame: its own functional groups over the shared ones."""
    tags = Tags(dataset)
    shared = tags.first_item("SharedFunctionalGroupsSequence")
    own = tags.item("PerFrameFunctionalGroupsSequence", index)
    groups = [group for group in (shared, own) if group]
    if not groups:
        return dataset
    header = pydicom.dataset.Dataset()
    for keyword in (*_IMAGE_VALUES, *sum(_VALUE_GROUPS.values(), ())):
        if keyword in dataset:
            header[keyword] = dataset[keyword]
    for group in groups:
        if "RealWorldValueMappingSequence" in group.dataset:
            header["RealWorldValueMappingSequence"] = group.dataset["RealWorldValueMappingSequence"]
        for sequence, wanted in _VALUE_GROUPS.items():
            item = group.first_item(sequence)
            for keyword in wanted if item else ():
                if item is not None and keyword in item.dataset:
                    header[keyword] = item.dataset[keyword]
    return header


def stacks(files: Sequence[DicomFile]) -> list[Built]:
    """Build the volumes of MR files.

    Slices and frames of one image join by series or image, frame of reference, plane and grid.

    Slices of two acquisitions are apart, and so are slices and frames that share a place, by what
    tells them apart: echoes, times, contrasts. Frames of one image that share none are apart too
    where they are of several contrasts.
    """
    joined: dict[object, list[list[Placed]]] = {}
    for file in placed(files):
        groups = joined.setdefault(file.kin, [])
        match = next((group for group in groups if group[0].joins(file)), None)
        if match is None:
            groups.append([file])
        else:
            match.append(file)
    images: dict[
        object, list[list[Placed]]
    ] = {}  # the groups of each image whose frames are slices, and each other group
    for group in (group for groups in joined.values() for group in groups):
        images.setdefault(
            group[0].kin if group[0].index is None else group[0].file.sha256, []
        ).append(group)
    built = []
    for groups in images.values():
        for parts, notices in (
            parts_of_image(groups) if groups[0][0].index is not None else map(parts_of, groups)
        ):
            pieces = [piece for part in parts for piece in _of_one_contrast(part)]
            built += [replace(one, notices=(*notices, *one.notices)) for one in map(_stack, pieces)]
    return built


def _of_one_contrast(part: SliceGroup) -> list[SliceGroup]:
    """Split frames of one image by their contrasts.

    Files of a series that do not share places stay together, and are held as mixed.
    """
    if part.slices[0].index is None or _sequence(part.slices)[1] is not MIXED:
        return [part]
    pieces = by_contrast(part)
    return (
        pieces if len(pieces) == 1 else [one for piece in pieces for one in _of_one_contrast(piece)]
    )


def _stack(part: SliceGroup) -> Built:
    """Build one volume of slices of one series, frames of one image, or a whole file."""
    ordered = sorted(part.slices, key=lambda one: one.depth_mm)
    lead, tags = ordered[0], ordered[0].tags
    stated = [plane for one in ordered for plane in one.planes]
    found, sequence = _sequence(ordered)
    affine, spacing, notices = _geometry(stated, lead.frame, mixed=sequence is MIXED)
    files = [lead.file] if lead.index is not None else [one.file for one in ordered]
    for file in files:
        notices += voi_notices(Tags(frame_header(file.header, lead.index or 0)))
    paths, digests, numbers = (
        tuple(f.path for f in files),
        tuple(f.sha256 for f in files),
        _frame_numbers(ordered),
    )
    grid = int(tags.number("Rows") or 0), int(tags.number("Columns") or 0)
    headers = {one.file.sha256: one.tags for one in ordered}.values()
    conflict = side_notice(
        [words for one in headers for words in side_conflicts(one, affine, grid)]
    )
    volume = Volume(
        series_uid=tags.text("SeriesInstanceUID") or "",
        sop_class_uid=tags.text("SOPClassUID") or "",
        sop_uids=tuple(Tags(file.header).text("SOPInstanceUID") or "" for file in files),
        sha256=_digest(digests, numbers, frame_count(tags)),
        shape_zyx=(len(stated), *grid),
        affine_lps_mm=None if conflict else affine,
        spacing_yx_mm=spacing,
        spacing_z_mm=_slice_distance(affine, stated, notices),
        spacing_meaning=SpacingMeaning.PATIENT if spacing else None,
        pixel_aspect=pixel_aspect(spacing or plausible_spacing(tags.numbers("PixelSpacing")), tags),
        file_sha256s=digests,
        frame_numbers=numbers,
        frame_of_reference_uid=tags.text("FrameOfReferenceUID"),
        acquired=time_of_slices(ordered),
        scanner=scanner_of(tags),
        sequence=sequence,
        loader=partial(load_slices, paths, numbers),
        signal_loader=partial(load_signal, paths, numbers),
    )
    return Built(
        volume=volume,
        notices=(*notices, *conflict),
        physics=found,
        signal_of=partial(signal_of, paths, numbers),
        told_by=part.told_by,
        order=order_of_slices(ordered),
    )


def _frame_numbers(ordered: Sequence[Placed]) -> tuple[int, ...]:
    """Return the frame (from 1) of every slice of a volume of one multi-frame image.

    It is empty for images of a single frame.
    """
    lead = ordered[0]
    if lead.index is not None:
        return tuple(one.index + 1 for one in ordered if one.index is not None)
    several = len(ordered) == 1 and len(lead.planes) > 1
    return tuple(i + 1 for i in frame_order(lead.tags, len(lead.planes))) if several else ()


def _sequence(ordered: Sequence[Placed]) -> tuple[Physics, Sequence_]:
    """Return the physics of the middle image and the role of all of them."""
    each = [
        (physics_of(one.frame),) if len(one.planes) == 1 else frames_physics(one.tags)
        for one in ordered
    ]
    images = [physics for of_one in each for physics in of_one]
    region = body_part_of(ordered[0].tags).region
    return images[len(images) // 2], sequence_of(list(dict.fromkeys(images)), region)


def _geometry(
    stated: Sequence[Plane | None], lead: Frame, *, mixed: bool
) -> tuple[Affine | None, tuple[float, float] | None, tuple[Notice, ...]]:
    """Compute affine and in-plane spacing of slices, and what keeps them from measurement."""
    planes = [plane for plane in stated if plane is not None]
    whole = len(planes) == len(stated)
    if not (whole and all(parallel(planes[0], plane) for plane in planes)):
        return None, None, (UNEVEN if whole else GEOMETRY_UNKNOWN,)
    planes = sorted(planes, key=lambda plane: plane.depth_mm)
    affine, spacing = stack_affine(planes), planes[0].spacing_yx_mm
    if mixed:
        return None, spacing, (SEVERAL_CONTRASTS,)
    if affine is None:
        return None, spacing, (SINGLE if len(planes) == 1 else UNEVEN,)
    rows = (
        (SINGLE, len(planes) == 1),
        (SHEARED, len(planes) > 1 and sheared(affine)),
        (SLICES_LEFT_OUT, len(planes) > 1 and skips(affine, lead)),
    )
    return affine, spacing, tuple(notice for notice, holds in rows if holds)


def _slice_distance(
    affine: Affine | None, stated: Sequence[object], notices: Sequence[Notice]
) -> float | None:
    """Return the distance of slice centres in mm; None if no volume can rest on it."""
    if affine is None or len(stated) == 1 or {SHEARED, SLICES_LEFT_OUT} & set(notices):
        return None
    return float(np.linalg.norm(np.array(affine)[:3, 2]))


def _digest(digests: Sequence[str], frame_numbers: Sequence[int], frames: int) -> str:
    """Return the digest of the one file, of several files, or of some frames of a file."""
    if len(digests) > 1:
        return digest_of(digests)
    if not frame_numbers or len(frame_numbers) == frames:
        return digests[0]
    return hashlib.sha256(f"{digests[0]} frames {sorted(frame_numbers)}".encode()).hexdigest()


def digest_of(digests: Sequence[str]) -> str:
    """Compute one digest for several files: SHA-256 over their sorted digests."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()

"""Files that passed the gate to `Volume`s: one a film, one a stack of parallel MR slices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from medmm.domain.errors import InputError
from medmm.domain.study import Notice, View, Volume
from medmm.imaging.gate import view_of
from medmm.imaging.geometry import (
    ORIENTATION_UNKNOWN,
    Plane,
    film_affine,
    film_spacing,
    frame_planes,
    parallel,
    patient_left_on,
    pixel_aspect,
    plane_of,
    plausible_spacing,
    stack_affine,
)
from medmm.imaging.pixels import display, frame_count, stored_values, voi_notices
from medmm.imaging.sources import DicomFile
from medmm.imaging.tags import Tags

UNEVEN = Notice(
    code="no-volume",
    text="Slices are missing, uneven or of several planes; they are single pictures, no volume.",
)
GEOMETRY_UNKNOWN = Notice(code="geometry-unknown", text="The slices do not say where they lie in the patient.")
# What tells slices apart that share a place: echoes, contrasts and repetitions by name, and by time.
TELLING = (
    "EchoNumbers",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "ComplexImageComponent",
    "ImageType",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
)
TIMES = ("TriggerTime", "AcquisitionTime", "ContentTime")
_VALUE_GROUPS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A volume with what a reader must know about it."""

    volume: Volume
    notices: tuple[Notice, ...]


def load_film(path: Path) -> NDArray[np.float32]:
    """Display-ready pixels of one radiograph, shape (1, rows, columns). Raises: InputError."""
    stored, dataset = stored_values(path)
    return display(stored[:1], dataset, path)


def load_slices(paths: Sequence[Path]) -> NDArray[np.float32]:
    """Display-ready pixels of MR slices in the order of the files, frames in order of position.

    Returns: shape (slices, rows, columns), float32. Raises: InputError.
    """
    slices = [frame for path in paths for frame in _frames(path)]
    if len({frame.shape for frame in slices}) != 1:
        raise InputError("slices of different size in one volume", remedy="send the original series")
    return np.stack(slices)


def _frames(path: Path) -> list[NDArray[np.float32]]:
    stored, dataset = stored_values(path)
    order = frame_order(Tags(dataset), len(stored))
    return [display(stored[i], frame_header(dataset, i), path) for i in order]


def frame_order(tags: Tags, frames: int) -> list[int]:
    """Frames of a multi-frame image by position along the normal; as stored if they are not parallel."""
    planes = [plane for plane in frame_planes(tags, frames) if plane is not None]
    if frames == 1 or len(planes) != frames or not all(parallel(planes[0], plane) for plane in planes):
        return list(range(frames))
    return sorted(range(frames), key=lambda i: planes[i].depth_mm)


def frame_header(dataset: Dataset, index: int) -> Dataset:
    """The header that holds for one frame: functional groups of its own over those it shares."""
    tags = Tags(dataset)
    shared = tags.first_item("SharedFunctionalGroupsSequence")
    own = list(tags.items("PerFrameFunctionalGroupsSequence"))
    groups = [group for group in (shared, own[index] if index < len(own) else None) if group]
    if not groups:
        return dataset
    header = pydicom.dataset.Dataset()
    keywords = ("PhotometricInterpretation", "BitsStored", "PixelRepresentation", "PresentationLUTShape")
    for keyword in (*keywords, *sum(_VALUE_GROUPS.values(), ())):
        if keyword in dataset:
            header[keyword] = dataset[keyword]
    for group in groups:
        for sequence, wanted in _VALUE_GROUPS.items():
            item = group.first_item(sequence)
            for keyword in wanted if item else ():
                if item is not None and keyword in item.dataset:
                    header[keyword] = item.dataset[keyword]
    return header


def film(file: DicomFile) -> Built:
    """The volume of a radiograph."""
    tags = Tags(file.header)
    view = view_of(tags) or View.UNKNOWN
    spacing, notices = film_spacing(tags)
    left = None if view is View.LATERAL else patient_left_on(tags)
    notices = (*notices, *voi_notices(tags))
    if left is None and view is not View.LATERAL:
        notices = (*notices, ORIENTATION_UNKNOWN)
    volume = Volume(
        series_uid=tags.text("SeriesInstanceUID") or "",
        sop_class_uid=tags.text("SOPClassUID") or "",
        sop_uids=(tags.text("SOPInstanceUID") or "",),
        sha256=file.sha256,
        shape_zyx=(1, int(tags.number("Rows") or 0), int(tags.number("Columns") or 0)),
        affine_lps_mm=film_affine(tags, spacing),
        spacing_yx_mm=spacing,
        pixel_aspect=pixel_aspect(spacing, tags),
        patient_left_on=left,
        view=view,
        file_sha256s=(file.sha256,),
        loader=partial(load_film, file.path),
    )
    return Built(volume=volume, notices=notices)


def stacks(files: Sequence[DicomFile]) -> list[Built]:
    """The volumes of MR files: a multi-frame file is one; single slices join by series, plane and grid.

    Slices that share a place are apart by what tells them apart: echoes, times, contrasts.
    """
    joined: list[list[DicomFile]] = []
    for file in files:
        match = next((group for group in joined if _joins(group[0], file)), None)
        if match is None:
            joined.append([file])
        else:
            match.append(file)
    return [_stack(part) for group in joined for part in told_apart(group)]


def _joins(one: DicomFile, other: DicomFile) -> bool:
    a, b = Tags(one.header), Tags(other.header)
    if frame_count(a) > 1 or frame_count(b) > 1:
        return False
    same = all(a.text(k) == b.text(k) for k in ("SeriesInstanceUID", "SOPClassUID", "Rows", "Columns"))
    planes = plane_of(a), plane_of(b)
    return same and planes[0] is not None and planes[1] is not None and parallel(planes[0], planes[1])


def planes_of(file: DicomFile) -> tuple[Plane | None, ...]:
    """The planes of a file's frames, as stored."""
    tags = Tags(file.header)
    frames = frame_count(tags)
    planes = frame_planes(tags, frames)
    return (plane_of(tags),) if frames == 1 and planes == (None,) else planes


def place_of(file: DicomFile) -> tuple[object, ...] | None:
    """Series, first pixel (to 0.01 mm), axes and grid of a single slice; None where it has no plane."""
    tags, planes = Tags(file.header), planes_of(file)
    if len(planes) != 1 or planes[0] is None:
        return None
    plane = planes[0]
    numbers = (plane.position_lps_mm, plane.row_lps, plane.column_lps)
    grid = (tags.text("Rows"), tags.text("Columns"))
    return tags.text("SeriesInstanceUID"), *(tuple(round(v, 2) + 0.0 for v in three) for three in numbers), grid


def told_apart(files: Sequence[DicomFile]) -> list[list[DicomFile]]:
    """Parts of a group of slices in each of which no place comes twice, as far as an element tells them apart.

    By the elements in TELLING, first to last; then by time where every place has as many slices.
    """
    parts = [list(files)]
    for keyword in TELLING:
        parts = [piece for part in parts for piece in _split(part, partial(_said, keyword))]
    for keyword in TIMES:
        parts = [piece for part in parts for piece in _split(part, _rank(part, keyword))]
    return parts


def crowded(files: Sequence[DicomFile]) -> bool:
    """Whether two slices share a place and nothing in their headers tells them apart."""
    places: dict[tuple[object, ...], list[DicomFile]] = {}
    for file in files:
        place = place_of(file)
        if place is not None:
            places.setdefault(place, []).append(file)
    keywords = (*TELLING, *TIMES)
    said = ([tuple(_said(k, file) for k in keywords) for file in group] for group in places.values())
    return any(len(set(words)) < len(words) for words in said)


def _said(keyword: str, file: DicomFile) -> tuple[str, ...]:
    return Tags(file.header).texts(keyword)


def _split(files: list[DicomFile], key: Callable[[DicomFile], object]) -> list[list[DicomFile]]:
    """The files by `key` if some of them share a place and the key tells those apart; else as they are."""
    places = [place_of(file) for file in files]
    shared: dict[object, set[object]] = {}
    for place, file in zip(places, files, strict=True):
        shared.setdefault(place, set()).add(key(file))
    if len(shared) == len(files) or max(len(keys) for keys in shared.values()) == 1:
        return [files]
    parts: dict[object, list[DicomFile]] = {}
    for file in files:
        parts.setdefault(key(file), []).append(file)
    return list(parts.values())


def _rank(files: Sequence[DicomFile], keyword: str) -> Callable[[DicomFile], object]:
    """The how-manieth of its place a slice is by a time; the same for all where places differ in number."""
    places: dict[object, list[DicomFile]] = {}
    for file in files:
        places.setdefault(place_of(file), []).append(file)
    if len({len(group) for group in places.values()}) != 1:
        return lambda file: 0
    times = {p: sorted({_said(keyword, file) for file in group}) for p, group in places.items()}
    if any(len(times[p]) != len(group) for p, group in places.items()):
        return lambda file: 0
    return lambda file: times[place_of(file)].index(_said(keyword, file))


def _stack(files: Sequence[DicomFile]) -> Built:
    ordered = sorted(files, key=lambda f: depth[0].depth_mm if (depth := _known(planes_of(f))) else 0.0)
    tags = Tags(ordered[0].header)
    stated = [plane for file in ordered for plane in planes_of(file)]
    planes = _known(stated)
    whole = len(planes) == len(stated)
    aligned = whole and all(parallel(planes[0], plane) for plane in planes)
    planes = sorted(planes, key=lambda plane: plane.depth_mm) if aligned else planes
    affine = stack_affine(planes) if aligned else None
    notices: tuple[Notice, ...] = () if affine else (UNEVEN if whole else GEOMETRY_UNKNOWN,)
    for file in ordered:
        notices += voi_notices(Tags(frame_header(file.header, 0)))
    spacing = planes[0].spacing_yx_mm if aligned else None
    stated_spacing = spacing or plausible_spacing(tags.numbers("PixelSpacing"))
    digests = tuple(file.sha256 for file in ordered)
    volume = Volume(
        series_uid=tags.text("SeriesInstanceUID") or "",
        sop_class_uid=tags.text("SOPClassUID") or "",
        sop_uids=tuple(Tags(file.header).text("SOPInstanceUID") or "" for file in ordered),
        sha256=digests[0] if len(digests) == 1 else digest_of(digests),
        shape_zyx=(len(stated), int(tags.number("Rows") or 0), int(tags.number("Columns") or 0)),
        affine_lps_mm=affine,
        spacing_yx_mm=spacing,
        spacing_z_mm=float(np.linalg.norm(np.array(affine)[:3, 2])) if affine else None,
        pixel_aspect=pixel_aspect(stated_spacing, tags),
        file_sha256s=digests,
        loader=partial(load_slices, tuple(file.path for file in ordered)),
    )
    return Built(volume=volume, notices=notices)


def _known(planes: Sequence[Plane | None]) -> list[Plane]:
    return [plane for plane in planes if plane is not None]


def digest_of(digests: Sequence[str]) -> str:
    """One digest for several files: SHA-256 over their sorted digests."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()

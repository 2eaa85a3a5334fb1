"""MR slices, from files or enhanced frames: where each lies and what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from medmm.imaging.dicom.files import DicomFile, quiet
from medmm.imaging.dicom.functional_groups import Frame, frames_of
from medmm.imaging.dicom.geometry import Plane, frame_planes, parallel, plane_of
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.pixels import frame_count
from medmm.imaging.mr.physics import b_value

# What makes a contrast, in single images and in frames (PS3.3 C.8.3, C.8.13.5).
CONTRASTS = (
    "EchoNumbers",
    "EchoTime",
    "EffectiveEchoTime",
    "InversionTime",
    "InversionTimes",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionDirectionality",
    "DiffusionGradientOrientation",
    "ComplexImageComponent",
    "ImageType",
    "FrameType",
    "AcquisitionContrast",
    "ASLContext",
    "ContrastBolusAgentAdministered",
    "ContrastBolusAgentPhase",
    "MetaboliteMapDescription",
    "VelocityEncodingDirection",
)
# What tells slices apart that share a place: contrasts and repetitions by name, and by time.
TELLING = (
    *CONTRASTS,
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "DimensionIndexValues",
)
# Of acquisitions that `acquisitions.parts_of` tells apart
DAYS = ("AcquisitionDateTime", "AcquisitionDate")
TIMES = (
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "NominalPercentageOfCardiacPhase",
    "NominalPercentageOfRespiratoryPhase",
    "TemporalPositionTimeOffset",
    "AcquisitionTime",
    "ContentTime",
    "FrameReferenceDateTime",
    "FrameAcquisitionDateTime",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file, or a frame of an enhanced image, with its planes, read once.

    Attributes:
        index: from 0, of a frame of an enhanced image whose frames all have a plane; None for a
            whole file.
        place: series or image, first pixel (to 0.01 mm), axes and grid of a single slice; None
            if it has no plane.
        kin: what slices of one stack share beside their plane; its own for a file that joins no
            other.
    """

    file: DicomFile
    tags: Tags
    frame: Frame
    index: int | None
    planes: tuple[Plane | None, ...]
    place: Hashable | None
    kin: Hashable

    @property
    def depth_mm(self) -> float:
        """Position along the normal of the first plane that is known."""
        return next((plane.depth_mm for plane in self.planes if plane is not None), 0.0)

    @property
    def plane(self) -> Plane | None:
        """The plane of a single slice."""
        return self.planes[0] if len(self.planes) == 1 else None

    def joins(self, other: Placed) -> bool:
        """Tell whether both may be slices of one stack."""
        one, two = self.plane, other.plane
        return one is not None and two is not None and self.kin == other.kin and parallel(one, two)

    def said(self, keyword: str) -> tuple[str, ...]:
        """Return the values of an element that may tell slices apart.

        A b-value also comes from the vendor's own element.
        """
        found = self.frame.said(keyword)
        if keyword != "DiffusionBValue" or found:
            return found
        value = b_value(self.tags)
        return () if value is None else (f"{value:g}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGroup:
    """Slices of one stack, and the elements that told them from others of the same places."""

    slices: tuple[Placed, ...]
    told_by: tuple[str, ...] = ()


def placed(files: Iterable[DicomFile]) -> list[Placed]:
    """Place each file, and each frame of an enhanced image, in their order."""
    with quiet:
        return [one for file in files for one in _placed(file)]


def _placed(file: DicomFile) -> Iterator[Placed]:
    tags = Tags(file.header)
    count, frames = frame_count(tags), frames_of(Tags(file.header))
    planes = frame_planes(tags, count)
    if count == 1 and planes == (None,):
        planes = (plane_of(tags),)
    grid = (tags.text("Rows"), tags.text("Columns"))
    series = tags.text("SeriesInstanceUID")
    if count > 1 and None not in planes:
        stacks = [frame.said("StackID") for frame in frames]
        each = len(set(stacks)) == count  # an identifier of every frame is none of a stack
        for index, (frame, plane) in enumerate(zip(frames, planes, strict=True)):
            kin = (file.sha256, () if each else stacks[index])
            place = _place(kin, plane, grid)
            yield Placed(
                file=file,
                tags=tags,
                frame=frame,
                index=index,
                planes=(plane,),
                place=place,
                kin=kin,
            )
        return
    plane = planes[0] if len(planes) == 1 else None
    kin_ = (series, tags.text("SOPClassUID"), tags.text("FrameOfReferenceUID"), grid)
    yield Placed(
        file=file,
        tags=tags,
        frame=frames[0],
        index=None,
        planes=planes,
        place=_place(series, plane, grid),
        kin=kin_ if count == 1 and plane else file.sha256,
    )


def _place(whose: Hashable, plane: Plane | None, grid: Hashable) -> Hashable | None:
    if plane is None:
        return None
    numbers = (plane.position_lps_mm, plane.row_lps, plane.column_lps)
    return (whose, *(tuple(round(v, 2) + 0.0 for v in three) for three in numbers), grid)


def told_apart(slices: Sequence[Placed]) -> list[SliceGroup]:
    """Split a group of slices so that no place comes twice, as far as an element tells.

    By the elements in TELLING, first to last; then by time where every place has as many slices.
    """
    parts = [SliceGroup(slices=tuple(slices))]
    with quiet:
        for keyword in TELLING:
            parts = [
                piece for part in parts for piece in _split(part, keyword, partial(_said, keyword))
            ]
        for keyword in TIMES:
            parts = [
                piece for part in parts for piece in _split(part, keyword, partial(_rank, keyword))
            ]
    return parts


def by_contrast(part: SliceGroup) -> list[SliceGroup]:
    """Split a part by the first element of contrast that differs in it.

    That is done even if no place comes twice; it stays as it is if none differs.

    An element that leaves a slice alone is one that differs from slice to slice, and tells no
    contrast.
    """
    with quiet:
        for keyword in CONTRASTS:
            parts = _by_keys(part, keyword, _said(keyword, part.slices))
            if len(parts) > 1 and all(len(piece.slices) > 1 for piece in parts):
                return parts
    return [part]


def crowded(slices: Iterable[Placed]) -> bool:
    """Tell whether two slices share a place and nothing in their headers tells them apart."""
    places: dict[Hashable, list[Placed]] = {}
    for one in slices:
        if one.place is not None:
            places.setdefault(one.place, []).append(one)
    alike = [group for group in places.values() if len(group) > 1]
    for keyword in (*DAYS, *TELLING, *TIMES):
        alike = [rest for group in alike for rest in _alike(group, keyword)]
    return bool(alike)


def _alike(group: Sequence[Placed], keyword: str) -> Iterator[list[Placed]]:
    """Yield the slices of a group that an element does not tell from each other."""
    found: dict[Hashable, list[Placed]] = {}
    for one in group:
        found.setdefault(one.said(keyword), []).append(one)
    yield from (rest for rest in found.values() if len(rest) > 1)


def contradict(slices: Iterable[Placed]) -> bool:
    """Tell whether slices of one series start at one place but lie in different planes."""
    places: dict[Hashable, set[Hashable]] = {}
    for one in slices:
        if one.plane is not None and one.index is None:
            place = (one.tags.text("SeriesInstanceUID"), one.plane.position_lps_mm)
            places.setdefault(place, set()).add(
                (one.plane.row_lps, one.plane.column_lps, one.plane.spacing_yx_mm)
            )
    return any(len(lies) > 1 for lies in places.values())


def _said(keyword: str, part: Sequence[Placed]) -> list[Hashable]:
    return [one.said(keyword) for one in part]


def _split(
    part: SliceGroup, keyword: str, keys_of: Callable[[Sequence[Placed]], list[Hashable]]
) -> list[SliceGroup]:
    """Split slices by their keys if that tells apart some that share a place."""
    if len({one.place for one in part.slices}) == len(part.slices):
        return [part]
    keys = keys_of(part.slices)
    shared: dict[Hashable, set[Hashable]] = {}
    for one, key in zip(part.slices, keys, strict=True):
        shared.setdefault(one.place, set()).add(key)
    return (
        [part]
        if max(len(found) for found in shared.values()) == 1
        else _by_keys(part, keyword, keys)
    )


def _by_keys(part: SliceGroup, keyword: str, keys: Sequence[Hashable]) -> list[SliceGroup]:
    parts: dict[Hashable, list[Placed]] = {}
    for one, key in zip(part.slices, keys, strict=True):
        parts.setdefault(key, []).append(one)
    return [
        SliceGroup(slices=tuple(piece), told_by=(*part.told_by, keyword))
        for piece in parts.values()
    ]


def _rank(keyword: str, part: Sequence[Placed]) -> list[Hashable]:
    """Rank each slice among those of its place by a time; all alike if places differ."""
    said = [one.said(keyword) for one in part]
    times: dict[Hashable, list[tuple[str, ...]]] = {}
    for one, time in zip(part, said, strict=True):
        times.setdefault(one.place, []).append(time)
    counts = Counter(one.place for one in part)
    if len(set(counts.values())) != 1 or any(
        len(set(found)) != counts[place] for place, found in times.items()
    ):
        return [0] * len(part)
    order = {
        place: {time: n for n, time in enumerate(sorted(found, key=_moment))}
        for place, found in times.items()
    }
    return [order[one.place][time] for one, time in zip(part, said, strict=True)]


def _moment(time: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
    """Order times by number if they are one: "80" is before "120"."""
    try:
        return float(time[0]), time
    except (IndexError, ValueError):
        return 0.0, time

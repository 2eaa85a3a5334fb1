"""Single MR slices and where each lies: what shares a place, and what tells it apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from medmm.imaging.geometry import Plane, frame_planes, parallel, plane_of
from medmm.imaging.mr_physics import b_value
from medmm.imaging.pixels import frame_count
from medmm.imaging.sources import DicomFile, quiet
from medmm.imaging.tags import Tags

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file with its planes, read once.

    Attributes:
        place: series, first pixel (to 0.01 mm), axes and grid of a single slice; None where it has no plane.
        kin: what slices of one stack share beside their plane; its own for a file that joins no other.
    """

    file: DicomFile
    tags: Tags
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
        """Whether both may be slices of one stack."""
        one, two = self.plane, other.plane
        return one is not None and two is not None and self.kin == other.kin and parallel(one, two)

    def said(self, keyword: str) -> tuple[str, ...]:
        """The values of an element that may tell slices apart; a b-value also from the vendor's own element."""
        found = self.tags.texts(keyword)
        if keyword != "DiffusionBValue" or found:
            return found
        value = b_value(self.tags)
        return () if value is None else (f"{value:g}",)


def placed(files: Iterable[DicomFile]) -> list[Placed]:
    """Where each file lies, in their order."""
    with quiet:
        return [_placed(file) for file in files]


def _placed(file: DicomFile) -> Placed:
    tags = Tags(file.header)
    frames = frame_count(tags)
    planes = frame_planes(tags, frames)
    if frames == 1 and planes == (None,):
        planes = (plane_of(tags),)
    grid = (tags.text("Rows"), tags.text("Columns"))
    series = tags.text("SeriesInstanceUID")
    plane = planes[0] if len(planes) == 1 else None
    place: Hashable | None = None
    if plane is not None:
        numbers = (plane.position_lps_mm, plane.row_lps, plane.column_lps)
        place = (series, *(tuple(round(v, 2) + 0.0 for v in three) for three in numbers), grid)
    kin = (
        (series, tags.text("SOPClassUID"), tags.text("FrameOfReferenceUID"), grid)
        if frames == 1 and plane
        else file.sha256
    )
    return Placed(file=file, tags=tags, planes=planes, place=place, kin=kin)


def told_apart(slices: Sequence[Placed]) -> list[list[Placed]]:
    """Parts of a group of slices in each of which no place comes twice, as far as an element tells them apart.

    By the elements in TELLING, first to last; then by time where every place has as many slices.
    """
    parts = [list(slices)]
    with quiet:
        for keyword in TELLING:
            parts = [piece for part in parts for piece in _split(part, partial(_said, keyword))]
        for keyword in TIMES:
            parts = [piece for part in parts for piece in _split(part, partial(_rank, keyword))]
    return parts


def crowded(slices: Iterable[Placed]) -> bool:
    """Whether two slices share a place and nothing in their headers tells them apart."""
    places: dict[Hashable, list[Placed]] = {}
    for one in slices:
        if one.place is not None:
            places.setdefault(one.place, []).append(one)
    shared = [group for group in places.values() if len(group) > 1]
    said = ([tuple(one.said(k) for k in (*TELLING, *TIMES)) for one in group] for group in shared)
    return any(len(set(words)) < len(words) for words in said)


def contradict(slices: Iterable[Placed]) -> bool:
    """Whether slices of one series start at one place but lie in different planes."""
    places: dict[Hashable, set[Hashable]] = {}
    for one in slices:
        if one.plane is not None:
            place = (one.tags.text("SeriesInstanceUID"), one.plane.position_lps_mm)
            places.setdefault(place, set()).add((one.plane.row_lps, one.plane.column_lps, one.plane.spacing_yx_mm))
    return any(len(lies) > 1 for lies in places.values())


def _said(keyword: str, part: Sequence[Placed]) -> list[Hashable]:
    return [one.said(keyword) for one in part]


def _split(part: list[Placed], keys_of: Callable[[list[Placed]], list[Hashable]]) -> list[list[Placed]]:
    """The slices by their keys if some of them share a place and a key tells those apart; else as they are."""
    if len({one.place for one in part}) == len(part):
        return [part]
    keys = keys_of(part)
    shared: dict[Hashable, set[Hashable]] = {}
    for one, key in zip(part, keys, strict=True):
        shared.setdefault(one.place, set()).add(key)
    if max(len(found) for found in shared.values()) == 1:
        return [part]
    parts: dict[Hashable, list[Placed]] = {}
    for one, key in zip(part, keys, strict=True):
        parts.setdefault(key, []).append(one)
    return list(parts.values())


def _rank(keyword: str, part: Sequence[Placed]) -> list[Hashable]:
    """The how-manieth of its place each slice is by a time; the same for all where places differ in number."""
    said = [one.said(keyword) for one in part]
    times: dict[Hashable, list[tuple[str, ...]]] = {}
    for one, time in zip(part, said, strict=True):
        times.setdefault(one.place, []).append(time)
    counts = Counter(one.place for one in part)
    if len(set(counts.values())) != 1 or any(len(set(found)) != counts[place] for place, found in times.items()):
        return [0] * len(part)
    order = {place: {time: n for n, time in enumerate(sorted(found, key=_moment))} for place, found in times.items()}
    return [order[one.place][time] for one, time in zip(part, said, strict=True)]


def _moment(time: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
    """A time in the order of its number, where it is one: "80" is before "120"."""
    try:
        return float(time[0]), time
    except (IndexError, ValueError):
        return 0.0, time

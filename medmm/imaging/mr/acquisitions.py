"""Acquisitions of one series: kept apart as volumes, and which of them is the newest.

A series may hold two: a repeat, a control months later under the same UIDs. Where their slices lie
between each other, their planes alone would make one stack of both. What is one acquisition may
state several times and numbers as well (odd slices first, then the even ones; a slice for each
breath): it stays whole where its slices lie no closer than its header states, and were made without
a long break.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from medmm.domain.study import Notice, StudyTime
from medmm.imaging.dicom.acquisition_time import EARLIEST_YEAR, parsed_datetime, study_time, zone_of
from medmm.imaging.dicom.files import DicomFile, quiet
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.newest_image import LEVELS, Moment, Stated, order_of
from medmm.imaging.mr.slice_grouping import Placed, SliceGroup, told_apart

# Between two slices of one acquisition; the longest scans take that in all
LONGEST_BREAK = timedelta(hours=1)
DENSER = 0.75  # of the stated distance of slices: a stack denser than that holds slices of two
NUMBERS = (
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "AcquisitionTime",
    "FrameAcquisitionDateTime",
    "ContentTime",
)
Order = tuple[Stated, ...]


def parts_of(group: Sequence[Placed]) -> tuple[list[SliceGroup], tuple[Notice, ...]]:
    """Split a group of parallel slices by acquisition; return the parts and notices.

    After that they are split by whatever else tells slices of one place apart.
    """
    with quiet:
        pieces = _by_breaks(group)
        parts = [part for piece in pieces for part in told_apart(piece)]
        split = [_by_numbers(part) for part in parts]
    found = [part for several in split for part in several]
    acquisitions = len(pieces) + sum(len(several) - 1 for several in split)
    return found, (_several([len(p.slices) for p in found]),) if acquisitions > 1 else ()


def _several(counts: Sequence[int]) -> Notice:
    listed = (
        " and ".join(map(str, counts)) if len(counts) < 4 else f"{min(counts)} to {max(counts)}"
    )
    return Notice(
        code="several-acquisitions",
        text=f"One series holds several acquisitions ({listed} slices); each is a volume of its "
        "own.",
    )


def order_of_slices(slices: Sequence[Placed]) -> Order:
    """Return what a stack states at every level of `LEVELS`, by its first slice.

    A level is None if one of its slices says nothing.
    """
    with quiet:
        each = _orders(slices)
    return tuple(_earliest(column) for column in zip(*each, strict=True))


def time_of_slices(slices: Sequence[Placed]) -> StudyTime | None:
    """Return when the first slice of a stack was acquired: by its frame, else by its file."""
    with quiet:
        frames = [moment for one in slices if one.index is not None and (moment := _of_frame(one))]
        if len(frames) == len(slices):
            first = min(frames, key=_when)
            return StudyTime(
                moment=datetime.combine(first.day, first.clock or time(), first.zone or UTC),
                source_tag="FrameAcquisitionDateTime",
                precise=first.clock is not None,
                zone_known=first.zone is not None,
            )
        files: dict[str, DicomFile] = {one.file.sha256: one.file for one in slices}
        times = [when for file in files.values() if (when := study_time(Tags(file.header))[0])]
    return min(times, key=lambda when: when.moment, default=None)


def _orders(slices: Sequence[Placed]) -> list[Order]:
    of_file: dict[str, Order] = {}
    return [_of_slice(one, of_file) for one in slices]


def _of_slice(one: Placed, of_file: dict[str, Order]) -> Order:
    if one.file.sha256 not in of_file:
        of_file[one.file.sha256] = order_of(one.tags)
    stated = list(of_file[one.file.sha256])
    if one.index is not None:
        number = next(iter(one.said("FrameAcquisitionNumber")), "")
        stated[0] = _of_frame(one) or stated[0]
        stated[_level("AcquisitionNumber")] = (
            float(number) if number.isdigit() else stated[_level("AcquisitionNumber")]
        )
    return tuple(stated)


def _level(number: str) -> int:
    return next(i for i, level in enumerate(LEVELS) if level.number == number)


def _of_frame(one: Placed) -> Moment | None:
    found = parsed_datetime(next(iter(one.said("FrameAcquisitionDateTime")), ""))
    if found is None or found.year < EARLIEST_YEAR:
        return None
    zone = found.tzinfo or zone_of(one.tags.text("TimezoneOffsetFromUTC"))
    return Moment(day=found.date(), clock=found.time(), zone=zone)


def _earliest(column: Sequence[Stated]) -> Stated:
    numbers = [one for one in column if isinstance(one, float)]
    moments = [one for one in column if isinstance(one, Moment)]
    if len(numbers) == len(column):
        return min(numbers)
    return min(moments, key=_when) if len(moments) == len(column) else None


def _when(moment: Moment) -> datetime:
    return datetime.combine(moment.day, moment.clock or time())


def _by_breaks(group: Sequence[Placed]) -> list[list[Placed]]:
    """Split slices at breaks of more than an hour; by day if the time of day is unknown."""
    orders = _orders(group)
    moments = [
        moment
        for order in orders
        if isinstance(moment := order[0], Moment) and moment.clock is not None
    ]
    if len(moments) != len(group):
        return _by_days(group, orders)
    times = [_when(moment) for moment in moments]
    starts = [
        after for before, after in pairwise(sorted(set(times))) if after - before > LONGEST_BREAK
    ]
    return _grouped(group, [sum(when >= start for start in starts) for when in times])


def _by_days(group: Sequence[Placed], orders: Sequence[Order]) -> list[list[Placed]]:
    """Split slices by the first kind of day that all of them state.

    Neighbouring days may be one night, and content may be made anew: there the slices stay together
    if they lie no closer than stated.
    """
    for level, kind in enumerate(LEVELS):
        days = [moment.day for order in orders if isinstance(moment := order[level], Moment)]
        if kind.day and len(days) == len(group):
            break
    else:
        return [list(group)]
    apart = level == 0 and any(
        (after - before).days > 1 for before, after in pairwise(sorted(set(days)))
    )
    return (
        _grouped(group, days)
        if len(set(days)) > 1 and (apart or not _one_stack(group))
        else [list(group)]
    )


def _by_numbers(part: SliceGroup) -> list[SliceGroup]:
    """Split slices that can't be of one acquisition by the first element that names it."""
    if len(part.slices) < 2 or _one_stack(part.slices):
        return [part]
    for keyword in NUMBERS:
        pieces = _grouped(part.slices, [one.said(keyword) for one in part.slices])
        if len(pieces) > 1 and _woven(pieces):
            return [
                SliceGroup(slices=tuple(piece), told_by=(*part.told_by, keyword))
                for piece in pieces
            ]
    return _by_repeats(part)


def _by_repeats(part: SliceGroup) -> list[SliceGroup]:
    """Split slices in order of time, beginning a new part where a place comes again."""
    timed = [(order[0], n) for n, order in enumerate(_orders(part.slices))]
    stated = [
        (_when(moment), n)
        for moment, n in timed
        if isinstance(moment, Moment) and moment.clock is not None
    ]
    places = [one.place for one in part.slices]
    if len(stated) != len(places) or len(set(places)) == len(places) or len(set(stated)) == 1:
        return [part]
    pieces: list[list[Placed]] = [[]]
    for _, n in sorted(stated):
        if places[n] in {one.place for one in pieces[-1]}:
            pieces.append([])
        pieces[-1].append(part.slices[n])
    return [
        SliceGroup(slices=tuple(piece), told_by=(*part.told_by, "AcquisitionTime"))
        for piece in pieces
    ]


def _grouped(group: Sequence[Placed], keys: Sequence[Hashable]) -> list[list[Placed]]:
    """Group slices by their keys, in the order of the keys."""
    parts: dict[Hashable, list[Placed]] = {}
    for one, key in zip(group, keys, strict=True):
        parts.setdefault(key, []).append(one)
    return [parts[key] for key in sorted(parts, key=str)]


def _one_stack(group: Sequence[Placed]) -> bool:
    """Tell whether no two slices lie closer to each other than the header says.

    A missing slice changes nothing.
    """
    depths = sorted(one.depth_mm for one in group if one.plane is not None)
    if len(depths) < max(len(group), 2):
        return False
    return not _too_dense(group[0], min(after - before for before, after in pairwise(depths)))


def _too_dense(one: Placed, step_mm: float) -> bool:
    """Tell whether slices lie closer than Spacing Between Slices (0018,0088).

    If that may be a gap, they are compared with their thickness.
    """
    spacing, thickness = (
        one.frame.number("SpacingBetweenSlices"),
        one.frame.number("SliceThickness"),
    )
    if spacing is not None and (thickness is None or spacing >= DENSER * thickness):
        return step_mm < DENSER * spacing
    overlapping = spacing is not None and abs(step_mm - spacing) <= 0.1 * spacing
    return thickness is None or (step_mm < DENSER * thickness and not overlapping)


def _woven(parts: Sequence[Sequence[Placed]]) -> bool:
    """Tell whether each part is a stack by itself, and two of them reach over each other."""
    if not all(len(part) > 1 and len({one.place for one in part}) == len(part) for part in parts):
        return False
    spans = sorted(
        (min(depths), max(depths)) for depths in ([one.depth_mm for one in part] for part in parts)
    )
    return any(low < before_high for (_, before_high), (low, _) in pairwise(spans))

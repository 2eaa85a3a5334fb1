"""Which of several images is the newest by their headers; file names say nothing.

What tells them apart is asked in the order of `LEVELS`, the time of acquisition first. An element
counts only if all images that are left state it: between an image with a time and one without,
no order is made up.
Source: PS3.3 C.7.6.1 (General Image), C.7.3.1 (General Series), C.7.2.1 (General Study), C.12.1
(SOP Common).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo

from medmm.imaging.dicom.acquisition_time import (
    EARLIEST_YEAR,
    parsed_datetime,
    parsed_time,
    zone_of,
)
from medmm.imaging.dicom.header import Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One thing that orders images: its words, and the elements of date, time, or number."""

    words: str
    date_time: str = ""
    day: str = ""
    clock: str = ""
    number: str = ""


LEVELS = (
    Level(
        words="acquisition time",
        date_time="AcquisitionDateTime",
        day="AcquisitionDate",
        clock="AcquisitionTime",
    ),
    Level(words="content time", day="ContentDate", clock="ContentTime"),
    Level(words="series time", day="SeriesDate", clock="SeriesTime"),
    Level(words="study time", day="StudyDate", clock="StudyTime"),
    Level(words="acquisition number", number="AcquisitionNumber"),
    Level(words="instance number", number="InstanceNumber"),
)
_DAYS = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A day, its time where that is stated, and its zone."""

    day: date
    clock: time | None = None
    zone: tzinfo | None = None


Stated = Moment | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """Which image is the newest.

    Attributes:
        index: of the image.
        by: the level that told, in words; None if nothing did: then `index` is the first of what
            is left.
        level: its index in `LEVELS`; None likewise.
    """

    index: int
    by: str | None
    level: int | None


def order_of(tags: Tags) -> tuple[Stated, ...]:
    """Return what an image states at every level."""
    return tuple(_number(tags, level) if level.number else _moment(tags, level) for level in LEVELS)


def newest(orders: Sequence[tuple[Stated, ...]]) -> Newest:
    """Find the newest of some images by what each states (`order_of`).

    Permuting them changes nothing but the index.
    """
    left = list(range(len(orders)))
    for number, level in enumerate(LEVELS):
        last = _latest([orders[i][number] for i in left])
        left = [i for n, i in enumerate(left) if n in last]
        if len(left) == 1:
            return Newest(index=left[0], by=level.words, level=number)
    return Newest(index=left[0], by=None, level=None)


def _latest(stated: Sequence[Stated]) -> set[int]:
    """Return the places of those that may be the latest: all if one of them states nothing."""
    everybody = set(range(len(stated)))
    if any(one is None for one in stated):
        return everybody
    if all(isinstance(one, float) for one in stated):
        return _at_most(stated)
    moments = [one for one in stated if isinstance(one, Moment)]
    if all(one.zone is not None and one.clock is not None for one in moments):
        return _at_most(
            [datetime.combine(m.day, m.clock or time(), m.zone).astimezone(UTC) for m in moments]
        )
    day = max(one.day for one in moments)
    of_day = [n for n, one in enumerate(moments) if one.day == day]
    clocks = [moments[n].clock for n in of_day]
    if any(clock is None for clock in clocks):
        return set(of_day)
    return {of_day[n] for n in _at_most(clocks)}


def _at_most(values: Sequence[object]) -> set[int]:
    most = max(values)  # type: ignore[type-var]
    return {n for n, value in enumerate(values) if value == most}


def _number(tags: Tags, level: Level) -> float | None:
    return tags.number(level.number)


def _moment(tags: Tags, level: Level) -> Moment | None:
    zone = zone_of(tags.text("TimezoneOffsetFromUTC"))
    whole = parsed_datetime(tags.text(level.date_time) or "") if level.date_time else None
    if whole is not None and whole.year >= EARLIEST_YEAR:
        return Moment(day=whole.date(), clock=whole.time(), zone=whole.tzinfo or zone)
    clock = parsed_time(tags.text(level.clock))
    day = tags.date(level.day)
    # A time without its own day is of the day that is stated next
    if day is None and clock is not None:
        day = next((found for keyword in _DAYS if (found := tags.date(keyword))), None)
    if day is None or day.year < EARLIEST_YEAR:
        return None
    return Moment(day=day, clock=clock, zone=zone)

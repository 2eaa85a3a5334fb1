"""When an image was acquired, and which element says so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, timezone

from pydicom.valuerep import DT, TM

from medmm.domain.study import Notice, StudyTime
from medmm.imaging.dicom.files import LIBRARY_ERRORS
from medmm.imaging.dicom.header import Tags

# In this order: the first date that is there counts, with its own time and no other's.
_DATES = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
ZONE_UNKNOWN = Notice(
    code="time-zone-unknown",
    text="The image states no time zone; its times are shown as UTC, and of a record only what "
    "is earlier in every time zone enters (setting site_time_zone).",
)


DATE_UNKNOWN = Notice(
    code="date-unknown", text="The image states no usable date; dated facts of a record stay out."
)
# Older dates are what de-identification leaves, not when a digital image was made
EARLIEST_YEAR = 1960


def study_time(tags: Tags) -> tuple[StudyTime | None, tuple[Notice, ...]]:
    """Return when an image was acquired and what a reader must know of that time.

    Acquisition DateTime counts first, then Acquisition, Series or Study Date and Time.

    The moment is always aware: by its own offset, by Timezone Offset From UTC (0008,0201), else as
    if in UTC, marked as of unknown zone, with a notice. Source: DICOM PS3.3 C.12.1 (SOP Common) and
    C.7.6.1 (General Image).
    """
    zone = zone_of(tags.text("TimezoneOffsetFromUTC"))
    for moment, source_tag, precise in _candidates(tags):
        if moment.year < EARLIEST_YEAR:
            continue
        if moment.tzinfo is not None:
            return StudyTime(moment=moment, source_tag=source_tag, precise=precise), ()
        aware = moment.replace(tzinfo=zone or UTC)
        when = StudyTime(
            moment=aware, source_tag=source_tag, precise=precise, zone_known=zone is not None
        )
        return when, () if zone else (ZONE_UNKNOWN,)
    return None, (DATE_UNKNOWN,)


def _candidates(tags: Tags) -> list[tuple[datetime, str, bool]]:
    found = []
    text = tags.text("AcquisitionDateTime") or ""
    moment = parsed_datetime(text)
    if moment is not None:
        digits = re.match(r"\d*", text)
        found.append(
            (moment, "AcquisitionDateTime", digits is not None and len(digits.group()) >= 12)
        )
    for date_tag, time_tag in _DATES:
        day, clock = tags.date(date_tag), parsed_time(tags.text(time_tag))
        if day is not None:
            found.append((datetime.combine(day, clock or time()), date_tag, clock is not None))
    return found


def parsed_datetime(text: str) -> datetime | None:
    """Parse a DT value with at least a day; return None if it is not one."""
    if len(text) < 8:  # a year or a month alone is no acquisition time
        return None
    try:
        value = DT(text)
    except LIBRARY_ERRORS:
        return None
    return datetime.combine(value.date(), value.timetz())


def parsed_time(text: str | None) -> time | None:
    """Parse a TM value, also in the ACR-NEMA form with colons; return None if it is not one."""
    try:
        value = TM((text or "").replace(":", ""))
    except LIBRARY_ERRORS:
        return None
    return time(value.hour, value.minute, value.second, value.microsecond) if value else None


def zone_of(text: str | None) -> timezone | None:
    """Parse an offset of the form +HHMM or -HHMM, from -12:00 to +14:00."""
    match = re.fullmatch(r"([+-])(\d{2})([0-5]\d)", text or "")
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    minutes = -minutes if match[1] == "-" else minutes
    return timezone(timedelta(minutes=minutes)) if -720 <= minutes <= 840 else None

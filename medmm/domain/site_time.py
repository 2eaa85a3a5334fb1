"""The time of an image that states no time zone, by the zone of the site."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from medmm.domain.study import Notice, Study, StudyTime

ZONE_UNKNOWN_CODE = "time-zone-unknown"


def at_site(study: Study, zone_name: str | None) -> Study:
    """The study with its wall clock read in the zone of the site, and a notice that says so in place of the other one.

    Unchanged where the image states its zone, has no time, or no zone is set.
    """
    if zone_name is None or study.acquired is None or study.acquired.zone_known:
        return study
    notice = Notice(
        code="time-zone-of-site",
        text=f"The image states no time zone; its times were taken as those of the site ({zone_name}).",
    )
    warnings = tuple(notice if w.code == ZONE_UNKNOWN_CODE else w for w in study.warnings)
    return replace(study, acquired=_in_zone(study.acquired, ZoneInfo(zone_name)), warnings=warnings)


def _in_zone(when: StudyTime, zone: ZoneInfo) -> StudyTime:
    """A wall clock in a zone; of an hour that comes twice when daylight saving ends the first is meant, the earlier one."""
    clock = when.moment.replace(tzinfo=None)
    moments: list[datetime] = []
    for fold in (0, 1):
        offset = clock.replace(tzinfo=zone, fold=fold).utcoffset()
        assert offset is not None  # a zone of the IANA database has one for every moment
        moments.append(clock.replace(tzinfo=timezone(offset)))
    return replace(when, moment=min(moments), zone_known=True)

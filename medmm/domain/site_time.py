"""The time of an image that states no time zone, by the zone of the site."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from medmm.domain.errors import needed
from medmm.domain.study import Notice, Study, StudyTime

ZONE_UNKNOWN_CODE = "time-zone-unknown"


def at_site(study: Study, zone_name: str | None) -> Study:
    """Read a study's wall clocks in the zone of the site, with a notice that says so.

    It replaces the notice of an unknown zone.

    Unchanged where all images state their zone or no time, or no zone is set.
    """
    stated = [study.acquired, *(volume.acquired for volume in study.volumes)]
    if zone_name is None or all(when is None or when.zone_known for when in stated):
        return study
    zone = ZoneInfo(zone_name)
    volumes = tuple(
        replace(volume, acquired=_in_zone(volume.acquired, zone)) for volume in study.volumes
    )
    read = [
        when
        for when in (_in_zone(study.acquired, zone), *(v.acquired for v in volumes))
        if when is not None
    ]
    notice = Notice(
        code="time-zone-of-site",
        text="The image states no time zone; its times were taken as those of the site "
        f"({zone_name}).",
    )
    warnings = tuple(notice if w.code == ZONE_UNKNOWN_CODE else w for w in study.warnings)
    # Of several images the order may be another now
    first = min(read, key=lambda when: when.earliest)
    return replace(
        study, acquired=first if study.acquired else None, volumes=volumes, warnings=warnings
    )


def _in_zone(when: StudyTime | None, zone: ZoneInfo) -> StudyTime | None:
    """Place a wall clock in a zone.

    Of an hour that comes twice when daylight saving ends, the earlier one is meant.
    """
    if when is None or when.zone_known:
        return when
    clock = when.moment.replace(tzinfo=None)
    moments: list[datetime] = []
    for fold in (0, 1):
        # a zone of the IANA database has an offset for every moment
        offset = needed(
            clock.replace(tzinfo=zone, fold=fold).utcoffset(),
            "the offset of a time zone",
            zone=zone.key,
        )
        moments.append(clock.replace(tzinfo=timezone(offset)))
    return replace(when, moment=min(moments), zone_known=True)

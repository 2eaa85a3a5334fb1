"""The clock of an image that states no zone, read in the zone of its site."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.site_time import at_site
from medmm.domain.study import Notice, StudyTime
from tests.factories import make_study, make_volume

UNKNOWN = Notice(code="time-zone-unknown", text="…")
OTHER = Notice(code="lossy", text="…")


def clock(moment: datetime, *, zone_known: bool = False) -> StudyTime:
    return StudyTime(
        moment=moment.replace(tzinfo=UTC),
        source_tag="StudyDate",
        precise=True,
        zone_known=zone_known,
    )


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("Europe/Vienna", datetime(2020, 7, 1, 12), datetime(2020, 7, 1, 10)),
        ("Europe/Vienna", datetime(2020, 1, 1, 12), datetime(2020, 1, 1, 11)),
        ("Asia/Tokyo", datetime(1995, 9, 26, 12), datetime(1995, 9, 26, 3)),
        (
            "Europe/Vienna",
            datetime(2020, 10, 25, 2, 30),
            datetime(2020, 10, 25, 0, 30),
        ),  # comes twice: the earlier
        (
            "Europe/Vienna",
            datetime(2020, 3, 29, 2, 30),
            datetime(2020, 3, 29, 0, 30),
        ),  # never came: the earlier reading
    ],
)
def test_the_wall_clock_is_read_in_the_zone_of_the_site(
    zone: str, wall: datetime, utc: datetime
) -> None:
    study = at_site(make_study(acquired=clock(wall), warnings=(UNKNOWN, OTHER)), zone)
    assert study.acquired is not None
    assert study.acquired.moment == utc.replace(tzinfo=UTC)
    assert study.acquired.moment.replace(tzinfo=None) == wall
    assert study.acquired.zone_known
    assert [w.code for w in study.warnings] == ["time-zone-of-site", "lossy"]
    assert zone in study.warnings[0].text


def test_what_states_its_zone_or_has_no_time_stays_as_it_is() -> None:
    stated = make_study(acquired=clock(datetime(2020, 1, 1), zone_known=True), warnings=(OTHER,))
    timeless = make_study(acquired=None)
    unset = make_study(acquired=clock(datetime(2020, 1, 1)), warnings=(UNKNOWN,))
    assert at_site(stated, "Asia/Tokyo") == stated
    assert at_site(timeless, "Asia/Tokyo") == timeless
    assert at_site(unset, None) == unset


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2035, 1, 1)),
    st.sampled_from(["Europe/Vienna", "America/St_Johns", "Pacific/Kiritimati"]),
)
def test_no_reading_of_a_clock_is_earlier_than_the_bound_for_unknown_zones(
    wall: datetime, zone: str
) -> None:
    read = at_site(make_study(acquired=clock(wall)), zone).acquired
    assert read is not None
    assert (
        wall.replace(tzinfo=UTC) - timedelta(hours=14)
        <= read.moment
        <= wall.replace(tzinfo=UTC) + timedelta(hours=12)
    )


def test_every_image_has_its_clock_read_and_the_earliest_dates_the_study() -> None:
    stated = clock(datetime(2020, 7, 1, 11), zone_known=True)
    unknown = clock(datetime(2020, 7, 1, 12))
    volumes = (
        make_volume(acquired=stated),
        make_volume(acquired=unknown),
        make_volume(acquired=None),
    )
    study = at_site(
        make_study(acquired=unknown, volumes=volumes, warnings=(UNKNOWN,)), "Europe/Vienna"
    )
    hours = [v.acquired.moment.astimezone(UTC).hour if v.acquired else None for v in study.volumes]
    assert hours == [11, 10, None]
    assert study.acquired is not None
    assert study.acquired.moment.astimezone(UTC).hour == 10


def test_the_earliest_moment_of_a_clock() -> None:
    noon = datetime(2020, 7, 1, 12, tzinfo=UTC)
    assert clock(noon, zone_known=True).earliest == noon
    assert clock(noon).earliest == noon - timedelta(hours=14)
    assert replace(clock(noon), precise=False).earliest == datetime(2020, 6, 30, 10, tzinfo=UTC)

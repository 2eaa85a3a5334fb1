"""Clocks that can't be trusted: zones, daylight saving, leap days and seconds, and a system clock that steps back."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.study import Study, StudyTime
from medmm.records import context_as_of, read_record
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import GivenNetworks
from tests.unit.records.test_records_document import bundle, condition, observation

MOMENT = datetime(2020, 6, 1, 12, tzinfo=UTC)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
NEAR_IT = st.datetimes(datetime(2020, 5, 29), datetime(2020, 6, 4))


def enters(study: StudyTime, **changes: Any) -> bool:
    """Whether an observation with these dates is in the context of a study."""
    document = read_record(bundle(observation(**{"effectiveDateTime": None, **changes})))
    return any(
        f.id == "Observation/o1"
        for f in context_as_of(document, patient_key="k", acquired=study).facts
    )


def study_at(moment: datetime, *, precise: bool = True) -> StudyTime:
    return StudyTime(moment=moment, source_tag="AcquisitionDateTime", precise=precise)


@given(NEAR_IT, ZONES, ZONES)
def test_a_time_enters_by_its_instant_whatever_zones_say_it(
    when: datetime, zone: timezone, studys: timezone
) -> None:
    stated = when.replace(tzinfo=zone)
    assert enters(study_at(MOMENT.astimezone(studys)), effectiveDateTime=stated.isoformat()) is (
        stated <= MOMENT
    )


@given(st.dates(date(2020, 5, 29), date(2020, 6, 4)), ZONES, st.booleans(), st.integers(0, 2))
def test_a_date_enters_only_if_it_is_over_on_the_studys_calendar(
    day: date, zone: timezone, precise: bool, parts: int
) -> None:
    written = (f"{day:%Y}", f"{day:%Y-%m}", day.isoformat())[parts]
    last = (date(day.year, 12, 31), date(day.year, day.month, 31 if day.month == 5 else 30), day)[
        parts
    ]
    study = study_at(MOMENT.astimezone(zone), precise=precise)
    assert enters(study, effectiveDateTime=written) is (last < study.moment.date())


@given(st.dates(date(2020, 5, 29), date(2020, 6, 4)), NEAR_IT, ZONES, ZONES)
def test_of_several_dates_all_must_have_come(
    day: date, issued: datetime, zone: timezone, studys: timezone
) -> None:
    study = study_at(MOMENT.astimezone(studys))
    stated = issued.replace(tzinfo=zone)
    alone = [
        enters(study, effectiveDateTime=day.isoformat()),
        enters(study, issued=stated.isoformat()),
    ]
    assert enters(study, effectiveDateTime=day.isoformat(), issued=stated.isoformat()) is all(alone)


@pytest.mark.parametrize(
    ("stated", "moment", "known"),
    [
        (
            "2020-10-25T02:30:00+02:00",
            datetime(2020, 10, 25, 2, 15, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
            True,
        ),
        (
            "2020-10-25T02:30:00+01:00",
            datetime(2020, 10, 25, 2, 45, tzinfo=ZoneInfo("Europe/Berlin"), fold=0),
            False,
        ),
        ("2020-03-29T03:00:00+02:00", datetime(2020, 3, 29, 0, 59, 59, tzinfo=UTC), False),
        ("2020-02-29T23:59:00Z", datetime(2020, 3, 1, tzinfo=UTC), True),
        ("2020-02-29", datetime(2020, 2, 29, 23, 59, tzinfo=UTC), False),
        ("2020-02-29", datetime(2020, 3, 1, 0, 1, tzinfo=UTC), True),
        ("2019-02-29", datetime(2020, 3, 1, tzinfo=UTC), False),  # no such day: undated
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC), True),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 58, tzinfo=UTC), False),
        ("2099-01-01T00:00:00Z", datetime(2098, 1, 1, tzinfo=UTC), False),
    ],
)
def test_daylight_saving_leap_days_and_leap_seconds(
    stated: str, moment: datetime, known: bool
) -> None:
    fixed = moment.astimezone(
        timezone(moment.utcoffset() or timedelta())
    )  # an image states an offset, no zone
    assert enters(study_at(fixed), effectiveDateTime=stated) is known


def test_a_condition_recorded_after_the_study_stays_out_though_it_began_before() -> None:
    began = condition(onsetDateTime="2010-01-01", recordedDate="2020-06-01T12:00:01Z")
    context = context_as_of(read_record(bundle(began)), patient_key="k", acquired=study_at(MOMENT))
    assert all(fact.id != "Condition/c1" for fact in context.facts)


def test_history_is_in_the_order_of_the_log_when_the_clock_steps_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count(1)

    def clock() -> datetime:
        """A system clock that loses an hour at every look."""
        return datetime(2026, 10, 25, 12, tzinfo=UTC) - timedelta(hours=next(looks))

    readers = (ReaderEntry(id="reader-1", name="ZZREADER One", role="reader"),)
    settings = Settings(data_dir=tmp_path / "data", readers=readers)
    networks = GivenNetworks(settings, picture_kinds=SAYS_FRONTAL)
    with Assistant(settings, networks=networks, clock=clock) as assistant:
        study = assistant.admit(film_file(tmp_path))
        assert isinstance(study, Study)
        case = assistant.open_case(study.uid)
        assistant.case(case.id)
        events = assistant.history(case.id)
        assert [e.verb for e in events] == ["admit", "open_case", "case"]
        assert [e.at for e in events] == sorted((e.at for e in events), reverse=True)
        assert assistant.verify().ok

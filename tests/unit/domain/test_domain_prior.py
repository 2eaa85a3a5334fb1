"""Which studies of a patient are earlier ones: surely, whatever is not known of their times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from medmm.domain.prior import ReadingSummary, earlier_studies, surely_before
from medmm.domain.study import StudyTime
from tests.factories import MODEL, make_reading, make_study


def at(text: str, *, precise: bool = True, zone_known: bool = True) -> StudyTime:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return StudyTime(moment=moment, source_tag="x", precise=precise, zone_known=zone_known)


def day(text: str, *, zone_known: bool = True) -> StudyTime:
    return at(text, precise=False, zone_known=zone_known)


def clock(text: str) -> StudyTime:
    return at(text, zone_known=False)


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [
        (at("2026-01-02T08:00"), at("2026-01-02T08:01"), True),
        (at("2026-01-02T08:00"), at("2026-01-02T08:00"), False),
        (at("2026-01-02T08:00+02:00"), at("2026-01-02T07:00+00:00"), True),
        (at("2026-01-02T08:00+00:00"), at("2026-01-02T08:30+02:00"), False),
        (day("2026-01-01"), at("2026-01-02T00:00"), True),
        (day("2026-01-02"), at("2026-01-02T23:59"), False),
        (at("2026-01-02T00:01"), day("2026-01-02"), False),
        (at("2026-01-01T23:59"), day("2026-01-02"), True),
        (day("2026-01-01"), day("2026-01-02"), True),
        (day("2026-01-02"), day("2026-01-02"), False),
        (clock("2026-01-02T08:00"), clock("2026-01-02T09:00"), True),  # clocks of one place
        (
            clock("2026-01-02T08:00"),
            at("2026-01-02T19:59"),
            False,
        ),  # 12 hours behind UTC it is 20:00
        (clock("2026-01-02T08:00"), at("2026-01-02T20:01"), True),
        (at("2026-01-02T08:00"), clock("2026-01-02T21:59"), False),  # 14 hours ahead it is 07:59
        (at("2026-01-02T08:00"), clock("2026-01-02T22:01"), True),
        (day("2026-01-01", zone_known=False), day("2026-01-02", zone_known=False), True),
        (day("2026-01-01", zone_known=False), day("2026-01-02"), False),
    ],
)
def test_what_is_earlier_is_so_wherever_the_clocks_stood(
    one: StudyTime, other: StudyTime, before: bool
) -> None:
    assert surely_before(one, other) is before
    assert not (before and surely_before(other, one))


def test_a_time_is_told_by_its_moment_not_by_its_clock() -> None:
    berlin = timezone(timedelta(hours=1))
    one = StudyTime(moment=datetime(2026, 1, 2, 0, 30, tzinfo=berlin), source_tag="x", precise=True)
    assert surely_before(one, at("2026-01-01T23:45+00:00"))


def test_the_earlier_studies_come_newest_first_and_without_the_study_itself() -> None:
    now = make_study(acquired=at("2026-01-02T08:00"))
    others = [
        make_study(uid="1.1", acquired=at("2025-01-01T08:00")),
        make_study(uid="1.2", acquired=at("2025-06-01T08:00")),
        make_study(uid="1.3", acquired=at("2026-03-01T08:00")),
        make_study(uid="1.4", acquired=None),
        make_study(acquired=at("2024-01-01T08:00")),
    ]
    assert [study.uid for study, _ in earlier_studies(now, others)] == ["1.2", "1.1"]
    assert [when for _, when in earlier_studies(now, others)] == [
        others[1].acquired,
        others[0].acquired,
    ]
    assert earlier_studies(make_study(acquired=None), others) == ()


def test_a_reading_is_summed_up_by_what_it_suspects() -> None:
    summary = ReadingSummary.of(make_reading())
    assert (summary.models, summary.suspected) == ((MODEL,), ("Effusion", "Cardiomegaly"))

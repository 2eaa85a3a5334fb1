"""The time cut under any mix of dates, zones and precisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.record import Fact, FactKind, FactStatus
from medmm.domain.study import StudyTime
from medmm.records import RecordDocument, context_as_of, read_record
from tests.factories import make_fact
from tests.unit.records.test_records_document import bundle, condition

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2019, 12, 25), datetime(2020, 1, 8), timezones=ZONES)
WHEN = st.none() | st.dates(date(2019, 12, 25), date(2020, 1, 8)) | MOMENTS
TIMES = st.builds(
    StudyTime, moment=MOMENTS, source_tag=st.just("AcquisitionDateTime"), precise=st.booleans()
)
KINDS = st.sampled_from([kind for kind in FactKind if kind is not FactKind.DEMOGRAPHIC])


@st.composite
def documents(draw: st.DrawFn) -> RecordDocument:
    facts = tuple(
        make_fact(
            draw(KINDS),
            "Something",
            id=f"x/{n}",
            when=draw(WHEN),
            status=draw(st.sampled_from(FactStatus)),
        )
        for n in range(draw(st.integers(0, 8)))
    )
    ended = {fact.id: end for fact in facts if (end := draw(WHEN)) is not None}
    return RecordDocument(patients=(), facts=facts, left_out=(), sha256="", ended=ended)


def end_of(when: date) -> datetime:
    """The last moment that a date can mean on the study's own calendar, or the time itself."""
    return (
        when
        if isinstance(when, datetime)
        else datetime(when.year, when.month, when.day, 23, 59, 59)
    )


def is_after(fact: Fact, study: StudyTime) -> bool:
    """An independent telling: in UTC for times, by calendar days for dates."""
    if fact.when is None:
        return False
    end = end_of(fact.when)
    if end.tzinfo is None:
        end = end.replace(tzinfo=study.moment.tzinfo)
    day_start = study.moment.replace(hour=0, minute=0, second=0, microsecond=0)
    limit = study.moment if study.precise else day_start - timedelta(microseconds=1)
    return end.timestamp() > limit.timestamp()


@given(documents(), TIMES)
def test_no_fact_after_the_study_enters_and_every_other_is_accounted_for(
    document: RecordDocument, study: StudyTime
) -> None:
    context = context_as_of(document, patient_key="k", acquired=study)
    assert not [f for f in context.facts if is_after(f, study)]
    kept, out = {f.source for f in context.facts}, {o.source for o in context.left_out}
    assert kept | out == {f.source for f in document.facts}
    assert not kept & out
    assert {f.source for f in document.facts if f.when and not is_after(f, study)} <= kept | {
        f.source for f in document.facts if f.when and not isinstance(f.when, datetime)
    }


@given(documents(), documents(), TIMES)
def test_later_facts_never_change_the_context(
    document: RecordDocument, later: RecordDocument, study: StudyTime
) -> None:
    added = tuple(
        replace(
            f,
            id=f"later/{n}",
            source=f"later {n}",
            when=study.moment + timedelta(days=2, seconds=n),
        )
        for n, f in enumerate(later.facts)
    )
    more = replace(document, facts=(*added, *document.facts))
    before = context_as_of(document, patient_key="k", acquired=study)
    assert context_as_of(more, patient_key="k", acquired=study).facts == before.facts


@given(documents(), TIMES | st.none())
def test_a_status_changes_only_by_an_end_and_only_to_what_that_says(
    document: RecordDocument, study: StudyTime | None
) -> None:
    held = (FactStatus.ACTIVE, FactStatus.INACTIVE)
    given_facts = {f.id: f for f in document.facts}
    for fact in context_as_of(document, patient_key="k", acquired=study).facts:
        before, ended = given_facts[fact.id].status, document.ended.get(fact.id)
        if fact.status is before:
            assert not (before is FactStatus.ACTIVE and ended and study and is_over(ended, study))
            continue
        assert before in held
        assert ended is not None
        assert study is not None
        if fact.status is FactStatus.ACTIVE:
            assert fact.kind is FactKind.CONDITION
            assert not is_over(ended, study)
        elif fact.status is FactStatus.INACTIVE:
            assert is_over(ended, study)
            assert any("stated as active" in mark for mark in fact.marks)
        else:
            assert fact.status is FactStatus.UNCONFIRMED
            assert not is_over(ended, study)


def is_over(ended: date, study: StudyTime) -> bool:
    """An independent telling of whether an end surely lies before a study: a day must be over on its calendar."""
    if not isinstance(ended, datetime):
        return ended < study.moment.date()
    day_start = study.moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return ended <= study.moment if study.precise else ended < day_start


@given(documents(), TIMES)
def test_what_enters_by_an_unknown_zone_enters_by_every_zone(
    document: RecordDocument, study: StudyTime
) -> None:
    unknown = replace(study, moment=study.moment.replace(tzinfo=UTC), zone_known=False)
    entered = {f.id for f in context_as_of(document, patient_key="k", acquired=unknown).facts}
    for hours in (-12, -5, 0, 2, 9, 14):
        zone = timezone(timedelta(hours=hours))
        known = replace(study, moment=study.moment.replace(tzinfo=zone), zone_known=True)
        assert entered <= {
            f.id for f in context_as_of(document, patient_key="k", acquired=known).facts
        }


@given(documents())
def test_without_a_study_time_nothing_dated_or_undated_enters(document: RecordDocument) -> None:
    assert context_as_of(document, patient_key="k", acquired=None).facts == ()


CODES = st.sampled_from(["active", "recurrence", "resolved", "inactive", "unknown", "", "ACTIVE"])
DENIALS = st.sampled_from(["refuted", "entered-in-error"])


@given(CODES, DENIALS, st.booleans(), st.sampled_from([None, "2019-01-01", "2030-01-01"]), TIMES)
def test_a_denied_condition_is_never_active(
    clinical: str, denial: str, stu3: bool, ended: str | None, study: StudyTime
) -> None:
    def coded(code: str) -> object:
        return code if stu3 else {"coding": [{"code": code}]}

    denied = condition(
        clinicalStatus=coded(clinical), verificationStatus=coded(denial), abatementDateTime=ended
    )
    context = context_as_of(read_record(bundle(denied)), patient_key="k", acquired=study)
    assert all(
        f.status is FactStatus.REFUTED for f in context.facts if f.kind is FactKind.CONDITION
    )

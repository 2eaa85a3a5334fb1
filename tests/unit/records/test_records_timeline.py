"""What was known when the image was made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from medmm.domain.identity import PatientIdentity
from medmm.domain.record import FactKind, FactStatus, Quantity
from medmm.domain.study import StudyTime
from medmm.records import RecordDocument, context_as_of, everything_in, read_record
from tests.factories import make_fact
from tests.unit.records.test_records_document import bundle, condition, observation

NOON = datetime(2020, 6, 1, 12, tzinfo=UTC)
WEST = timezone(timedelta(hours=-8))


def study_time(moment: datetime = NOON, *, precise: bool = True) -> StudyTime:
    return StudyTime(moment=moment, source_tag="AcquisitionDateTime", precise=precise)


@pytest.mark.parametrize(
    ("when", "precise", "enters"),
    [
        (NOON, True, True),
        (NOON + timedelta(seconds=1), True, False),
        (NOON.astimezone(WEST), True, True),
        ((NOON + timedelta(minutes=1)).astimezone(WEST), True, False),  # 04:01 on its own clock
        (NOON - timedelta(hours=1), False, False),  # same day, and the study's time is not known
        (NOON - timedelta(days=1), False, True),
        (date(2020, 5, 31), True, True),
        (date(2020, 6, 1), True, False),
        (datetime.max.replace(tzinfo=WEST), False, False),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), False, True),
    ],
)
def test_nothing_after_the_study_enters(when: date, precise: bool, enters: bool) -> None:
    fact = make_fact(FactKind.OBSERVATION, "Sodium", when=when)
    document = RecordDocument(patients=(), facts=(fact,), left_out=(), sha256="")
    context = context_as_of(document, patient_key="k", acquired=study_time(precise=precise))
    assert (fact in context.facts) is enters
    assert bool(context.left_out) is not enters


@pytest.mark.parametrize(
    ("given", "enters"), [("2019", True), ("2020", False), ("2020-05", True), ("2020-06", False)]
)
def test_a_coarse_date_that_could_lie_after_the_study_stays_out(given: str, enters: bool) -> None:
    document = read_record(bundle(condition(onsetDateTime=given)))
    context = context_as_of(document, patient_key="k", acquired=study_time())
    assert any(f.id == "Condition/c1" for f in context.facts) is enters


def test_a_condition_counts_from_when_it_was_recorded() -> None:
    document = read_record(bundle(condition(onsetDateTime="2010-01-01", recordedDate="2021-01-01")))
    context = context_as_of(document, patient_key="k", acquired=study_time())
    assert all(f.kind is FactKind.DEMOGRAPHIC for f in context.facts)


def test_a_condition_that_ended_after_the_study_was_active() -> None:
    over = {"clinicalStatus": {"coding": [{"code": "resolved"}]}}
    for end, status in (("2020-07-01", FactStatus.ACTIVE), ("2020-05-01", FactStatus.INACTIVE)):
        document = read_record(bundle(condition(**over, abatementDateTime=end)))
        context = context_as_of(document, patient_key="k", acquired=study_time())
        assert context.fact("Condition/c1").status is status


def test_a_refuted_condition_stays_refuted_whenever_it_ended() -> None:
    refuted = {
        "verificationStatus": {"coding": [{"code": "refuted"}]},
        "abatementDateTime": "2021-01-01",
    }
    document = read_record(bundle(condition(**refuted)))
    assert context_as_of(document, patient_key="k", acquired=study_time()).fact(
        "Condition/c1"
    ).status is (FactStatus.REFUTED)


def test_undated_conditions_and_allergies_stay_with_a_mark_and_the_rest_goes() -> None:
    kinds = (FactKind.CONDITION, FactKind.ALLERGY, FactKind.OBSERVATION, FactKind.PRIOR_REPORT)
    facts = tuple(make_fact(kind, "Something") for kind in kinds)
    document = RecordDocument(patients=(), facts=facts, left_out=(), sha256="")
    context = context_as_of(document, patient_key="k", acquired=study_time())
    assert [(f.kind, f.marks) for f in context.facts] == [
        (kind, ("undated",)) for kind in kinds[:2]
    ]
    assert [o.reason for o in context.left_out] == ["undated", "undated"]


def test_without_a_study_time_only_the_sex_enters() -> None:
    document = read_record(bundle(observation(), condition(onsetDateTime=None)))
    context = context_as_of(document, patient_key="k", acquired=None)
    assert [(f.label, f.value) for f in context.facts] == [("Sex", "female")]
    assert len([o for o in context.left_out if "the study has no date" in o.reason]) == 2


def test_a_look_at_a_record_shows_facts_of_every_date() -> None:
    document = read_record(bundle(observation(), condition(onsetDateTime=None)))
    looked = everything_in(document)
    assert [f.id for f in looked.facts[1:]] == [f.id for f in document.facts]
    assert looked.as_of is None


@pytest.mark.parametrize(
    ("born", "years"), [(date(1950, 6, 1), 70), (date(1950, 6, 2), 69), (date(2020, 6, 1), 0)]
)
def test_age_is_that_at_the_study(born: date, years: int) -> None:
    patient = PatientIdentity(patient_id="1", birth_date=born)
    document = RecordDocument(patients=(patient,), facts=(), left_out=(), sha256="")
    (age,) = context_as_of(document, patient_key="k", acquired=study_time()).facts
    assert age.value == Quantity(value=float(years), unit="a")


def test_who_is_born_after_the_study_has_no_age() -> None:
    patient = PatientIdentity(patient_id="1", birth_date=date(2020, 6, 2))
    document = RecordDocument(patients=(patient,), facts=(), left_out=(), sha256="")
    assert context_as_of(document, patient_key="k", acquired=study_time()).facts == ()

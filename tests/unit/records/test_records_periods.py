"""What was over before the study, what ended after it, and what began after it: dates, periods, ages and words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from medmm.domain.record import Fact, FactStatus
from medmm.domain.study import StudyTime
from medmm.records import context_as_of, everything_in, read_record
from tests.unit.records.test_records_document import OWN, bundle, condition

STUDY = StudyTime(
    moment=datetime(2000, 6, 15, 12, tzinfo=UTC), source_tag="AcquisitionDateTime", precise=True
)
AGE = {"unit": "a", "code": "a", "system": "http://unitsofmeasure.org"}
RESOLVED = {"clinicalStatus": {"coding": [{"code": "resolved"}]}}


def as_of_study(*resources: dict[str, Any], study: StudyTime = STUDY) -> dict[str, Fact]:
    context = context_as_of(read_record(bundle(*resources)), patient_key="k", acquired=study)
    return {fact.id: fact for fact in context.facts if "/" in fact.id}


def ill(**changes: Any) -> dict[str, Any]:
    """A condition since 1990 of the patient, who was born on 1950-01-10."""
    return condition(**{"onsetDateTime": "1990-01-01", **changes})


def medicine(kind: str = "MedicationStatement", **changes: Any) -> dict[str, Any]:
    made = {
        "resourceType": kind,
        "id": "m1",
        "status": "active",
        "subject": OWN,
        "medicationCodeableConcept": {"text": "Warfarin"},
    }
    return {
        **made,
        **({"authoredOn": "1999-01-01", "intent": "order"} if kind == "MedicationRequest" else {}),
        **changes,
    }


@pytest.mark.parametrize(
    ("abatement", "status"),
    [
        ({"abatementDateTime": "1992-01-01"}, FactStatus.INACTIVE),
        ({"abatementDateTime": "1992"}, FactStatus.INACTIVE),
        (
            {"abatementDateTime": "2000"},
            FactStatus.UNCONFIRMED,
        ),  # some time in the year of the study
        ({"abatementDateTime": "2000-06-15"}, FactStatus.UNCONFIRMED),
        ({"abatementDateTime": "2000-06-15T11:00:00Z"}, FactStatus.INACTIVE),
        ({"abatementDateTime": "2000-06-15T13:00:00Z"}, FactStatus.ACTIVE),
        ({"abatementDateTime": "2001"}, FactStatus.ACTIVE),
        ({"abatementPeriod": {"start": "1991", "end": "1992"}}, FactStatus.INACTIVE),
        ({"abatementPeriod": {"start": "1999-01-01", "end": "2003-01-01"}}, FactStatus.UNCONFIRMED),
        ({"abatementPeriod": {"start": "2002-01-01"}}, FactStatus.ACTIVE),
        ({"abatementAge": {"value": 42, **AGE}}, FactStatus.INACTIVE),
        (
            {"abatementAge": {"value": 50, **AGE}},
            FactStatus.UNCONFIRMED,
        ),  # 2000-01-10 to 2001-01-09
        ({"abatementAge": {"value": 60, **AGE}}, FactStatus.ACTIVE),
        (
            {"abatementRange": {"low": {"value": 41, **AGE}, "high": {"value": 43, **AGE}}},
            FactStatus.INACTIVE,
        ),
        ({"abatementAge": {"value": 42, "comparator": ">", **AGE}}, FactStatus.UNCONFIRMED),
        ({"abatementString": "resolved in childhood"}, FactStatus.UNCONFIRMED),
        ({"abatementBoolean": True}, FactStatus.UNCONFIRMED),
        ({"abatementBoolean": False}, FactStatus.ACTIVE),
        ({"abatementAge": {"value": 1e300, **AGE}}, FactStatus.UNCONFIRMED),
        ({"abatementDateTime": "no date"}, FactStatus.UNCONFIRMED),
        ({}, FactStatus.ACTIVE),
    ],
)
def test_an_abatement_of_any_type_counts_as_of_the_study(
    abatement: dict[str, Any], status: FactStatus
) -> None:
    fact = as_of_study(ill(**abatement))["Condition/c1"]
    assert fact.status is status
    assert bool(fact.marks) is (status is not FactStatus.ACTIVE)


@pytest.mark.parametrize(
    ("abatement", "status"),
    [
        ({"abatementDateTime": "1992-01-01"}, FactStatus.INACTIVE),
        ({"abatementDateTime": "2005-01-01"}, FactStatus.ACTIVE),
        ({"abatementAge": {"value": 60, **AGE}}, FactStatus.ACTIVE),
        ({"abatementDateTime": "2000-06"}, FactStatus.UNCONFIRMED),
        ({"abatementString": "in childhood"}, FactStatus.INACTIVE),
        ({}, FactStatus.INACTIVE),
    ],
)
def test_what_was_resolved_later_was_active_then(
    abatement: dict[str, Any], status: FactStatus
) -> None:
    assert as_of_study(ill(**RESOLVED, **abatement))["Condition/c1"].status is status


@pytest.mark.parametrize(
    ("onset", "enters"),
    [
        ({"onsetAge": {"value": 45, **AGE}}, True),
        ({"onsetAge": {"value": 60, **AGE}}, False),
        (
            {"onsetAge": {"value": 50, **AGE}},
            False,
        ),  # in the year of the study: before or after it can't be told
        ({"onsetRange": {"low": {"value": 40, **AGE}, "high": {"value": 45, **AGE}}}, True),
        ({"onsetRange": {"low": {"value": 40, **AGE}, "high": {"value": 55, **AGE}}}, False),
        ({"onsetPeriod": {"start": "2001-01-01"}}, False),
        ({"onsetString": "in childhood"}, True),  # undated, marked
    ],
)
def test_what_began_after_the_study_stays_out_by_ages_too(
    onset: dict[str, Any], enters: bool
) -> None:
    assert ("Condition/c1" in as_of_study(ill(onsetDateTime=None, **onset))) is enters


def dosed(**repeat: Any) -> list[dict[str, Any]]:
    return [{"text": "3 mg", "timing": {"repeat": repeat}}]


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        (
            medicine(effectivePeriod={"start": "1999-01-01", "end": "1999-02-01"}),
            FactStatus.INACTIVE,
        ),
        (medicine(effectivePeriod={"start": "1999-01-01", "end": "2005-01-01"}), FactStatus.ACTIVE),
        (medicine(effectivePeriod={"start": "1999-01-01", "end": "2000"}), FactStatus.UNCONFIRMED),
        (medicine(effectivePeriod={"start": "1999-01-01"}), FactStatus.ACTIVE),
        (
            medicine(
                effectiveDateTime="1999-01-01",
                dosage=dosed(boundsPeriod={"start": "1999-01-01", "end": "1999-03-01"}),
            ),
            FactStatus.INACTIVE,
        ),
        (
            medicine(
                "MedicationRequest", dosageInstruction=dosed(boundsPeriod={"end": "1999-03-01"})
            ),
            FactStatus.INACTIVE,
        ),
        (
            medicine(
                "MedicationRequest",
                dosageInstruction=dosed(boundsDuration={"value": 10, "unit": "d", "code": "d"}),
            ),
            FactStatus.INACTIVE,
        ),
        (
            medicine(
                "MedicationRequest",
                dosageInstruction=dosed(boundsDuration={"value": 5, "unit": "a", "code": "a"}),
            ),
            FactStatus.ACTIVE,
        ),
        (
            medicine(
                "MedicationRequest",
                dosageInstruction=[*dosed(boundsPeriod={"end": "1999-03-01"}), *dosed()],
            ),
            FactStatus.ACTIVE,  # one of the dosages has no end
        ),
        (
            medicine(
                "MedicationRequest",
                status="cancelled",
                dosageInstruction=dosed(boundsPeriod={"end": "2005"}),
            ),
            FactStatus.INACTIVE,
        ),
        (
            medicine(status="not-taken", effectivePeriod={"start": "1999", "end": "2005"}),
            FactStatus.REFUTED,
        ),
    ],
)
def test_a_medicine_whose_time_was_over_is_inactive(
    resource: dict[str, Any], status: FactStatus
) -> None:
    (fact,) = as_of_study(resource).values()
    assert fact.status is status


def test_a_period_that_ends_before_it_begins_is_marked() -> None:
    fact = as_of_study(medicine(effectivePeriod={"start": "1999-01-01", "end": "1998-01-01"}))[
        "MedicationStatement/m1"
    ]
    assert "a period that ends before it begins" in fact.marks


def test_a_look_at_a_record_shows_what_is_over_as_over() -> None:
    looked = everything_in(
        read_record(bundle(medicine(effectivePeriod={"start": "1999-01-01", "end": "1999-02-01"})))
    )
    assert looked.fact("MedicationStatement/m1").status is FactStatus.INACTIVE


OTHER = {"id": "c2", "onsetDateTime": "1990-01-01"}


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        ({}, {**OTHER, **RESOLVED}, True),
        ({}, {**OTHER, "verificationStatus": {"coding": [{"code": "refuted"}]}}, True),
        ({}, {**OTHER}, False),
        (
            {"onsetDateTime": "1999-01-01"},
            {**OTHER, **RESOLVED, "abatementDateTime": "1992-01-01"},
            False,
        ),  # it came back
        (
            {"onsetDateTime": "1991-01-01"},
            {**OTHER, **RESOLVED, "abatementDateTime": "1992-01-01"},
            True,
        ),
        (
            {"bodySite": [{"text": "Left"}]},
            {**OTHER, **RESOLVED, "bodySite": [{"text": "Right"}]},
            False,
        ),
        ({}, {**OTHER, **RESOLVED, "code": {"text": "Asthma"}}, False),
        ({"code": {"text": "COPD"}}, {**OTHER, **RESOLVED, "code": {"text": "copd"}}, True),
    ],
)
def test_active_beside_over_or_denied_is_marked_at_both(
    one: dict[str, Any], other: dict[str, Any], contradict: bool
) -> None:
    found = as_of_study(ill(**one), ill(**other))
    marked = {
        name: any("contradicts itself" in m for m in fact.marks) for name, fact in found.items()
    }
    assert marked == {"Condition/c1": contradict, "Condition/c2": contradict}


def test_no_known_allergy_beside_an_allergy_is_marked() -> None:
    def allergy(name: str, text: str) -> dict[str, Any]:
        status = {"coding": [{"code": "active"}]}
        made = {
            "resourceType": "AllergyIntolerance",
            "id": name,
            "patient": OWN,
            "clinicalStatus": status,
        }
        return {**made, "code": {"text": text}, "recordedDate": "1999-01-01"}

    found = as_of_study(allergy("a1", "No known allergy"), allergy("a2", "Iodinated contrast"))
    assert all(any("contradicts itself" in m for m in fact.marks) for fact in found.values())
    alone = as_of_study(allergy("a1", "No known allergy"))["AllergyIntolerance/a1"]
    assert alone.marks == ()


def test_thousands_of_the_same_words_take_time_in_proportion() -> None:
    many = [ill(id=f"c{n}", **(RESOLVED if n % 2 else {})) for n in range(2000)]
    assert all(
        any("contradicts itself" in m for m in fact.marks) for fact in as_of_study(*many).values()
    )

"""Whose a record is: names, birth dates, sexes and a death as a FHIR patient states them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from medmm.domain.identity import PersonName
from medmm.domain.study import StudyTime
from medmm.records import join_questions, read_record


def patient(**changes: Any) -> bytes:
    return json.dumps(
        {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-10", **changes}
    ).encode()


def test_a_fhir_patient_gives_all_its_names_and_what_it_says_of_sex() -> None:
    birth_sex = {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
        "valueCode": "F",
    }
    recorded = {
        "url": "http://hl7.org/fhir/StructureDefinition/individual-recordedSexOrGender",
        "extension": [
            {"url": "value", "valueCodeableConcept": {"coding": [{"code": "248153007"}]}}
        ],
    }
    unsaid = {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex",
        "valueCode": "UNK",
    }
    names = [
        {"use": "official", "family": "Tanaka", "given": ["H."]},
        {"use": "maiden", "family": "Suzuki", "given": ["Hanako"]},
        {"family": "Sato", "period": {"end": "2001-01-01"}},
        {"text": "鈴木 花子"},
    ]
    found = read_record(
        patient(name=names, gender="male", extension=[birth_sex, recorded, unsaid])
    ).the_patient()
    assert (found.family_name, found.given_name) == ("Tanaka", "H.")
    assert found.names == (
        PersonName(family="Suzuki", given="Hanako", former=True),
        PersonName(family="Sato", former=True),
        PersonName(given="鈴木 花子"),
    )
    assert (found.sex, found.further_sexes) == ("M", ("F", "M"))


@pytest.mark.parametrize(
    ("born", "coarse"), [("1950", "1950"), ("1950-02", "1950-02"), ("1950-13", None), ("x", None)]
)
def test_a_coarse_birth_date_is_kept_as_it_is(born: str, coarse: str | None) -> None:
    found = read_record(patient(birthDate=born)).the_patient()
    assert (found.birth_date, found.birth_date_coarse) == (None, coarse)


@pytest.mark.parametrize(
    ("died", "asked"),
    [
        ("2019-12-31", True),
        ("2020-06-01T11:00:00Z", True),
        ("2020-06-01T13:00:00Z", False),
        ("2020-06-01", False),  # on the day of the study: before or after it can't be told
        ("2020", False),
        ("2019", True),
        ("2021-01-01", False),
    ],
)
def test_a_death_before_the_study_is_asked_of_a_person(died: str, asked: bool) -> None:
    noon = StudyTime(
        moment=datetime(2020, 6, 1, 12, tzinfo=UTC), source_tag="StudyDate", precise=True
    )
    document = read_record(patient(deceasedDateTime=died))
    assert bool(join_questions(document, noon)) is asked
    assert join_questions(document, None) == ()

"""Whether image and record are of one patient."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity, PersonName
from medmm.domain.identity_match import (
    IdentityMatch,
    MatchVerdict,
    asking,
    compare_identities,
    joined,
    plain_id,
)
from medmm.domain.study import StudyTime
from medmm.records import join_questions, read_record
from tests.factories import ATTENDING

IMAGE = PatientIdentity(
    patient_id="ZZFAKE-1",
    family_name="ZZFAKE",
    given_name="Alpha",
    birth_date=date(1950, 1, 10),
    sex="F",
)
RECORD = replace(
    IMAGE, issuer="urn:oid:1.2.3", identifiers=(("urn:oid:1.2.3", "ZZFAKE-1"), (None, "77"))
)


@pytest.mark.parametrize(
    ("image", "record", "verdict", "differing"),
    [
        ({}, {}, MatchVerdict.MATCH, ()),
        ({"patient_id": "77"}, {}, MatchVerdict.MATCH, ()),
        ({"family_name": "zzfake"}, {"given_name": "ALPHA"}, MatchVerdict.MATCH, ()),
        ({"issuer": "urn:oid:1.2.3"}, {}, MatchVerdict.MATCH, ()),
        ({"issuer": "OTHER"}, {}, MatchVerdict.NEAR, ("patient_id",)),
        ({}, {"given_name": "Alpka"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"family_name": "ZZFÄKE"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"family_name": "Alpha", "given_name": "ZZFAKE"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"given_name": "Alpha Beta"}, MatchVerdict.NEAR, ("name",)),
        ({}, {"birth_date": date(1950, 10, 1)}, MatchVerdict.NEAR, ("birth_date",)),
        ({}, {"birth_date": None, "sex": None}, MatchVerdict.NEAR, ("birth_date", "sex")),
        ({}, {"birth_date": date(1950, 1, 11)}, MatchVerdict.MISMATCH, ("birth_date",)),
        ({}, {"sex": "M"}, MatchVerdict.MISMATCH, ("sex",)),
        ({"patient_id": "ZZFAKE-2"}, {}, MatchVerdict.MISMATCH, ("patient_id",)),
        ({}, {"family_name": "Quite", "given_name": "Other"}, MatchVerdict.MISMATCH, ("name",)),
        ({"patient_id": None}, {}, MatchVerdict.UNCONFIRMED, ("patient_id",)),
        ({"patient_id": ""}, {}, MatchVerdict.UNCONFIRMED, ("patient_id",)),
        ({}, {"patient_id": None, "identifiers": ()}, MatchVerdict.UNCONFIRMED, ("patient_id",)),
        ({"patient_id": None, "sex": "M"}, {}, MatchVerdict.MISMATCH, ("patient_id", "sex")),
    ],
)
def test_verdict(
    image: dict[str, Any], record: dict[str, Any], verdict: MatchVerdict, differing: tuple[str, ...]
) -> None:
    match = compare_identities(replace(IMAGE, **image), replace(RECORD, **record))
    assert (match.verdict, match.differing) == (verdict, differing)


def test_a_verdict_names_fields_and_never_values() -> None:
    other = replace(
        RECORD, family_name="Quite", given_name="Other", birth_date=date(1960, 1, 1), sex="M"
    )
    match = compare_identities(IMAGE, other)
    assert set(match.differing) == {"birth_date", "sex", "name"}


def verdict(image: dict[str, Any], record: dict[str, Any]) -> MatchVerdict:
    return compare_identities(replace(IMAGE, **image), replace(RECORD, **record)).verdict


@pytest.mark.parametrize(
    "written", ["zzfake-1", "ZZFAKE-0001", "ZZFAKE 1", "ＺＺＦＡＫＥ－１", "00ZZFAKE1"]
)
def test_an_id_in_other_padding_or_case_is_asked_of_a_person(written: str) -> None:
    match = compare_identities(replace(IMAGE, patient_id=written), RECORD)
    assert (match.verdict, match.differing) == (MatchVerdict.UNCONFIRMED, ("patient_id",))
    assert (
        verdict({"patient_id": written, "birth_date": date(1950, 1, 11)}, {})
        is MatchVerdict.MISMATCH
    )


@pytest.mark.parametrize(
    ("one", "other"), [("10", "1"), ("1", "11"), ("A1", "B1"), ("100", "10"), ("0", "00000")]
)
def test_only_leading_zeros_are_padding(one: str, other: str) -> None:
    assert (plain_id(one) == plain_id(other)) is (one == "0")


@given(st.text("AB0123456789", min_size=1, max_size=8), st.integers(0, 4))
def test_padding_and_case_never_make_another_id(written: str, zeros: int) -> None:
    padded = "0" * zeros + written.lower()
    assert plain_id(padded) == plain_id(written)
    assert verdict({"patient_id": written}, {"patient_id": padded, "identifiers": ()}) in (
        MatchVerdict.MATCH,
        MatchVerdict.UNCONFIRMED,
    )


@pytest.mark.parametrize(
    ("image", "record", "expected"),
    [
        ({}, {"birth_date": None, "birth_date_coarse": "1950"}, MatchVerdict.MATCH),
        ({}, {"birth_date": None, "birth_date_coarse": "1950-01"}, MatchVerdict.MATCH),
        ({}, {"birth_date": None, "birth_date_coarse": "1950-10"}, MatchVerdict.MISMATCH),
        ({}, {"birth_date": None, "birth_date_coarse": "1951"}, MatchVerdict.MISMATCH),
        ({"birth_date": None, "birth_date_coarse": "1950"}, {}, MatchVerdict.MATCH),
        (
            {"birth_date": None, "birth_date_coarse": "1950"},
            {"birth_date": None, "birth_date_coarse": "1950-10"},
            MatchVerdict.MATCH,
        ),
        (
            {"birth_date": None, "birth_date_coarse": "1949"},
            {"birth_date": None, "birth_date_coarse": "1950-10"},
            MatchVerdict.MISMATCH,
        ),
    ],
)
def test_birth_dates_are_compared_at_the_coarser_precision(
    image: dict[str, Any], record: dict[str, Any], expected: MatchVerdict
) -> None:
    assert verdict(image, record) is expected


@pytest.mark.parametrize(
    ("image", "record", "expected"),
    [
        ({}, {"sex": "M", "further_sexes": ("F",)}, MatchVerdict.UNCONFIRMED),
        ({}, {"sex": "M", "further_sexes": ("M",)}, MatchVerdict.MISMATCH),
        ({}, {"sex": "M", "further_sexes": ("O",)}, MatchVerdict.UNCONFIRMED),
        ({}, {"sex": "O"}, MatchVerdict.UNCONFIRMED),
        ({"sex": "O"}, {}, MatchVerdict.UNCONFIRMED),
        ({}, {"sex": "M"}, MatchVerdict.MISMATCH),
        ({}, {"sex": "F", "further_sexes": ("M",)}, MatchVerdict.MATCH),
    ],
)
def test_gender_beside_birth_sex_is_asked_of_a_person(
    image: dict[str, Any], record: dict[str, Any], expected: MatchVerdict
) -> None:
    assert verdict(image, record) is expected


HANAKO = {"family_name": "Suzuki", "given_name": "Hanako"}
KANJI, KANA = PersonName(family="鈴木", given="花子"), PersonName(family="すずき", given="はなこ")


@pytest.mark.parametrize(
    ("image", "record", "expected"),
    [
        (
            {**HANAKO, "names": (KANJI, KANA)},
            {"family_name": "鈴木", "given_name": "花子"},
            MatchVerdict.MATCH,
        ),
        (
            {**HANAKO, "names": (KANJI, KANA)},
            {"family_name": "スズキ", "given_name": "ハナコ"},
            MatchVerdict.MATCH,
        ),
        (
            {**HANAKO, "names": (KANJI,)},
            {"family_name": None, "given_name": None, "names": (PersonName(given="鈴木花子"),)},
            MatchVerdict.MATCH,
        ),
        (HANAKO, {"family_name": "鈴木", "given_name": "花子"}, MatchVerdict.UNCONFIRMED),
        (
            {**HANAKO, "names": (KANJI,)},
            {"family_name": "田中", "given_name": "一郎"},
            MatchVerdict.MISMATCH,
        ),
        (
            HANAKO,
            {
                "family_name": "Tanaka",
                "given_name": "H.",
                "names": (PersonName(family="Suzuki", given="Hanako", former=True),),
            },
            MatchVerdict.NEAR,
        ),
        (HANAKO, {"family_name": "Tanaka", "given_name": "Hanako"}, MatchVerdict.NEAR),
        (HANAKO, {"family_name": "Tanaka", "given_name": "H."}, MatchVerdict.UNCONFIRMED),
        (HANAKO, {"family_name": "Tanaka", "given_name": "Ichiro"}, MatchVerdict.MISMATCH),
        (
            {"family_name": "Ivanova", "given_name": "Anna"},
            {"family_name": "Иванова", "given_name": "Анна"},
            MatchVerdict.UNCONFIRMED,
        ),
        (
            {"family_name": "Иванова", "given_name": "Анна"},
            {"family_name": "Петрова", "given_name": "Ольга"},
            MatchVerdict.MISMATCH,
        ),
        (
            {},
            {"family_name": None, "given_name": None, "names": (PersonName(given="Alpha ZZFAKE"),)},
            MatchVerdict.MATCH,
        ),
    ],
)
def test_every_name_is_compared_with_every_name(
    image: dict[str, Any], record: dict[str, Any], expected: MatchVerdict
) -> None:
    assert verdict(image, record) is expected


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


def test_a_person_confirms_what_is_asked_and_no_mismatch() -> None:
    match = asking(IdentityMatch(verdict=MatchVerdict.MATCH), "one thing", "another thing")
    with pytest.raises(InputError, match="one thing; another thing, so a person must confirm"):
        joined(match)
    notice = joined(match, ATTENDING)
    assert notice is not None
    assert notice.code == "identity-confirmed"
    assert "one thing; another thing; reader-1 (attending) confirmed" in notice.text
    refused = asking(IdentityMatch(verdict=MatchVerdict.MISMATCH, differing=("sex",)), "one thing")
    with pytest.raises(InputError, match="of another patient"):
        joined(refused, ATTENDING)

"""Whether image and record are of one patient."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity, PersonName
from medmm.domain.identity_match import (
    FIELDS,
    NO_SHARED_ID,
    IdentityMatch,
    MatchVerdict,
    asking,
    compare_identities,
    joined,
    plain_id,
)
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


# From what is best for a join to what is worst
ORDER = (MatchVerdict.MATCH, MatchVerdict.NEAR, MatchVerdict.UNCONFIRMED, MatchVerdict.MISMATCH)
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8)
names = st.builds(
    PersonName,
    family=st.none() | words | st.sampled_from(["鈴木", "Иванова"]),
    given=words,
    former=st.booleans(),
)
identities = st.builds(
    PatientIdentity,
    patient_id=st.none() | st.text("AB0123456789-", max_size=6),
    issuer=st.none() | st.sampled_from(["A", "B"]),
    family_name=st.none() | words,
    given_name=st.none() | words,
    birth_date=st.none() | st.dates(date(1900, 1, 1), date(2020, 12, 31)),
    sex=st.sampled_from([None, "M", "F", "O"]),
    names=st.lists(names, max_size=3).map(tuple),
    further_sexes=st.lists(st.sampled_from(["M", "F", "O"]), max_size=2).map(tuple),
)
whole = st.builds(
    PatientIdentity,
    patient_id=st.text("AB0123456789", min_size=1, max_size=6),
    family_name=words,
    given_name=words,
    birth_date=st.dates(date(1900, 1, 1), date(2020, 12, 31)),
    sex=st.sampled_from(["M", "F"]),
)


@given(whole)
def test_who_states_all_alike_is_one_patient_and_nothing_is_said(one: PatientIdentity) -> None:
    match = compare_identities(one, one)
    assert (match.verdict, match.differing, match.questions) == (MatchVerdict.MATCH, (), ())
    assert match.agreeing == FIELDS
    assert joined(match) is None


@given(identities, identities)
def test_which_side_is_the_image_changes_no_verdict(
    one: PatientIdentity, other: PatientIdentity
) -> None:
    assert compare_identities(one, other) == compare_identities(other, one)


@given(identities, identities, st.sampled_from(["", None]))
def test_without_an_id_on_both_sides_nothing_is_joined_without_a_person(
    one: PatientIdentity, other: PatientIdentity, none: str | None
) -> None:
    match = compare_identities(replace(one, patient_id=none), other)
    assert match.verdict in (MatchVerdict.UNCONFIRMED, MatchVerdict.MISMATCH)
    assert NO_SHARED_ID in match.questions
    with pytest.raises(InputError):
        joined(match)


@given(whole, st.integers(1, 20_000))
def test_another_birth_date_is_another_patient_whatever_agrees(
    one: PatientIdentity, days: int
) -> None:
    born = one.birth_date
    assert born is not None
    other = born + timedelta(days=days)
    assume((other.year, other.month, other.day) != (born.year, born.day, born.month))
    match = compare_identities(one, replace(one, birth_date=other))
    assert (match.verdict, match.differing) == (MatchVerdict.MISMATCH, ("birth_date",))


@given(whole)
def test_another_sex_is_another_patient_whatever_agrees(one: PatientIdentity) -> None:
    other = replace(one, sex="F" if one.sex == "M" else "M")
    match = compare_identities(one, other)
    assert (match.verdict, match.differing) == (MatchVerdict.MISMATCH, ("sex",))


@given(whole, st.sets(st.sampled_from(["patient_id", "birth_date", "sex", "name"]), min_size=1))
def test_what_one_side_does_not_state_never_counts_as_agreeing(
    one: PatientIdentity, missing: set[str]
) -> None:
    gone = {"name": ("family_name", "given_name")}
    fields = [field for name in missing for field in gone.get(name, (name,))]
    other = replace(one, **dict.fromkeys(fields))
    for match in (compare_identities(one, other), compare_identities(other, one)):
        assert set(match.differing) == missing
        asked = MatchVerdict.UNCONFIRMED if "patient_id" in missing else MatchVerdict.NEAR
        assert match.verdict is asked


@given(identities, identities, names)
def test_a_further_name_never_makes_another_patient(
    one: PatientIdentity, other: PatientIdentity, further: PersonName
) -> None:
    assume(other.family_name or other.given_name or other.names)
    more = replace(other, names=(*other.names, further))
    before, after = (compare_identities(one, record).verdict for record in (other, more))
    assert ORDER.index(after) <= ORDER.index(before)


@given(st.text("aB0٠ ０-_/.1", max_size=12))
def test_a_plain_id_is_plain(written: str) -> None:
    assert plain_id(plain_id(written)) == plain_id(written)


@given(
    st.sampled_from(MatchVerdict),
    st.sets(st.sampled_from(FIELDS)),
    st.lists(words, max_size=2).map(tuple),
    st.lists(words, max_size=2),
)
def test_a_question_never_makes_a_verdict_better(
    verdict: MatchVerdict, differing: set[str], before: tuple[str, ...], further: list[str]
) -> None:
    match = IdentityMatch(verdict=verdict, differing=tuple(differing), questions=before)
    asked = asking(match, *further)
    assert ORDER.index(asked.verdict) >= ORDER.index(match.verdict)
    assert (asked.verdict is MatchVerdict.MISMATCH) is (verdict is MatchVerdict.MISMATCH)
    assert asked.questions == (*before, *further)


@given(identities, identities)
def test_a_mismatch_is_joined_by_nobody_and_no_notice_tells_a_value(
    one: PatientIdentity, other: PatientIdentity
) -> None:
    match = compare_identities(one, other)
    assert (match.verdict is MatchVerdict.UNCONFIRMED) <= bool(match.questions)
    try:
        notice = joined(match, ATTENDING)
    except InputError as error:
        assert match.verdict is MatchVerdict.MISMATCH
        told = str(error)
    else:
        assert match.verdict is not MatchVerdict.MISMATCH
        assert (notice is None) is (match.verdict is MatchVerdict.MATCH)
        told = notice.text if notice else ""
    # Fields, questions and the remedy are told in words; IDs and dates are of digits
    assert not any(c.isdigit() for c in told.replace(ATTENDING.id, ""))

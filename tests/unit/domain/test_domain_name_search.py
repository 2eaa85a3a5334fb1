"""Names that are one name to a reader are found by each other, from the first letter that is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity, PersonName
from medmm.domain.name_search import (
    LONGEST,
    LONGEST_PART,
    name_parts,
    names_of,
    number,
    numbers_of,
    searched_parts,
)


@pytest.mark.parametrize(
    "alike",
    [
        ("Müller", "MUELLER", "mueller", "Muller", "Mu\u0308ller"),
        ("Sørensen", "SOERENSEN", "Sorensen"),
        ("Strauß", "STRAUSS"),
        ("O'Brien", "O’BRIEN", "Obrien"),
        ("Łukasz", "LUKASZ"),
        ("İstanbul", "ISTANBUL", "ıstanbul"),
        ("مُحَمَّد", "محمد"),
        ("김민준", "김민준".encode().decode()),
    ],
)
def test_ways_of_writing_one_name_fold_alike(alike: tuple[str, ...]) -> None:
    assert len({name_parts(name) for name in alike}) == 1


def test_names_come_apart_where_people_take_them_apart() -> None:
    assert name_parts("Meyer-Schmidt, Anna_Lena") == ("meyer", "schmidt", "anna", "lena")
    assert name_parts("山田^太郎") == ("山田", "太郎")
    assert name_parts(" ^^ .. ") == ()


@given(st.text(max_size=30), st.integers(0, 30))
def test_what_is_typed_so_far_begins_what_it_becomes(name: str, typed: int) -> None:
    for word in name.split():
        so_far, whole = name_parts(word[:typed]), name_parts(word)
        assert so_far[:-1] == whole[: max(len(so_far) - 1, 0)] or not so_far
        if so_far and len(whole) >= len(so_far):
            assert whole[len(so_far) - 1].startswith(so_far[-1])


@given(st.text())
def test_any_text_is_folded_to_what_a_database_takes(text: str) -> None:
    for part in name_parts(text):
        assert part
        assert len(part) <= LONGEST_PART
        assert "\0" not in part
        part.encode()
        assert name_parts(part) == (part,) or len(part) == LONGEST_PART


def test_all_names_and_numbers_of_a_person_count() -> None:
    person = PatientIdentity(
        patient_id=" ZZ-1 ",
        family_name="Neu",
        given_name="Ada",
        names=(PersonName(family="Früher", former=True), PersonName(given="李明")),
        identifiers=(("other", "ab 2"),),
    )
    assert names_of(person) == {"neu", "ada", "fruher", "李明"}
    assert numbers_of(person) == {"zz-1", "ab 2"}
    assert names_of(PatientIdentity(patient_id=None)) == frozenset()
    assert numbers_of(PatientIdentity(patient_id="  ")) == frozenset()
    assert number("ＡＣＣ１") == "acc1"


@pytest.mark.parametrize("text", ["", " - ", "...", "a" * (LONGEST + 1)])
def test_what_nothing_is_left_of_is_not_searched_for(text: str) -> None:
    with pytest.raises(InputError, match="nothing can be searched"):
        searched_parts(text)


def test_more_parts_than_a_name_has_are_a_number() -> None:
    assert searched_parts("1.2.826.0.1.3680043.8.498.45") == (
        "1",
        "2",
        "826",
        "0",
        "3680043",
        "8",
        "498",
        "45",
    )
    assert searched_parts(".".join(map(str, range(20)))) == ()

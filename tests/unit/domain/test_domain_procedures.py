"""The procedure of a study by the table of LOINC codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medmm.domain.imaging_order import StudyOrder
from medmm.domain.procedures import procedure_of, procedures
from medmm.domain.study import View
from tests.factories import make_study, make_volume

PA, AP, LATERAL, UNKNOWN = View.PA, View.AP, View.LATERAL, View.UNKNOWN
FILMS = [
    ((PA,), False, "36554-4"),
    ((AP,), False, "36572-6"),
    ((AP,), True, "36589-0"),
    ((UNKNOWN,), False, "36554-4"),
    ((UNKNOWN,), True, "30746-2"),
    ((PA,), True, "30746-2"),
    ((PA, LATERAL), False, "42272-5"),
    ((LATERAL, PA), False, "42272-5"),
    ((AP, LATERAL), False, "36687-2"),
    ((AP, LATERAL), True, "30746-2"),
    ((UNKNOWN, LATERAL), False, "36643-5"),
    ((PA, AP, LATERAL), False, "36298-8"),
    ((PA, PA), False, "30745-4"),  # one view twice is not two views
    ((PA, UNKNOWN), False, "30745-4"),
    ((PA, LATERAL, LATERAL), False, "30745-4"),
]


@pytest.mark.parametrize(("views", "portable", "code"), FILMS)
def test_a_film_study_has_the_code_of_its_views(
    views: tuple[View, ...], portable: bool, code: str
) -> None:
    films = tuple(
        replace(make_volume(), view=view, sha256=f"{n:064x}") for n, view in enumerate(views)
    )
    found = procedure_of(make_study(volumes=films), StudyOrder(portable=portable))
    assert found is not None
    assert found.code == code


def test_a_body_part_without_a_row_has_no_code() -> None:
    assert procedure_of(make_study(body_part="KNEE"), StudyOrder()) is None


def check_digit(code: str) -> bool:
    """LOINC's check digit (mod 10, Luhn)."""
    digits, given = code.split("-")
    doubled = str(int("".join(reversed(digits))[::2][::-1]) * 2)
    total = sum(map(int, doubled)) + sum(map(int, "".join(reversed(digits))[1::2]))
    return (10 - total % 10) % 10 == int(given)


def test_every_row_is_its_own_and_has_a_code_that_can_be_right() -> None:
    keys = [(r.modality, r.body_part, r.views, r.portable, r.contrast) for r in procedures()]
    assert len(set(keys)) == len(keys)
    for row in procedures():
        assert check_digit(row.code), row
        assert row.source.startswith(f"https://loinc.org/{row.code}"), row

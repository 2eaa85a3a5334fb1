"""Values and units as they are printed for people."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from medmm.domain.record import Quantity
from medmm.presentation.value_words import UNIT_PARTS, WHOLE_UNITS, quantity_words, unit_words


@pytest.mark.parametrize(
    ("ucum", "printed"),
    [
        ("Cel", "°C"),
        ("mm[Hg]", "mmHg"),
        ("10*3/uL", "10³/µL"),
        ("ug/mL", "µg/mL"),
        ("kg/m2", "kg/m²"),
        ("mL/min/{1.73_m2}", "mL/min/1.73 m²"),
        ("m[IU]/L", "mIU/L"),
        ("a", "years"),
        ("/a", "/a"),
        ("1", ""),
        ("[pH]", ""),
        ("mmol/L", "mmol/L"),
        ("{score}", "{score}"),
        ("a unit\x1bof nobody", "a unit of nobody"),
    ],
)
def test_a_unit_is_printed_as_people_write_it(ucum: str, printed: str) -> None:
    assert unit_words(ucum) == printed


def test_two_units_never_print_alike() -> None:
    rows = csv.DictReader(
        files("medmm.records").joinpath("data/analytes.csv").read_text("utf-8").splitlines()
    )
    known = {row["unit"] for row in rows} | set(UNIT_PARTS) | set(WHOLE_UNITS)
    known -= {
        "[pH]",
        "[iU]",
    }  # no unit is printed after a pH, and UCUM has two codes for the international unit
    printed = [unit_words(unit) for unit in known]
    assert len(set(printed)) == len(printed)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Quantity(value=38.1, unit="Cel"), "38.1 °C"),
        (Quantity(value=250000, unit="/uL", comparator="<"), "<250000 /µL"),
        (Quantity(value=1.05, unit="1"), "1.05"),
        (Quantity(value=0.00001, unit="mg/L"), "0.00001 mg/L"),
    ],
)
def test_a_value_is_printed_with_comparator_and_unit_and_no_exponent(
    value: Quantity, words: str
) -> None:
    assert quantity_words(value) == words

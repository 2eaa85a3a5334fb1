"""Numbers of a record: all their digits, no exponent, wherever they stand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.codec import from_json, to_json
from medmm.domain.record import Quantity
from medmm.presentation.value_words import digits, quantity_words
from medmm.records import read_record
from tests.unit.records.test_records_document import OWN, bundle, observation, only_fact


def valued(number: str, unit: str = "1") -> Quantity:
    """The value of an observation whose JSON writes this number."""
    made = bundle(
        observation(
            code={"text": "Count"}, valueQuantity={"value": 1234.5, "unit": unit, "code": unit}
        )
    )
    value = only_fact(read_record(made.replace(b"1234.5", number.encode()))).value
    assert isinstance(value, Quantity)
    return value


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("2400000", "2400000"),
        ("1048576", "1048576"),
        ("1234567.891", "1234567.891"),
        ("2.4e6", "2400000"),
        ("1.5E-7", "0.00000015"),
        ("13.2", "13.2"),
        ("5.0", "5"),
        ("-0.0", "0"),
        ("12345678901234567890", "12345678901234567890"),
        ("0.12345678901234567890123", "0.12345678901234567890123"),
        ("37.25846219893", "37.25846219893"),
    ],
)
def test_a_number_is_printed_with_all_its_digits(number: str, words: str) -> None:
    value = valued(number)
    assert quantity_words(value) == words
    assert from_json(Quantity, json.loads(json.dumps(to_json(value)))) == value


@given(
    st.decimals(min_value=-(10**15), max_value=10**15, places=4)
    | st.integers(-(10**30), 10**30).map(Decimal)
)
def test_no_digit_is_lost_whatever_the_number(number: Decimal) -> None:
    assert Decimal(quantity_words(valued(str(number)))) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_digits_of_a_float_read_back_as_it(number: float) -> None:
    text = digits(number)
    assert float(text) == number
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    "number",
    ["1e400", "1e999999999", "1e-999999999", "1e99999999999999999999999", "0." + "1" * 5000],
)
def test_a_number_beyond_all_measure_costs_nothing(number: str) -> None:
    made = bundle(observation(valueQuantity={"value": 1234.5, "unit": "g/dL", "code": "g/dL"}))
    value = only_fact(read_record(made.replace(b"1234.5", number.encode()))).value
    assert value is None or (isinstance(value, Quantity) and len(quantity_words(value)) < 400)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 1048576}}},
            "1 : 1048576",
        ),
        (
            {"valueRange": {"low": {"value": 1000000}, "high": {"value": 1234567}}},
            "1000000 to 1234567",
        ),
        ({"valueInteger": 12345678}, "12345678"),
        (
            {"valueQuantity": {"value": 1234567, "comparator": ">", "unit": "/uL", "code": "/uL"}},
            ">1234567 /µL",
        ),
    ],
)
def test_ratios_ranges_and_integers_keep_their_digits(value: dict[str, Any], words: str) -> None:
    fact = only_fact(read_record(bundle(observation(**{"valueQuantity": None, **value}))))
    assert (quantity_words(fact.value) if isinstance(fact.value, Quantity) else fact.value) == words


def test_doses_and_ranges_keep_their_digits() -> None:
    dose = {"doseAndRate": [{"doseQuantity": {"value": 2400000, "unit": "[iU]"}}]}
    medicine = {
        "resourceType": "MedicationStatement",
        "id": "m",
        "status": "active",
        "subject": OWN,
        "dosage": [dose],
    }
    document = read_record(
        bundle({**medicine, "medicationCodeableConcept": {"text": "Penicillin"}})
    )
    assert only_fact(document).details == ("dosage: 2400000 [iU], how often is not read",)


def test_a_value_beside_the_reason_why_there_is_none_is_marked() -> None:
    fact = only_fact(read_record(bundle(observation(dataAbsentReason={"text": "hemolysed"}))))
    assert any("hemolysed" in mark for mark in fact.marks)


@pytest.mark.parametrize(
    ("code", "value", "unit", "mark"),
    [
        ("2345-7", 99, "mmol/L", "implausible value, likely in mg/dL"),
        ("2345-7", 5.5, "mg/dL", "implausible value, likely in mmol/L"),
        ("2345-7", 12, "mg/dL", "implausible value, likely in mmol/L"),
        ("14749-6", 99, "mmol/L", "implausible value, likely in mg/dL"),
        (
            "2345-7",
            1800,
            "mg/dL",
            None,
        ),  # a hyperosmolar crisis, in the unit that it is measured in
        ("2345-7", 30, "mmol/L", None),
        ("2345-7", 99, "mg/dL", None),
        ("718-7", 13, "mmol/L", "implausible value, likely in g/dL"),
        ("2703-7", 12, "mm[Hg]", "implausible value, likely in kPa"),
        ("2160-0", 55, "mg/dL", "implausible value, likely in umol/L"),
        ("2160-0", 18, "mg/dL", None),
    ],
)
def test_a_value_that_is_usual_in_another_unit_alone_is_marked(
    code: str, value: float, unit: str, mark: str | None
) -> None:
    system = "http://unitsofmeasure.org"
    coded = {"coding": [{"system": "http://loinc.org", "code": code}]}
    quantity = {"value": value, "unit": unit, "code": unit, "system": system}
    fact = only_fact(read_record(bundle(observation(code=coded, valueQuantity=quantity))))
    assert [m for m in fact.marks if "implausible" in m] == ([mark] if mark else [])

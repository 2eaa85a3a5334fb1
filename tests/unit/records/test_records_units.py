"""Units of UCUM and in words: what is comparable, what is not, what is suspected."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.record import Coding, Fact, Quantity
from medmm.records import read_record
from medmm.records.analytes import LOINC, analytes, name_doubts, value_doubts
from medmm.records.units import (
    Substance,
    convert,
    known_unit,
    rows,
    unit_of,
    unit_table,
    unit_words,
)
from tests.unit.records.test_records_document import bundle, concept, observation, only_fact

GLUCOSE = Substance(g_per_mol=180.156)


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (13.2, "g/dL", "g/L", 132),
        (37, "Cel", "[degF]", 98.6),
        (98.6, "[degF]", "Cel", 37),
        (5, "10*3/uL", "10*9/L", 5),
        (4.5, "10*6/uL", "10*12/L", 4.5),
        (5000, "/uL", "10*9/L", 5),
        (72, "/min", "{beats}/min", 72),
        (120, "mm[Hg]", "kPa", 15.99864),
        (0.95, "1", "%", 95),
        (40, "U/L", "nkat/L", 666.6666667),
        (150, "[lb_av]", "kg", 68.0388555),
        (4, "mmol/L", "umol/L", 4000),
        (400, "ug/L{FEU}", "ng/mL{FEU}", 400),
        (20, "g%", "g/dL", 20),
        (1, "m-1", "cm-1", 0.01),
    ],
)
def test_commensurable_units_are_converted(
    value: float, unit: str, to: str, expected: float
) -> None:
    found = convert(value, unit, to)
    assert found is not None
    assert math.isclose(found, expected, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("unit", "to"),
    [
        ("g/dL", "mmol/L"),  # no molar mass
        ("mL/min/{1.73_m2}", "mL/min"),
        ("ng/mL{FEU}", "ng/mL{DDU}"),
        ("[IU]/L", "U/L"),
        ("meq/L", "mmol/L"),  # no valence
        ("Cel", "kg"),
        ("furlong", "m"),
        ("Cel/h", "K/h"),  # a temperature with its own zero in a rate
        ("", "1"),
    ],
)
def test_what_does_not_measure_the_same_is_not_converted(unit: str, to: str) -> None:
    assert convert(1.0, unit, to) is None
    assert convert(1.0, to, unit) is None


@pytest.mark.parametrize(
    ("value", "unit", "to", "substance", "expected"),
    [
        (100, "mg/dL", "mmol/L", GLUCOSE, 5.5507449),
        (5.5507449, "mmol/L", "mg/dL", GLUCOSE, 100),
        (4, "meq/L", "mmol/L", Substance(valence=2), 2),
        (2, "mmol/L", "meq/L", Substance(valence=2), 4),
        (10, "mg/dL", "meq/L", Substance(g_per_mol=40.078, valence=2), 4.9902690),
        (1 / 4.0, "L/mmol", "dL/mg", GLUCOSE, 1 / 4.0 / 18.0156),
    ],
)
def test_a_known_molar_mass_or_valence_bridges(
    value: float, unit: str, to: str, substance: Substance, expected: float
) -> None:
    found = convert(value, unit, to, substance)
    assert found is not None
    assert math.isclose(found, expected, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("written", "ucum"),
    [
        ("mmHg", "mm[Hg]"),
        ("beats/minute", "/min"),
        ("C", "Cel"),
        ("degrees C", "Cel"),
        ("°F", "[degF]"),
        ("K/ul", "10*3/uL"),
        ("mg/dl", "mg/dL"),
        ("µg/L", "ug/L"),
        ("x10^9/L", "10*9/L"),
        ("mL/min/1.73m²", "mL/min/{1.73_m2}"),
        ("ng/mL FEU", "ng/mL{FEU}"),
        ("ft", "[ft_i]"),
        ("furlong", None),
        ("mg per something", None),
        ("g//L", None),
        ("", None),
    ],
)
def test_units_in_words_are_mapped_by_the_table_alone(written: str, ucum: str | None) -> None:
    assert known_unit(written) == ucum


def test_the_tables_hold_what_their_readers_can_read() -> None:
    assert all(row["source"] for name in ("ucum", "unit_words", "analytes") for row in rows(name))
    assert [u for u in unit_words().values() if unit_of(u) is None] == []
    for analyte in analytes().values():
        middle = (analyte.low + analyte.high) / 2
        assert analyte.holds(middle, analyte.unit), analyte
        assert not analyte.holds(analyte.high * 1.01, analyte.unit), analyte
        assert all(analyte.in_own_unit(1.0, suspect) is not None for suspect in analyte.suspects), (
            analyte
        )


CODES = st.sampled_from(sorted(unit_table()))
UNITS = st.lists(CODES, min_size=1, max_size=3).flatmap(
    lambda codes: st.lists(
        st.sampled_from("./"), min_size=len(codes) - 1, max_size=len(codes) - 1
    ).map(
        lambda signs: (
            codes[0] + "".join(sign + code for sign, code in zip(signs, codes[1:], strict=True))
        )
    )
)


@given(UNITS, UNITS, st.floats(-1e9, 1e9))
def test_there_and_back_is_the_same_value(one: str, other: str, value: float) -> None:
    there = convert(value, one, other)
    if there is None:
        assert unit_of(one) is None or unit_of(other) is None or unit_of(one) != unit_of(other)
        return
    back = convert(there, other, one)
    assert back is not None
    assert math.isclose(back, value, rel_tol=1e-6, abs_tol=1e-3)


@given(st.text(max_size=80))
def test_any_text_is_a_unit_or_none(text: str) -> None:
    known = known_unit(text)
    assert known is None or unit_of(known) is not None


def fact_of(value: dict[str, Any], code: str = "718-7", **changes: Any) -> Fact:
    changed = {"code": concept(analytes()[code].name, code), "valueQuantity": value, **changes}
    return only_fact(read_record(bundle(observation(**changed))))


def test_a_range_in_another_unit_is_converted_and_stays_as_written() -> None:
    bounds = {"low": {"value": 120, "unit": "g/L"}, "high": {"value": 160, "unit": "g/L"}}
    fact = fact_of({"value": 13.2, "unit": "g/dL"}, referenceRange=[bounds])
    assert fact.value == Quantity(value=13.2, unit="g/dL", low=12.0, high=16.0)
    assert (fact.marks, fact.details) == ((), ("range as written: from 120 g/L to 160 g/L",))


def test_a_range_in_moles_meets_a_value_in_grams_where_the_mass_is_known() -> None:
    bounds = {"low": {"value": 3.9, "unit": "mmol/L"}, "high": {"value": 5.6, "unit": "mmol/L"}}
    fact = fact_of({"value": 90, "unit": "mg/dL"}, "2345-7", referenceRange=[bounds])
    assert isinstance(fact.value, Quantity)
    assert (round(fact.value.low or 0, 2), round(fact.value.high or 0, 2)) == (70.26, 100.89)
    unknown = {"code": concept("Something", "0-0"), "referenceRange": [bounds]}
    fact = only_fact(
        read_record(bundle(observation(valueQuantity={"value": 90, "unit": "mg/dL"}, **unknown)))
    )
    assert fact.marks == ("reference range in another unit",)


def test_of_several_normal_ranges_none_is_chosen_and_no_other_kind_counts() -> None:
    def bounds(low: float, kind: str | None = None) -> dict[str, Any]:
        return {"low": {"value": low}, **({"type": {"coding": [{"code": kind}]}} if kind else {})}

    value = {"value": 13.2, "unit": "g/dL"}
    assert "none was chosen" in fact_of(value, referenceRange=[bounds(12), bounds(13)]).marks[0]
    fact = fact_of(value, referenceRange=[bounds(7, "treatment"), bounds(12, "normal")])
    assert fact.value == Quantity(value=13.2, unit="g/dL", low=12.0)


@pytest.mark.parametrize(
    ("code", "value", "unit", "mark"),
    [
        ("718-7", 1400, "g/dL", "implausible value"),
        ("718-7", 132, "g/dL", "implausible value, likely in g/L"),
        ("718-7", 8.2, "mmol/L", None),
        ("718-7", 13.2, "kg", "unit does not fit Hemoglobin"),
        ("8310-5", 100.4, "Cel", "implausible value, likely in degrees Fahrenheit"),
        ("8310-5", 100.4, "[degF]", None),
        ("8310-5", 310, "K", None),
        ("59408-5", 0.95, "%", "implausible value, likely a fraction"),
        ("59408-5", 0.95, "1", None),
        ("2345-7", 5.5, "mg/dL", "implausible value, likely in mmol/L"),
        ("2345-7", 5.5, "mmol/L", None),
        ("8480-6", 16, "kPa", None),
        ("8867-4", 72, "beats per minute", None),
        ("2160-0", 88, "mg/dL", "implausible value, likely in umol/L"),
        ("777-3", 250000, "10*3/uL", "implausible value, likely in /uL"),
        ("777-3", 250000, "/uL", None),
        ("33914-3", 80, "mL/min/{1.73_m2}", None),
        ("48065-7", 500, "ug/L", None),  # the code says that it is FEU
        ("6301-6", 1.1, "", None),  # a plain number needs no unit
        ("11558-4", 7.4, "pH", None),
        ("718-7", -3, "g/dL", "implausible value"),
        ("718-7", 1e308, "g/dL", "implausible value"),
        ("718-7", -1e308, "ng/L", "implausible value"),
        ("718-7", 13.2, "glob/dL", "unit not understood"),
    ],
)
def test_absurd_values_are_kept_marked_and_the_likely_unit_is_said(
    code: str, value: float, unit: str, mark: str | None
) -> None:
    fact = fact_of({"value": value, "unit": unit}, code)
    assert isinstance(fact.value, Quantity)
    assert fact.value.value == value
    assert fact.marks == ((mark,) if mark else ())


@pytest.mark.parametrize(
    ("unit", "code", "system", "kept", "mark"),
    [
        ("mmHg", "mm[Hg]", "http://unitsofmeasure.org", "mm[Hg]", None),
        ("C", "Cel", "http://unitsofmeasure.org", "Cel", None),
        (
            "g/dL",
            "mmol/L",
            "http://unitsofmeasure.org",
            "mmol/L",
            "unit and its code disagree: g/dL and mmol/L",
        ),
        ("mmol/L", "258813002", "http://snomed.info/sct", "mmol/L", None),
        ("ells of it", "mm", "http://unitsofmeasure.org", "mm", "unit in words: ells of it"),
        ("beats/minute", "beats/minute", "http://unitsofmeasure.org", "/min", None),
    ],
)
def test_unit_and_code_are_held_against_each_other(
    unit: str, code: str, system: str, kept: str, mark: str | None
) -> None:
    value = {"value": 5, "unit": unit, "code": code, "system": system}
    fact = only_fact(
        read_record(bundle(observation(code=concept("Something"), valueQuantity=value)))
    )
    assert fact.value == Quantity(value=5.0, unit=kept)
    assert fact.marks == ((mark,) if mark else ())


@pytest.mark.parametrize(
    ("code", "words", "doubted"),
    [
        ("718-7", "Potassium", True),
        ("718-7", "Hb", False),
        ("718-7", "Hemoglobin and potassium", False),
        ("718-7", "Hématie-pigment", False),  # words of another language are not judged
        ("59408-5", "SpO2", False),
        ("2823-3", "Sodium [Moles/volume] in Serum", True),
        ("8480-6", "Diastolic blood pressure", True),
    ],
)
def test_words_of_another_analyte_are_marked(code: str, words: str, doubted: bool) -> None:
    codings = (Coding(system=LOINC, code=code, display=words),)
    assert bool(list(name_doubts(codings, words))) is doubted


def test_a_value_of_no_known_analyte_is_only_doubted_where_no_unit_holds_it() -> None:
    assert list(value_doubts((), Quantity(value=-5.0, unit="g"))) == []
    assert list(value_doubts((), Quantity(value=1e300, unit="g"))) == ["implausible value"]

"""G6: every number in the text is the evidence's, in its unit; no mm without spacing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medmm.domain.draft import (
    Assertion,
    Case,
    ExtentEvidence,
    FactEvidence,
    MeasurementEvidence,
    ScoreEvidence,
    Statement,
)
from medmm.domain.plain_text import clean
from medmm.domain.reading import Reading
from medmm.domain.record import Fact, Quantity
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable, of_a_reader
from medmm.language.numbers import Number, dates_named, numbers_named, without_dates
from medmm.language.record_words import fact_words, without_words_of
from medmm.presentation.value_words import unit_words

_LENGTHS = {
    "mm",
    "cm",
    "millimetre",
    "millimetres",
    "millimeter",
    "millimeters",
    "centimetre",
    "centimetres",
    "centimeter",
    "centimeters",
    "mm2",
    "cm2",
    "mm3",
    "cm3",
    "ml",
    "mL",
}
# Units as UCUM writes them, as a sentence may.
_WRITTEN = {
    "1": ("",),
    "a": ("years", "year", "y", "a"),
    "mo": ("months", "month"),
    "wk": ("weeks", "week"),
    "d": ("days", "day"),
    "mm": ("mm", "millimetres", "millimeters"),
    "cm": ("cm",),
}
_A_UNIT = re.compile(
    r"^(?:[%°\[{µμ].*|.*[/\d%].*|[munpk]?(?:m|g|l|mol|s|Hz|Pa|U)|[cd]m|dL|mmHg|bpm|Cel|years?|"
    r"months?|weeks?|days?|mL|fL|pg|IU|U)$"
)


_NUMBERS = (
    "none",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_DURATION = re.compile(
    rf"\b(?:{'|'.join(_NUMBERS[1:])})(?=[\s-]+(?:hour|day|week|month|year|pack)s?\b)", re.IGNORECASE
)

_RATIO = re.compile(r"\b(?:ratio|index|CTR)\b", re.IGNORECASE)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare numbers, units and dates of the text with the evidence, rounded as written."""
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    facts = [f for f in case.context.facts if f.id in ids] if case.context else []
    values = [
        *_image_values(statement),
        *_place_values(statement, case),
        *(v for f in facts for v in _fact_values(f)),
    ]
    if of_a_reader(statement):
        values += [
            v for m in reading.measurements for v in _measured_values(m.value, m.unit, m.interval)
        ]
    reported = statement.assertion is Assertion.REPORTED
    text = _counted(without_words_of(statement.text, facts)) if reported else statement.text
    numbers, dates = (
        numbers_named(without_dates(text), {form for v in values for form in _forms(v.unit)}),
        dates_named(text),
    )
    if not numbers and not dates:
        if evidence_of(statement, MeasurementEvidence):
            return judged(["a measurement is the evidence, but no number is stated"], "")
        return not_applicable("no number is stated")
    problems = [p for n in numbers for p in _number_problems(n, values)]
    problems += _date_problems(dates, facts)
    unmeasured = not evidence_of(statement, MeasurementEvidence) and not of_a_reader(statement)
    if _RATIO.search(text) and unmeasured and not reported:
        problems.append("a ratio is stated that was not measured")
    if not reported:
        problems += _length_problems(numbers, statement, case)
    return judged(problems, "numbers, units and dates agree with the evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A number that may be stated; `bare` says whether it may go without its unit."""

    value: float
    unit: str
    bare: bool


def _image_values(statement: Statement) -> Iterator[_Value]:
    for measured in evidence_of(statement, MeasurementEvidence):
        yield from _measured_values(measured.value, measured.unit, measured.interval)
    for score in evidence_of(statement, ScoreEvidence):
        for value in (score.probability, score.threshold):
            yield from _with_percent(value, "1", bare=True)


def _measured_values(measured: float, unit: str, interval: tuple[float, float]) -> Iterator[_Value]:
    for value in (measured, *interval):
        yield from _with_percent(value, unit, bare=value != measured)


def _place_values(statement: Statement, case: Case) -> Iterator[_Value]:
    """Yield slices of labelled voxels as people count them, from 1, and their numbers.

    Numbers are that of the slices, and of those of the whole volume.
    """
    for item in evidence_of(statement, ExtentEvidence):
        volume = case.study.volume(item.extent.volume_sha256)
        numbers = [*(index + 1 for index in item.extent.slices), item.extent.slice_count]
        for number in [*numbers, *([volume.shape_zyx[0]] if volume else [])]:
            yield _Value(value=number, unit="", bare=True)


def _with_percent(value: float, unit: str, *, bare: bool) -> Iterator[_Value]:
    yield _Value(value=value, unit=unit, bare=bare or unit == "1")
    if unit == "1":
        yield _Value(value=value * 100, unit="%", bare=False)


def _fact_values(fact: Fact) -> Iterator[_Value]:
    if isinstance(fact.value, Quantity):
        yield _Value(
            value=fact.value.value, unit=fact.value.unit, bare=fact.value.unit in ("", "1")
        )
        for bound in (fact.value.low, fact.value.high):
            if bound is not None:
                yield _Value(value=bound, unit=fact.value.unit, bare=True)
    for words in fact_words(fact):  # "cough for three weeks", said in other words
        for number in numbers_named(_counted(words)):
            yield _Value(value=number.value, unit=number.unit, bare=not number.unit)


def _counted(text: str) -> str:
    """Write durations in words as numbers: "two weeks" as "2 weeks"."""
    return _DURATION.sub(lambda match: str(_NUMBERS.index(match.group().casefold())), text)


def _number_problems(number: Number, values: list[_Value]) -> Iterator[str]:
    close = [v for v in values if number.stands_for(v.value)]
    if not close:
        yield f"{number.text} is no number of the evidence"
    elif not any(_unit_agrees(number.unit, v) for v in close):
        yield f"{number.text} stands with {number.unit!r}, the evidence has {close[0].unit!r}"


def _unit_agrees(written: str, value: _Value) -> bool:
    """Tell whether a unit is the evidence's; a plain word after a number is not a unit."""
    if written in _forms(value.unit):
        return True
    return value.bare and not _A_UNIT.match(written) and written not in _LENGTHS


def _forms(unit: str) -> tuple[str, ...]:
    return _WRITTEN.get(unit, (unit, clean(unit), unit.strip("{}[]"), unit_words(unit)))


def _date_problems(dates: tuple[str, ...], facts: list[Fact]) -> Iterator[str]:
    known = [str(f.when) for f in facts if f.when is not None]
    for day in dates:
        if not any(k.startswith(day) for k in known):
            yield f"{day} is no date of the evidence"


def _length_problems(
    numbers: tuple[Number, ...], statement: Statement, case: Case
) -> Iterator[str]:
    lengths = [n for n in numbers if n.unit in _LENGTHS]
    extents = [e.extent for e in evidence_of(statement, ExtentEvidence)]
    named = {extent.volume_sha256 for extent in extents}
    volumes = [v for v in case.study.volumes if v.sha256 in named] or case.study.volumes
    if lengths and any(v.spacing_yx_mm is None and v.affine_lps_mm is None for v in volumes):
        yield "a size is stated although the image does not state its pixel spacing"

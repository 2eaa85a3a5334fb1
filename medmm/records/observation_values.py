"""Values of observations: UCUM quantities with reference ranges, and values in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from medmm.domain.record import Coding, Fact, Quantity
from medmm.presentation.value_words import digits
from medmm.records.analytes import name_doubts, substance_of, takes_no_unit, value_doubts
from medmm.records.fhir_access import code_of, exact_digits, items, label, number, text_of
from medmm.records.units import convert, known_unit, unit_of

UCUM = "http://unitsofmeasure.org"
COMPARATORS = ("<", "<=", ">=", ">")
NO_UNIT = "no unit"
Resource = dict[str, Any]
Bounds = tuple[Quantity | None, Quantity | None]


def valued(resource: Resource, fact: Fact) -> Fact:
    """Return the fact with the value of an observation or of one of its components."""
    names = [name for name in resource if name.startswith("value")]
    marks = [*fact.marks, *name_doubts(fact.codings, fact.label)]
    details = list(fact.details)
    value: Quantity | str | None = None
    if len(names) > 1:
        marks.append("two values: none was read")
    elif "valueQuantity" in resource:
        value, doubts, unit_as_written = quantity(resource["valueQuantity"])
        marks += [d for d in doubts if d != NO_UNIT or not takes_no_unit(fact.codings)]
        details += [f"unit as written: {unit_as_written}"] if unit_as_written else []
        if value is not None:
            value, range_doubts, range_details = _with_range(value, resource, fact.codings)
            marks += [*range_doubts, *value_doubts(fact.codings, value)]
            details += range_details
    elif names:
        value = _worded(resource[names[0]])
        if value is None:
            marks.append("a value of this type is not read")
    elif not marks:
        marks.append(label(resource.get("dataAbsentReason")) or "no value")
    if names and resource.get("dataAbsentReason"):  # obs-6: only one of the two may be there
        reason = label(resource["dataAbsentReason"]) or "no reason given"
        marks.append(f"a value beside the statement that there is none: {reason}")
    return replace(fact, value=value, marks=tuple(dict.fromkeys(marks)), details=tuple(details))


def quantity(value: Any) -> tuple[Quantity | None, tuple[str, ...], str | None]:
    """Read a FHIR Quantity with its unit as UCUM.

    Returns: it, marks if it should be doubted, and the unit as written if that is another.
    """
    if not isinstance(value, dict):
        return None, ("value is no number",), None
    found = number(value.get("value"))
    if found is None:
        return None, ("value is no number",), None
    unit, marks = _unit(value)
    comparator = text_of(value.get("comparator"))
    if comparator is not None and comparator not in COMPARATORS:
        marks = (*marks, "unknown comparator")
    words = text_of(value.get("unit")) or text_of(value.get("code"))
    read = Quantity(
        value=found, unit=unit, comparator=comparator, written=exact_digits(value.get("value"))
    )
    return read, marks, words if words and words.casefold() != unit.casefold() else None


def quantity_text(value: Quantity) -> str:
    """Write a value with comparator and UCUM unit, all digits and no exponent."""
    return f"{value.comparator or ''}{value.written or digits(value.value)} {value.unit}".strip()


def _unit(value: Resource) -> tuple[str, tuple[str, ...]]:
    """Return the unit of a Quantity as UCUM: its code, else its words, else as written.

    The code counts if the system is UCUM or none.
    """
    words, code, system = (
        text_of(value.get("unit")),
        text_of(value.get("code")),
        value.get("system"),
    )
    if not (words or code):
        return "", (NO_UNIT,)
    coded = known_unit(code) if code and system in (UCUM, None) else None
    worded = known_unit(words) if words else None
    if coded is None:
        return (worded, ()) if worded else (words or code or "", ("unit not understood",))
    if worded is not None and not _same(coded, worded):
        return coded, (f"unit and its code disagree: {words} and {code}",)
    return coded, () if worded or not words else (f"unit in words: {words}",)


def _same(one: str, other: str) -> bool:
    first, second = unit_of(one), unit_of(other)
    if first is None or second is None:
        return False
    return first.dimension == second.dimension and math.isclose(
        first.factor, second.factor, rel_tol=1e-6
    )


def _worded(value: Any) -> str | None:
    """Put a value that is not a quantity in words: code, text, boolean, range, ratio, period."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return exact_digits(value) or digits(value)
    if isinstance(value, dict) and "numerator" in value:
        return _joined(value, ("numerator", "denominator"), " : ")
    if isinstance(value, dict) and ("low" in value or "high" in value):
        return _joined(value, ("low", "high"), " to ")
    if isinstance(value, dict) and ("start" in value or "end" in value):
        return " to ".join(text_of(value.get(part)) or "…" for part in ("start", "end"))
    return text_of(value) or label(value)


def _joined(value: Resource, parts: tuple[str, str], between: str) -> str | None:
    found = [quantity(value.get(part))[0] for part in parts]
    if not any(found):
        return None
    return between.join(quantity_text(q) if q else "…" for q in found)


def _with_range(
    value: Quantity, resource: Resource, codings: Sequence[Coding]
) -> tuple[Quantity, list[str], list[str]]:
    """Return the value with its normal range in its own unit, and marks.

    Several normal ranges are for several kinds of patient: none is chosen. Other ranges (critical,
    treatment) are not normal. Source: FHIR R4 Observation.referenceRange.

    Returns: also the range as written, if that is in another unit.
    """
    normal = []
    for reference in items(resource.get("referenceRange")):
        if code_of(reference.get("type")) in (None, "normal"):
            bounds = quantity(reference.get("low"))[0], quantity(reference.get("high"))[0]
            if any(bounds) and bounds not in normal:
                normal.append(bounds)
    if not normal:
        return value, [], []
    if len(normal) > 1:
        return value, ["several reference ranges: none was chosen"], []
    return _converted(value, normal[0], codings)


def _converted(
    value: Quantity, bounds: Bounds, codings: Sequence[Coding]
) -> tuple[Quantity, list[str], list[str]]:
    numbers: list[float | None] = []
    for bound in bounds:
        unit = bound.unit or value.unit if bound else value.unit
        own = convert(bound.value, unit, value.unit, substance_of(codings)) if bound else None
        if bound and (own is None or not math.isfinite(own)):
            return value, ["reference range in another unit"], []
        numbers.append(None if own is None else float(f"{own:.10g}"))
    low, high = numbers
    if low is not None and high is not None and low > high:
        return value, ["reference range reversed"], []
    foreign = any(bound and bound.unit not in ("", value.unit) for bound in bounds)
    details = [f"range as written: {range_words(bounds)}"] if foreign else []
    return replace(value, low=low, high=high), [], details


def range_words(bounds: Bounds) -> str:
    """Write a range in its own units."""
    parts = zip(("from", "to"), bounds, strict=True)
    return " ".join(f"{word} {quantity_text(bound)}" for word, bound in parts if bound)

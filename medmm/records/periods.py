"""When a fact began and ended, as the first and last moment that it can mean.

These are dates, periods and ages of FHIR R4.

A coarse date is a span: what counts as known must have come by its last moment, what counts as not
yet over must not have ended at its first. Source: FHIR R4 datatypes Period, Age, Range and Timing;
Condition.onset[x] and abatement[x].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from medmm.records.fhir_access import at, earliest, items, moment, text_of
from medmm.records.observation_values import quantity, quantity_text
from medmm.records.resources import AGES, DATES

Resource = dict[str, Any]
Moment = datetime | date
DAYS_PER = {"a": 365.25, "mo": 365.25 / 12, "wk": 7.0, "d": 1.0}
BEGINS = {
    "Condition": "onset",
    "AllergyIntolerance": "onset",
    "MedicationStatement": "effective",
}
DOSAGES = {"MedicationStatement": "dosage", "MedicationRequest": "dosageInstruction"}
REVERSED = "a period that ends before it begins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The first and the last moment that a stated time can mean."""

    first: Moment
    last: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Dating:
    """What dates one resource.

    Attributes:
        known: everything that must have come for it to be known, each as its last moment.
        marks: where a date is coarse, wrong or contradicts another.
        ended: when it ceased to hold, if it says so.
        ended_sometime: whether it says that it ended, but not when.
    """

    known: tuple[Moment, ...] = ()
    marks: tuple[str, ...] = ()
    ended: Span | None = None
    ended_sometime: bool = False


def dating_of(resource: Resource, kind: str, born: date | None) -> Dating:
    """Return what dates a resource; ages count from a birth date that is whole."""
    read = [moment(value) for path in DATES[kind] for value in at(resource, path)]
    known = [when for when, _ in read if when is not None]
    marks = [mark for _, mark in read if mark is not None]
    for stem in AGES.get(kind, ()):
        span = _span(resource, stem, born)
        if span is not None and span.last not in known and _of_age(resource, stem):
            known.append(span.last)
    began, ended = _span(resource, BEGINS.get(kind, ""), born), _end(resource, kind, born)
    if began and ended and day_of(ended.last) < day_of(began.first):
        marks.append(REVERSED)
    return Dating(
        known=tuple(known),
        marks=tuple(dict.fromkeys(marks)),
        ended=ended,
        ended_sometime=ended is None and kind == "Condition" and _abated(resource),
    )


def span_of(value: Any) -> Span | None:
    """Parse a FHIR dateTime as a span; return None if it is not one."""
    first, last = earliest(value), moment(value)[0]
    return Span(first=first, last=last) if first is not None and last is not None else None


def day_of(when: Moment) -> date:
    """Return the calendar day of a moment as it is written."""
    return when.date() if isinstance(when, datetime) else when


def sort_key(when: Moment) -> tuple[str, str]:
    """Order mixed dates and times for show: by day as written, whole days after times."""
    if isinstance(when, datetime):
        return when.date().isoformat(), when.time().isoformat()
    return when.isoformat(), time.max.isoformat()


def time_words(value: Any) -> str | None:
    """Put a time of any of FHIR's types in words: date, age, period, range, text."""
    if isinstance(value, dict) and "value" in value:
        found = quantity(value)[0]
        return f"at {quantity_text(found)}" if found else None
    if isinstance(value, dict) and ("low" in value or "high" in value):
        bounds = [quantity(value.get(part))[0] for part in ("low", "high")]
        return "at " + " to ".join(quantity_text(b) if b else "…" for b in bounds)
    if isinstance(value, dict):
        parts = [text_of(value.get(part)) for part in ("start", "end")]
        return " to ".join(part or "…" for part in parts) if any(parts) else None
    return text_of(value)


def _span(resource: Resource, stem: str, born: date | None) -> Span | None:
    """Return a choice element as a span: its date, start of period, age or range of ages."""
    if not stem:
        return None
    for value in (resource.get(f"{stem}DateTime"), next(at(resource, f"{stem}Period.start"), None)):
        if (found := span_of(value)) is not None:
            return found
    low = resource.get(f"{stem}Age") or next(at(resource, f"{stem}Range.low"), None)
    high = resource.get(f"{stem}Age") or next(at(resource, f"{stem}Range.high"), None) or low
    return _ages(low or high, high, born)


def _of_age(resource: Resource, stem: str) -> bool:
    return bool(resource.get(f"{stem}Age") or resource.get(f"{stem}Range"))


def _ages(low: Any, high: Any, born: date | None) -> Span | None:
    """Return the span from the first day of one age to the last day of another.

    Who is 40 years old is not yet 41.
    """
    first, last = _days(low), _days(high)
    if born is None or first is None or last is None:
        return None
    try:
        return Span(
            first=born + timedelta(days=math.floor(first[0])),
            last=born + timedelta(days=math.ceil(sum(last))),
        )
    except OverflowError:
        return None


def _days(age: Any) -> tuple[float, float] | None:
    """Return an age in days, and the days of one of its units.

    Returns: None with "<" or ">", which leave an end open.
    """
    found = quantity(age)[0]
    if (
        found is None
        or found.comparator is not None
        or found.unit not in DAYS_PER
        or found.value < 0
    ):
        return None
    return found.value * DAYS_PER[found.unit], DAYS_PER[found.unit]


def _end(resource: Resource, kind: str, born: date | None) -> Span | None:
    """Return when a condition ended, or the time of a medicine was over."""
    if kind == "Condition":
        last = span_of(next(at(resource, "abatementPeriod.end"), None))
        first = _span(resource, "abatement", born) or last
        return Span(first=first.first, last=(last or first).last) if first else None
    if kind in DOSAGES:
        period = (
            span_of(next(at(resource, "effectivePeriod.end"), None))
            if kind == "MedicationStatement"
            else None
        )
        return period or _end_of_doses(resource, kind)
    return None


def _end_of_doses(resource: Resource, kind: str) -> Span | None:
    """Return the end of the last of all dosages, if each has one.

    Source: Timing.repeat.boundsPeriod and boundsDuration.
    """
    starts = [span_of(value) for path in DATES[kind] for value in at(resource, path)]
    start = next((span for span in starts if span is not None), None)
    ends = []
    for dosage in items(resource.get(DOSAGES[kind])):
        end = span_of(next(at(dosage, "timing.repeat.boundsPeriod.end"), None)) or _after(
            start, next(at(dosage, "timing.repeat.boundsDuration"), None)
        )
        if end is None:
            return None
        ends.append(end)
    return max(ends, key=lambda span: sort_key(span.last), default=None)


def _after(start: Span | None, duration: Any) -> Span | None:
    found = _days(duration)
    if start is None or found is None:
        return None
    try:
        days = timedelta(days=math.ceil(found[0]))
        return Span(first=day_of(start.first) + days, last=day_of(start.last) + days)
    except OverflowError:
        return None


def _abated(resource: Resource) -> bool:
    """Tell whether a condition has any abatement: words, an undatable age, a flag (DSTU2).

    An age can't be dated without a birth date.
    """
    return any(bool(value) for name, value in resource.items() if name.startswith("abatement"))

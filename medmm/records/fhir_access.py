"""Elements of FHIR R4 resources, read tolerantly: odd shapes are absent, never guessed."""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, DecimalException
from typing import Any

from medmm.domain.record import Coding
from medmm.records.json_parser import JsonNumber

LONGEST_TEXT = 300
MOST_DIGITS = 60  # before or after the point; no measured value has as many
DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?"
)


def text_of(value: Any) -> str | None:
    """Return a string without control and invisible characters, cut to a bounded length.

    Returns: None for anything else.
    """
    if not isinstance(value, str):
        return None
    visible = "".join(
        c if c.isprintable() and unicodedata.category(c) != "Cf" else " "
        for c in value[: 4 * LONGEST_TEXT]
    )
    words = " ".join(visible.split())
    return (words[:LONGEST_TEXT] + " …" if len(words) > LONGEST_TEXT else words) or None


def items(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, or the object itself if one stands for a list."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


def codings(concept: Any) -> tuple[Coding, ...]:
    """Return codings of a CodeableConcept that name system and code."""
    if not isinstance(concept, dict):
        return ()
    found = []
    for coding in items(concept.get("coding")):
        system, code = text_of(coding.get("system")), text_of(coding.get("code"))
        if system and code:
            found.append(Coding(system=system, code=code, display=text_of(coding.get("display"))))
    return tuple(found)


def label(concept: Any) -> str | None:
    """Return what a CodeableConcept says in words: its text, else a display, else a code."""
    if not isinstance(concept, dict):
        return None
    displays = [text_of(c.get("display")) for c in items(concept.get("coding"))]
    codes = [text_of(c.get("code")) for c in items(concept.get("coding"))]
    return next(
        (words for words in [text_of(concept.get("text")), *displays, *codes] if words), None
    )


def code_of(concept: Any) -> str | None:
    """Return the first code of a CodeableConcept, or a bare code of a release before R4."""
    if isinstance(concept, str):
        return concept
    if isinstance(concept, dict):
        return next(
            (c["code"] for c in items(concept.get("coding")) if isinstance(c.get("code"), str)),
            None,
        )
    return None


def moment(value: Any) -> tuple[datetime | date | None, str | None]:
    """Parse a FHIR dateTime; add a mark if it is coarse or wrong.

    A year or a month stands for its last day, and a time without zone for its whole day, so that a
    coarse date never brings a fact in too early. Source: FHIR R4 datatypes, section 2.24.0.1.
    """
    if value is None:
        return None, None
    if not isinstance(value, str):
        return None, "not a FHIR date"
    match = DATE_TIME.fullmatch(value)
    if match is None:
        day = re.match(r"\d{4}-\d\d-\d\d(?=T)", value)
        return (moment(day.group())[0], "time without zone") if day else (None, "not a FHIR date")
    year, month, day_of_month, clock = match.group(1, 2, 3, 4)
    try:
        if clock:
            # datetime takes no leap second and at most microseconds
            seconds = (match[5] or ":00").replace(":60", ":59")
            zone = "+00:00" if match[7] == "Z" else match[7]
            return datetime.fromisoformat(
                f"{year}-{month}-{day_of_month}T{clock}{seconds}{(match[6] or '')[:7]}{zone}"
            ), None
        if day_of_month:
            return date(int(year), int(month), int(day_of_month)), None
        last_month = int(month or 12)
        coarse = date(int(year), last_month, calendar.monthrange(int(year), last_month)[1])
        return coarse, "date known to the month" if month else "date known to the year"
    except ValueError:
        return None, "not a FHIR date"


def earliest(value: Any) -> datetime | date | None:
    """Return the first moment that a FHIR dateTime can mean; None if it is not one.

    Of a year or a month it is the first day.
    """
    latest, mark = moment(value)
    if latest is None or mark is None or not isinstance(value, str):
        return latest
    year, month = latest.year, latest.month
    if len(value) == len("YYYY"):
        return date(year, 1, 1)
    return date(year, month, 1) if len(value) == len("YYYY-MM") else latest


def number(value: Any) -> float | None:
    """Return a finite JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def exact_digits(value: Any) -> str | None:
    """Return a JSON number as it stands, without exponent, if a float loses digits.

    Returns: None if a float holds them all.
    """
    found = number(value)
    if found is None:
        return None
    try:
        exact = Decimal(value.text if isinstance(value, JsonNumber) else str(value))
        lost = exact != Decimal(float.__repr__(found))
    except DecimalException:
        return None
    too_long = max(exact.adjusted(), -int(exact.as_tuple().exponent)) > MOST_DIGITS
    return format(exact, "f") if lost and not too_long else None


def at(resource: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a path of element names, through objects and lists."""
    found = [resource]
    for name in path.split("."):
        found = [item[name] for value in found for item in items(value) if name in item]
    for value in found:
        yield from value if isinstance(value, list) else [value]


def words_at(resource: Any, path: str) -> list[str]:
    """Return the texts and labels at a path, each once."""
    return list(
        dict.fromkeys(
            words for value in at(resource, path) if (words := text_of(value) or label(value))
        )
    )

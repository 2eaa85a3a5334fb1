"""The numbers and dates that words state."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from medmm.language.patterns import blank


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as written, and the unit right after it ("" if there is none)."""

    text: str
    unit: str

    @property
    def value(self) -> float:
        """The number's value."""
        return float(self.text)

    def stands_for(self, value: float) -> bool:
        """Tell whether this is `value` rounded as written: within 10 % or 0.005.

        A value may not be rounded away.
        """
        decimals = len(self.text.partition(".")[2])
        rounding = 0.5 * 10.0**-decimals * (1 + 1e-9)
        return abs(self.value - value) <= min(rounding, max(0.1 * abs(value), 0.005))


_DATE = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")

_LEVEL = re.compile(r"\b95\s?%(?=\s*(?:confidence\s+)?interval)", re.IGNORECASE)

_DIGITS = r"(?<![\w.])(?<![A-Za-z]-)[-+−]?(?P<number>\d+(?:\.\d+)?)(?![\d.]*\d)"

_UNIT = r"%|[A-Za-zµμ\[{°][\w/%.\[\]{}*^µμ°]*"


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|(?-i:May|MAY)|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?P<year>(?:19|20)\d{2})(?![\d.]*\d)"
_WRITTEN_DATES = (
    re.compile(r"(?<!\d)(?P<year>\d{4})[-/.](?P<number>\d{2})(?:[-/.](?P<day>\d{2}))?(?!\d)"),
    re.compile(r"(?<![\d./-])\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})(?![\d./-]*\d)"),
    re.compile(r"(?<![\d./-])\d{1,2}[./](?:19|20)\d{2}(?!\d)"),
    re.compile(
        rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?:of\s+)?)?{_MONTH}[\s,-]+(?:of\s+)?{_YEAR}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:[\s,]+{_YEAR})?(?![\d.]*\d)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?!may\s+\w)(?!mar\b){_MONTH}\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?:in|since|of|from|until|by|last)\s+(?!may\b){_MONTH}(?!\w)", re.IGNORECASE),
    re.compile(rf"(?<![\w.,]){_YEAR}(?!\s?(?:m[lmg]|c[mc]|g|HU|x|%)\b|\s?%)", re.IGNORECASE),
)


def dates_named(text: str) -> tuple[str, ...]:
    """Return the dates of a text in ISO 8601; as written if one is ambiguous.

    A date with numbers alone ("03/04/2021") is ambiguous, and so is one without a year.
    """
    found: dict[tuple[int, int], str] = {}
    for pattern in _WRITTEN_DATES:
        for match in pattern.finditer(text):
            if not any(a < match.end() and match.start() < b for a, b in found):
                found[match.span()] = _iso(match)
    return tuple(found[span] for span in sorted(found))


def without_dates(text: str) -> str:
    """Blank the dates of a text, so that their numbers are none of it."""
    for pattern in _WRITTEN_DATES:
        text = pattern.sub(blank, text)
    return text


def _iso(match: re.Match[str]) -> str:
    parts = match.groupdict()
    year, month, day = parts.get("year"), parts.get("month"), parts.get("day")
    if year is None:
        return match.group().strip()
    number = parts.get("number") or (month and f"{_MONTHS.index(month[:3].casefold()) + 1:02d}")
    if not number:
        return year
    return f"{year}-{number}" + (f"-{int(day):02d}" if day else "")


def numbers_named(text: str, units: Iterable[str] = ()) -> tuple[Number, ...]:
    """Return the numbers of a text with the word that follows each.

    Dates and "95 % interval" are not numbers.

    `units` are units to know as they are written, for those that start with a digit ("10*3/uL").
    """
    known = "|".join(re.escape(unit) for unit in sorted(filter(None, units), key=len, reverse=True))
    unit = f"(?:{known})(?!\\w)|{_UNIT}" if known else _UNIT
    pattern = re.compile(rf"{_DIGITS}(?:\s?(?P<unit>{unit})|(?!\w))")
    found = []
    for match in pattern.finditer(_LEVEL.sub(blank, _DATE.sub(blank, text))):
        sign = "-" if match.group().startswith(("-", "−")) else ""
        found.append(Number(text=sign + match["number"], unit=(match["unit"] or "").rstrip(".,;:")))
    return tuple(found)

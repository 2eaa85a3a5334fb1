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


def dates_named(text: str) -> tuple[str, ...]:
    """Return dates written as YYYY-MM or YYYY-MM-DD."""
    return tuple(_DATE.findall(text))


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

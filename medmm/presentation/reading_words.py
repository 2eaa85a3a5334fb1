"""What stands beside a statement: how often such a claim is right, and its checks.

Beside them the course of a value of the record.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files

from medmm.domain.draft import Outcome, Verdict
from medmm.domain.errors import InputError, needed
from medmm.domain.plain_text import clean
from medmm.domain.promise import Promise
from medmm.domain.record import Fact, FactStatus, Quantity
from medmm.presentation.value_words import digits, quantity_words, unit_words

ALL_BUT_FEW, ONE_OF_TEN = 0.95, 0.1
ROUNDING = 1e-9  # of a share that is a whole number of tenths but for its last bit


def natural_frequency(promise: Promise | None, prevalence: float | None, what: str) -> str:
    """Say how often a claim is right at least, as people read it rightly: 4 of 10.

    It is rounded down, since it is a limit. Source: Gigerenzer and Hoffrage, Psychol Rev
    1995;102:684-704, on frequencies in place of percentages.

    Args:
        prevalence: of the finding where it is read, 0 to 1; None: not known.
        what: what is counted, in the plural ("films").

    Returns: "" if nothing is promised, or the prevalence is not known.
    """
    if promise is None or prevalence is None:
        return ""
    right = promise.right_at(prevalence)
    if right <= 0:
        return ""
    if right >= ALL_BUT_FEW:
        return f"right in at least {math.floor(right * 100 + ROUNDING)} of 100 {what} like this"
    if right < ONE_OF_TEN:
        return f"right in at least 1 of {math.ceil(1 / right - ROUNDING)} {what} like this"
    return f"right in at least about {math.floor(right * 10 + ROUNDING)} of 10 {what} like this"


@cache
def _verdict_table() -> dict[str, tuple[str, str]]:
    """Read by check what is said where it passed and where it failed."""
    text = files("medmm.presentation").joinpath("verdict_words.csv").read_text(encoding="utf-8")
    return {
        row["check"]: (row["passed"], row["failed"]) for row in csv.DictReader(text.splitlines())
    }


def verdict_words(verdict: Verdict) -> str:
    """Say a verdict in words instead of a code; "" of a check that does not apply.

    Of one that failed its reason follows.
    """
    passed, failed = _verdict_table().get(
        verdict.check, (f"check {verdict.check} passed", f"check {verdict.check} failed")
    )
    if verdict.outcome is Outcome.PASSED:
        return passed
    return f"{failed}: {clean(verdict.reason)}" if verdict.outcome is Outcome.FAILED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One value of the record, with its time and its range."""

    when: datetime | date
    value: float
    words: str
    outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The course of one value of the record, oldest first, all in one unit.

    Attributes:
        usual: the range that the newest source states as normal; "" if it states none.
        left_out: how many values are in another unit or of unknown time.
    """

    label: str
    unit: str
    points: tuple[TrendPoint, ...]
    usual: str
    left_out: int


def trend(facts: Iterable[Fact], label: str) -> Trend | None:
    """Gather the course of a value by its label; None if there is no number with a time.

    Values are taken as they are stated: none is converted, and what is entered in error, refuted or
    under another code than the newest one is left out.
    """
    told = [fact for fact in facts if fact.label == label and isinstance(fact.value, Quantity)]
    dated = [fact for fact in told if fact.when is not None and fact.status is FactStatus.ACTIVE]
    if not dated:
        return None
    last = max(dated, key=_moment)
    newest = _number(last)
    alike = [
        fact
        for fact in sorted(dated, key=_moment)
        if _number(fact).unit == newest.unit and fact.codings == last.codings
    ]
    return Trend(
        label=clean(label),
        unit=unit_words(newest.unit),
        points=tuple(_point(fact) for fact in alike),
        usual=_usual(newest),
        left_out=len(told) - len(alike),
    )


def trend_words(course: Trend) -> str:
    """Say the course of a value: each with its day and whether it lies outside, and the range."""
    values = (
        f"{point.words} ({point.when.isoformat()[:10]}{', outside' if point.outside else ''})"
        for point in course.points
    )
    usual = f" Usual: {course.usual} {course.unit}." if course.usual else ""
    left = (
        f" Values in other units or without a time, left out: {course.left_out}."
        if course.left_out
        else ""
    )
    return f"{course.label}: {'; '.join(values)}.{usual}{left}"


def _number(fact: Fact) -> Quantity:
    if not isinstance(fact.value, Quantity):
        raise InputError("a fact without a number has no course", remedy="take facts with numbers")
    return fact.value


def _moment(fact: Fact) -> tuple[str, str]:
    """Sort by day, then by the moment within it: times of one day may state no zone."""
    when = fact.when
    day = when.date() if isinstance(when, datetime) else when
    return (day.isoformat() if day else "", when.isoformat() if when else "")


def _point(fact: Fact) -> TrendPoint:
    value = _number(fact)
    low, high = value.low, value.high
    return TrendPoint(
        when=needed(fact.when, "the time of a value"),
        value=value.value,
        words=quantity_words(value),
        outside=(low is not None and value.value < low)
        or (high is not None and value.value > high),
    )


def _usual(value: Quantity) -> str:
    low, high = (None if end is None else digits(end) for end in (value.low, value.high))
    if low is not None and high is not None:
        return f"{low} to {high}"
    if high is not None:
        return f"up to {high}"
    return f"from {low}" if low is not None else ""

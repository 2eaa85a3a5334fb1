"""A record as numbers for the language model: one row a coded fact. Loads without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.record import ClinicalContext, Fact, FactKind, FactStatus, Quantity

MOST_FACTS = 48
# A value farther from its range than this says no more, and a typing error says nothing
Z_LIMIT = 8.0
RANGE_IN_SD = 4.0  # a reference range holds 95 % of the healthy: four standard deviations
AGE_MEAN_YEARS, AGE_SPREAD_YEARS = 50.0, 20.0  # an age has no reference range
UNDATED = "undated"  # the one mark that casts no doubt on the fact itself
PADDING, FIRST_KIND = 0, 1
KINDS = tuple(FactKind)
STATUSES = tuple(FactStatus)
ID_COLUMNS = ("code", "unit", "status")
VALUE_COLUMNS = ("z", "has_z", "log_days_before_study", "has_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTokens:
    """Facts as rows and what was left out and why.

    Attributes:
        ids: (facts, 3) integers: code, unit, status; 0 is padding.
        values: (facts, 4) float32: z-scored value and whether there is one, log1p of days before
            the study and whether known.
        fact_ids: the facts' ids, row by row.
        left_out: reason -> number of facts.
    """

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    fact_ids: tuple[str, ...]
    left_out: dict[str, int]


def code_key(system: str, code: str) -> str:
    """Name a code as a model's configuration does."""
    return f"{system}|{code}"


def code_rows(codes: Sequence[str]) -> int:
    """Count the code embedding's rows: padding, unknown codes of each kind, known codes."""
    return FIRST_KIND + len(KINDS) + len(codes)


def record_tokens(
    context: ClinicalContext | None,
    codes: Sequence[str],
    units: Sequence[str],
    *,
    most: int = MOST_FACTS,
) -> RecordTokens:
    """Return the facts of a record as at most `most` tokens.

    Earlier reports, doubtful and withdrawn entries are left out, and nothing dated after the study
    enters, whatever the record holds. Free text never enters. A fact is its code, its value
    z-scored on the range that its source gives, its unit, its status and the days before the study.

    Args:
        context: None is an empty record.
        codes, units: those with an embedding of their own; any other code enters by its kind alone.
        most: if there are more, known codes come first, then the newest.
    """
    facts, as_of = (context.facts, context.as_of) if context else ((), None)
    left_out: dict[str, int] = {}
    usable = [f for f in facts if _usable(f, as_of, left_out)]
    code_at, unit_at = _places(tuple(codes)), _places(tuple(units))
    known = FIRST_KIND + len(KINDS)
    usable.sort(
        key=lambda f: (
            f.kind is not FactKind.DEMOGRAPHIC,
            _code(f, code_at) < known,
            -_ordinal(f.when),
            f.id,
        )
    )
    if len(usable) > most:
        left_out[f"beyond the {most} that are read: known codes first, then the newest"] = (
            len(usable) - most
        )
        usable = usable[:most]
    ids = [[_code(f, code_at), _unit(f, unit_at), STATUSES.index(f.status) + 1] for f in usable]
    values = [[*_z(f), *_days(f.when, as_of)] for f in usable]
    return RecordTokens(
        ids=np.asarray(ids, dtype=np.int64).reshape(-1, len(ID_COLUMNS)),
        values=np.asarray(values, dtype=np.float32).reshape(-1, len(VALUE_COLUMNS)),
        fact_ids=tuple(f.id for f in usable),
        left_out=left_out,
    )


def _usable(fact: Fact, as_of: datetime | None, left_out: dict[str, int]) -> bool:
    reason = None
    if fact.status is FactStatus.ENTERED_IN_ERROR:
        reason = "entered in error"
    elif fact.kind is FactKind.PRIOR_REPORT:
        reason = "earlier report: its text is not read"
    elif set(fact.marks) - {UNDATED}:
        reason = "marked as doubtful"
    elif _after(fact.when, as_of):
        reason = "dated after the study"
    if reason:
        left_out[reason] = left_out.get(reason, 0) + 1
    return reason is None


def _after(when: datetime | date | None, as_of: datetime | None) -> bool:
    if when is None or as_of is None:
        return False
    if isinstance(when, datetime) and (when.tzinfo is None) == (as_of.tzinfo is None):
        return when > as_of
    return when.toordinal() > as_of.toordinal()


@cache
def _places(keys: tuple[str, ...]) -> dict[str, int]:
    return {key: place for place, key in enumerate(keys)}


def _code(fact: Fact, code_at: dict[str, int]) -> int:
    keys = [code_key(c.system, c.code) for c in fact.codings]
    if isinstance(fact.value, str) and fact.kind is FactKind.DEMOGRAPHIC:
        keys.append(code_key(fact.label.casefold(), fact.value.casefold()))
    for key in keys:
        if key in code_at:
            return FIRST_KIND + len(KINDS) + code_at[key]
    return FIRST_KIND + KINDS.index(fact.kind)


def _unit(fact: Fact, unit_at: dict[str, int]) -> int:
    """Return 0 without a unit, 1 for a unit that is not known, then the known ones."""
    if not isinstance(fact.value, Quantity):
        return 0
    return unit_at.get(fact.value.unit, -1) + 2


def _z(fact: Fact) -> tuple[float, float]:
    value = fact.value
    if (
        not isinstance(value, Quantity)
        or value.comparator is not None
        or not math.isfinite(value.value)
    ):
        return 0.0, 0.0
    if fact.kind is FactKind.DEMOGRAPHIC and value.unit == "a":
        mean, spread = AGE_MEAN_YEARS, AGE_SPREAD_YEARS
    elif value.low is not None and value.high is not None:
        mean, spread = (value.low + value.high) / 2, (value.high - value.low) / RANGE_IN_SD
    else:
        return 0.0, 0.0
    if not (math.isfinite(mean) and math.isfinite(spread) and spread > 0):
        return 0.0, 0.0
    return max(-Z_LIMIT, min(Z_LIMIT, (value.value - mean) / spread)), 1.0


def _days(when: datetime | date | None, as_of: datetime | None) -> tuple[float, float]:
    if when is None or as_of is None:
        return 0.0, 0.0
    return math.log1p(max(0, as_of.toordinal() - when.toordinal())), 1.0


def _ordinal(when: datetime | date | None) -> int:
    return when.toordinal() if when else 0


def stacked(rows: Iterable[RecordTokens]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pad records of several cases to one length: ids (b, n, 3) and values (b, n, 4).

    Raises: InputError if a value is not finite.
    """
    rows = list(rows)
    most = max((len(r.ids) for r in rows), default=0)
    ids = np.zeros((len(rows), most, len(ID_COLUMNS)), dtype=np.int64)
    values = np.zeros((len(rows), most, len(VALUE_COLUMNS)), dtype=np.float32)
    for place, row in enumerate(rows):
        if not np.isfinite(row.values).all():
            raise InputError(
                "a record holds values that are not numbers", remedy="check the values of its facts"
            )
        ids[place, : len(row.ids)], values[place, : len(row.ids)] = row.ids, row.values
    return ids, values

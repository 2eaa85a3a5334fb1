"""Measurements as numbers for the language model, a row each; loads without torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.measurement_formulas import ASYMMETRY
from medmm.domain.reading import Measurement, Side
from medmm.domain.vocabulary import measurement_terms

# A factor of 400 from the typical value: farther off says no more, and zero has no logarithm
LOG_LIMIT = 6.0
WIDEST = 2.0  # half-width over value: a wider interval says no more
SIDES = tuple(Side)
ID_COLUMNS = ("measurement", "side")
VALUE_COLUMNS = ("log_ratio", "relative_half_width")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementTokens:
    """Measurements as rows and what was left out and why.

    Attributes:
        ids: (measurements, 2) integers: which quantity, counted from 1, and side (0 if none is
            known); 0 is padding.
        values: (measurements, 2) float32: natural logarithm of value over typical value; half of
            the interval over the value.
        left_out: reason -> number of measurements.
    """

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    left_out: dict[str, int]


def measurement_tokens(
    measurements: Iterable[Measurement], typical: Mapping[str, float]
) -> MeasurementTokens:
    """Return the measurements of a reading as tokens, ordered by name and side.

    Args:
        typical: name of a quantity -> its typical value in the vocabulary's unit (`measurements` of
            a configuration).
    Raises: InputError for another unit than the vocabulary's, or a value that is not a number.
    """
    places = {name: place for place, name in enumerate(sorted(typical), start=1)}
    rows: list[tuple[tuple[int, int], tuple[float, float]]] = []
    left_out: dict[str, int] = {}
    for one in measurements:
        if one.name in places:
            rows.append(((places[one.name], _side(one.side)), _values(one, typical[one.name])))
        else:
            reason = "a quantity that this model does not know"
            left_out[reason] = left_out.get(reason, 0) + 1
    rows.sort()
    return MeasurementTokens(
        ids=np.asarray([ids for ids, _ in rows], dtype=np.int64).reshape(-1, len(ID_COLUMNS)),
        values=np.asarray([values for _, values in rows], dtype=np.float32).reshape(
            -1, len(VALUE_COLUMNS)
        ),
        left_out=left_out,
    )


def typical_values(measurements: Iterable[Measurement]) -> dict[str, float]:
    """Compute the median of each quantity among the measurements of training cases.

    Asymmetry and what is 0 throughout is left out.
    """
    found: dict[str, list[float]] = {}
    for one in measurements:
        if one.name != ASYMMETRY and math.isfinite(one.value) and one.value > 0:
            found.setdefault(one.name, []).append(one.value)
    return {name: statistics.median(found[name]) for name in sorted(found)}


def checked_typical(typical: Mapping[str, float]) -> dict[str, float]:
    """Order typical values by name, as their rows in the embedding.

    Raises: ConfigError for a quantity that the vocabulary does not have or that can be negative, or
        a value not above 0.
    """
    for name, value in typical.items():
        if name not in measurement_terms():
            raise ConfigError(
                f"no measurement {name!r} in the vocabulary", remedy="name one of measurements.csv"
            )
        if name == ASYMMETRY:
            raise ConfigError(
                f"{ASYMMETRY} has no logarithm: it can be negative",
                remedy="give the volumes by side",
            )
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value < math.inf
        ):
            raise ConfigError(
                f"{value!r} is not a typical value of {name}",
                remedy=f"give one above 0, in {measurement_terms()[name].unit}",
            )
    return {name: float(typical[name]) for name in sorted(typical)}


def stacked(rows: Sequence[MeasurementTokens]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pad measurements of several cases to one length: ids and values, both (b, n, 2)."""
    most = max((len(row.ids) for row in rows), default=0)
    ids = np.zeros((len(rows), most, len(ID_COLUMNS)), dtype=np.int64)
    values = np.zeros((len(rows), most, len(VALUE_COLUMNS)), dtype=np.float32)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)], values[place, : len(row.ids)] = row.ids, row.values
    return ids, values


def _side(side: Side | None) -> int:
    return 0 if side is None else SIDES.index(side) + 1


def _values(one: Measurement, typical: float) -> tuple[float, float]:
    unit, (low, high) = measurement_terms()[one.name].unit, one.interval
    if one.unit != unit or not all(math.isfinite(v) for v in (one.value, low, high)):
        raise InputError(
            f"{one.name} of {one.value} ({low} to {high}) {one.unit}",
            remedy=f"give finite numbers in {unit}",
        )
    value = max(one.value, typical * math.exp(-LOG_LIMIT))
    return min(math.log(value / typical), LOG_LIMIT), min((high - low) / 2 / value, WIDEST)

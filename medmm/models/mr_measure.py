"""Measurements on labelled MR volumes, each with the interval that its errors on validation subjects bear out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from medmm.domain.reading import Extent, Measurement, Side

MYOCARDIUM_G_PER_ML = 1.05  # density of myocardium: Vinnakota and Bassingthwaighte, Am J Physiol 2004
Spread = Mapping[str, Any]


def measured(
    name: str,
    value: float,
    unit: str,
    spread: Spread,
    *,
    decimals: int = 1,
    most: float = math.inf,
    side: Side | None = None,
    extents: tuple[Extent, ...] = (),
) -> Measurement:
    """A measurement with its 95 % interval by the `calibration.json` row of its name.

    A row is {"kind": "absolute", "half_width"} in the unit, or {"kind": "relative", "half_width"} of the logarithm.
    The interval stays within 0 and `most`.
    """
    half = float(spread["half_width"])
    low, high = (
        (value * math.exp(-half), value * math.exp(half))
        if spread["kind"] == "relative"
        else (value - half, value + half)
    )
    return Measurement(
        name=name,
        value=round(value, decimals),
        unit=unit,
        interval=(_within(low, value, decimals, most, math.floor), _within(high, value, decimals, most, math.ceil)),
        side=side,
        extents=extents,
    )


def _within(bound: float, value: float, decimals: int, most: float, outward: Any) -> float:
    """A bound rounded outward, so that the interval holds the rounded value."""
    scale = 10**decimals
    return float(min(max(outward(bound * scale) / scale, 0.0), max(most, round(value, decimals))))


def ejection_fraction(end_diastolic_ml: float, end_systolic_ml: float) -> float:
    """Ejection fraction in %: 100 (EDV - ESV) / EDV."""
    return 100 * (end_diastolic_ml - end_systolic_ml) / end_diastolic_ml

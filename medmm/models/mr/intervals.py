"""Measurements on labelled MR volumes, with intervals borne out on validation subjects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from medmm.domain.reading import Extent, Measurement, Side

DECIMALS = 4  # kept of a value; how many are shown is the vocabulary's
Spread = Mapping[str, Any]


def measured(
    name: str,
    value: float,
    unit: str,
    spread: Spread,
    *,
    most: float = math.inf,
    side: Side | None = None,
    extents: tuple[Extent, ...] = (),
    model: str | None = None,
) -> Measurement:
    """Build a measurement with its 95 % interval by its row of `calibration.json`.

    A row is {"kind": "absolute", "half_width"} in the unit, or {"kind": "relative", "half_width"}
    of the logarithm. The interval stays within 0 and `most`.
    """
    half = float(spread["half_width"])
    low, high = (
        (value * math.exp(-half), value * math.exp(half))
        if spread["kind"] == "relative"
        else (value - half, value + half)
    )
    return Measurement(
        name=name,
        value=round(value, DECIMALS),
        unit=unit,
        interval=(round(max(low, 0.0), DECIMALS), round(min(high, most), DECIMALS)),
        side=side,
        extents=extents,
        model=model,
    )

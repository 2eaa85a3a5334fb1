"""Intervals of measurements: as wide as their calibration says, and within what can be."""

from __future__ import annotations

import pytest

from medmm.models.mr.intervals import measured


@pytest.mark.parametrize(
    ("spread", "interval"),
    [
        ({"kind": "absolute", "half_width": 5.0}, (35.0, 45.0)),
        ({"kind": "absolute", "half_width": 50.0}, (0.0, 60.0)),
        ({"kind": "relative", "half_width": 0.6931472}, (20.0, 60.0)),
        ({"kind": "relative", "half_width": 0.0}, (40.0, 40.0)),
    ],
)
def test_an_interval_stays_within_what_can_be(
    spread: dict[str, object], interval: tuple[float, float]
) -> None:
    found = measured("LVEF", 40.0, "%", spread, most=60.0)
    assert found.interval == pytest.approx(interval, abs=1e-3)
    assert found.value == 40.0

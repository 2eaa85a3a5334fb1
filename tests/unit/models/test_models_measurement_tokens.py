"""Measurements as tokens: on a scale of their own, with their side, in one order, and nothing that is not known."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.measurement_formulas import ASYMMETRY
from medmm.domain.reading import Measurement, Side
from medmm.domain.vocabulary import measurement_terms
from medmm.models.report_model.measurement_tokens import (
    LOG_LIMIT,
    WIDEST,
    checked_typical,
    measurement_tokens,
    typical_values,
)
from tests.tiny_multimodal import TYPICAL, measurement

HIPPOCAMPUS = "hippocampus volume"
VALUES = st.floats(0.01, 1000)
MEASUREMENTS = st.builds(
    measurement, VALUES, st.sampled_from(sorted(TYPICAL)), side=st.sampled_from([None, *Side])
)


def test_a_measurement_is_its_quantity_its_side_its_value_and_how_sure_it_is() -> None:
    found = measurement_tokens(
        [measurement(110.0), measurement(1.5, HIPPOCAMPUS, side=Side.RIGHT)], TYPICAL
    )
    assert found.ids.tolist() == [
        [1, 0],
        [3, 2],
    ]  # by name: LVEF, cardiothoracic ratio, hippocampus volume
    assert found.values == pytest.approx(
        np.array([[math.log(2), 0.1], [-math.log(2), 0.1]]), abs=1e-6
    )
    assert (found.ids.dtype, found.values.dtype, found.left_out) == (np.int64, np.float32, {})


@given(VALUES, st.floats(0.1, 10))
def test_a_factor_in_the_value_is_a_step_whatever_the_value(value: float, factor: float) -> None:
    one, other = (
        measurement_tokens([measurement(v)], TYPICAL).values[0] for v in (value, value * factor)
    )
    if max(abs(one[0]), abs(other[0])) < LOG_LIMIT - 1e-3:
        assert other[0] - one[0] == pytest.approx(math.log(factor), abs=1e-4)
        assert other[1] == pytest.approx(one[1], abs=1e-3)


@given(st.lists(MEASUREMENTS, max_size=6), st.randoms())
def test_the_order_in_which_they_were_made_says_nothing(
    measurements: list[Measurement], draw: Any
) -> None:
    shuffled = list(measurements)
    draw.shuffle(shuffled)
    one, other = (measurement_tokens(given, TYPICAL) for given in (measurements, shuffled))
    assert np.array_equal(one.ids, other.ids)
    assert np.array_equal(one.values, other.values)


@given(MEASUREMENTS)
def test_the_mirrored_patient_has_the_other_side_and_the_same_numbers(one: Measurement) -> None:
    side = one.side and one.side.mirrored
    plain = measurement_tokens([one], TYPICAL)
    mirror = measurement_tokens(
        [
            Measurement(
                name=one.name, value=one.value, unit=one.unit, interval=one.interval, side=side
            )
        ],
        TYPICAL,
    )
    assert np.array_equal(plain.values, mirror.values)
    assert plain.ids[0, 0] == mirror.ids[0, 0]
    assert mirror.ids[0, 1] == {0: 0, 1: 2, 2: 1, 3: 3}[int(plain.ids[0, 1])]


def test_sides_are_four_different_ids() -> None:
    ids = [
        int(measurement_tokens([measurement(side=side)], TYPICAL).ids[0, 1])
        for side in (None, *Side)
    ]
    assert sorted(ids) == [0, 1, 2, 3]


def test_what_a_model_does_not_know_is_left_out_and_counted() -> None:
    found = measurement_tokens(
        [measurement(), measurement(90.0, "LV mass"), measurement(80.0, "LV EDV")], TYPICAL
    )
    assert found.ids.tolist() == [[1, 0]]
    assert found.left_out == {"a quantity that this model does not know": 2}
    assert measurement_tokens([measurement()], {}).ids.shape == (0, 2)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (0.0, (0.0, 0.0), (-LOG_LIMIT, 0.0)),
        (0.0, (0.0, 5.0), (-LOG_LIMIT, WIDEST)),
        (1e6, (1e6, 1e6), (LOG_LIMIT, 0.0)),
    ],
)
def test_beyond_the_scale_is_its_end(
    value: float, interval: tuple[float, float], expected: Any
) -> None:
    found = measurement_tokens([measurement(value, interval=interval)], TYPICAL)
    assert found.values[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "1"},
        {"value": math.inf, "interval": (0.0, math.inf)},
        {"interval": (0.0, math.inf)},
    ],
)
def test_another_unit_or_no_number_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="LVEF") as caught:
        measurement_tokens([measurement(**change)], TYPICAL)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "typical",
    [
        {"height": 170.0},
        {ASYMMETRY: 5.0},
        {"LVEF": 0.0},
        {"LVEF": math.nan},
        {"LVEF": "55"},
        {"LVEF": True},
    ],
)
def test_a_scale_that_none_can_have_is_refused(typical: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_typical(typical)
    assert caught.value.remedy


def test_typical_values_are_the_medians_of_training_cases_in_the_order_of_their_names() -> None:
    given = [measurement(v) for v in (40.0, 55.0, 70.0, 0.0)] + [
        measurement(v, HIPPOCAMPUS) for v in (2.0, 4.0)
    ]
    given.append(measurement(5.0, ASYMMETRY))
    found = typical_values(given)
    assert found == {"LVEF": 55.0, HIPPOCAMPUS: 3.0}
    assert list(checked_typical(dict(reversed(found.items())))) == list(found)


@pytest.mark.parametrize("name", sorted(set(measurement_terms()) - {ASYMMETRY}))
def test_every_quantity_of_the_vocabulary_can_enter(name: str) -> None:
    found = measurement_tokens([measurement(2.0, name)], {name: 1.0})
    assert found.values[0, 0] == pytest.approx(math.log(2))


def test_rows_of_one_name_and_side_are_all_kept() -> None:
    pairs = list(itertools.product((50.0, 60.0), (None, Side.LEFT)))
    found = measurement_tokens([measurement(value, side=side) for value, side in pairs], TYPICAL)
    assert found.ids.tolist() == [[1, 0], [1, 0], [1, 1], [1, 1]]

"""Turns of arrays: there and back is nothing, and axes come closest to what was wanted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.models.mr.axis_order import BACK, FRONT, HEAD, LEFT, RIGHT, Turn, turn_to

TURNS = st.builds(
    lambda order, axes: Turn(order=tuple(order), reversed_axes=tuple(sorted(axes))),
    st.permutations(range(3)),
    st.sets(st.integers(0, 2)),
)


@given(turn=TURNS)
def test_there_and_back_is_the_same_array(turn: Turn) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    there = turn.there(array)
    assert there.shape == turn.sizes(array.shape)
    assert np.array_equal(turn.back(there), array)


def test_no_affine_turns_nothing() -> None:
    assert turn_to((HEAD, BACK, LEFT), None) == Turn()


def test_an_oblique_affine_goes_to_the_nearest_axes() -> None:
    lps = ((0.9, -0.3, 0.0, 5.0), (0.3, 0.9, 0.2, 0.0), (0.0, -0.2, 3.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    assert turn_to((HEAD, BACK, LEFT), lps) == Turn()
    assert turn_to((HEAD, FRONT, RIGHT), lps) == Turn(reversed_axes=(1, 2))


@pytest.mark.parametrize("slices_stay", [True, False])
def test_slices_may_stay_slices(slices_stay: bool) -> None:
    sagittal = (
        (0.0, 0.0, 3.0, 0.0),
        (1.0, 0.0, 0.0, 0.0),
        (0.0, -1.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    turn = turn_to((HEAD, BACK, LEFT), sagittal, slices_stay=slices_stay)
    assert turn == (
        Turn(order=(0, 2, 1)) if slices_stay else Turn(order=(1, 2, 0), reversed_axes=(0,))
    )

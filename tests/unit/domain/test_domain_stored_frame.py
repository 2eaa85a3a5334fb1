"""A stored frame shown by the formulas of PS3.3 C.11.2, and its background black at every window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.stored_frame import GreyTable, StoredFrame, Window, WindowFunction

FUNCTIONS = st.sampled_from(WindowFunction)


def frame(values: list[int], **more: object) -> StoredFrame:
    kind = np.int16 if min(values) < 0 else np.uint16
    first = Window.of_range(min(values), max(values))
    return StoredFrame(**{"values": np.array([values], dtype=kind), "windows": (first,), **more})  # type: ignore[arg-type]


def test_a_linear_window_is_that_of_the_standard() -> None:
    """The example of PS3.3 C.11.2.1.2.1: centre 2048, width 4096 is the identity for 12 bits."""
    window = Window(name="", center=2048, width=4096)
    assert np.allclose(window.grey(np.array([0.0, 4095.0, 2047.5])), [0, 1, 0.5])
    narrow = Window(name="", center=0, width=1)
    assert narrow.grey(np.array([-1.0, -0.5, 0.0])).tolist() == [0, 0, 1]


@given(st.floats(-1e4, 1e4), st.floats(1, 1e4), FUNCTIONS)
def test_grey_grows_with_the_value_and_is_half_at_the_centre(
    center: float, width: float, way: WindowFunction
) -> None:
    window = Window(name="", center=center, width=width + 1, function=way)
    grey = window.grey(np.linspace(center - width, center + width, 101))
    assert (np.diff(grey) >= 0).all()
    assert 0 <= grey.min() <= grey.max() <= 1
    middle = center - 0.5 if way is WindowFunction.LINEAR else center
    assert window.grey(np.array([middle]))[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "window",
    [(0.5, WindowFunction.LINEAR), (0, WindowFunction.SIGMOID), (np.inf, WindowFunction.LINEAR)],
)
def test_a_window_that_can_not_be_applied_is_refused(window: tuple[float, WindowFunction]) -> None:
    with pytest.raises(InputError):
        Window(name="", center=0, width=window[0], function=window[1])


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1), min_size=2, max_size=30),
    st.sampled_from([-2.0, 0.5, 1.0]),
    st.booleans(),
    st.integers(0, 29),
    st.floats(-1e5, 1e5),
    st.floats(1, 1e5),
)
def test_background_is_black_at_every_window_also_in_what_is_sent(
    values: list[int], slope: float, inverted: bool, place: int, center: float, width: float
) -> None:
    none = np.zeros((1, len(values)), dtype=np.bool_)
    none[0, place % len(values)] = True
    one = frame(values, slope=slope, inverted=inverted, background=none)
    window = Window(name="", center=center, width=width, function=WindowFunction.LINEAR_EXACT)
    assert (one.grey(window)[none] == 0).all()
    sent = one.sent()
    shown = sent.frame.grey(window)
    assert (shown[none] <= shown[~none].min(initial=1)).all()
    assert shown[~none] == pytest.approx(one.grey(window)[~none], abs=1e-5)
    if np.ptp(np.array(values)) <= 2**14:  # a window that begins within two widths of the values
        near = Window.of_range(*sorted((min(values) * slope, max(values) * slope)))
        assert (sent.frame.grey(near)[none] == 0).all()
        assert ((sent.frame.values == sent.background_value) == none).all()


@pytest.mark.parametrize("inverted", [False, True])
def test_background_is_black_under_a_table_whose_ends_are_not(inverted: bool) -> None:
    none = np.array([[True, False, False, False]])
    table = GreyTable(first=10, greys=(51, 102, 204))
    one = frame([0, 5, 11, 99], table=table, inverted=inverted, background=none)
    shown = [0, 0.2, 0.4, 0.8] if not inverted else [0, 0.8, 0.6, 0.2]
    assert one.grey() == pytest.approx(np.array([shown]))
    assert one.sent().frame.grey() == pytest.approx(np.array([shown]))


def test_a_table_comes_before_windows_and_its_ends_go_on() -> None:
    one = frame([0, 10, 11, 12, 99], table=GreyTable(first=10, greys=(0, 255, 51)))
    assert np.allclose(one.grey(), [[0, 0, 1, 0.2, 0.2]])
    assert np.allclose(one.grey(one.windows[0]), np.array([[0, 10, 11, 12, 99]]) / 99)


def test_values_are_16_bits_and_stay_as_they_are() -> None:
    one = frame([-5, 5])
    with pytest.raises(ValueError, match="read-only"):
        one.values[0, 0] = 1
    with pytest.raises(InputError):
        StoredFrame(values=np.zeros((2, 2), np.float32), windows=one.windows)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        frame([0, 1], slope=0.0)

"""Volumes as the networks take them: grids, padding, tones, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.models.mr.preprocessing import Grid, Placement, prepare_sequences, scaled

RANDOM = np.random.default_rng(0)


def made(shape: tuple[int, int, int] = (4, 20, 24)) -> Any:
    return RANDOM.gamma(2, 200, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("grid", "spacing", "shape"),
    [
        (Grid(), None, (4, 20, 24)),
        (Grid(spacing_zyx_mm=(None, 1.5, 1.5)), (10.0, 3.0, 0.75), (4, 40, 12)),
        (Grid(spacing_zyx_mm=(1.0, 1.0, 1.0)), (2.0, 0.5, 1.0), (8, 10, 24)),
        (Grid(spacing_zyx_mm=(100.0, None, None)), (1.0, 1.0, 1.0), (1, 20, 24)),
        (Grid(side_px=16), None, (4, 16, 16)),
        (Grid(side_px=32), (5.0, 0.5, 0.5), (4, 32, 32)),
    ],
)
def test_each_grid_gives_its_shape(grid: Grid, spacing: Any, shape: tuple[int, ...]) -> None:
    volume, placement = prepare_sequences([made(), made()], grid, spacing)
    assert tuple(volume.shape) == (2, *shape)
    assert volume.dtype == torch.float32
    assert placement.prepared == shape
    assert tuple(placement.back(volume).shape) == (2, 4, 20, 24)


def test_slices_are_padded_to_a_square_around_the_source() -> None:
    signal = np.full((2, 4, 8), 1000, dtype=np.float32)
    signal[0, 0, 0] = signal[1, 3, 7] = 5
    volume, placement = prepare_sequences([signal], Grid(side_px=8), None)
    assert placement.padded == (2, 8, 8)
    assert placement.corner == (2, 0)
    dark = volume[0] == volume.min()
    assert dark[:, :2].all()
    assert dark[:, 6:].all()
    assert dark[0, 2, 0]
    assert dark[1, 5, 7]
    assert int(dark[:, 2:6].sum()) == 2


@pytest.mark.parametrize(
    ("signals", "grid", "spacing", "said"),
    [
        ([np.full((2, 4, 4), 7.0)], Grid(), None, "single tone"),
        ([np.full((2, 4, 4), 1e6)], Grid(side_px=8), None, "single tone"),
        ([np.where(np.eye(4)[None] > 0, np.nan, 1.0)], Grid(), None, "not finite"),
        ([np.where(np.eye(4)[None] > 0, np.inf, 1.0)], Grid(), None, "not finite"),
        ([np.eye(4)], Grid(), None, "shapes"),
        ([np.ones((2, 4, 4)), np.ones((2, 4, 5))], Grid(), None, "(2, 4, 4), (2, 4, 5)"),
        ([made()], Grid(spacing_zyx_mm=(None, 1.0, 1.0)), None, "voxel size unknown"),
    ],
)
def test_what_cannot_be_prepared_is_told(signals: Any, grid: Grid, spacing: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        prepare_sequences([np.asarray(s, dtype=np.float32) for s in signals], grid, spacing)
    assert said in str(error.value)
    assert error.value.remedy


def test_a_sequence_of_one_tone_is_refused_beside_a_good_one() -> None:
    with pytest.raises(InputError, match="single tone"):
        prepare_sequences([made(), np.ones((4, 20, 24), dtype=np.float32)], Grid(), None)


@given(st.floats(0.01, 50), st.floats(-500, 500))
@settings(max_examples=20)
def test_scale_and_offset_of_the_signal_change_nothing(scale: float, offset: float) -> None:
    signal = np.random.default_rng(1).gamma(2, 200, (3, 10, 12)).astype(np.float32)
    one, _ = prepare_sequences([signal], Grid(side_px=16), None)
    other, _ = prepare_sequences(
        [(signal * scale + offset).astype(np.float32)], Grid(side_px=16), None
    )
    torch.testing.assert_close(one, other, atol=2e-3, rtol=0)


def test_each_sequence_is_stretched_by_itself_and_normalised_over_what_is_no_air() -> None:
    body = np.zeros((2, 10, 10), dtype=np.float32)
    body[:, 2:8, 2:8] = RANDOM.uniform(400, 600, (2, 6, 6))
    volume, _ = prepare_sequences([body, body * 3 + 7], Grid(), None)
    torch.testing.assert_close(volume[0], volume[1], atol=1e-4, rtol=0)
    inside = volume[0, :, 2:8, 2:8]
    assert abs(float(inside.mean())) < 1e-3
    assert float(inside.std()) == pytest.approx(1, abs=1e-3)
    assert float(volume[0, :, 0].max()) < float(inside.min())


def test_the_outermost_tones_are_cut() -> None:
    signal = made((4, 30, 30))
    spiked = signal.copy()
    spiked[0, 0, 0] = 1e6
    one, _ = prepare_sequences([signal], Grid(), None)
    other, _ = prepare_sequences([spiked], Grid(), None)
    assert float(other.max()) < float(one.max()) * 1.1


@given(
    st.tuples(st.integers(1, 5), st.integers(6, 30), st.integers(6, 30)),
    st.sampled_from([None, 8, 13, 32]),
    st.sampled_from([(None, None, None), (None, 1.0, 1.0), (1.0, 0.8, 1.7)]),
    st.data(),
)
@settings(max_examples=60)
def test_a_mask_goes_to_the_network_s_grid_and_back_to_where_it_was(
    source: tuple[int, int, int],
    side: int | None,
    spacing: tuple[float | None, ...],
    data: st.DataObject,
) -> None:
    grid = Grid(side_px=side) if side else Grid(spacing_zyx_mm=spacing)  # type: ignore[arg-type]
    signal = np.random.default_rng(2).uniform(0, 1, source).astype(np.float32)
    _, placement = prepare_sequences([signal], grid, (1.3, 1.0, 0.9))
    lows = [data.draw(st.integers(0, n - 1)) for n in source]
    highs = [data.draw(st.integers(low + 1, n)) for low, n in zip(lows, source, strict=True)]
    mask = torch.zeros((1, *source))
    mask[(0, *[slice(a, b) for a, b in zip(lows, highs, strict=True)])] = 1
    row, column = placement.corner
    padded = torch.zeros((1, *placement.padded))
    padded[:, :, row : row + source[1], column : column + source[2]] = mask
    back = placement.back(scaled(padded, placement.prepared))
    assert back.shape == mask.shape
    if placement.prepared == placement.padded:
        assert torch.equal(back, mask)
    weight = back[0].double()
    assert weight.sum() > 0
    for axis in range(3):
        step = max(
            1.0, placement.padded[axis] / placement.prepared[axis]
        )  # a voxel of the coarser grid
        inside = np.flatnonzero(weight.sum(tuple(a for a in range(3) if a != axis)).numpy() > 1e-9)
        assert inside[0] >= lows[axis] - 2 * step
        assert inside[-1] <= highs[axis] - 1 + 2 * step


def test_a_middle_comes_back_to_the_middle() -> None:
    ramp = torch.arange(10.0).expand(1, 2, 10, 10)
    placement = Placement(source=(2, 6, 10), padded=(2, 10, 10), prepared=(2, 20, 20))
    back = placement.back(scaled(ramp, (2, 20, 20)))
    torch.testing.assert_close(back[:, :, :, 1:-1], ramp[:, :, 2:8, 1:-1], atol=1e-5, rtol=0)


def test_shrinking_takes_means_so_that_nothing_thin_is_lost() -> None:
    volume = torch.zeros(1, 1, 8, 8)
    volume[0, 0, 3, 5] = 1
    small = scaled(volume, (1, 2, 2))
    assert float(small[0, 0, 0, 1]) == pytest.approx(1 / 16)
    assert float(small.sum()) == pytest.approx(1 / 16)

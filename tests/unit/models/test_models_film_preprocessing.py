"""Pixels to tensors: one way, tone-proof, mirror-true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.models.film.preprocessing import FilmToPrepare, prepare_film


def film(seed: int, rows: int = 120, columns: int = 90) -> np.ndarray:  # type: ignore[type-arg]
    random = np.random.default_rng(seed)
    return random.random((rows, columns)).astype(np.float32)


@given(st.integers(0, 50), st.integers(16, 200), st.integers(16, 200))
@settings(max_examples=25, deadline=None)
def test_a_film_of_any_shape_becomes_a_square(seed: int, rows: int, columns: int) -> None:
    out = prepare_film(film(seed, rows, columns), 64)
    assert out.shape == (1, 64, 64)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()


@given(st.integers(0, 50), st.floats(0.1, 1.0), st.floats(0.0, 0.5))
@settings(max_examples=25, deadline=None)
def test_a_vendors_window_changes_little(seed: int, slope: float, offset: float) -> None:
    plain = film(seed)
    shifted = (plain * np.float32(slope) + np.float32(offset)).astype(np.float32)
    assert np.abs(prepare_film(shifted, 64) - prepare_film(plain, 64)).max() < 1e-3


@given(st.integers(0, 50), st.permutations([16, 64, 96, 64]))
@settings(max_examples=10, deadline=None)
def test_a_film_shared_by_networks_is_what_each_would_prepare(seed: int, sizes: list[int]) -> None:
    shared = FilmToPrepare(film(seed))
    for size in sizes:
        assert np.array_equal(shared.at(size), prepare_film(film(seed), size))


def test_a_mirrored_film_gives_the_mirrored_tensor() -> None:
    plain = film(1, 128, 128)
    assert (
        np.abs(prepare_film(plain[:, ::-1].copy(), 64)[..., ::-1] - prepare_film(plain, 64)).max()
        < 1e-5
    )


@pytest.mark.parametrize(
    "bad", [np.zeros((50, 50)), np.full((50, 50), np.nan), np.zeros((3, 50, 50))]
)
def test_what_is_no_film_is_refused(bad: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError):
        prepare_film(bad.astype(np.float32), 64)

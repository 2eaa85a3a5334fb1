"""The field of a collimated film: found in a border of any grey, upright or turned; air and lost halves are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from medmm.imaging.gate.exposed_field import SMALLEST_FIELD_PX, exposed_field

Grey = NDArray[np.float32]


def film(rows: int = 400, columns: int = 420) -> Grey:
    """Something of many greys everywhere, as anatomy is."""
    noise = np.random.default_rng(0).random((rows, columns))
    made = ndimage.gaussian_filter(noise, 6) + 0.2 * ndimage.gaussian_filter(noise, 2)
    made = (made - made.min()) / (made.max() - made.min())
    return np.asarray(0.1 + 0.8 * made, dtype=np.float32)


def bordered(grey: Grey, level: float, box: tuple[int, int, int, int]) -> Grey:
    top, bottom, left, right = box
    made = np.full_like(grey, level)
    made[top:bottom, left:right] = grey[top:bottom, left:right]
    return made


@settings(max_examples=25, deadline=None)
@given(level=st.floats(0, 1), width=st.floats(0.5, 0.6), place=st.floats(0.3, 0.7))
def test_a_field_between_two_borders_is_found_at_its_place(
    level: float, width: float, place: float
) -> None:
    grey = film()
    n = round(420 * width)
    left = round((420 - n) * place)
    found = exposed_field(bordered(grey, level, (0, 400, left, left + n)))
    assert found is not None
    assert found.share == pytest.approx(n / 420, abs=0.03)
    assert abs(found.grey.shape[1] - n) <= 8
    assert found.grey.shape[0] >= 390


def test_a_field_keeps_its_own_resolution_and_no_border() -> None:
    big = np.kron(film(), np.ones((5, 5), dtype=np.float32))
    found = exposed_field(bordered(big, 1.0, (200, 1800, 400, 1700)))
    assert found is not None
    assert found.grey.shape[0] == pytest.approx(1600, abs=40)
    assert found.grey.max() < 1.0


@pytest.mark.parametrize("degrees", [-10, -4, 5, 12])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_turned_field_is_turned_upright(degrees: float, level: float) -> None:
    grey = film()
    inside = np.zeros(grey.shape, dtype=np.float32)
    inside[80:320, 100:320] = 1
    turned = np.asarray(Image.fromarray(inside).rotate(degrees))
    picture = np.asarray(Image.fromarray(grey).rotate(degrees, Image.Resampling.BILINEAR))
    found = exposed_field(np.where(turned > 0.5, picture, np.float32(level)))
    assert found is not None
    assert found.grey.shape == pytest.approx((240, 220), abs=12)
    want = grey[80:320, 100:320]
    got = np.asarray(Image.fromarray(found.grey).resize((220, 240)))
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.9, "the right turn, not its opposite"


def test_noise_and_a_marker_in_the_border_do_no_harm() -> None:
    made = bordered(film(), 0.05, (0, 400, 90, 330))
    made[30:50, 20:32] = 1.0
    made += np.random.default_rng(1).normal(0, 0.01, made.shape).astype(np.float32)
    found = exposed_field(np.clip(made, 0, 1))
    assert found is not None
    assert abs(found.grey.shape[1] - 240) <= 8


def test_a_whole_film_has_no_border() -> None:
    assert exposed_field(film()) is None
    assert exposed_field(np.zeros((300, 300), dtype=np.float32)) is None


@pytest.mark.parametrize(
    "box", [(0, 215, 0, 420), (185, 400, 0, 420), (0, 400, 0, 230), (0, 400, 190, 420)]
)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_band_along_one_side_may_be_a_lost_part(
    box: tuple[int, int, int, int], level: float
) -> None:
    assert exposed_field(bordered(film(), level, box)) is None


def test_air_around_a_patient_is_no_border() -> None:
    rows, columns = np.mgrid[:400, :420]
    patient = ((rows - 200) / 170) ** 2 + ((columns - 210) / 160) ** 2 < 1
    assert exposed_field(np.where(patient, film(), np.float32(0))) is None


def test_a_field_too_small_to_be_judged_is_none() -> None:
    n = SMALLEST_FIELD_PX - 20
    assert exposed_field(bordered(film(), 0.0, (20, 380, 150, 150 + n))) is None

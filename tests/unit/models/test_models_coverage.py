"""How much an image shows: heads, ventricles, crops and lungs, whole and cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from medmm.models.coverage import (
    crop_coverage,
    head_coverage,
    lungs_coverage,
    ventricle_bounds,
    ventricle_coverage,
    ventricle_shape,
)
from tests.factories import make_volume

AFFINE = ((2.0, 0, 0, -100), (0, 2.0, 0, -110), (0, 0, 6.0, -60), (0, 0, 0, 1))
SPACED = {"spacing_yx_mm": (2.0, 2.0), "spacing_z_mm": 6.0}
BOUNDS = {"least_length_mm": 45.0, "least_length_over_width": 0.966, "most_end_share": 0.394}


def head() -> Any:
    """A head 150 mm wide, 184 mm long and some 130 mm high, its neck on the first slice."""
    z, y, x = np.mgrid[-0.55:1:22j, -1:1:110j, -1:1:100j]
    return (x / 0.75) ** 2 + (y / 0.84) ** 2 + (z / 0.98) ** 2 < 1


def test_a_whole_head_is_whole() -> None:
    found = head_coverage(head(), make_volume(affine_lps_mm=AFFINE, **SPACED))
    assert found.whole
    assert dict(found.extents_mm)["foot to head"] == pytest.approx(126, abs=7)


@pytest.mark.parametrize(
    ("cut", "why"),
    [
        (lambda h: h[16:], "from foot to head"),
        (lambda h: h[:11], "its top is cut off"),
        (lambda h: h[:, :, :55], "right edge"),
        (lambda h: h[:, 45:], "upper edge"),
        (
            lambda h: h & (np.arange(100) < 52),
            "left to right",
        ),  # half of it, the rest of the picture black
        (
            lambda h: h & (np.arange(22) > 16)[:, None, None],
            "from foot to head",
        ),  # empty slices show nothing
        (lambda h: np.zeros_like(h), "no head"),
    ],
)
def test_a_part_of_a_head_is_a_part(cut: Callable[[Any], Any], why: str) -> None:
    found = head_coverage(cut(head()), make_volume(affine_lps_mm=AFFINE, **SPACED))
    assert not found.whole
    assert any(why in words for words in found.shortfalls)


def test_a_head_whose_slices_run_to_the_feet_has_its_top_first() -> None:
    downward = (*AFFINE[:2], (0, 0, -6.0, 60), AFFINE[3])
    turned = head()[::-1]
    assert head_coverage(turned, make_volume(affine_lps_mm=downward, **SPACED)).whole
    assert not head_coverage(turned[11:], make_volume(affine_lps_mm=downward, **SPACED)).whole


def test_a_head_on_its_side_has_its_own_axes() -> None:
    rows_to_the_left = ((0, 2.0, 0, -100), (2.0, 0, 0, -110), (0, 0, 6.0, -60), (0, 0, 0, 1))
    assert head_coverage(
        head().transpose(0, 2, 1), make_volume(affine_lps_mm=rows_to_the_left, **SPACED)
    ).whole


def ventricle() -> Any:
    """A left ventricle 90 mm long and 48 mm wide in slices of 9 mm, its apex last."""
    z, y, x = np.mgrid[0:1:10j, -1:1:64j, -1:1:64j]
    return np.hypot(y, x) < 0.75 * np.sqrt(np.clip(1 - z**2, 0.01, 1))


@pytest.mark.parametrize(
    ("cut", "whole"), [(slice(None), True), (slice(0, 5), False), (slice(6, None), False)]
)
def test_a_ventricle_without_apex_or_base_is_a_part(cut: slice, whole: bool) -> None:
    volume = make_volume(affine_lps_mm=None, spacing_yx_mm=(1.0, 1.0), spacing_z_mm=9.0)
    assert ventricle_coverage(ventricle()[cut], volume, BOUNDS).whole is whole
    assert ventricle_coverage(
        ventricle()[cut], volume, None
    ).whole  # a calibration of an earlier release has no bounds


def test_bounds_hold_every_heart_they_were_made_from() -> None:
    shapes = [ventricle_shape(ventricle(), (z, 1.0, 1.0)) for z in (7.0, 9.0, 10.0)]
    bounds = ventricle_bounds(shapes)
    for z in (7.0, 9.0, 10.0):
        volume = make_volume(affine_lps_mm=None, spacing_yx_mm=(1.0, 1.0), spacing_z_mm=z)
        assert ventricle_coverage(ventricle(), volume, bounds).whole


def test_an_outline_on_the_edge_of_its_crop_is_cut() -> None:
    outline = np.zeros((20, 20, 20), dtype=bool)
    outline[5:15, 5:15, 5:15] = True
    assert crop_coverage(outline, make_volume()).whole
    assert not crop_coverage(outline[:, 7:], make_volume()).whole


def test_lungs_on_the_upper_or_lower_edge_are_cut() -> None:
    lungs = np.zeros((100, 100), dtype=bool)
    lungs[20:80, 15:40] = lungs[20:80, 60:85] = True
    assert lungs_coverage(lungs, make_volume()).whole
    assert lungs_coverage(np.zeros_like(lungs), make_volume()).whole
    assert not lungs_coverage(lungs[40:], make_volume()).whole
    assert not lungs_coverage(lungs[:50], make_volume()).whole

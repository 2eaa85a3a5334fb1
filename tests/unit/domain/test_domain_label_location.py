"""Where labels lie, and the formulas of what is measured on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medmm.domain.label_location import centre_x_lps_mm, extent_of, indices_zyx, largest_slice
from medmm.domain.measurement_formulas import (
    asymmetry_percent,
    ejection_fraction_percent,
    hippocampus_asymmetry,
    voxel_count,
    voxel_ml,
)
from medmm.domain.reading import Extent, ImageHalf, LabelMap, Side
from medmm.presentation.orientation import edge_letters, turned
from medmm.presentation.value_words import extent_words, figures, measured_words, slice_words
from tests.mr_phantoms import axial, head, unspaced
from tests.mr_readings import measured_as


def small() -> LabelMap:
    """Two voxels of "a" on slice 1, three of "b" on slices 2 and 4, of 5 slices of 4 x 6."""
    values = np.zeros((5, 4, 6), dtype=np.uint8)
    values[1, 2, [4, 5]] = 1
    values[2, 0, [0, 1]] = values[4, 3, 0] = 2
    return LabelMap.from_array("map", "1" * 64, ("a", "b"), values)


def test_voxels_are_found_as_numpy_finds_them() -> None:
    marked = small()
    for labels, wanted in ((("a",), [1]), (("b",), [2]), (("a", "b"), [1, 2]), (("c",), [])):
        assert (
            indices_zyx(marked, *labels).tolist()
            == np.argwhere(np.isin(marked.array(), wanted)).tolist()
        )
    assert [voxel_count(marked, label) for label in ("a", "b", "c")] == [2, 3, 0]


def test_the_slice_with_the_most_is_the_first_of_equals() -> None:
    assert [largest_slice(small(), *labels) for labels in (("a",), ("b",), ("a", "b"), ())] == [
        1,
        2,
        1,
        None,
    ]


def test_an_extent_says_slices_centre_half_and_side() -> None:
    volume = replace(
        head()[0][0], shape_zyx=(5, 4, 6), affine_lps_mm=axial((3.0, 2.0, 1.0), (-10.0, 5.0, 7.0))
    )
    found = extent_of(small(), "b", volume, midline_x_lps_mm=0.0)
    assert found is not None
    assert (found.slices, found.slice_count, found.image_half) == ((2, 4), 2, ImageHalf.LOW_COLUMNS)
    assert found.centroid_index_zyx == pytest.approx((8 / 3, 1.0, 1 / 3), abs=1e-3)
    assert found.centroid_lps_mm == pytest.approx((-10 + 1 / 3, 7.0, 15.0), abs=1e-3)
    assert found.side is Side.RIGHT
    assert slice_words(found, 5) == "slices 3 to 5 of 5 (2 of them)"
    assert (
        "centre at slice 4, row 2, column 1 (LPS -10, 7, 15 mm), patient's right side"
        in extent_words(found)
    )


def test_nothing_marked_has_no_extent_and_no_orientation_has_no_side() -> None:
    volume = replace(head(oriented=False)[0][0], shape_zyx=(5, 4, 6))
    assert extent_of(small(), "c", volume) is None
    found = extent_of(small(), "a", volume, midline_x_lps_mm=0.0)
    assert found is not None
    assert (found.side, found.centroid_lps_mm, found.image_half) == (
        None,
        None,
        ImageHalf.HIGH_COLUMNS,
    )
    assert slice_words(found) == "slice 2"
    assert "no side named" in extent_words(found)


def test_the_middle_of_a_head_is_told_and_that_of_a_cut_out_is_not() -> None:
    flair = head()[0][0]
    assert centre_x_lps_mm(flair) == pytest.approx(0.0)
    assert centre_x_lps_mm(replace(flair, affine_lps_mm=axial((1, 1, 1), (0, 0, 0)))) is None
    assert centre_x_lps_mm(head(oriented=False)[0][0]) is None


def test_formulas() -> None:
    flair = head()[0][0]
    assert voxel_ml(flair) == pytest.approx(8 * 4.5 * 4.5 / 1000)
    assert voxel_ml(unspaced(flair)) is None
    assert ejection_fraction_percent(120.0, 48.0) == pytest.approx(60.0)
    assert asymmetry_percent(3.0, 2.0) == pytest.approx(40.0)
    left, right = (
        measured_as("hippocampus volume", 3.0, side=Side.LEFT),
        measured_as("hippocampus volume", 2.0),
    )
    found = hippocampus_asymmetry(left, right)
    assert (found.side, found.unit) == (Side.BILATERAL, "%")
    assert found.interval == pytest.approx(
        (asymmetry_percent(2.7, 2.2), asymmetry_percent(3.3, 1.8))
    )


@pytest.mark.parametrize(
    ("numbers", "decimals", "printed"),
    [
        ((57.3, 51.2, 63.9), 0, ("57", "51", "64")),
        ((2.1, 0.2, 4.0), 0, ("2.1", "0.2", "4.0")),
        ((30.78, 27.7, 33.86), 1, ("30.8", "27.7", "33.9")),
        ((0.012, 0.011, 0.013), 1, ("0.01", "0.01", "0.01")),
        ((0.0, -0.001, 0.001), 2, ("0.00", "0.00", "0.00")),
    ],
)
def test_no_number_is_rounded_away(
    numbers: tuple[float, ...], decimals: int, printed: tuple[str, ...]
) -> None:
    assert figures(numbers, decimals) == printed


def test_a_measurement_outside_the_vocabulary_has_two_decimals() -> None:
    assert measured_words("something", "mm", 3.14159, (3.0, 3.2)) == ("3.14 mm", "3.00 to 3.20 mm")


def test_slices_are_turned_with_letters_at_all_edges() -> None:
    grid = np.arange(6).reshape(2, 3)
    usual = axial((1, 1, 1), (0, 0, 0))
    edges = edge_letters(usual)
    assert (edges.left, edges.right, edges.top, edges.bottom) == ("R", "L", "A", "P")
    assert (turned(grid, usual) == grid).all()
    mirrored = ((-1.0, 0.0, 0.0, 0.0), *usual[1:])
    assert edge_letters(mirrored) == edges
    assert (turned(grid, mirrored) == grid[:, ::-1]).all()
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    oblique = ((c, -s, 0.0, 0.0), (s, c, 0.0, 0.0), *usual[2:])
    assert edge_letters(oblique).right == "LP"
    assert edge_letters(None).left == ""
    assert (turned(grid, None) == grid).all()


def test_an_extent_without_a_gap_names_its_slices_alone() -> None:
    found = Extent(
        label_map="m",
        label="a",
        volume_sha256="1",
        slices=(0, 3),
        slice_count=4,
        centroid_index_zyx=(0, 0, 0),
    )
    assert slice_words(found, 9) == "slices 1 to 4 of 9"

"""Volumes on the grids of others, parts of masks, and the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medmm.domain.errors import InputError
from medmm.models.mr.resampling import (
    head_of,
    largest_part,
    middle_x_lps_mm,
    on_grid_of,
    spacing_zyx_mm,
    without_specks,
)
from tests.mr_phantoms import axial, head
from tests.volume_models import mirrored, volume_of

ANGLES = st.tuples(*[st.floats(-25, 25)] * 3)
SHIFTS = st.tuples(*[st.floats(-6, 6)] * 3)
SPACINGS = st.tuples(*[st.floats(0.6, 3)] * 3)


def affine(spacing_xyz: Any, turn: Any, centre: Any, shape: tuple[int, int, int]) -> Any:
    """A grid of this spacing and rotation whose middle lies at `centre`, in LPS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * np.asarray(
        spacing_xyz
    )
    middle = (np.array(shape)[::-1] - 1) / 2
    matrix[:3, 3] = np.asarray(centre) - matrix[:3, :3] @ middle
    return tuple(map(tuple, matrix.tolist()))


def places(shape: tuple[int, int, int], matrix: Any) -> Any:
    """LPS mm of every voxel, (slices, rows, columns, 3)."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)[..., ::-1]
    return index @ np.array(matrix)[:3, :3].T + np.array(matrix)[:3, 3]


@given(ANGLES, SHIFTS, SPACINGS)
@settings(max_examples=40)
def test_a_field_keeps_its_place_in_the_patient(turn: Any, shift: Any, spacing: Any) -> None:
    """Linear interpolation gives a linear field exactly: every voxel must have the value of its place."""
    source_shape, target_shape = (24, 22, 20), (6, 9, 8)
    source_affine = affine((4.0, 4.0, 4.0), turn, shift, source_shape)
    target_affine = affine(spacing, (0, 0, 0), (0, 0, 0), target_shape)

    def field(shape: Any, matrix: Any) -> Any:
        return (places(shape, matrix) @ [1.0, -2.0, 3.0] + 1000).astype(np.float32)

    source = volume_of(field(source_shape, source_affine), source_affine)
    target = volume_of(np.zeros(target_shape, dtype=np.float32), target_affine)
    np.testing.assert_allclose(
        on_grid_of(target, source), field(target_shape, target_affine), atol=0.05
    )


def test_a_planted_point_lands_where_the_affine_says() -> None:
    source_affine = (
        (0, 0, 5, -20),
        (-2, 0, 0, 31),
        (0, 0.5, 0, -4),
        (0, 0, 0, 1),
    )  # sagittal: slices run to the left
    signal = np.zeros((9, 30, 32), dtype=np.float32)
    signal[4, 10, 14] = 100  # x = 5 * 4 - 20 = 0, y = -2 * 14 + 31 = 3, z = 0.5 * 10 - 4 = 1
    target = volume_of(
        np.zeros((7, 40, 41), dtype=np.float32), axial((1.0, 1.0, 1.0), (-20.0, -15.0, -2.0))
    )
    found = on_grid_of(target, volume_of(signal, source_affine))
    assert np.unravel_index(found.argmax(), found.shape) == (3, 18, 20)
    assert found.max() == pytest.approx(100)


@given(st.floats(-300, 300), st.floats(0.31, 7), st.sampled_from([0, 1, 2]))
@settings(max_examples=60)
def test_reversed_axes_lose_no_slice_to_rounding(start: float, step: float, axis: int) -> None:
    signal = np.random.default_rng(0).uniform(1, 2, (5, 6, 7)).astype(np.float32)
    matrix = np.diag([step, step * 1.1, step * 0.9, 1.0])
    matrix[:3, 3] = start
    turned = matrix.copy()
    turned[:, 2 - axis] *= -1
    turned[2 - axis, 3] = start + matrix[2 - axis, 2 - axis] * (signal.shape[axis] - 1)
    target = volume_of(np.zeros((5, 6, 7), dtype=np.float32), tuple(map(tuple, matrix)))
    source = volume_of(np.flip(signal, axis).copy(), tuple(map(tuple, turned)))
    np.testing.assert_allclose(on_grid_of(target, source), signal, atol=1e-4)


def test_the_same_grid_is_left_alone() -> None:
    flair, t1 = head()[0]
    assert np.array_equal(on_grid_of(flair, t1), t1.signal())
    bare = head(oriented=False)[0]
    assert np.array_equal(on_grid_of(bare[0], bare[1]), t1.signal())


def test_a_single_slice_reaches_its_neighbours_half_way_and_what_lies_outside_is_dark() -> None:
    signal = np.full((1, 6, 6), 50, dtype=np.float32)
    signal[0, 0, 0] = 3
    source = volume_of(signal, axial((5.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    target = volume_of(
        np.zeros((1, 6, 8), dtype=np.float32), axial((5.0, 1.0, 1.0), (0.0, 0.0, 2.0))
    )
    found = on_grid_of(target, source)
    assert (found[0, 1:, :6] == 50).all()
    assert (found[0, :, 7] == 3).all()  # the least value where the source does not reach


def test_volumes_that_hardly_overlap_are_refused() -> None:
    signal = np.ones((4, 10, 10), dtype=np.float32)
    target = volume_of(signal, axial((5.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="hardly overlap"):
        on_grid_of(target, volume_of(signal, axial((5.0, 1.0, 1.0), (8.0, 0.0, 0.0))))


def test_other_shapes_of_unknown_geometry_are_refused() -> None:
    known = volume_of(
        np.ones((4, 10, 10), dtype=np.float32), axial((5.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    )
    bare = volume_of(np.ones((4, 10, 11), dtype=np.float32))
    for target, source in ((known, bare), (bare, known)):
        with pytest.raises(InputError, match="geometry is unknown"):
            on_grid_of(target, source)


def test_other_frames_of_reference_are_not_laid_on_each_other() -> None:
    one, other = head()[0]
    stated = [
        volume_of(v.signal(), v.affine_lps_mm, frame_of_reference_uid=uid)
        for v, uid in ((one, "1.1"), (other, "1.2"))
    ]
    with pytest.raises(InputError, match="frames of reference"):
        on_grid_of(*stated)
    assert (
        on_grid_of(stated[0], other).shape == one.shape_zyx
    )  # one that states none is taken at its affine


def test_spacing_is_known_only_where_all_of_it_is() -> None:
    signal = np.ones((2, 3, 4), dtype=np.float32)
    assert spacing_zyx_mm(volume_of(signal, spacing_yx_mm=(2.0, 3.0), spacing_z_mm=5.0)) == (
        5.0,
        2.0,
        3.0,
    )
    assert spacing_zyx_mm(volume_of(signal, spacing_yx_mm=(2.0, 3.0))) is None
    assert spacing_zyx_mm(volume_of(signal, spacing_z_mm=5.0)) is None


def test_the_head_is_found_with_what_is_dark_in_it() -> None:
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (6, 48, 48)], indexing="ij")
    inside = (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    random = np.random.default_rng(0)
    signal = np.where(inside, random.uniform(200, 800, z.shape), random.uniform(0, 20, z.shape))
    signal[(np.abs(y) < 0.2) & (np.abs(x) < 0.2)] = 5  # a ventricle on FLAIR
    signal[:, 2:4, 2:4] = 400  # a marker beside the head
    found = head_of(signal.astype(np.float32))
    assert (found != inside).mean() < 0.01
    assert not found[:, :5, :5].any()
    assert found[:, 24, 24].all()
    assert np.array_equal(found, head_of((signal * 7 + 4000).astype(np.float32)))


def test_the_head_of_the_phantom_has_its_middle_where_it_was_put() -> None:
    flair, _ = head()[0]
    found = head_of(flair.signal())
    assert middle_x_lps_mm(found, flair) == pytest.approx(0.0, abs=1.0)
    turned = mirrored(flair, with_affine=True)
    assert middle_x_lps_mm(head_of(turned.signal()), turned) == pytest.approx(0.0, abs=1.0)


def test_without_a_body_or_a_geometry_there_is_no_middle() -> None:
    flair, _ = head()[0]
    assert middle_x_lps_mm(np.zeros(flair.shape_zyx, dtype=bool), flair) is None
    bare, _ = head(oriented=False)[0]
    assert middle_x_lps_mm(np.ones(flair.shape_zyx, dtype=bool), bare) is None


def planted() -> Any:
    mask = np.zeros((4, 8, 8), dtype=bool)
    mask[0, 0, :3] = True  # 3
    mask[1:3, 4:6, 4:7] = True  # 12
    mask[3, 6, 7] = True  # touches the 12 by a corner alone
    return mask


def test_specks_go_and_parts_that_touch_by_a_corner_are_one() -> None:
    mask = planted()
    assert np.array_equal(without_specks(mask, 1), mask)
    assert without_specks(mask, 4).sum() == 13
    assert without_specks(mask, 13).sum() == 13
    assert not without_specks(mask, 14).any()
    assert not without_specks(np.zeros((2, 2, 2), dtype=bool), 5, 0.5).any()
    assert np.array_equal(without_specks(mask, 1, 3 / 13), mask)
    assert without_specks(mask, 1, 0.25).sum() == 13
    assert not without_specks(mask, 14, 1.0).any()


def test_the_largest_part_is_kept_alone() -> None:
    mask = planted()
    found = largest_part(mask)
    assert found.sum() == 12
    assert found[1:3, 4:6, 4:7].all()
    assert not largest_part(np.zeros((2, 2, 2), dtype=bool)).any()
    assert np.array_equal(largest_part(found), found)

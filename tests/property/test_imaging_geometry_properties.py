"""Where pixels lie: index to LPS and back, for films, MR slices in every position, and NIfTI; sides agree with it."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medmm.domain.display import facing
from medmm.domain.study import Study
from medmm.imaging import read_studies
from medmm.imaging.geometry import film_affine, make_plane, patient_left_on, stack_affine
from medmm.imaging.nifti import open_nifti
from medmm.imaging.tags import Tags
from tests.dicom_files import FILM, dataset, mr_file
from tests.nifti_files import nifti_file

LETTERS = st.sampled_from("LRAPHF")
OPPOSITE = dict(zip("LRAPHF", "RLPAFH", strict=True))
SPACING = st.tuples(st.floats(0.05, 5), st.floats(0.05, 5))
INDICES = st.tuples(st.integers(0, 4000), st.integers(0, 4000), st.integers(0, 200))
START = st.tuples(*[st.floats(-500, 500)] * 3)
# Axial slices of a patient in each position (PS3.3 C.7.3.1.1.2): rows and columns as the scanner stores them.
POSITIONS = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFDR": (0, 1, 0, 1, 0, 0),
    "FFDL": (0, -1, 0, -1, 0, 0),
}


def goes_there_and_back(affine: object, index: tuple[int, int, int]) -> None:
    matrix = np.array(affine)
    point = matrix @ [*index, 1]
    np.testing.assert_allclose(np.linalg.solve(matrix, point)[:3], index, atol=1e-6)


@settings(deadline=None)
@given(LETTERS, LETTERS, SPACING, INDICES)
def test_a_film_goes_to_lps_and_back(row: str, column: str, spacing: tuple[float, float], index: tuple) -> None:
    affine = film_affine(Tags(dataset(FILM, PatientOrientation=[row, column])), spacing)
    if column in (row, OPPOSITE[row]):  # rows and columns along one axis: that is no plane
        assert affine is None
        return
    goes_there_and_back(affine, (*index[:2], 0))
    assert np.linalg.norm(np.array(affine)[:3, 0]) == pytest.approx(spacing[1])
    assert np.linalg.norm(np.array(affine)[:3, 1]) == pytest.approx(spacing[0])
    assert np.linalg.norm(np.array(affine)[:3, 2]) == pytest.approx(1)


@settings(deadline=None)
@given(LETTERS, LETTERS, SPACING)
def test_the_side_of_a_film_agrees_with_its_affine_and_a_mirror_turns_both(
    row: str, column: str, spacing: tuple[float, float]
) -> None:
    assume(column not in (row, OPPOSITE[row]))
    tags, mirrored = (Tags(dataset(FILM, PatientOrientation=[r, column])) for r in (row, OPPOSITE[row]))
    affine, turned = np.array(film_affine(tags, spacing)), np.array(film_affine(mirrored, spacing))
    np.testing.assert_array_equal(turned[:3, 0], -affine[:3, 0])
    np.testing.assert_array_equal(turned[:3, 1], affine[:3, 1])
    side, other = patient_left_on(tags), patient_left_on(mirrored)
    toward_left, toward_feet = affine[0, 0], -affine[2, 1]
    if toward_left and toward_feet > 0:
        assert side == ("right" if toward_left > 0 else "left")
        assert {side, other} == {"left", "right"}
    else:
        assert side is None


@pytest.mark.parametrize("orientation", [["LF", "F"], ["L", "FA"], ["L"], None, ["X", "F"]])
def test_a_film_whose_direction_is_not_exact_has_no_affine(orientation: object) -> None:
    assert film_affine(Tags(dataset(FILM, PatientOrientation=orientation)), (0.1, 0.1)) is None
    assert film_affine(Tags(dataset(FILM)), None) is None


@settings(deadline=None)
@given(
    st.sampled_from(sorted(POSITIONS)),
    st.tuples(*[st.floats(-0.6, 0.6)] * 3),
    START,
    SPACING,
    st.floats(0.5, 20),
    INDICES,
)
def test_an_mr_stack_in_every_position_and_oblique_goes_to_lps_and_back(
    position: str,
    tilt_rad: tuple[float, float, float],
    start: tuple[float, float, float],
    spacing: tuple[float, float],
    step_mm: float,
    index: tuple[int, int, int],
) -> None:
    turn = Rotation.from_rotvec(tilt_rad).as_matrix()
    axes = turn @ np.array(POSITIONS[position], dtype=float).reshape(2, 3).T
    normal = np.cross(axes[:, 0], axes[:, 1])
    places = [tuple(np.array(start) + n * step_mm * normal) for n in range(4)]
    made = [make_plane(orientation=axes.T.ravel(), position=p, spacing=spacing, thickness=1) for p in places]
    affine = np.array(stack_affine([plane for plane in made if plane is not None]))
    goes_there_and_back(affine, index)
    expected = np.array(places[2]) + 7 * spacing[1] * axes[:, 0] + 5 * spacing[0] * axes[:, 1]
    np.testing.assert_allclose((affine @ [7, 5, 2, 1])[:3], expected, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3), START, st.tuples(*[st.floats(0.3, 4)] * 3), st.booleans())
def test_nifti_goes_to_lps_and_back(
    turn: tuple[float, float, float], start: tuple[float, float, float], zooms: tuple[float, float, float], flip: bool
) -> None:
    axes = Rotation.from_rotvec(turn).as_matrix() * ([-1, 1, 1] if flip else 1)
    assume(np.sort(np.abs(axes).ravel())[-4] > 1e-3)  # a merely diagonal one counts as unknown
    ras = np.eye(4)
    ras[:3, :3], ras[:3, 3] = axes * zooms, start
    with tempfile.TemporaryDirectory() as folder:
        file = open_nifti(nifti_file(Path(folder), "head.nii", affine=ras, codes=(1, 0)))
    goes_there_and_back(file.affine_lps_mm, (60, 70, 5))
    np.testing.assert_allclose(np.array(file.affine_lps_mm), np.diag([-1, -1, 1, 1]) @ ras, atol=1e-3)


@settings(deadline=None)
@given(st.sampled_from(sorted(POSITIONS)))
def test_a_slice_is_shown_with_the_patients_right_or_front_first(position: str) -> None:
    axes = np.array(POSITIONS[position], dtype=float).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([axes[0], axes[1], np.cross(axes[0], axes[1])])
    matrix = tuple(tuple(row) for row in affine.tolist())
    right_to_left = np.arange(6, dtype=np.float32) * axes[0, 0] + np.zeros((4, 1), np.float32)
    shown, edges = facing(right_to_left, matrix)
    if axes[0, 0]:  # rows run between right and left: right first, whichever way they were stored
        assert edges == ("R", "L")
        assert (np.diff(shown, axis=1) > 0).all()
    else:
        assert edges == ("A", "P")
    assert facing(right_to_left, None) == (pytest.approx(right_to_left), ("", ""))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)), st.permutations(range(1, 6)))
def test_slices_are_in_order_of_position_whatever_their_names_and_numbers(names: list[int], numbers: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for place, (name, number) in enumerate(zip(names, numbers, strict=True)):
            mr_file(Path(folder), f"{name}.dcm", 10.0 * place, InstanceNumber=number)
        (intake,) = read_studies(Path(folder), patient_secret=b"x")
        assert isinstance(intake.outcome, Study)
        (volume,) = intake.outcome.volumes
        uids = tuple(f"1.2.4.3.{zlib.crc32(f'{name}.dcm'.encode())}" for name in names)
        assert volume.sop_uids == uids
        np.testing.assert_allclose(volume.pixels()[:, 0, 0] * 4095, 10 * np.arange(5), atol=1)
        assert volume.spacing_z_mm == pytest.approx(10)

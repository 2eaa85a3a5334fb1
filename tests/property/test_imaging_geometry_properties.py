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

from medmm.domain.grid import SourceFrame, from_frames, index_transform, to_frames
from medmm.domain.study import Study, Volume
from medmm.imaging import read_studies
from medmm.imaging.dicom.geometry import (
    film_affine,
    make_plane,
    patient_left_on,
    sheared,
    stack_affine,
)
from medmm.imaging.dicom.header import Tags
from medmm.imaging.nifti.files import open_nifti
from medmm.presentation.orientation import facing
from tests.dicom_files import FILM, MR_SLICE, dataset, mr_file, write
from tests.factories import make_volume
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
def test_a_film_goes_to_lps_and_back(
    row: str, column: str, spacing: tuple[float, float], index: tuple
) -> None:
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
    tags, mirrored = (
        Tags(dataset(FILM, PatientOrientation=[r, column])) for r in (row, OPPOSITE[row])
    )
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
    made = [
        make_plane(orientation=axes.T.ravel(), position=p, spacing=spacing, thickness=1)
        for p in places
    ]
    affine = np.array(stack_affine([plane for plane in made if plane is not None]))
    goes_there_and_back(affine, index)
    expected = np.array(places[2]) + 7 * spacing[1] * axes[:, 0] + 5 * spacing[0] * axes[:, 1]
    np.testing.assert_allclose((affine @ [7, 5, 2, 1])[:3], expected, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.floats(-3, 3)] * 3), START, st.tuples(*[st.floats(0.3, 4)] * 3), st.booleans()
)
def test_nifti_goes_to_lps_and_back(
    turn: tuple[float, float, float],
    start: tuple[float, float, float],
    zooms: tuple[float, float, float],
    flip: bool,
) -> None:
    axes = Rotation.from_rotvec(turn).as_matrix() * ([-1, 1, 1] if flip else 1)
    ras = np.eye(4)
    ras[:3, :3], ras[:3, 3] = axes * zooms, start
    with tempfile.TemporaryDirectory() as folder:
        file = open_nifti(nifti_file(Path(folder), "head.nii", affine=ras, codes=(1, 0)))
    goes_there_and_back(file.affine_lps_mm, (60, 70, 5))
    np.testing.assert_allclose(
        np.array(file.affine_lps_mm), np.diag([-1, -1, 1, 1]) @ ras, atol=1e-3
    )


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
def test_slices_are_in_order_of_position_whatever_their_names_and_numbers(
    names: list[int], numbers: list[int]
) -> None:
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


LESION_LPS_MM = np.array([31.0, -12.0, 23.0])  # on the patient's left, in front


def acquired(folder: Path, position: str, *, backwards: bool, tilt_rad: float) -> Volume:
    """One patient, with a bright spot on the left, scanned in a position: the volume that is understood."""
    turn = Rotation.from_rotvec([tilt_rad, tilt_rad / 2, tilt_rad / 3]).as_matrix()
    rows, columns = (
        turn @ axis for axis in np.array(POSITIONS[position], dtype=float).reshape(2, 3)
    )
    normal = np.cross(rows, columns) * (-1 if backwards else 1)
    start = -63 * rows - 63 * columns - 50 * normal
    for n in range(26):
        place = start + 4 * n * normal
        y, x = np.mgrid[0:64, 0:64]
        points = place + 2 * (x[..., None] * rows + y[..., None] * columns)
        head = np.linalg.norm(points / [70, 90, 80], axis=-1) < 1
        spot = np.linalg.norm(points - LESION_LPS_MM, axis=-1) < 7
        pixels = (300 * head + 1500 * spot + 5 * (x % 7)).astype(np.uint16)
        changes = {
            "PatientPosition": position,
            "ImageOrientationPatient": [*rows, *columns],
            "ImagePositionPatient": list(place),
            "PixelSpacing": [2, 2],
            "SliceThickness": 4,
            "InstanceNumber": n + 1,
            "SOPInstanceUID": f"1.2.4.3.{n + 1}",
        }
        write(folder / f"{n}.dcm", dataset(MR_SLICE, pixels, **changes))
    (intake,) = read_studies(folder, patient_secret=b"x")
    assert isinstance(intake.outcome, Study), intake.outcome
    (volume,) = intake.outcome.volumes
    return volume


@settings(max_examples=24, deadline=None)
@given(st.sampled_from(sorted(POSITIONS)), st.booleans(), st.sampled_from([0.0, 0.3, -0.4]))
def test_the_same_side_of_the_patient_comes_out_in_every_position_and_slice_order(
    position: str, backwards: bool, tilt_rad: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        volume = acquired(Path(folder), position, backwards=backwards, tilt_rad=tilt_rad)
        z, y, x = np.nonzero(volume.signal() > 1200)
    affine = np.array(volume.affine_lps_mm)
    np.testing.assert_allclose(
        affine @ [x.mean(), y.mean(), z.mean(), 1], [*LESION_LPS_MM, 1], atol=1.5
    )
    assert (
        np.linalg.det(affine[:3, :3]) > 0
    )  # rows, columns and slices are right-handed: nothing is mirrored
    assert abs(np.linalg.det(affine[:3, :3])) == pytest.approx(16, rel=1e-3)  # mm3 of a voxel
    assert volume.spacing_z_mm == pytest.approx(4, rel=1e-3)


@settings(deadline=None)
@given(st.sampled_from(sorted(POSITIONS)), st.floats(-0.5, 0.5), st.floats(0.5, 10))
def test_a_slant_is_seen_in_every_position(position: str, slant_rad: float, step_mm: float) -> None:
    axes = np.array(POSITIONS[position], dtype=float).reshape(2, 3)
    normal = np.cross(*axes)
    step = step_mm * (np.cos(slant_rad) * normal + np.sin(slant_rad) * axes[1])
    made = [
        make_plane(orientation=axes.ravel(), position=n * step, spacing=(1, 1), thickness=1)
        for n in range(4)
    ]
    affine = stack_affine([plane for plane in made if plane is not None])
    assert affine is not None
    assume(abs(abs(np.sin(slant_rad)) - 0.02) > 1e-4)
    assert sheared(affine) == (abs(np.sin(slant_rad)) > 0.02)


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_a_label_map_goes_to_frames_and_back_exactly(
    shape: tuple[int, int, int], several_frames: bool, random: object
) -> None:
    numbers = list(range(1, shape[0] + 1))
    random.shuffle(numbers)  # type: ignore[attr-defined]
    many = several_frames and shape[0] > 1
    volume = make_volume(
        shape_zyx=shape,
        sop_uids=("1.2.3",) if many else tuple(f"1.2.3.{n}" for n in numbers),
        frame_numbers=tuple(numbers) if many else (),
    )
    labels = np.random.default_rng(shape[0]).integers(0, 4, shape).astype(np.uint8)
    frames = list(to_frames(labels, volume))
    random.shuffle(frames)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(from_frames(frames, volume), labels)
    for frame, values in frames:
        place = numbers.index(frame.frame_number) if many else volume.sop_uids.index(frame.sop_uid)
        assert isinstance(frame, SourceFrame)
        np.testing.assert_array_equal(values, labels[place])


AFFINES = st.builds(
    lambda turn, zooms, start: np.vstack(
        [np.column_stack([Rotation.from_rotvec(turn).as_matrix() * zooms, start]), [0, 0, 0, 1]]
    ),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(*[st.floats(0.3, 6)] * 3),
    START,
)


@settings(deadline=None)
@given(AFFINES, AFFINES, st.tuples(*[st.integers(0, 300)] * 3))
def test_indices_go_from_grid_to_grid_through_the_patient(
    one: np.ndarray, other: np.ndarray, index: tuple
) -> None:
    there = index_transform(one, other)
    point = one @ [*index, 1]
    np.testing.assert_allclose(other @ (there @ [*index, 1]), point, atol=1e-6)
    np.testing.assert_allclose(index_transform(other, one) @ there, np.eye(4), atol=1e-6)
    np.testing.assert_allclose(index_transform(one, one), np.eye(4), atol=1e-9)

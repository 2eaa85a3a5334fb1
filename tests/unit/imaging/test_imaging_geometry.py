"""Sides, spacing and affines: known, or said to be unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medmm.domain.study import Study
from medmm.imaging import read_studies
from medmm.imaging.dicom.geometry import (
    film_spacing,
    frame_planes,
    make_plane,
    patient_left_on,
    stack_affine,
)
from medmm.imaging.dicom.header import Tags
from medmm.imaging.mr.stacking import frame_header, frame_order
from tests.dicom_files import FILM, MR_SLICE, SAYS_FRONTAL, dataset, film_file, picture


@pytest.mark.parametrize(
    ("orientation", "edge"),
    [
        (["L", "F"], "right"),
        (["R", "F"], "left"),
        (["LF", "F"], "right"),
        (["L", "H"], None),
        (["A", "F"], None),
        (["F", "L"], None),
        (["L"], None),
        ("", None),
        (None, None),
    ],
)
def test_the_edge_that_shows_the_patients_left(orientation: Any, edge: str | None) -> None:
    assert patient_left_on(Tags(dataset(FILM, PatientOrientation=orientation))) == edge


def test_a_flip_that_was_done_before_does_not_change_the_stated_orientation() -> None:
    assert patient_left_on(Tags(dataset(FILM, FieldOfViewHorizontalFlip="YES"))) == "right"


def test_a_film_without_orientation_says_so(tmp_path: Path) -> None:
    (intake,) = read_studies(
        film_file(tmp_path, PatientOrientation=None), patient_secret=b"x", kinds=SAYS_FRONTAL
    )
    assert isinstance(intake.outcome, Study)
    assert [notice.code for notice in intake.outcome.warnings] == ["orientation-unknown"]
    assert not intake.outcome.orientation_known


@pytest.mark.parametrize(
    ("changes", "spacing", "codes"),
    [
        ({}, (0.2, 0.2), []),
        ({"PixelSpacing": [0, 0]}, None, ["spacing-unknown"]),
        ({"PixelSpacing": None}, None, ["spacing-unknown"]),
        ({"PixelSpacing": [25, 25]}, None, ["spacing-unknown"]),
        ({"PixelSpacing": [1e-6, 1e-6]}, None, ["spacing-unknown"]),
        (
            {"PixelSpacing": None, "ImagerPixelSpacing": [0.1, 0.1]},
            (0.1, 0.1),
            ["spacing-at-detector"],
        ),
        ({"PixelSpacing": [0.2, 0.4]}, (0.2, 0.4), ["pixels-not-square"]),
        (
            {"PixelSpacing": None, "PixelAspectRatio": [2, 1]},
            None,
            ["spacing-unknown", "pixels-not-square"],
        ),
    ],
)
def test_film_spacing(
    changes: dict[str, Any], spacing: tuple[float, float] | None, codes: list[str]
) -> None:
    found, notices = film_spacing(Tags(dataset(FILM, **changes)))
    assert found == spacing
    assert [notice.code for notice in notices] == codes


def test_equal_spacing_at_detector_and_pixel_is_that_of_the_detector_unless_calibrated() -> None:
    same = {"ImagerPixelSpacing": [0.2, 0.2]}
    assert film_spacing(Tags(dataset(FILM, **same)))[1] == ()
    plain = film_spacing(Tags(dataset(FILM, PixelSpacingCalibrationType=None, **same)))[1]
    assert [notice.code for notice in plain] == ["spacing-at-detector"]


def plane(
    z_mm: float, thickness: float | None = 5.0, orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
) -> Any:
    made = make_plane(
        orientation=orientation, position=(1, 2, z_mm), spacing=(0.5, 0.75), thickness=thickness
    )
    assert made is not None
    return made


def test_an_affine_maps_column_row_slice_to_lps() -> None:
    affine = stack_affine([plane(10), plane(13), plane(16)])
    at = np.array(affine) @ [2, 4, 1, 1]
    np.testing.assert_allclose(at, [1 + 2 * 0.75, 2 + 4 * 0.5, 13, 1])


def test_an_affine_is_never_guessed() -> None:
    tilted = plane(13, orientation=(1, 0, 0, 0, 0, -1))
    assert stack_affine([plane(10), plane(13), plane(17)]) is None
    assert stack_affine([plane(10), plane(10)]) is None
    assert stack_affine([plane(10), tilted]) is None
    assert stack_affine([plane(10, thickness=None)]) is None
    assert np.array(stack_affine([plane(10)]))[2, 2] == 5


@pytest.mark.parametrize("orientation", [(), (1, 0, 0, 1, 0, 0), (2, 0, 0, 0, 1, 0), (1, 0, 0)])
def test_axes_that_are_not_orthonormal_give_no_plane(orientation: tuple[float, ...]) -> None:
    assert (
        make_plane(orientation=orientation, position=(0, 0, 0), spacing=(1, 1), thickness=1) is None
    )


def group(sequence: str, **elements: Any) -> Dataset:
    inner, outer = Dataset(), Dataset()
    for keyword, value in elements.items():
        setattr(inner, keyword, value)
    setattr(outer, sequence, [inner])
    return outer


def enhanced(depths: list[float]) -> Dataset:
    made = dataset(MR_SLICE, np.stack([picture(64, 64)] * len(depths)), NumberOfFrames=len(depths))
    shared = group("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.update(group("PixelMeasuresSequence", PixelSpacing=[0.5, 0.5], SliceThickness=2))
    made.SharedFunctionalGroupsSequence = [shared]
    frames = [group("PlanePositionSequence", ImagePositionPatient=[0, 0, z]) for z in depths]
    for slope, frame in enumerate(frames, start=1):
        frame.update(
            group("PixelValueTransformationSequence", RescaleSlope=slope, RescaleIntercept=0)
        )
    made.PerFrameFunctionalGroupsSequence = frames
    return made


def test_enhanced_multi_frame_takes_geometry_and_values_from_its_groups() -> None:
    made = enhanced([30, 10, 20])
    planes = [p for p in frame_planes(Tags(made), 3) if p is not None]
    assert [p.depth_mm for p in planes] == [30, 10, 20]
    assert frame_order(Tags(made), 3) == [1, 2, 0]
    assert [frame_header(made, i).RescaleSlope for i in range(3)] == [1, 2, 3]
    assert frame_planes(Tags(made), 4) == (None,) * 4

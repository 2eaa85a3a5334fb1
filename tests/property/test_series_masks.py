"""A mask written as NIfTI lies on the voxels and at the places in the patient that the images' own headers state."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage
from scipy.spatial.transform import Rotation

from medmm.domain.errors import InputError
from medmm.domain.reading import LabelMap, Reading
from medmm.domain.study import Study
from medmm.doors.mask_files import write_series_label_maps
from medmm.imaging import read_studies
from tests.dicom_files import MR_SLICE, dataset, write

# Rows and columns as scanners store them (PS3.3 C.7.3.1.1.2): the planes, and axial ones of a patient in other positions.
LIES = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "feet first": (-1, 0, 0, 0, 1, 0),
    "prone": (-1, 0, 0, 0, -1, 0),
    "feet first, prone": (1, 0, 0, 0, -1, 0),
    "decubitus right": (0, 1, 0, -1, 0, 0),
}
SPOT_LPS_MM = np.array([31.0, -12.0, 23.0])  # on the patient's left, in front
MM = (1.6, 2.2, 6.0)  # columns, rows, slices apart
SLICES, ROWS, COLUMNS = 26, 64, 72
TILTS = st.tuples(*[st.sampled_from([0.0, 0.2, -0.35])] * 3)


def placed(rows: Any, columns: Any, step: Any) -> tuple[list[Any], list[Any]]:
    """Place and picture of every slice of one patient with a bright spot: the field of view is centred on the patient."""
    start = -MM[0] * COLUMNS / 2 * rows - MM[1] * ROWS / 2 * columns - SLICES / 2 * step
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    places = [start + n * step for n in range(SLICES)]
    pictures = []
    for place in places:
        points = place + MM[0] * x[..., None] * rows + MM[1] * y[..., None] * columns
        head = np.linalg.norm(points / [70, 90, 80], axis=-1) < 1
        spot = np.linalg.norm(points - SPOT_LPS_MM, axis=-1) < 9
        pictures.append((300 * head + 1150 * spot + 5 * (x % 7)).astype(np.uint16))
    return places, pictures


def group(**items: Any) -> Dataset:
    """Functional groups of one item each."""
    made = Dataset()
    for name, elements in items.items():
        item = Dataset()
        for keyword, value in elements.items():
            setattr(item, keyword, value)
        setattr(made, name, [item])
    return made


def acquired(folder: Path, axes: Any, step: Any, *, order: list[int], enhanced: bool) -> None:
    """The patient as single slices, or as one enhanced image; slices come in the order of file names, or of frames."""
    places, pictures = placed(*axes, step)
    lies = {"ImageOrientationPatient": [float(v) for v in np.ravel(axes)]}
    measures = {"PixelSpacing": [MM[1], MM[0]], "SliceThickness": 3}
    if not enhanced:
        for name, n in enumerate(order):
            uids = {
                "SOPInstanceUID": f"1.2.4.3.{n + 1}",
                "ImagePositionPatient": [float(v) for v in places[n]],
            }
            write(
                folder / f"{name:02}.dcm",
                dataset(MR_SLICE, pictures[n], **lies, **measures, **uids),
            )
        return
    gone = dict.fromkeys(
        ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "SliceThickness")
    )
    uids = {"SOPClassUID": EnhancedMRImageStorage, "NumberOfFrames": SLICES}
    made = dataset(MR_SLICE, np.stack([pictures[n] for n in order]), **gone, **uids)
    made.SharedFunctionalGroupsSequence = [
        group(PixelMeasuresSequence=measures, PlaneOrientationSequence=lies)
    ]
    made.PerFrameFunctionalGroupsSequence = [
        group(PlanePositionSequence={"ImagePositionPatient": [float(v) for v in places[n]]})
        for n in order
    ]
    write(folder / "enhanced.dcm", made)


def bright_of(folder: Path) -> tuple[Study, Reading]:
    """The study, and a reading that labels what is bright."""
    (intake,) = read_studies(folder, patient_secret=b"x")
    assert isinstance(intake.outcome, Study), intake.outcome
    (volume,) = intake.outcome.volumes
    labels = np.where(volume.signal() > 1200, 1, 0)
    found = LabelMap.from_array("brain-lesion", volume.sha256, ("lesion",), labels)
    return intake.outcome, Reading(study_uid=intake.outcome.uid, label_maps=(found,))


def stated(folder: Path) -> dict[tuple[str, int], tuple[Any, Any, Any]]:
    """Place, axes with spacing, and values of every frame, as pydicom reads them from the files."""
    found = {}
    for path in sorted(folder.glob("*.dcm")):
        image = pydicom.dcmread(path)
        pictures = image.pixel_array.reshape(-1, image.Rows, image.Columns)
        own = image.get("PerFrameFunctionalGroupsSequence")
        shared = image.SharedFunctionalGroupsSequence[0] if own else None
        for n, picture in enumerate(pictures):
            place = own[n].PlanePositionSequence[0] if own else image
            lies = shared.PlaneOrientationSequence[0] if own else image
            down, along = (shared.PixelMeasuresSequence[0] if own else image).PixelSpacing
            cosines = np.array(lies.ImageOrientationPatient, dtype=float)
            axes = np.stack([cosines[:3] * along, cosines[3:] * down])
            found[image.SOPInstanceUID, n + 1] = (
                np.array(place.ImagePositionPatient, dtype=float),
                axes,
                picture,
            )
    return found


@settings(max_examples=20, deadline=None)
@given(
    lie=st.sampled_from(sorted(LIES)),
    tilt_rad=TILTS,
    backwards=st.booleans(),
    enhanced=st.booleans(),
    order=st.permutations(range(SLICES)),
)
def test_every_voxel_of_a_mask_is_where_its_frame_is(
    lie: str,
    tilt_rad: tuple[float, float, float],
    backwards: bool,
    enhanced: bool,
    order: list[int],
) -> None:
    axes = (
        np.array(LIES[lie], dtype=float).reshape(2, 3)
        @ Rotation.from_rotvec(tilt_rad).as_matrix().T
    )
    step = np.cross(*axes) * MM[2] * (-1 if backwards else 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        acquired(folder / "in", axes, step, order=order, enhanced=enhanced)
        study, reading = bright_of(folder / "in")
        path = write_series_label_maps(reading, study, folder / "out")["brain-lesion"]
        image, frames = nibabel.load(path), stated(folder / "in")
        labels = np.asarray(image.dataobj)
        about = json.loads(path.with_name("brain-lesion.json").read_text())
    assert image.get_data_dtype() == np.uint8
    assert image.header.get_xyzt_units()[0] == "mm"
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(image.header.get_qform(), image.header.get_sform(), atol=0.02)
    np.testing.assert_allclose(image.header.get_zooms(), MM, rtol=1e-4)
    assert len(about["slices"]) == SLICES == labels.shape[2]
    for k, one in enumerate(about["slices"]):
        place, (along_row, down_column), picture = frames.pop((one["sop_uid"], one["frame_number"]))
        np.testing.assert_array_equal(labels[:, :, k].T, picture > 1200)
        np.testing.assert_allclose(one["position_lps_mm"], place, atol=1e-3)
        for i, j in ((0, 0), (COLUMNS - 1, 0), (0, ROWS - 1), (41, 17)):
            right_anterior_head = (image.affine @ [i, j, k, 1])[:3]
            lps = right_anterior_head * [-1, -1, 1]
            np.testing.assert_allclose(lps, place + i * along_row + j * down_column, atol=0.01)
    assert not frames
    centre = (image.affine @ [*np.argwhere(labels).mean(0), 1])[:3]
    np.testing.assert_allclose(centre * [-1, -1, 1], SPOT_LPS_MM, atol=1.5)
    assert centre[0] < 0  # the patient's left, in RAS


@settings(max_examples=10, deadline=None)
@given(lie=st.sampled_from(sorted(LIES)), slant=st.sampled_from([0.05, -0.3]))
def test_a_slanted_stack_has_an_sform_alone(lie: str, slant: float) -> None:
    axes = np.array(LIES[lie], dtype=float).reshape(2, 3)
    step = MM[2] * (np.cross(*axes) + slant * axes[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        acquired(folder / "in", axes, step, order=list(range(SLICES)), enhanced=False)
        study, reading = bright_of(folder / "in")
        image = nibabel.load(
            write_series_label_maps(reading, study, folder / "out")["brain-lesion"]
        )
        labels = np.asarray(image.dataobj)
        about = json.loads(next((folder / "out").rglob("*.json")).read_text())
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 0)
    assert about["affine_in"] == ["sform"]
    assert about["spacing_z_mm"] is None
    centre = (image.affine @ [*np.argwhere(labels).mean(0), 1])[:3]
    np.testing.assert_allclose(centre * [-1, -1, 1], SPOT_LPS_MM, atol=1.5)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ImageOrientationPatient": None}, "not stated where"),
        ({"heights": (0, 5, 15)}, "missing or uneven"),
        ({"heights": (0,), "SliceThickness": None}, "states no thickness"),
    ],
)
def test_without_geometry_no_affine_is_written_and_it_is_said(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    heights = changes.pop("heights", (0, 5, 10))
    for n, height in enumerate(heights):
        uids = {"SOPInstanceUID": f"1.2.4.3.{n + 1}", "ImagePositionPatient": [-60, -60, height]}
        write(
            tmp_path / "in" / f"{n}.dcm",
            dataset(MR_SLICE, placed(*np.eye(3))[1][12], **{**uids, **changes}),
        )
    (intake,) = read_studies(tmp_path / "in", patient_secret=b"x")
    study = intake.outcome
    assert isinstance(study, Study)
    maps = [
        LabelMap.from_array("m", v.sha256, ("lesion",), np.ones(v.shape_zyx, np.uint8))
        for v in study.volumes
    ]
    written = write_series_label_maps(
        Reading(study_uid=study.uid, label_maps=tuple(maps)), study, tmp_path / "out"
    )
    assert len(written) == len(study.volumes)
    for path in written.values():
        header = nibabel.load(path).header
        assert (int(header["sform_code"]), int(header["qform_code"])) == (0, 0)
        assert header.get_xyzt_units()[0] == "unknown"
        assert header.get_zooms() == (1, 1, 1)
        about = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert why in about["no_affine"]
        assert about["affine_lps_mm"] is None
        assert about["affine_in"] == []
        assert [one["position_lps_mm"] for one in about["slices"]] == [None] * len(about["slices"])
        assert {one["sop_uid"] for one in about["slices"]} <= {
            f"1.2.4.3.{n + 1}" for n in range(len(heights))
        }


def test_two_maps_of_one_name_are_two_files_and_a_map_of_another_study_is_an_error(
    tmp_path: Path,
) -> None:
    for series in (1, 2):
        for n, picture in enumerate(placed(*np.eye(3))[1][10:13]):
            uids = {"SOPInstanceUID": f"1.2.{series}.{n + 1}", "SeriesInstanceUID": f"1.2.{series}"}
            place = {"ImagePositionPatient": [-60, -60, 5.0 * n]}
            write(tmp_path / "in" / f"{series}{n}.dcm", dataset(MR_SLICE, picture, **uids, **place))
    (intake,) = read_studies(tmp_path / "in", patient_secret=b"x")
    study = intake.outcome
    assert isinstance(study, Study)
    maps = [
        LabelMap.from_array("../Map", v.sha256, ("lesion",), np.full(v.shape_zyx, n, np.uint8))
        for n, v in enumerate(study.volumes)
    ]
    reading = Reading(study_uid=study.uid, label_maps=tuple(maps))
    written = write_series_label_maps(reading, study, tmp_path / "out")
    assert len(set(written.values())) == 2
    assert {path.parent.parent for path in written.values()} == {tmp_path / "out"}
    assert [int(np.asarray(nibabel.load(path).dataobj).max()) for path in written.values()] == [
        0,
        1,
    ]
    series = {json.loads(p.read_text())["series_uid"] for p in (tmp_path / "out").rglob("*.json")}
    assert series == {"1.2.1", "1.2.2"}
    stray = LabelMap.from_array("m", "0" * 64, ("lesion",), np.ones((1, 2, 2), np.uint8))
    with pytest.raises(InputError, match="no volume of its study"):
        write_series_label_maps(
            Reading(study_uid=study.uid, label_maps=(stray,)), study, tmp_path / "out"
        )

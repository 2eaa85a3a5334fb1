"""An MR study: its signal, its series and their choice, hearts, and input whose geometry must not be measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage

from medmm.domain.grid import SourceFrame, from_frames, source_frames, to_frames
from medmm.domain.study import NotEvaluable, SequenceRole, Study, Volume
from medmm.imaging import attach_pixels, look_at, read_studies
from medmm.imaging.mr.stacking import load_signal
from tests.dicom_files import MR_SLICE, dataset, mr_file, picture, write
from tests.mr_intakes import only, study
from tests.nifti_files import head as nifti_head
from tests.nifti_files import nifti_file

T1 = {"ScanningSequence": "SE", "EchoTime": 10, "RepetitionTime": 500}
T2 = {"ScanningSequence": "SE", "EchoTime": 95, "RepetitionTime": 4000}
FLAIR = {
    "ScanningSequence": ["SE", "IR"],
    "EchoTime": 120,
    "RepetitionTime": 9000,
    "InversionTime": 2500,
}
CINE = {
    "BodyPartExamined": "HEART",
    "ScanningSequence": "GR",
    "EchoTime": 1.4,
    "RepetitionTime": 40,
    "FlipAngle": 60,
}


def series(folder: Path, name: str, count: int = 4, step_mm: float = 5.0, **changes: Any) -> None:
    """Axial slices of one series."""
    for n in range(count):
        mr_file(
            folder,
            f"{name}{n}",
            step_mm * n,
            SeriesInstanceUID=f"1.2.4.2.{sum(map(ord, name))}",
            **changes,
        )


def codes(made: Study) -> set[str]:
    return {notice.code for notice in made.warnings}


def measured(volume: Volume) -> bool:
    return volume.spacing_z_mm is not None


# --- the signal


def test_the_signal_is_what_is_stored_after_the_rescale_of_each_slice_without_any_window(
    tmp_path: Path,
) -> None:
    for n, slope in enumerate((1.0, 2.0, 4.0)):
        changes = {
            "RescaleSlope": slope,
            "RescaleIntercept": n,
            "WindowCenter": 1000 * (n + 1),
            "WindowWidth": 2000,
        }
        mr_file(tmp_path, f"{n}", 5.0 * n, **T1, **changes)
    (volume,) = study(tmp_path).volumes
    signal = volume.signal()
    assert (signal.dtype, signal.shape) == (np.float32, volume.shape_zyx)
    for n, slope in enumerate((1.0, 2.0, 4.0)):
        np.testing.assert_allclose(signal[n, 1:], picture(64, 64)[1:] * slope + n, rtol=1e-6)
    assert volume.pixels().max() <= 1


def test_the_signal_comes_again_from_the_store(tmp_path: Path) -> None:
    series(tmp_path / "in", "a", **T1)
    nifti_file(tmp_path / "in", "head.nii")
    intakes = list(read_studies(tmp_path / "in", patient_secret=b"x"))
    digest = next(i.outcome.sha256 for i in intakes if isinstance(i.outcome, NotEvaluable))
    released = {str(digest): frozenset({"nifti-unstated"})}
    for intake in read_studies(tmp_path / "in", patient_secret=b"x", released=released):
        made = intake.outcome
        assert isinstance(made, Study)
        moved = {
            file.sha256: Path(shutil.copy(file.path, tmp_path / file.sha256))
            for file in intake.files
        }
        again = attach_pixels(made, moved.__getitem__)
        assert again == made
        for before, after in zip(made.volumes, again.volumes, strict=True):
            np.testing.assert_array_equal(before.signal(), after.signal())


def test_the_signal_of_nifti_is_scaled_and_not_windowed(tmp_path: Path) -> None:
    path = nifti_file(
        tmp_path, "head.nii", scl_slope=2.0, scl_inter=-7.0, cal_min=100.0, cal_max=900.0
    )
    digest = only(path).outcome
    assert isinstance(digest, NotEvaluable)
    made = only(path, {str(digest.sha256): frozenset({"nifti-unstated"})}).outcome
    assert isinstance(made, Study)
    np.testing.assert_allclose(made.volumes[0].signal(), nifti_head().T.astype(np.float32) * 2 - 7)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_where_small_values_are_white_bright_stays_bright(tmp_path: Path, dtype: Any) -> None:
    pixels = picture(64, 64).astype(dtype) - (2048 if dtype is np.int16 else 0)
    changes = {
        "PhotometricInterpretation": "MONOCHROME1",
        "WindowCenter": None,
        "WindowWidth": None,
    }
    path = write(tmp_path / "a", dataset(MR_SLICE, pixels.astype(dtype), **changes))
    signal = load_signal([path])[0]
    largest = 4095 if dtype is np.uint16 else -1
    np.testing.assert_array_equal(signal, largest - pixels.astype(np.float32))


# --- the series


def test_a_study_of_three_series_names_their_roles_and_what_is_missing(tmp_path: Path) -> None:
    series(tmp_path, "t1", **T1)
    series(tmp_path, "t2", **T2)
    series(tmp_path, "flair", **FLAIR)
    made = study(tmp_path)
    assert made.missing == (SequenceRole.T1_CONTRAST,)
    assert [choice.role for choice in made.sequences] == [
        SequenceRole.T1,
        SequenceRole.T2,
        SequenceRole.FLAIR,
    ]
    for choice in made.sequences:
        volume = made.chosen(choice.role)
        assert volume is not None
        assert volume.sequence is not None
        assert volume.sequence.role is choice.role
        assert choice.reason == "the only series of its role"
    (notice,) = (n for n in made.warnings if n.code == "sequences-missing")
    assert "T1 post-contrast" in notice.text


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({}, {"ImageType": ["DERIVED", "PRIMARY", "MPR"]}, "original, not derived"),
        (
            {},
            {"ImagePositionPatient": None},
            "more than one slice",
        ),  # without a place each is a volume of its own
        ({}, {"count": 1}, "more than one slice"),
        ({"count": 9}, {}, "9 slices"),
        ({"PixelSpacing": [0.4, 0.4]}, {}, "finer in the plane"),
        (
            {},
            {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "step_mm": 5.0, "sagittal": True},
            "axial",
        ),
    ],
)
def test_the_better_of_two_series_of_a_role_is_chosen(
    tmp_path: Path, better: dict[str, Any], worse: dict[str, Any], reason: str
) -> None:
    for name, changes in (("worse", dict(worse)), ("better", dict(better))):
        count, sagittal = changes.pop("count", 4), changes.pop("sagittal", False)
        changes.pop("step_mm", None)
        for n in range(count):
            place = [5.0 * n, 0, 0] if sagittal else [-10, -20, 5.0 * n]
            uids = {"SeriesInstanceUID": f"1.2.4.2.{len(name)}", "ImagePositionPatient": place}
            mr_file(tmp_path, f"{name}{n}", 5.0 * n, **{**FLAIR, **uids, **changes})
    made = study(tmp_path)
    (choice,) = made.sequences
    volume = made.volume(choice.volume_sha256)
    assert volume is not None
    assert volume.series_uid == "1.2.4.2.6"
    assert reason in choice.reason


def test_an_uneven_stack_stands_before_a_single_slice_of_known_place(tmp_path: Path) -> None:
    for name, heights in (("stack", (0, 5, 10, 25)), ("single", (0,))):
        for n, z in enumerate(heights):
            uids = {
                "SeriesInstanceUID": f"1.2.4.2.{len(name)}",
                "ImagePositionPatient": [-10, -20, z],
            }
            mr_file(tmp_path, f"{name}{n}", float(z), **{**FLAIR, **uids})
    made = study(tmp_path)
    (choice,) = made.sequences
    volume = made.volume(choice.volume_sha256)
    assert volume is not None
    assert (volume.shape_zyx[0], volume.spacing_z_mm) == (4, None)
    assert "more than one slice" in choice.reason


def test_of_diffusion_the_highest_b_value_stands_for_it(tmp_path: Path) -> None:
    for b in (0, 1000, 500):
        changes = {
            "ScanningSequence": "EP",
            "EchoTime": 80,
            "RepetitionTime": 5000,
            "SeriesDescription": "DWI",
        }
        for n in range(3):
            mr_file(
                tmp_path,
                f"{b}{n}",
                5.0 * n + b / 1000,
                **changes,
                ImagePositionPatient=[0, 0, 5.0 * n],
                DiffusionBValue=float(b),
            )
    made = study(tmp_path)
    assert len(made.volumes) == 3
    chosen = made.chosen(SequenceRole.DWI)
    assert chosen is not None
    assert chosen.sequence is not None
    assert "b 1000 s/mm²" in chosen.sequence.reason


def round_head(fluid: int) -> NDArray[np.uint16]:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    r = np.hypot(y / 0.9, x / 0.75)
    plane = np.where(r < 1, 400 * (1 - 0.1 * r), 3)
    noise = np.random.default_rng(3).integers(0, 9, plane.shape)
    return (np.where(np.hypot(y / 0.2, x / 0.12) < 1, fluid, plane) + noise).astype(np.uint16)


@pytest.mark.parametrize(("fluid", "confirmed"), [(60, True), (1000, False)])
def test_pixels_bear_a_role_out_or_the_reader_is_told(
    tmp_path: Path, fluid: int, confirmed: bool
) -> None:
    for n in range(6):
        changes = {
            "ImagePositionPatient": [0, 0, 5 * n],
            "SOPInstanceUID": f"1.2.4.3.{n + 1}",
            **FLAIR,
        }
        write(tmp_path / f"{n}", dataset(MR_SLICE, round_head(fluid), **changes))
    intake = only(tmp_path)
    made = intake.outcome
    assert isinstance(made, Study)
    sequence = made.volumes[0].sequence
    assert sequence is not None
    assert (sequence.role, sequence.confirmed) == (SequenceRole.FLAIR, confirmed)
    assert ("sequence-unconfirmed" in codes(made)) is not confirmed
    (look,) = look_at(intake)
    assert look.volumes[0].sequence == sequence


# --- hearts


def test_a_heart_is_let_in_and_its_phases_of_largest_and_smallest_volume_are_not_guessed(
    tmp_path: Path,
) -> None:
    for phase in range(3):
        for n in range(2):
            place = {"ImagePositionPatient": [0, 0, 8.0 * n], "TriggerTime": 40.0 * phase}
            mr_file(tmp_path, f"{phase}{n}", 8.0 * n + phase, **CINE, **place)
    made = study(tmp_path)
    assert made.body_part == "HEART"
    assert made.missing == (SequenceRole.CINE_ED, SequenceRole.CINE_ES)
    assert len(made.volumes) == 3
    assert {v.sequence.role for v in made.volumes if v.sequence} == {SequenceRole.CINE}
    assert [choice.role for choice in made.sequences] == [SequenceRole.CINE]
    assert all(measured(volume) for volume in made.volumes)


def test_phases_of_a_cine_are_in_order_of_their_times_as_numbers(tmp_path: Path) -> None:
    for phase, ms in enumerate((80, 120, 1040)):
        for n in range(2):
            place = {"ImagePositionPatient": [0, 0, 8.0 * n], "TriggerTime": ms + n}
            mr_file(tmp_path, f"{phase}{n}", 10.0 * phase, **CINE, **place)
    firsts = sorted(tuple(np.round(v.signal()[:, 0, 0])) for v in study(tmp_path).volumes)
    assert firsts == [(0, 0), (10, 10), (20, 20)]


def test_a_study_of_brain_and_heart_is_refused(tmp_path: Path) -> None:
    series(tmp_path, "brain", **T1)
    series(tmp_path, "heart", **CINE)
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("body-parts", False)


# --- geometry that must not be measured


def test_a_stack_at_a_slant_is_no_box(tmp_path: Path) -> None:
    for n in range(4):
        mr_file(tmp_path, f"{n}", 5.0 * n, ImagePositionPatient=[-10, -20 + 1.5 * n, 5.0 * n], **T1)
    made = study(tmp_path)
    (volume,) = made.volumes
    assert "sheared-stack" in codes(made)
    assert not measured(volume)
    assert volume.affine_lps_mm is not None  # each voxel's place is known all the same
    np.testing.assert_allclose(np.array(volume.affine_lps_mm)[:3, 2], [0, 1.5, 5])


def test_a_step_along_the_normal_of_an_oblique_stack_is_no_slant(tmp_path: Path) -> None:
    axes = np.array([[1, 0, 0], [0, np.cos(0.4), np.sin(0.4)]])
    for n in range(4):
        place = list(np.cross(*axes) * 5.0 * n)
        mr_file(
            tmp_path,
            f"{n}",
            5.0 * n,
            ImageOrientationPatient=list(axes.ravel()),
            ImagePositionPatient=place,
            **T1,
        )
    made = study(tmp_path)
    assert "sheared-stack" not in codes(made)
    assert made.volumes[0].spacing_z_mm == pytest.approx(5)


@pytest.mark.parametrize(
    ("stated", "thickness", "expected"),
    [
        (5.0, 5.0, True),
        (3.3, 3.0, True),
        (10.0, 5.0, False),
        (None, 5.0, False),
        (1.0, 5.0, False),
        (7.7, 5.0, False),
    ],
)
def test_every_second_slice_missing_is_seen_by_the_stated_spacing(
    tmp_path: Path, stated: float | None, thickness: float, expected: bool
) -> None:
    step = 2 * (stated or 5) if expected else 10.0
    series(tmp_path, "a", step_mm=step, SpacingBetweenSlices=stated, SliceThickness=thickness, **T1)
    made = study(tmp_path)
    assert ("slices-left-out" in codes(made)) is expected
    assert measured(made.volumes[0]) is not expected


@pytest.mark.parametrize("heights", [(0, 5, 15), (0, 5, 11), (0, 5, 10, 16, 21)])
def test_missing_and_uneven_slices_are_no_volume(
    tmp_path: Path, heights: tuple[float, ...]
) -> None:
    for n, z in enumerate(heights):
        mr_file(tmp_path, f"{n}", z, **T1)
    made = study(tmp_path)
    assert "no-volume" in codes(made)
    assert made.volumes[0].affine_lps_mm is None
    assert not measured(made.volumes[0])


def test_a_single_slice_is_read_and_not_measured(tmp_path: Path) -> None:
    mr_file(tmp_path, "a", 0, **FLAIR)
    made = study(tmp_path)
    assert "single-slice" in codes(made)
    assert made.chosen(SequenceRole.FLAIR) is not None
    assert made.volumes[0].affine_lps_mm is not None
    assert not measured(made.volumes[0])


def test_two_contrasts_under_one_uid_that_no_place_tells_apart_are_no_volume(
    tmp_path: Path,
) -> None:
    for n in range(6):
        mr_file(tmp_path, f"{n}", 5.0 * n, **(T1 if n < 3 else T2))
    made = study(tmp_path)
    (volume,) = made.volumes
    assert "several-contrasts" in codes(made)
    assert (volume.affine_lps_mm, volume.spacing_z_mm) == (None, None)
    assert volume.sequence is not None
    assert volume.sequence.role is SequenceRole.UNKNOWN
    assert made.sequences == ()


def test_slices_of_two_frames_of_reference_are_no_one_stack(tmp_path: Path) -> None:
    for n in range(4):
        mr_file(tmp_path, f"{n}", 5.0 * n, FrameOfReferenceUID=f"1.2.{n // 2}", **T1)
    made = study(tmp_path)
    assert sorted(v.frame_of_reference_uid or "" for v in made.volumes) == ["1.2.0", "1.2.1"]
    assert [v.shape_zyx[0] for v in made.volumes] == [2, 2]


def test_two_planes_under_one_uid_are_two_volumes(tmp_path: Path) -> None:
    for n in range(3):
        mr_file(tmp_path, f"ax{n}", 5.0 * n, **T1)
        sagittal = {
            "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
            "ImagePositionPatient": [4.0 * n, 50, 60],
        }
        mr_file(tmp_path, f"sag{n}", 100 + 5.0 * n, **T1, **sagittal)
    spacings = sorted(v.spacing_z_mm or 0 for v in study(tmp_path).volumes)
    assert spacings == pytest.approx([4, 5])


def test_without_geometry_the_slices_are_read_and_not_measured(tmp_path: Path) -> None:
    for n in range(3):
        mr_file(tmp_path, f"{n}", 5.0 * n, ImageOrientationPatient=None, **T1)
    made = study(tmp_path)
    assert "geometry-unknown" in codes(made)
    assert not any(measured(v) or v.affine_lps_mm for v in made.volumes)
    assert all(v.signal().shape == (1, 64, 64) for v in made.volumes)


def empty(
    folder: Path, name: str, z: float, pixels: NDArray[np.uint16] | None = None, **changes: Any
) -> Path:
    uids = {"SOPInstanceUID": f"1.2.4.3.{int(z) + 1}", "ImagePositionPatient": [-10, -20, z]}
    return write(
        folder / name,
        dataset(
            MR_SLICE, np.zeros((64, 64), np.uint16) if pixels is None else pixels, **uids, **changes
        ),
    )


def test_a_blank_slice_keeps_its_place_in_a_series_with_content(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 4095, (64, 64)).astype(np.uint16)
    for n in range(5):
        if n in (0, 2):
            empty(tmp_path, f"{n}", 5.0 * n, noise if n else None, **T1)
        else:
            mr_file(tmp_path, f"{n}", 5.0 * n, **T1)
    made = study(tmp_path)
    (volume,) = made.volumes
    assert volume.shape_zyx[0] == 5
    assert volume.spacing_z_mm == pytest.approx(5)
    assert "slices-empty" in codes(made)


def test_a_series_of_zeros_is_refused_and_left_out_of_a_study(tmp_path: Path) -> None:
    for n in range(3):
        empty(tmp_path, f"{n}", 5.0 * n, SeriesInstanceUID="1.2.4.2.77", **T1)
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("blank", False)
    series(tmp_path, "good", **FLAIR)
    made = study(tmp_path)
    assert len(made.volumes) == 1
    assert "objects-left-out" in codes(made)


def test_a_ct_under_the_study_of_a_head_is_left_out_and_one_under_mr_tags_is_held(
    tmp_path: Path,
) -> None:
    series(tmp_path, "good", **FLAIR)
    ct = {"Modality": "CT", "SOPClassUID": CTImageStorage, "SeriesInstanceUID": "1.2.4.2.99"}
    mr_file(tmp_path, "ct", 90, **ct)
    made = study(tmp_path)
    assert len(made.volumes) == 1
    (notice,) = (n for n in made.warnings if n.code == "objects-left-out")
    assert "CT" in notice.text
    mr_file(
        tmp_path, "ct", 90, SeriesInstanceUID="1.2.4.2.99", RescaleIntercept=-1024, RescaleSlope=1
    )
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("hounsfield", True)


def test_a_phantom_is_held(tmp_path: Path) -> None:
    series(tmp_path, "a", **T1, StudyDescription="Daily phantom")
    outcome = only(tmp_path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("phantom", True)


# --- frames of an enhanced image


def enhanced(
    folder: Path, heights: tuple[float, ...], slopes: tuple[float, ...], **changes: Any
) -> Path:
    """An enhanced image of axial frames at these heights; each begins with its height, each has its own slope."""
    pixels = np.stack([picture(64, 64)] * len(heights))
    pixels[:, 0, 0] = [int(z) for z in heights]
    made = dataset(
        MR_SLICE, pixels, SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=len(heights), **changes
    )
    for keyword in (
        "PixelSpacing",
        "SliceThickness",
        "ImageOrientationPatient",
        "ImagePositionPatient",
    ):
        del made[keyword]
    own = []
    for z, slope in zip(heights, slopes, strict=True):
        frame, plane, value, echo = Dataset(), Dataset(), Dataset(), Dataset()
        plane.ImagePositionPatient = [0, 0, z]
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = slope, 0, "US"
        echo.EffectiveEchoTime = 95.0
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = (
            Items([plane]),
            Items([value]),
        )
        frame.MREchoSequence = Items([echo])
        own.append(frame)
    shared, axes, measures, timing = Dataset(), Dataset(), Dataset(), Dataset()
    axes.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [1, 1], 4
    timing.RepetitionTime = 4000.0
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([axes]), Items([measures])
    shared.MRTimingAndRelatedParametersSequence = Items([timing])
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = (
        Items([shared]),
        Items(own),
    )
    return write(folder / "enhanced.dcm", made)


def test_frames_in_any_order_come_in_that_of_their_places_each_with_its_slope_and_number(
    tmp_path: Path,
) -> None:
    enhanced(
        tmp_path, (8.0, 0.0, 4.0), (1.0, 2.0, 3.0), EchoPulseSequence="SPIN", SeriesDescription="T2"
    )
    (volume,) = study(tmp_path).volumes
    assert volume.frame_numbers == (2, 3, 1)
    np.testing.assert_allclose(volume.signal()[:, 0, 0], [0, 12, 8])
    np.testing.assert_allclose(
        volume.signal()[:, 5, 5], picture(64, 64)[5, 5] * np.array([2, 3, 1]), rtol=1e-6
    )
    assert volume.spacing_z_mm == pytest.approx(4)
    assert volume.sequence is not None
    assert volume.sequence.role is SequenceRole.T2
    frames = source_frames(volume)
    assert [(f.frame_number, f.position_lps_mm) for f in frames] == [
        (2, (0, 0, 0)),
        (3, (0, 0, 4)),
        (1, (0, 0, 8)),
    ]
    labels = np.arange(3)[:, None, None] * np.ones((1, 64, 64), np.int64)
    np.testing.assert_array_equal(from_frames(reversed(to_frames(labels, volume)), volume), labels)


def test_slices_know_their_images(tmp_path: Path) -> None:
    series(tmp_path, "a", **T1)
    (volume,) = study(tmp_path).volumes
    assert volume.frame_numbers == ()
    assert [f.sop_uid for f in source_frames(volume)] == list(volume.sop_uids)
    expected = SourceFrame(
        sop_uid=volume.sop_uids[1], frame_number=1, position_lps_mm=(-10, -20, 5)
    )
    assert source_frames(volume)[1] == expected

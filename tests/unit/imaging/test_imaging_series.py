"""Slices to stacks: what shares a place, what tells it apart, gaps, pixels that are not square, files without UIDs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import Intake, look_at, read_studies
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.pixels import display, stored_values
from tests.dicom_files import (
    FILM,
    MR_SLICE,
    SAYS_FRONTAL,
    dataset,
    film_file,
    mr_file,
    picture,
    write,
)


def only(path: Path, released: dict[str, frozenset[str]] | None = None) -> Intake:
    (intake,) = read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL, released=released or {})
    return intake


def study(path: Path) -> Study:
    outcome = only(path).outcome
    assert isinstance(outcome, Study), outcome
    return outcome


def twice(folder: Path, one: dict[str, Any], other: dict[str, Any], places: int = 3) -> None:
    for place in range(places):
        for name, changes in (("a", one), ("b", other)):
            pixels = {"z_mm": 10.0 * place + (5 if name == "b" else 0)}
            made = {"ImagePositionPatient": [-10, -20, 10.0 * place], **changes}
            mr_file(folder, f"{name}{place}", pixels["z_mm"], **made)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"EchoNumbers": 1}, {"EchoNumbers": 2}),
        ({"EchoTime": 20}, {"EchoTime": 80}),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        ({"DiffusionBValue": 0}, {"DiffusionBValue": 1000}),
        ({"TriggerTime": 0}, {"TriggerTime": 40}),
        ({"ContentTime": "101010"}, {"ContentTime": "101012"}),
    ],
)
def test_slices_that_share_places_and_are_told_apart_are_stacks_of_their_own(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    twice(tmp_path, one, other)
    volumes = study(tmp_path).volumes
    assert len(volumes) == 2
    firsts = sorted(float(volume.pixels()[0, 0, 0] * 4095) for volume in volumes)
    np.testing.assert_allclose(firsts, [0, 5], atol=1)
    for volume in volumes:
        assert volume.affine_lps_mm is not None
        np.testing.assert_allclose(np.diff(volume.pixels()[:, 0, 0] * 4095), 10, atol=1)


def test_slices_that_share_a_place_and_nothing_tells_apart_are_held_until_released(
    tmp_path: Path,
) -> None:
    twice(tmp_path, {}, {})
    intake = only(tmp_path)
    assert isinstance(intake.outcome, NotEvaluable)
    assert (intake.outcome.reason_code, intake.outcome.held) == ("series", True)
    passed = only(tmp_path, {file.sha256: frozenset({"series"}) for file in intake.files}).outcome
    assert isinstance(passed, Study)
    (volume,) = passed.volumes
    assert volume.affine_lps_mm is None


def test_an_element_that_differs_from_slice_to_slice_does_not_tear_a_stack_apart(
    tmp_path: Path,
) -> None:
    for place in range(4):
        mr_file(
            tmp_path, f"{place}", 10.0 * place, AcquisitionNumber=place, ContentTime=f"10101{place}"
        )
    (volume,) = study(tmp_path).volumes
    assert volume.shape_zyx[0] == 4
    assert volume.affine_lps_mm is not None


def test_times_that_do_not_fill_every_place_are_pictures_and_no_volume(tmp_path: Path) -> None:
    for name, z, when in (("a", 0, "1010"), ("b", 0, "1011"), ("c", 10, "1012"), ("d", 20, "1013")):
        pixels = {"ImagePositionPatient": [-10, -20, z]}
        mr_file(tmp_path, name, 1.0 + z + int(when) % 3, ContentTime=when, **pixels)
    (volume,) = study(tmp_path).volumes
    assert volume.affine_lps_mm is None


def test_across_a_gap_nothing_can_be_measured(tmp_path: Path) -> None:
    for name, z in (("a", 10.0), ("b", 20.0), ("c", 40.0)):
        mr_file(tmp_path, name, z)
    made = study(tmp_path)
    (volume,) = made.volumes
    assert (volume.affine_lps_mm, volume.spacing_z_mm) == (None, None)
    assert volume.spacing_yx_mm == (0.5, 0.75)  # within a slice lengths are known
    assert not made.orientation_known
    assert volume.pixels().shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("changes", "aspect"),
    [
        ({}, 1),
        ({"PixelSpacing": [0.4, 0.2]}, 2),
        ({"PixelSpacing": None, "PixelAspectRatio": [1, 2]}, 0.5),
        ({"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [1, 2]}, 1),  # the spacing counts
        ({"PixelSpacing": None, "PixelAspectRatio": [1, 0]}, 1),
        ({"PixelSpacing": None, "PixelAspectRatio": [0, 0]}, 1),
        ({"PixelSpacing": None, "PixelAspectRatio": [1, 5000]}, 1),
    ],
)
def test_the_shape_of_a_films_pixels(
    tmp_path: Path, changes: dict[str, Any], aspect: float
) -> None:
    volume = study(film_file(tmp_path, **changes)).volumes[0]
    assert volume.pixel_aspect == pytest.approx(aspect)
    assert volume.pixels().shape == volume.shape_zyx  # masks stay on the stored grid


def test_the_shape_of_an_mr_slices_pixels(tmp_path: Path) -> None:
    mr_file(tmp_path, "a", 1.0)
    assert study(tmp_path).volumes[0].pixel_aspect == pytest.approx(0.5 / 0.75)


def acr_nema(folder: Path, packed: bool = True, signed: int = 0) -> Path:
    """A slice as ACR-NEMA wrote it: no prefix, no UID, no polarity, two values of 12 bits in three bytes."""
    pixels = picture(65, 65)
    made = dataset(MR_SLICE, pixels)
    made.PixelRepresentation = signed
    for keyword in (*("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),):
        del made[keyword]
    del made.PhotometricInterpretation, made.SamplesPerPixel
    if packed:
        even = np.append(pixels.ravel(), 0).reshape(-1, 2)
        bytes_ = np.stack(
            [even[:, 0] & 255, even[:, 0] >> 8 | (even[:, 1] & 15) << 4, even[:, 1] >> 4], axis=1
        )
        made.PixelData = bytes_.astype(np.uint8).tobytes()
        made.BitsAllocated = 12
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    whole = write(folder / "with_meta", made).read_bytes()
    path = folder / "slice"
    path.write_bytes(whole[whole.index(b"\x08\x00\x22\x00") :])  # without prefix and meta
    (folder / "with_meta").unlink()
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_an_image_without_uids_is_held_and_then_goes_under_those_of_its_content(
    tmp_path: Path, packed: bool
) -> None:
    path = acr_nema(tmp_path, packed)
    values, _ = stored_values(path)
    np.testing.assert_array_equal(values[0], picture(65, 65))
    outcome = only(path).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.reason_code, outcome.held) == ("no-uids", True)
    passed = only(path, {open_dicom(path).sha256: frozenset({"no-uids"})}).outcome
    assert isinstance(passed, Study)
    volume = passed.volumes[0]
    uids = {passed.uid, volume.series_uid, *volume.sop_uids}
    assert len(uids) == 3
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
    assert "polarity-unstated" in {notice.code for notice in passed.warnings}


@pytest.mark.parametrize(
    "left", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"]
)
def test_a_file_that_states_some_of_its_uids_is_an_error(tmp_path: Path, left: str) -> None:
    gone = {
        k: None
        for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
        if k != left
    }
    assert isinstance(only(film_file(tmp_path, **gone)).outcome, InputError)


def test_an_empty_voi_lut_and_a_window_of_width_one(tmp_path: Path) -> None:
    stored = np.array([[99, 100, 101]], np.uint16)
    shown = display(stored, dataset(FILM, stored, WindowCenter=100, WindowWidth=1), Path("made"))
    assert shown.tolist() == [[0, 1, 1]]
    assert isinstance(only(film_file(tmp_path, VOILUTSequence=[])).outcome, Study)


@pytest.mark.parametrize("photometric", ["RGB", "PALETTE COLOR", "YBR_FULL_422"])
def test_colour_is_refused_and_its_look_says_why_there_is_no_picture(
    tmp_path: Path, photometric: str
) -> None:
    intake = only(film_file(tmp_path, PhotometricInterpretation=photometric))
    assert isinstance(intake.outcome, NotEvaluable)
    assert (intake.outcome.reason_code, intake.outcome.held) == ("colour", False)
    (look,) = look_at(intake)
    assert "no grey picture" in look.polarity
    assert "colour" in {objection.code for objection in look.objections}


def test_a_look_says_everything_that_speaks_against_a_film_and_pictures_it(tmp_path: Path) -> None:
    changes = {
        "BodyPartExamined": "HAND",
        "AcquisitionDate": "20990101",
        "WindowCenter": [2048, 9],
        "WindowWidth": [4096, 9],
    }
    (look,) = look_at(only(film_file(tmp_path, **changes)), SAYS_FRONTAL)
    assert [objection.code for objection in look.objections] == ["body-part", "future-date"]
    assert look.windows == ("centre 2048, width 4096 (applied)", "centre 9, width 9")
    assert look.polarity == "MONOCHROME2: small values are shown black (as stored)"
    assert look.volumes[0].pixels().shape == (1, 256, 260)
    assert "ZZTEST" not in repr(look)


def test_a_look_at_a_grid_that_lies_decodes_nothing(tmp_path: Path) -> None:
    made = dataset(FILM, BodyPartExamined="HAND")
    made.Rows = made.Columns = 65535
    (look,) = look_at(only(write(tmp_path / "film.dcm", made)))
    assert look.volumes == ()
    assert look.problem
    assert "claims" in look.problem


def test_signed_values_of_12_bits_keep_their_sign(tmp_path: Path) -> None:
    values, _ = stored_values(acr_nema(tmp_path, signed=1))
    expected = picture(65, 65).astype(np.int16)
    expected[expected >= 2048] -= 4096
    assert expected.min() < 0
    np.testing.assert_array_equal(values[0], expected)

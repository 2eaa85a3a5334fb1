"""The gate's table, row by row, and its notes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import read_studies
from medmm.imaging.dicom.header import Tags
from medmm.imaging.gate.rules import RULES, judge_header, judge_pixels
from medmm.imaging.gate.warnings import notes
from tests.dicom_files import FILM, MR_SLICE, SAYS_FRONTAL, dataset, file_bytes, film_file, picture

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("animal", {"PatientSpeciesDescription": "Canine"}),
    ("animal", {"PatientBreedDescription": "Water dog"}),
    ("animal", {"PatientSexNeutered": "ALTERED"}),
    ("not-an-image", {"Modality": "SR"}),
    ("not-an-image", {"Modality": "SEG"}),
    ("modality", {"Modality": "CT"}),
    ("modality", {"Modality": None}),
    ("sop-class", {"Modality": "MR"}),
    ("for-processing", {"PresentationIntentType": "FOR PROCESSING"}),
    ("body-part", {"BodyPartExamined": "EXTREMITY"}),
    ("body-part", {"BodyPartExamined": None, "StudyDescription": "Left wrist"}),
    ("body-part", {"BodyPartExamined": "CHEST AND ABDOMEN"}),
    ("colour", {"PhotometricInterpretation": "RGB"}),
    ("frames", {"NumberOfFrames": 2}),
    ("view", {"ViewPosition": "LL"}),
    ("view", {"ViewPosition": "LLD"}),
    ("view", {"ViewPosition": None, "PatientOrientation": ["A", "F"]}),
    ("view", {"ViewPosition": None, "SeriesDescription": "Chest lat"}),
]
AN_MR = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "BodyPartExamined": "BRAIN"}
HELD: list[tuple[str, dict[str, Any]]] = [
    ("hounsfield", {**AN_MR, "RescaleType": "HU"}),
    ("hounsfield", {**AN_MR, "RescaleIntercept": -1024, "RescaleSlope": 1}),
    ("body-part-unknown", {"BodyPartExamined": None, "ViewPosition": "AP"}),
    ("view-contradiction", {"PatientOrientation": ["L", "H"]}),
    ("view-contradiction", {"PatientOrientation": ["F", "L"]}),
    ("view-contradiction", {"PatientOrientation": ["A", "F"]}),
    ("view-contradiction", {"ViewPosition": None, "SeriesDescription": "Chest PA LAT"}),
    ("uid", {"SOPInstanceUID": "1.2.x"}),
    ("uid", {"StudyInstanceUID": "1." + "2" * 70}),
    ("mosaic", {"ImageType": ["ORIGINAL", "PRIMARY", "MOSAIC"]}),
    ("phantom", {"SeriesDescription": "QA phantom"}),
    ("rescale", {"RescaleSlope": 0, "RescaleIntercept": 0}),
    ("future-date", {"AcquisitionDate": f"{datetime.now(UTC).year + 2}0101"}),
    ("born-after-study", {"PatientBirthDate": "20210101"}),
]


def film(**changes: Any) -> Tags:
    return Tags(dataset(FILM, **changes))


@pytest.mark.parametrize(("code", "changes"), REFUSED)
def test_refused(code: str, changes: dict[str, Any]) -> None:
    refusal = judge_header(film(**changes))
    assert refusal is not None
    assert (refusal.code, refusal.held) == (code, False)
    assert refusal.reason.startswith("not evaluable: ")


@pytest.mark.parametrize(("code", "changes"), HELD)
def test_held(code: str, changes: dict[str, Any]) -> None:
    refusal = judge_header(film(**changes))
    assert refusal is not None
    assert (refusal.code, refusal.held) == (code, True)


@pytest.mark.parametrize(
    ("code", "pixels"),
    [
        ("too-small", picture(200, 255)),
        ("too-small", picture(100, 400)),
        ("shape", picture(260, 520)),
    ],
)
def test_size_and_shape(code: str, pixels: np.ndarray) -> None:
    refusal = judge_header(Tags(dataset(FILM, pixels)))
    assert refusal is not None
    assert refusal.code == code


def test_every_rule_of_the_table_is_tested_here() -> None:
    tested = {code for code, _ in REFUSED + HELD} | {"too-small", "shape"}
    assert {rule.code for rule in RULES} == tested


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"BodyPartExamined": "chest"},
        {"BodyPartExamined": "THORAX"},
        {"BodyPartExamined": None, "StudyDescription": "Thorax p.a."},
        {"ViewPosition": "AP"},
        {"ViewPosition": None},
        {"ViewPosition": "PA_ERECT"},
        {"Modality": "DX"},
        {"PatientSpeciesDescription": "Homo sapiens"},
        {"PatientOrientation": None},
        {"PatientOrientation": ["R", "F"]},
    ],
)
def test_passed(changes: dict[str, Any]) -> None:
    assert judge_header(film(**changes)) is None


def test_a_rescale_of_phases_is_no_hounsfield_scale() -> None:
    assert judge_header(film(**AN_MR, RescaleIntercept=-4096, RescaleSlope=2)) is None
    assert judge_header(film(RescaleType="HU")) is None  # a rule of MR


@pytest.mark.parametrize("part", ["HEART", "CARDIAC", "Heart"])
def test_heart_mr_passes_and_a_radiograph_of_the_heart_does_not(part: str) -> None:
    assert judge_header(Tags(dataset(MR_SLICE, picture(64, 64), BodyPartExamined=part))) is None
    refusal = judge_header(film(BodyPartExamined=part))
    assert refusal is not None
    assert refusal.code == "body-part"


def test_brain_mr_passes_and_chest_mr_does_not() -> None:
    assert judge_header(Tags(dataset(MR_SLICE, picture(64, 64)))) is None
    refusal = judge_header(Tags(dataset(MR_SLICE, picture(64, 64), BodyPartExamined="CHEST")))
    assert refusal is not None
    assert refusal.code == "body-part"


def test_a_body_part_that_is_a_text_stays_out_of_the_reason() -> None:
    refusal = judge_header(film(BodyPartExamined="ZZ<B>NAME"))
    assert refusal is not None
    assert "ZZ" not in refusal.reason


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("secondary-capture", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}),
        ("lossy", {"LossyImageCompression": "01"}),
        ("burned-in-annotation", {"BurnedInAnnotation": "YES"}),
        ("no-patient-id", {"PatientID": ""}),
        ("body-part-unclear", {"BodyPartExamined": "RIBCAGE"}),
        ("view-unknown", {"ViewPosition": None}),
        ("child", {"PatientAge": "003Y"}),
        ("child", {"PatientAge": "017M"}),
        ("child", {"PatientBirthDate": "20020305"}),
        ("age-unknown", {"PatientBirthDate": None}),
        ("age-unknown", {"PatientAge": "999Y"}),
    ],
)
def test_notes(code: str, changes: dict[str, Any]) -> None:
    assert judge_header(film(**changes)) is None
    assert {note.code for note in notes(film(**changes))} == {code}


def test_on_the_eighteenth_birthday_a_patient_is_an_adult() -> None:
    assert notes(film(PatientBirthDate="20020304")) == ()


@pytest.mark.parametrize(
    ("code", "held", "pixels"),
    [
        ("blank", False, np.zeros((256, 256), np.uint16)),
        ("blank", False, np.full((256, 256), 4095, np.uint16)),
        ("noise", False, np.random.default_rng(1).integers(0, 4095, (256, 256)).astype(np.uint16)),
        (
            "saturated",
            True,
            np.where(np.arange(256)[:, None] < 120, 4095, picture(256, 256)).astype(np.uint16),
        ),
    ],
)
def test_pictures_without_content_do_not_pass(
    tmp_path: Path, code: str, held: bool, pixels: np.ndarray
) -> None:
    (intake,) = read_studies(
        film_file(tmp_path, pixels=pixels), patient_secret=b"x", kinds=SAYS_FRONTAL
    )
    assert isinstance(intake.outcome, NotEvaluable)
    assert (intake.outcome.reason_code, intake.outcome.held) == (code, held)


def test_mr_may_have_a_background_of_one_grey() -> None:
    pixels = np.pad(picture(64, 64) / 4095, 40).astype(np.float32)[np.newaxis]
    assert judge_pixels(pixels, film=False) is None
    refusal = judge_pixels(pixels, film=True)
    assert refusal is not None
    assert refusal.code == "saturated"


@pytest.mark.parametrize(
    ("start", "code"), [(b"MZ", "preamble"), (b"%PDF", "preamble"), (b"II*\0", None)]
)
def test_a_preamble_of_a_program_is_held(tmp_path: Path, start: bytes, code: str | None) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(start + file_bytes(dataset(FILM))[len(start) :])
    (intake,) = read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)
    if code is None:
        assert isinstance(intake.outcome, Study)
    else:
        assert isinstance(intake.outcome, NotEvaluable)
        assert (intake.outcome.reason_code, intake.outcome.held) == (code, True)


@pytest.mark.parametrize("seed", range(40))
def test_a_picture_is_blank_by_its_percentiles_however_they_are_found(seed: int) -> None:
    """The histogram may only answer what sorting all pixels answers."""
    random = np.random.default_rng(seed)
    width = random.uniform(0.015, 0.03)
    smooth = np.linspace(0, 1, 300 * 200, dtype=np.float32).reshape(1, 300, 200)
    pixels = np.clip(random.uniform(0, 0.9) + width * smooth, 0, 1).astype(np.float32)
    outliers = random.random(pixels.shape) < random.uniform(0, 0.02)
    pixels[outliers] = random.integers(0, 2, int(outliers.sum()))
    low, high = np.percentile(pixels, [1, 99])
    refusal = judge_pixels(pixels, film=False)
    assert (refusal is not None and refusal.code == "blank") == (high - low < 0.02)


@pytest.mark.parametrize("seed", range(60))
def test_noise_is_told_by_the_steps_and_the_spread_of_all_pixels(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = (int(n) for n in random.integers(8, 90, 2))
    grey = ndimage.gaussian_filter(random.random((rows, columns)), random.choice([0, 0.5, 0.7, 2]))
    grey = ((grey - grey.min()) / np.ptp(grey)).astype(np.float32)
    hidden = random.random((rows, columns)) < random.choice([0, 0.3])
    steps = np.abs(np.diff(grey, axis=1))[~hidden[:, 1:] & ~hidden[:, :-1]]
    noise = steps.size and float(steps.mean()) > 0.5 * float(grey[~hidden].std())
    refusal = judge_pixels(grey[np.newaxis], film=False, background=hidden[np.newaxis])
    assert noise == (refusal is not None and refusal.code == "noise")

"""A real four-sequence brain MR study goes DICOM, roles, lesion mask, statements, case, signed report."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.draft import ExtentEvidence, MeasurementEvidence, ScoreEvidence
from medmm.domain.grid import from_frames, to_frames
from medmm.domain.reading import Side
from medmm.domain.report import Accept
from medmm.domain.study import SequenceRole, Study
from medmm.doors.reading_lines import read_line


@pytest.fixture(scope="module")
def brain(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four series of one person (The Cancer Imaging Archive, Brain-Tumor-Progression)."""
    folder = tmp_path_factory.mktemp("brain")
    with tarfile.open(shared_data / "mri" / "dicom_brain_study.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    entry = ReaderEntry(id="reader-1", name="ZZREADER One", role="attending")
    data_dir = tmp_path_factory.mktemp("mr") / "data"
    with Assistant(Settings(data_dir=data_dir, threads=1, readers=(entry,))) as opened:
        yield opened


@pytest.fixture(scope="module")
def case_id(assistant: Assistant, brain: Path) -> str:
    study = assistant.admit(brain)
    assert isinstance(study, Study)
    case = assistant.open_case(study.uid)
    assistant.draft(case.id)
    return case.id


def test_every_series_has_its_role_confirmed_by_pixels_and_none_is_missing(
    assistant: Assistant, case_id: str
) -> None:
    study = assistant.case(case_id).case.study
    roles = {v.sequence.role for v in study.volumes if v.sequence}
    assert roles == {SequenceRole.T1, SequenceRole.T1_CONTRAST, SequenceRole.T2, SequenceRole.FLAIR}
    assert all(v.sequence is not None and v.sequence.confirmed for v in study.volumes)
    assert study.missing == ()


def test_the_lesion_lies_on_the_patients_right_on_the_grid_of_the_flair_series(
    assistant: Assistant, case_id: str
) -> None:
    """Seen in the pictures: bright FLAIR round a cavity in the right temporal lobe; the picture's left is the patient's right."""
    file = assistant.case(case_id)
    assert file.reading is not None
    flair = file.case.study.chosen(SequenceRole.FLAIR)
    assert flair is not None
    finding = file.reading.finding("brain lesion")
    assert finding is not None
    assert finding.suspected
    assert finding.extent is not None
    assert finding.extent.side is Side.RIGHT
    assert finding.extent.centroid_lps_mm is not None
    assert finding.extent.centroid_lps_mm[0] < 0
    [label_map] = file.reading.label_maps
    assert (label_map.volume_sha256, label_map.shape_zyx) == (flair.sha256, flair.shape_zyx)
    labels = label_map.array()
    assert np.array_equal(from_frames(reversed(to_frames(labels, flair)), flair), labels)


def test_the_mask_is_written_as_nifti_where_the_flair_images_lie(
    assistant: Assistant, case_id: str, brain: Path, tmp_path: Path
) -> None:
    [result] = assistant.read([brain])
    line = read_line(result, tmp_path)
    file = assistant.case(case_id)
    flair = file.case.study.chosen(SequenceRole.FLAIR)
    assert flair is not None
    assert file.reading is not None
    folder = tmp_path / hashlib.sha256(file.case.study.uid.encode()).hexdigest()[:16]
    assert line["masks"] == {"brain-lesion": str(folder / "brain-lesion.nii.gz")}
    image, about = (
        nibabel.load(line["masks"]["brain-lesion"]),
        json.loads((folder / "brain-lesion.json").read_text()),
    )
    labels = np.asarray(image.dataobj)
    np.testing.assert_array_equal(labels.T, file.reading.label_maps[0].array())
    assert (about["series_uid"], about["frame_of_reference_uid"]) == (
        flair.series_uid,
        flair.frame_of_reference_uid,
    )
    assert about["labels"] == {"1": "lesion"}
    assert about["affine_in"] == ["sform", "qform"]
    headers = {
        h.SOPInstanceUID: h for h in (pydicom.dcmread(p) for p in brain.rglob("*") if p.is_file())
    }
    assert len(about["slices"]) == labels.shape[2]
    for k, one in enumerate(about["slices"]):
        header = headers[one["sop_uid"]]
        right_anterior_head = (image.affine @ [0, 0, k, 1])[:3]
        np.testing.assert_allclose(
            right_anterior_head * [-1, -1, 1], header.ImagePositionPatient, atol=0.05
        )
    centre = (image.affine @ [*np.argwhere(labels).mean(0), 1])[:3]
    assert centre[0] > 0, "the patient's right, in RAS"


def test_statements_carry_mask_value_and_score_and_pass_their_checks(
    assistant: Assistant, case_id: str
) -> None:
    draft = assistant.case(case_id).draft
    assert draft is not None
    assert [s.text for s in draft.statements if draft.failed(s.id)] == []
    evidence = [item for s in draft.statements for item in s.evidence]
    measured = {item.name: item for item in evidence if isinstance(item, MeasurementEvidence)}
    assert measured["lesion volume"].unit == "ml"
    assert measured["lesion volume"].value > 0
    assert "lesion share of head" in measured
    assert any(isinstance(item, ExtentEvidence) for item in evidence)
    assert any(
        isinstance(item, ScoreEvidence) and item.model == "brain-lesion" for item in evidence
    )
    assert all(s.generation is None for s in draft.statements), "no language model writes MR"
    assert any("lobe" in line for line in draft.draft.not_evaluated)


def test_the_report_is_signed_and_leaves_as_valid_fhir(
    assistant: Assistant, case_id: str, shared_data: Path, tmp_path: Path
) -> None:
    by = assistant.reader_named("reader-1")
    draft = assistant.case(case_id).draft
    assert draft is not None
    assistant.decide(
        case_id, [Accept(s.id) for s in draft.statements if s.summarises is None], by=by
    )
    report = assistant.sign(case_id, by=by)
    assistant.publish(report.id, to=tmp_path)
    bundle = tmp_path / "bundle.json"
    bundle.write_text(assistant.render(report.id, format="fhir", by=by), encoding="utf-8")
    names = json.dumps(json.loads(bundle.read_text(encoding="utf-8")))
    assert "lesion" in names.lower()
    check = shared_data.parent / "tools" / "fhir_r4_check"
    done = subprocess.run([str(check), str(bundle)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert assistant.verify(by=by).ok

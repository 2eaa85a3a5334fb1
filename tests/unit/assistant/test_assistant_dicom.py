"""`publish` writes DICOM objects of what was kept: from files as they came in, with each writing in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import yaml
from typer.testing import CliRunner

from medmm.assistant import Assistant
from medmm.config import DicomEntry
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied
from medmm.domain.reading import Mask, Reading
from medmm.domain.report import Reader as Person
from medmm.domain.report import SignedReport
from medmm.domain.study import Study
from medmm.doors.cli import app
from tests.dicom_files import film_file
from tests.factories import make_reading_of
from tests.quick_assistant import opened, quick_assistant, signed

BY = Person(id="reader-1", name="ZZREADER One", role="attending")
FORMS = ("sr", "seg", "key-object", "pdf")
NAME = "Щербакова^Анна"


class Outlines:
    """Sees lungs and heart on the film that comes, and their ratio."""

    def read(self, study: Study) -> Reading:
        film = study.volumes[0]
        lungs, heart = np.zeros((2, *film.shape_zyx[1:]), dtype=bool)
        lungs[60:180, 30:90], lungs[60:180, 150:230], heart[100:180, 80:188] = True, True, True
        reading = make_reading_of(study, volumes_read=(film.sha256,))
        masks = tuple(
            Mask.from_array(name, mask, reading.masks[0].image)
            for name, mask in (("lungs", lungs), ("heart", heart))
        )
        return make_reading_of(study, volumes_read=(film.sha256,), masks=masks)


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    dicom = DicomEntry(verifying_organization="ZZ Hospital")
    with quick_assistant(tmp_path / "data", reader=Outlines(), dicom=dicom) as made:
        yield made


@pytest.fixture
def report(assistant: Assistant, tmp_path: Path) -> SignedReport:
    film = film_file(
        tmp_path / "in", PatientName=NAME, SpecificCharacterSet="ISO_IR 144", AccessionNumber="A-1"
    )
    return signed(assistant, opened(assistant, film), BY)


def test_the_objects_lie_beside_each_other_with_patient_and_study_of_the_film(
    assistant: Assistant, report: SignedReport, tmp_path: Path
) -> None:
    paths = assistant.publish(report.id, to=tmp_path / "out", forms=FORMS, by=BY)
    assert [path.name for path in paths] == [
        f"{report.id}.{name}.dcm" for name in ("sr", "seg-1", "key-object", "pdf")
    ]
    for path in paths:
        made = pydicom.dcmread(path)
        assert (str(made.PatientName), made.PatientID, made.AccessionNumber) == (
            NAME,
            "ZZ-1",
            "A-1",
        )
        assert made.StudyInstanceUID == report.study.uid
        assert made.SpecificCharacterSet == "ISO_IR 192"
    assert pydicom.dcmread(paths[0]).VerificationFlag == "VERIFIED"
    again = [path.read_bytes() for path in paths]
    assistant.publish(report.id, to=tmp_path / "out", forms=FORMS, by=BY)
    assert [path.read_bytes() for path in paths] == again
    written = [e for e in assistant.history(report.case_id, by=BY) if e.verb == "publish"]
    assert [e.details["forms"] for e in written] == ["key-object,pdf,seg,sr"] * 2


def test_forms_may_be_mixed_and_without_any_they_are_what_they_were(
    assistant: Assistant, report: SignedReport, tmp_path: Path
) -> None:
    mixed = assistant.publish(report.id, to=tmp_path / "a", forms=("fhir", "sr"), by=BY)
    assert [path.name for path in mixed] == [f"{report.id}.fhir.json", f"{report.id}.sr.dcm"]
    usual = assistant.publish(report.id, to=tmp_path / "b", by=BY)
    assert [path.suffixes[-1] for path in usual] == [".txt", ".json", ".json"]


def test_a_withdrawn_report_leaves_a_rejection_note_that_names_what_was_written(
    assistant: Assistant, report: SignedReport, tmp_path: Path
) -> None:
    before = assistant.publish(report.id, to=tmp_path / "out", forms=FORMS, by=BY)
    withdrawn = assistant.withdraw(report.case_id, reason="Of another patient.", by=BY)
    (path,) = assistant.publish(withdrawn.id, to=tmp_path / "out", forms=("sr",), by=BY)
    note = pydicom.dcmread(path)
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    named = {
        item.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert named == {pydicom.dcmread(one).SOPInstanceUID for one in before}


def test_what_is_lacking_is_said_on_request_and_logged_as_a_look(
    assistant: Assistant, report: SignedReport
) -> None:
    found: dict[str, Any] = json.loads(assistant.render(report.id, format="dicom-outcome", by=BY))
    (issue,) = found["issue"]
    assert (issue["severity"], issue["details"]["text"]) == (
        "information",
        "The DICOM objects lack nothing.",
    )


def test_refusals_write_nothing(assistant: Assistant, report: SignedReport, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no form 'gif'"):
        assistant.publish(report.id, to=tmp_path / "out", forms=("sr", "gif"), by=BY)
    with pytest.raises(PermissionDenied):
        assistant.publish(report.id, to=tmp_path / "out", forms=FORMS, by="nobody-here")
    assert not (tmp_path / "out").exists()


def test_an_altered_film_is_no_source(
    assistant: Assistant, report: SignedReport, tmp_path: Path
) -> None:
    (digest,) = assistant.case(report.case_id, by=BY).case.study.image_sha256s
    (kept,) = (tmp_path / "data").rglob(digest)
    kept.chmod(0o600)
    kept.write_bytes(kept.read_bytes()[:-2] + b"xx")
    with pytest.raises(IntegrityError):
        assistant.publish(report.id, to=tmp_path / "out", forms=FORMS, by=BY)


def test_the_command_writes_by_form_and_says_what_lacks(
    report: SignedReport, assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "data_dir": str(tmp_path / "data"),
        "readers": [{"id": "reader-1", "name": "ZZREADER One", "role": "attending"}],
    }
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("MEDMM_CONFIG", str(config))

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["--by", "reader-1", "publish", report.case_id, *words])

    done = run("--to", str(tmp_path / "out"), "--form", "sr, pdf")
    assert done.exception is None, done.exception
    assert [line for line in done.stdout.splitlines() if line.endswith(".dcm")] == [
        str(tmp_path / "out" / f"{report.id}.{name}.dcm") for name in ("sr", "pdf")
    ]
    assert "dicom.verifying_organization" in done.stderr
    assert "FHIR" not in done.stderr
    assert isinstance(run("--form", "sr").exception, InputError), "it needs a folder"

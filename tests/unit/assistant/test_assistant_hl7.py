"""`publish` writes the HL7 message of a report as the settings want it, and says what it lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from medmm.assistant import Assistant
from medmm.config import Hl7Entry
from medmm.domain.report import Reader as Person
from medmm.domain.report import SignedReport
from medmm.doors.cli import app
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant, signed

BY = Person(id="reader-1", name="ZZREADER One", role="attending")
NAME = "Щербакова^Анна"


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    hl7 = Hl7Entry(receiving_application="EHR", retraction="D")
    with quick_assistant(tmp_path / "data", hl7=hl7) as made:
        yield made


@pytest.fixture
def report(assistant: Assistant, tmp_path: Path) -> SignedReport:
    film = film_file(
        tmp_path / "in", PatientName=NAME, SpecificCharacterSet="ISO_IR 144", AccessionNumber="A-1"
    )
    return signed(assistant, opened(assistant, film), BY)


def test_the_message_lies_beside_the_others_under_the_reports_id(
    assistant: Assistant, report: SignedReport, tmp_path: Path
) -> None:
    (path,) = assistant.publish(report.id, to=tmp_path / "out", forms=("oru",), by=BY)
    assert path.name == f"{report.id}.oru.hl7"
    content = path.read_bytes()
    lines = content.decode("utf-8").split("\r")
    assert lines[0].split("|")[4] == "EHR"
    assert "|Щербакова^Анна^" in lines[1]
    assert "|A-1|" in lines[3]
    assistant.publish(report.id, to=tmp_path / "out", forms=("oru", "text"), by=BY)
    assert path.read_bytes() == content
    written = [e for e in assistant.history(report.case_id, by=BY) if e.verb == "publish"]
    assert [e.details["forms"] for e in written] == ["oru", "oru,text"]
    assert NAME.split("^")[0] not in str(written), "no name in the log"


def test_every_version_keeps_its_message_and_the_last_retracts_by_the_setting(
    assistant: Assistant, report: SignedReport, tmp_path: Path
) -> None:
    (first,) = assistant.publish(report.id, to=tmp_path / "out", forms=("oru",), by=BY)
    before = first.read_bytes()
    withdrawn = assistant.withdraw(report.case_id, reason="Of another patient.", by=BY)
    (last,) = assistant.publish(withdrawn.id, to=tmp_path / "out", forms=("oru",), by=BY)
    assert first.read_bytes() == before
    status = [
        line.split("|")[11]
        for line in last.read_text(encoding="utf-8").splitlines()
        if "OBX" in line[:3]
    ]
    assert set(status) == {"O", "C", "D"}


def test_what_the_message_lacks_is_said(assistant: Assistant, report: SignedReport) -> None:
    found: dict[str, Any] = json.loads(assistant.render(report.id, format="hl7-outcome", by=BY))
    (issue,) = found["issue"]
    assert "identifiers.mrn" in issue["details"]["text"]


def test_the_command_writes_it_and_says_what_lacks(
    report: SignedReport, assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "data_dir": str(tmp_path / "data"),
        "readers": [{"id": "reader-1", "name": "ZZREADER One", "role": "attending"}],
        "hl7": {"pdf": True},
    }
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("MEDMM_CONFIG", str(config))
    words = ["--by", "reader-1", "publish", report.case_id, "--to", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*words, "--form", "oru"])
    assert done.exception is None, done.exception
    (path,) = (Path(line) for line in done.stdout.splitlines() if line.endswith(".hl7"))
    assert "|ED|" in path.read_text()
    assert "HL7: " in done.stderr
    assert "DICOM" not in done.stderr
    assert "FHIR" not in done.stderr


@pytest.mark.parametrize("name", ["A|B", "A^B", "x" * 21, "", "A\\B", "A\rB"])
def test_a_name_that_the_header_cannot_hold_is_no_setting(name: str) -> None:
    with pytest.raises(ValidationError):
        Hl7Entry(receiving_facility=name)

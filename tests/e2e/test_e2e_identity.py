"""A signed report is printed with the identity and the images that the log speaks of, or not at all; and every look says so."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from medmm import Assistant
from medmm.config import IdentifierEntry, ReaderEntry, Settings
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied
from medmm.domain.report import Reader
from medmm.domain.study import Study
from medmm.doors.cli import app
from tests.e2e.test_e2e_python_api import READERS, decide_all
from tests.kept import kept

EARLIER = Path(__file__).parents[1] / "unit" / "store" / "earlier_release" / "store.tar.xz"
SYSTEMS = IdentifierEntry(
    mrn="https://hospital.example/mrn", accession="https://hospital.example/accession"
)
NAME = "CompressedSamples"  # of the demo film


def with_request(record: bytes) -> bytes:
    """The demo record with a request that bears the film's accession number."""
    bundle = json.loads(record)
    (patient,) = [
        e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"
    ]
    request = {
        "resourceType": "ServiceRequest",
        "id": "ordered",
        "status": "completed",
        "intent": "order",
        "code": {"text": "Chest radiograph"},
        "authoredOn": "1995-01-01",
        "subject": {"reference": f"Patient/{patient['id']}"},
        "identifier": [{"value": "ZZ-ACC-1"}],
    }
    bundle["entry"].append({"resource": request})
    return json.dumps(bundle).encode()


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Assistant, str, str]]:
    """An assistant with a signed report: its id and that of its case."""
    from importlib.resources import files

    import data_store

    folder = tmp_path_factory.mktemp("identity")
    dataset = pydicom.dcmread(Path(data_store.__file__).parent / "data" / "RG1_UNCR.dcm")
    dataset.AccessionNumber = "ZZ-ACC-1"
    dataset.save_as(folder / "film.dcm")
    (folder / "record.json").write_bytes(
        with_request(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    )
    settings = Settings(
        data_dir=folder / "data", readers=READERS, threads=1, writer="rules", identifiers=SYSTEMS
    )
    with Assistant(settings) as assistant:
        reader = assistant.reader_named("reader-1")
        study = assistant.admit(folder / "film.dcm", record=folder / "record.json")
        assert isinstance(study, Study)
        case = assistant.open_case(study.uid)
        assistant.draft(case.id)
        decide_all(assistant, case.id, reader)
        yield assistant, assistant.sign(case.id, by=reader).id, case.id


def database(assistant: Assistant) -> sqlite3.Connection:
    return sqlite3.connect(assistant.settings.data_dir / "medmm.sqlite", isolation_level=None)


def test_the_bundle_finds_patient_order_and_code(signed: tuple[Assistant, str, str]) -> None:
    assistant, report_id, _ = signed
    bundle = json.loads(assistant.render(report_id, format="fhir"))
    entries = {e["resource"]["resourceType"]: e for e in bundle["entry"]}
    assert entries["Patient"]["request"]["ifNoneExist"].startswith(
        "identifier=https%3A%2F%2Fhospital.example%2Fmrn|"
    )
    report = entries["DiagnosticReport"]["resource"]
    assert report["basedOn"][0]["reference"] == "ServiceRequest/ordered"
    assert report["identifier"][0] == {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN",
                             "display": "Accession ID"}]},
        "system": "https://hospital.example/accession",
        "value": "ZZ-ACC-1",
    }  # fmt: skip
    assert report["code"]["coding"][0]["system"] == "http://loinc.org"
    assert report["code"]["coding"][0]["display"].startswith("XR Chest")
    outcome = json.loads(assistant.render(report_id, format="outcome"))
    assert [issue["severity"] for issue in outcome["issue"]] == ["information"]


def test_a_changed_name_is_never_printed(
    signed: tuple[Assistant, str, str], tmp_path: Path
) -> None:
    assistant, report_id, _ = signed
    assert NAME in assistant.render(report_id)
    with closing(database(assistant)) as connection:
        connection.execute(f"UPDATE identity SET body = replace(body, '{NAME}', 'ZZOTHER')")
        try:
            found = assistant.verify()
            for give_out in (
                lambda: assistant.render(report_id),
                lambda: assistant.publish(report_id, to=tmp_path / "out"),
            ):
                with pytest.raises(IntegrityError, match=r"identity of patient pk-.*entry"):
                    give_out()
        finally:
            connection.execute(f"UPDATE identity SET body = replace(body, 'ZZOTHER', '{NAME}')")
    assert [p.place.split(" pk-")[0] for p in found.problems] == ["identity of patient"]
    assert not (tmp_path / "out").exists()
    assert NAME in assistant.render(report_id)


def test_a_changed_image_stops_its_report(
    signed: tuple[Assistant, str, str], tmp_path: Path
) -> None:
    assistant, report_id, _ = signed
    (path,) = [p for p in (assistant.settings.data_dir / "objects").rglob("*") if p.is_file()]
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    try:
        assert [p.place for p in assistant.verify().problems] == [f"object {path.name}"]
        with pytest.raises(IntegrityError, match="object"):
            assistant.publish(report_id, to=tmp_path / "out")
    finally:
        path.write_bytes(kept)
    assert assistant.verify().ok


def test_a_look_that_failed_is_not_in_the_log_as_done(signed: tuple[Assistant, str, str]) -> None:
    assistant, report_id, case_id = signed

    def outcomes() -> list[tuple[str, str, str]]:
        return [(e.verb, e.outcome, e.subject) for e in kept(assistant).events()]

    before = outcomes()
    with pytest.raises(InputError):
        assistant.render("no-such-report")
    with pytest.raises(InputError):
        assistant.case("no-such-case")
    with pytest.raises(PermissionDenied):
        assistant.render(
            "no-such-report", by=Reader(id="nobody", name="", role="reader")
        )  # asked before it is read
    assistant.render(report_id)
    assert outcomes()[len(before) :] == [
        ("publish", "failed", "request"),
        ("case", "failed", "request"),
        ("publish", "failed", "request"),
        ("publish", "done", case_id),
    ]


def test_the_command_says_what_an_earlier_release_left_open(tmp_path: Path) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    config = tmp_path / "config.yaml"
    readers = [
        entry.model_dump() for entry in (ReaderEntry(id="reader-1", name="ZZ", role="reader"),)
    ]
    config.write_text(json.dumps({"data_dir": str(tmp_path / "data"), "readers": readers}))
    said = CliRunner().invoke(app, ["--config", str(config), "audit", "verify"])
    assert said.exit_code == 0
    assert "Identity not covered before entry 7" in " ".join(said.output.split())
    found = json.loads(
        CliRunner().invoke(app, ["--config", str(config), "audit", "verify", "--json"]).output
    )
    assert (found["ok"], found["problems"], found["not_covered_before"]) == (True, [], 8)
    assert len(found["identities_not_covered"]) == 1

"""Films and records of the same and of other patients, joined through the assistant: who may, what is kept, what is said."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import InputError, PermissionDenied
from medmm.domain.study import Study
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.e2e.test_e2e_cli import Tool
from tests.kept import kept
from tests.quick_assistant import GivenNetworks

NEARLY = "differ slightly, or only one of them says anything, in"
READERS = (
    ReaderEntry(id="resident-1", name="ZZREADER One", role="resident"),
    ReaderEntry(id="auditor-1", name="ZZREADER Two", role="auditor"),
)
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"system": "urn:oid:1.2.3", "value": "ZZFAKE-1", "type": {"coding": [{"code": "MR"}]}},
        {"system": "urn:zz:insurance", "value": "ZZFAKE-77"},
    ],
    "name": [{"family": "ZZFAKE", "given": ["Alpha"]}],
    "gender": "female",
    "birthDate": "1950-01-10",
}


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("joined"), readers=READERS, threads=1)
    networks = GivenNetworks(
        settings, picture_kinds=SAYS_FRONTAL
    )  # the pixels are not what is asked here
    with Assistant(settings, networks=networks) as opened:
        yield opened


def film_of(folder: Path, **identity: Any) -> Path:
    """A chest film under the identity that the records of the corpus stand against; None leaves an element out."""
    stated = {
        "PatientID": "ZZFAKE-1",
        "PatientName": "ZZFAKE^Alpha",
        "PatientBirthDate": "19500110",
        "PatientSex": "F",
    }
    return film_file(
        folder,
        StudyInstanceUID=generate_uid(),
        SOPInstanceUID=generate_uid(),
        **{**stated, **identity},
    )


def record_of(folder: Path, **changes: Any) -> Path:
    patient = {name: value for name, value in {**PATIENT, **changes}.items() if value is not None}
    path = folder / "record.json"
    path.write_text(
        json.dumps(
            {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}]}
        )
    )
    return path


def codes(study: object) -> dict[str, str]:
    assert isinstance(study, Study)
    return {
        warning.code: warning.text
        for warning in study.warnings
        if warning.code.startswith("identity")
    }


@pytest.mark.parametrize(
    ("image", "record", "differing"),
    [
        ({}, {}, None),
        ({"PatientID": "ZZFAKE-77"}, {}, None),
        ({"IssuerOfPatientID": "urn:oid:1.2.3"}, {}, None),
        ({"IssuerOfPatientID": "OTHER HOSPITAL"}, {}, "patient_id"),
        ({"PatientName": "ZZFAKEE^Alpha"}, {}, "name"),
        ({"PatientName": "Alpha^ZZFAKE"}, {}, "name"),
        ({"PatientBirthDate": "19501001"}, {}, "birth_date"),
        ({"PatientSex": None}, {}, "sex"),
        ({}, {"birthDate": None}, "birth_date"),
    ],
)
def test_a_match_joins_and_a_near_miss_warns(
    assistant: Assistant,
    demo_films: Path,
    tmp_path: Path,
    image: dict[str, Any],
    record: dict[str, Any],
    differing: str,
) -> None:
    study = assistant.admit(film_of(tmp_path, **image), record=record_of(tmp_path, **record))
    assert codes(study) == (
        {"identity-near": f"image and record {NEARLY} {differing}"} if differing else {}
    )
    assert isinstance(study, Study)
    assert assistant.open_case(study.uid).context is not None


@pytest.mark.parametrize(
    ("image", "field"),
    [
        ({"PatientID": "ZZFAKE-2"}, "patient_id"),
        ({"PatientBirthDate": "19500111"}, "birth_date"),
        ({"PatientSex": "M"}, "sex"),
        ({"PatientName": "Quite^Other"}, "name"),
        ({"PatientID": None, "PatientSex": "M"}, "sex"),
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_mismatch_stops_whoever_confirms_it_and_nothing_is_kept(
    assistant: Assistant, tmp_path: Path, image: dict[str, Any], field: str, confirmed: bool
) -> None:
    film, record, person = (
        film_of(tmp_path, **image),
        record_of(tmp_path),
        assistant.reader_named("resident-1"),
    )
    objects = assistant.settings.data_dir / "objects"
    before = sorted(objects.rglob("*"))
    with pytest.raises(InputError, match=field) as caught:
        assistant.admit(film, record=record, confirmed=confirmed, by=person)
    assert "ZZFAKE" not in str(caught.value)
    uid = pydicom.dcmread(film, stop_before_pixels=True).StudyInstanceUID
    with pytest.raises(InputError):
        assistant.open_case(uid)
    assert sorted(objects.rglob("*")) == before
    assert kept(assistant).events(uid) == ()


def test_without_a_patient_id_a_person_confirms_and_the_study_says_so(
    assistant: Assistant, tmp_path: Path
) -> None:
    film, record = film_of(tmp_path, PatientID=None), record_of(tmp_path)
    with pytest.raises(InputError, match="a person must confirm") as caught:
        assistant.admit(film, record=record)
    assert "--confirm-patient" in caught.value.remedy
    with pytest.raises(InputError, match="needs a person"):
        assistant.admit(film, record=record, confirmed=True)
    with pytest.raises(PermissionDenied):
        assistant.admit(film, record=record, confirmed=True, by=assistant.reader_named("auditor-1"))
    assert (
        kept(assistant).events(pydicom.dcmread(film, stop_before_pixels=True).StudyInstanceUID)
        == ()
    )
    study = assistant.admit(
        film, record=record, confirmed=True, by=assistant.reader_named("resident-1")
    )
    said = codes(study)["identity-confirmed"]
    assert "resident-1 (resident) confirmed" in said
    assert "birth_date, sex, name agree" in said
    assert isinstance(study, Study)
    (event,) = kept(assistant).events(study.uid)
    assert (event.actor, event.role, event.details["identity-confirmed"]) == (
        "resident-1",
        "resident",
        said,
    )
    case = assistant.open_case(study.uid)
    assert case.context is not None
    assert said in json.dumps([w.text for w in case.study.warnings])


def test_a_confirmation_of_what_matches_anyway_adds_nothing(
    assistant: Assistant, tmp_path: Path
) -> None:
    person = assistant.reader_named("resident-1")
    study = assistant.admit(
        film_of(tmp_path), record=record_of(tmp_path), confirmed=True, by=person
    )
    assert codes(study) == {}


def test_the_command_line_confirms_and_the_draft_shows_it(demo_films: Path, tmp_path: Path) -> None:
    tool, record = Tool(tmp_path), record_of(tmp_path)
    named, film = pydicom.dcmread(demo_films / "RG1_UNCR.dcm"), tmp_path / "film.dcm"
    named.update(
        {
            "PatientID": "",
            "PatientName": "ZZFAKE^Alpha",
            "PatientBirthDate": "19500110",
            "PatientSex": "F",
        }
    )
    named.save_as(film)
    tool("draft", film, "--record", record, "--confirm-patient", code=3)  # nobody is named
    shown = tool("draft", film, "--record", record, "--confirm-patient", by="reader-1").stdout
    assert "reader-1 (reader) confirmed" in " ".join(shown.split())


ROWS = {
    "good/plain.json": "match",
    "identity/other_patient.json": "match",
    "identity/two_patients.json": "refused",
    "identity/no_patient.json": "refused",
    "identity/no_birthdate.json": "birth_date",
    "identity/no_gender_no_name.json": "sex, name",
    "identity/near_miss_spelling.json": "name",
    "identity/near_miss_swapped.json": "name",
    "identity/near_miss_case_accent.json": "name",
    "identity/near_miss_middle.json": "name",
    "identity/same_name_other_birthdate.json": "birth_date",
    "identity/deceased_before_study.json": "asked",
    "identity/duplicate_ids.json": "match",
}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_identity_rows_of_the_corpus_against_their_film(
    assistant: Assistant, tmp_path: Path, shared_data: Path, name: str
) -> None:
    with tarfile.open(shared_data / "fhir" / "awkward.tar.xz") as packed:
        member = next(m for m in packed if m.name.removeprefix("./") == name)
        data = packed.extractfile(member)
        assert isinstance(data, io.IOBase)
        record = tmp_path / "record.json"
        record.write_bytes(data.read())
    born = "19500110" if "other_birthdate" in name else "19500101"
    film = film_of(tmp_path, PatientBirthDate=born)
    if ROWS[name] == "refused":
        with pytest.raises(InputError, match="human patients"):
            assistant.admit(film, record=record)
        return
    if ROWS[name] == "asked":
        with pytest.raises(InputError, match="died before the study, so a person must confirm"):
            assistant.admit(film, record=record)
        return
    said = codes(assistant.admit(film, record=record))
    expected = (
        {}
        if ROWS[name] == "match"
        else {"identity-near": f"image and record {NEARLY} {ROWS[name]}"}
    )
    assert said == expected

"""A bulk export of many patients: each one's record is what that patient's own Bundle says."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.record import FactStatus
from medmm.records import RecordDocument, RecordFolder, read_record
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant

Json = dict[str, Any]


def patient(id_: str, number: str, **more: Any) -> Json:
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"system": "urn:oid:1.2.3", "value": number}],
        "name": [{"family": "ZZBULK", "given": [id_.title()]}],
        "birthDate": "1960-01-02",
        **more,
    }


def condition(id_: str, of: str, code: str) -> Json:
    return {
        "resourceType": "Condition",
        "id": id_,
        "subject": {"reference": f"Patient/{of}"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code, "display": code}]},
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": "active",
                }
            ]
        },
        "onsetDateTime": "2019-01-02",
    }


A, B = patient("a", "ZZ-1"), patient("b", "ZZ-2")
OF_A, OF_B = condition("c1", "a", "233604007"), condition("c2", "b", "38341003")
TAKEN = {
    "resourceType": "MedicationStatement",
    "id": "m1",
    "status": "active",
    "subject": {"reference": "https://fhir.example/r4/Patient/a"},
    "medicationReference": {"reference": "Medication/drug"},
}
DRUG = {
    "resourceType": "Medication",
    "id": "drug",
    "code": {
        "coding": [
            {
                "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                "code": "11289",
                "display": "warfarin",
            }
        ]
    },
}


def export(folder: Path, *resources: Json, end: str = "\n") -> Path:
    """Write resources as a server exports them: a file a type."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, list[str]] = {}
    for resource in resources:
        kinds.setdefault(resource["resourceType"], []).append(json.dumps(resource))
    for kind, lines in kinds.items():
        text = "".join(line + end for line in lines)
        (folder / f"{kind}.000.ndjson").write_bytes(text.encode())
    return folder


def of(folder: Path, number: str, uid: str = "1.2.3", names: Sequence[str] = ()) -> RecordDocument:
    fit = RecordFolder(folder).fit(uid, PatientIdentity(patient_id=number), names)
    assert fit.content is not None, fit.note
    document = read_record(fit.content)
    assert document.sha256 == fit.sha256
    return document


def codes(document: RecordDocument) -> set[str]:
    return {coding.code for fact in document.facts for coding in fact.codings}


def test_each_patient_gets_their_own_lines_and_what_these_refer_to(tmp_path: Path) -> None:
    folder = export(tmp_path / "bulk", A, B, OF_A, OF_B, TAKEN, DRUG)
    first, second = of(folder, "ZZ-1"), of(folder, "ZZ-2")
    assert codes(first) == {"233604007", "11289"}
    assert codes(second) == {"38341003"}
    assert [one.patient_id for one in (*first.patients, *second.patients)] == ["ZZ-1", "ZZ-2"]
    assert not first.incomplete


def test_an_export_of_one_patient_is_not_a_record_of_the_patient_alone(tmp_path: Path) -> None:
    """Its Patient.ndjson has the patient ID: taken by itself it says that nothing is known."""
    assert codes(of(export(tmp_path, A, OF_A), "ZZ-1")) == {"233604007"}


def test_an_export_may_lie_among_other_records(tmp_path: Path) -> None:
    export(tmp_path / "bulk", A, B, OF_A, OF_B)
    other = {"resourceType": "Bundle", "entry": [{"resource": patient("c", "ZZ-3")}]}
    (tmp_path / "other.json").write_text(json.dumps(other))
    fit = RecordFolder(tmp_path).fit("1.2.3", PatientIdentity(patient_id="ZZ-3"))
    assert fit.path == tmp_path / "other.json"
    assert fit.content is None
    assert codes(of(tmp_path, "ZZ-2")) == {"38341003"}


def test_a_study_in_it_is_found_by_its_uid_and_a_folder_s_name_says_nothing(
    tmp_path: Path,
) -> None:
    study = {
        "resourceType": "ImagingStudy",
        "id": "s",
        "status": "available",
        "subject": {"reference": "Patient/b"},
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3.4"}],
    }
    folder = export(tmp_path / "bulk", A, B, OF_A, OF_B, study)
    assert codes(of(folder, "unknown", uid="1.2.3.4")) == {"38341003"}
    fit = RecordFolder(folder).fit("1.2.3", PatientIdentity(patient_id="ZZ-9"), ["bulk"])
    assert fit.path is None
    assert fit.note == "No record of the folder fits the study."


def test_two_patients_of_one_number_are_neither(tmp_path: Path) -> None:
    folder = export(tmp_path, A, patient("other", "ZZ-1"), OF_A)
    fit = RecordFolder(folder).fit("1.2.3", PatientIdentity(patient_id="ZZ-1"))
    assert fit.path is None
    assert "2 records fit" in (fit.note or "")


def test_who_was_merged_brings_their_lines_under_the_one_who_remains(tmp_path: Path) -> None:
    gone = {**B, "link": [{"other": {"reference": "Patient/a"}, "type": "replaced-by"}]}
    kept = {**A, "link": [{"other": {"reference": "Patient/b"}, "type": "replaces"}]}
    document = of(export(tmp_path, kept, gone, OF_A, OF_B), "ZZ-1")
    assert "233604007" in codes(document)
    assert len(document.patients) == 1


def test_somebody_who_is_only_referred_to_is_nobody_s_record(tmp_path: Path) -> None:
    linked = {**A, "link": [{"other": {"reference": "Patient/b"}, "type": "seealso"}]}
    document = of(export(tmp_path, linked, B, OF_A, OF_B), "ZZ-1")
    assert codes(document) == {"233604007"}
    assert len(document.patients) == 1


def test_a_group_of_patients_says_nothing_of_one(tmp_path: Path) -> None:
    group = {
        "resourceType": "Group",
        "id": "g",
        "type": "person",
        "actual": True,
        "member": [{"entity": {"reference": f"Patient/{one}"}} for one in "ab"],
    }
    fit = RecordFolder(export(tmp_path, A, B, OF_A, group)).fit(
        "1.2.3", PatientIdentity(patient_id="ZZ-1")
    )
    assert b"Group" not in (fit.content or b"")


@pytest.mark.parametrize(
    "line",
    [
        '{"resourceType": "Condition", "id": "cut',
        json.dumps(
            {
                "resourceType": "OperationOutcome",
                "issue": [{"severity": "error", "code": "timeout"}],
            }
        ),
    ],
)
def test_what_is_known_to_lack_is_said_in_every_record(tmp_path: Path, line: str) -> None:
    folder = export(tmp_path, A, B, OF_A, OF_B)
    (folder / "error.ndjson").write_text(line + "\n")
    for number in ("ZZ-1", "ZZ-2"):
        assert of(folder, number).incomplete


def test_what_is_listed_as_deleted_too_is_not_taken_for_sure(tmp_path: Path) -> None:
    folder = export(tmp_path, A, B, OF_A, OF_B)
    deleted = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Condition/c1"}}],
    }
    (folder / "deleted.ndjson").write_text(json.dumps(deleted) + "\n")
    (doubted,) = of(folder, "ZZ-1").facts
    assert doubted.status is FactStatus.UNCONFIRMED
    (sure,) = of(folder, "ZZ-2").facts
    assert sure.status is not FactStatus.UNCONFIRMED


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_ends_of_lines_and_escaped_references_make_no_difference(tmp_path: Path, end: str) -> None:
    folder = export(tmp_path, A, B, OF_A, OF_B, end=end)
    file = folder / "Condition.000.ndjson"
    file.write_text(file.read_text().replace("Patient/", "Patient\\/"))
    assert codes(of(folder, "ZZ-1")) == {"233604007"}


def test_a_new_export_is_read_anew(tmp_path: Path) -> None:
    records = RecordFolder(export(tmp_path, A, B, OF_A, OF_B))
    who = PatientIdentity(patient_id="ZZ-1")
    before = records.fit("1.2.3", who)
    export(tmp_path, A, B, {**OF_A, "id": "c3"}, OF_B)
    file = tmp_path / "Condition.000.ndjson"
    os.utime(file, ns=(1, 1))
    after = records.fit("1.2.3", who)
    assert before.sha256 != after.sha256
    assert b"c3" in (after.content or b"")


def test_lone_files_stay_what_they_were(tmp_path: Path) -> None:
    """A file of one patient with all that is known, and a file of one Patient alone."""
    lines = "\n".join(map(json.dumps, (A, OF_A)))
    (tmp_path / "one.ndjson").write_text(lines)
    fit = RecordFolder(tmp_path).fit("1.2.3", PatientIdentity(patient_id="ZZ-1"))
    assert fit.path == tmp_path / "one.ndjson"
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "b.ndjson").write_text(json.dumps(B))
    fit = RecordFolder(alone).fit("1.2.3", PatientIdentity(patient_id="ZZ-2"))
    assert fit.path == alone / "b.ndjson"


def test_an_export_that_can_t_be_read_fits_nobody_and_is_said(tmp_path: Path) -> None:
    folder = export(tmp_path / "bulk", A, B, OF_A, OF_B)
    records = RecordFolder(folder)
    record = records.fit("1.2.3", PatientIdentity(patient_id="ZZ-1"))
    assert record.path == folder
    indexed = records._exports[folder][1][0]
    assert indexed.export is not None
    (folder / "Condition.000.ndjson").write_text("")
    with pytest.raises(InputError, match="changed"):
        indexed.export.record("a")


def test_thirteen_patients_exported_by_type_say_what_their_bundles_say(
    shared_data: Path, tmp_path: Path
) -> None:
    with tarfile.open(shared_data / "fhir" / "synthea_bulk.tar.xz") as archive:
        archive.extractall(tmp_path / "bundles", filter="data")
    bundles = [
        json.loads(path.read_text()) for path in sorted((tmp_path / "bundles").rglob("*.json"))
    ]
    everyone = [
        [entry["resource"] for entry in bundle["entry"] if "resource" in entry]
        for bundle in bundles
    ]
    folder = export(tmp_path / "bulk", *(one for resources in everyone for one in resources))
    records = RecordFolder(folder)
    assert len(everyone) == 13
    for resources in everyone:
        lines = "\n".join(map(json.dumps, resources)).encode()
        alone = read_record(lines)
        who = alone.the_patient()
        fit = records.fit("1.2.3", who)
        assert fit.content is not None, fit.note
        exported = read_record(fit.content)
        assert {f.id for f in exported.facts} == {f.id for f in alone.facts}
        assert exported.the_patient() == who


def test_a_study_is_admitted_with_its_patient_s_part_of_an_export(tmp_path: Path) -> None:
    folder = export(tmp_path / "bulk", A, B, OF_A, OF_B)
    film = film_file(tmp_path / "in", PatientName="ZZBULK^A")
    with quick_assistant(tmp_path / "data") as assistant:
        case = assistant.case(opened(assistant, film, record=folder)).case
        assert {fact.id for fact in case.context.facts} == {"Patient#age", "Condition/c1"}
        (found,) = assistant.studies(tmp_path / "in", records=folder)
        assert found.record == str(folder)
        again = assistant.admit(film, record=found.record)
        assert assistant.open_case(again.uid).id == case.id

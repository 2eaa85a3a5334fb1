"""`medmm batch` over folders as people have them: trees, heaps, studies in parts, records among the images, changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.report import Accept
from pipelines import batch
from tests.dicom_files import film_file, picture
from tests.e2e.test_e2e_grown_study import record_of
from tests.quick_assistant import quick_assistant, signed

Lines = dict[str, dict[str, Any]]
Run = Callable[..., Lines]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a batch over `in`. Gives: its lines by name."""

    def over(
        records: Path | None = None, code: int = 0, folder: str = "in", **settings: Any
    ) -> Lines:
        with quick_assistant(tmp_path / "data", **settings) as assistant:
            found = batch.run(assistant, tmp_path / folder, tmp_path / "out", records, as_json=True)
        assert found == code
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len({line["name"] for line in lines}) == len(lines)
        return {line["name"]: line for line in lines}

    return over


def film(path: Path, study: int, image: int = 0, **changes: Any) -> Path:
    """One film of a study and a patient of its own."""
    uids = {
        "StudyInstanceUID": f"1.2.3.{study}",
        "SOPInstanceUID": f"1.2.4.{study}.{image}",
        "PatientID": f"ZZ-{study}",
    }
    pixels = picture() // (1 + study) + image
    return film_file(path.parent, path.name, pixels, **{**uids, **changes})


def done(lines: Lines) -> dict[str, tuple[str, int]]:
    """By name the study and its number of files, of what is done."""
    return {
        name: (line["study"], line["files"])
        for name, line in lines.items()
        if line["outcome"] == "done"
    }


def test_trees_heaps_and_parts_give_one_line_a_study(run: Run, tmp_path: Path) -> None:
    top = tmp_path / "in"
    film(top / "alone.dcm", 1)
    film(top / "PAT2" / "STUDY1" / "SERIES1" / "1", 2, 1)
    film(top / "PAT2" / "STUDY1" / "SERIES2" / "1", 2, 2)
    film(top / "PAT2" / "STUDY2" / "1", 3, PatientID="ZZ-2")
    film(top / "PAT4" / "STUDY" / "SERIES" / "1", 4)
    film(top / "heap" / "b", 5, 1)
    film(top / "heap" / "a", 5, 2)
    film(top / "heap" / "c", 6)
    film(top / "part 1" / "1", 7, 1)
    film(top / "part 2" / "2", 7, 2)
    film_file(top, "DICOMDIR", SOPClassUID="1.2.840.10008.1.3.10")
    (top / "README.txt").write_text("to whom it may concern")
    (top / "old.zip").write_bytes(b"PK\x03\x04" + bytes(200))
    lines = run()
    assert done(lines) == {
        "alone.dcm": ("1.2.3.1", 1),
        "PAT2/STUDY1": ("1.2.3.2", 2),
        "PAT2/STUDY2": ("1.2.3.3", 1),
        "PAT4": ("1.2.3.4", 1),
        "heap/a": ("1.2.3.5", 2),
        "heap/c": ("1.2.3.6", 1),
        "part 1/1": ("1.2.3.7", 2),
    }
    others = {
        name: (line["outcome"], line["reason"])
        for name, line in lines.items()
        if line["outcome"] != "done"
    }
    assert others == {
        "DICOMDIR": ("left out", "a DICOMDIR lists files and holds no image"),
        "README.txt": ("left out", "not a DICOM file"),
        "old.zip": ("left out", "a zip archive is not opened"),
    }
    shutil.move(top / "part 1", top / "elsewhere")
    assert all(line["skipped"] for name, line in run().items() if name not in others)


def test_what_looks_like_an_image_and_can_t_be_read_fails(run: Run, tmp_path: Path) -> None:
    film(tmp_path / "in" / "1" / "good.dcm", 1)
    (tmp_path / "in" / "2").mkdir()
    (tmp_path / "in" / "2" / "IM0001").write_bytes(b"half a film")
    (tmp_path / "in" / "2" / "cut.txt").write_bytes(
        film(tmp_path / "other.dcm", 2).read_bytes()[:300]
    )
    lines = run(code=9)
    assert {name: line["outcome"] for name, line in lines.items()} == {
        "1": "done", "2/IM0001": "failed", "2/cut.txt": "failed"
    }  # fmt: skip


def test_a_study_that_grew_is_done_again_and_decisions_are_not_lost_in_silence(
    run: Run, tmp_path: Path
) -> None:
    top = tmp_path / "in"
    film(top / "1" / "a.dcm", 1, 1)
    film(top / "2" / "a.dcm", 2, 1)
    first = run()
    with quick_assistant(tmp_path / "data") as assistant:
        reader = assistant.reader_named("reader-1")
        draft = assistant.case(first["1"]["case"]).draft
        assert draft is not None
        assistant.decide(first["1"]["case"], [Accept(draft.statements[0].id)], by=reader)
        signed(assistant, first["2"]["case"], reader)
    film(top / "1" / "b.dcm", 1, 2)
    film(top / "2" / "b.dcm", 2, 2)
    second = run()
    assert done(second) == {"1": ("1.2.3.1", 2), "2": ("1.2.3.2", 2)}
    assert any(
        note.startswith(f"1 decision made on {first['1']['case']}") for note in second["1"]["notes"]
    )
    assert any(
        "signed report" in note and "need a new case" in note for note in second["2"]["notes"]
    )
    with quick_assistant(tmp_path / "data") as assistant:
        states = {case.case_id: case.state.value for case in assistant.cases()}
        assert assistant.verify().ok
    assert [states[first[name]["case"]] for name in ("1", "2")] == ["superseded", "signed"]
    assert [states[second[name]["case"]] for name in ("1", "2")] == ["drafted", "drafted"]
    assert all(line["skipped"] for line in run().values())


def test_a_study_in_two_folders_that_are_read_one_after_the_other_grows(
    run: Run, tmp_path: Path
) -> None:
    film(tmp_path / "in" / "1.dcm", 1, 1)
    film(tmp_path / "later" / "2.dcm", 1, 2)
    first, second = run()["1.dcm"], run(folder="later")["2.dcm"]
    assert first["case"] != second["case"]
    assert any("grew" in note for note in second["notes"])
    with quick_assistant(tmp_path / "data") as assistant:
        assert len(assistant.case(second["case"]).case.study.volumes) == 2


def test_other_settings_draft_again_what_nobody_has_decided_on(run: Run, tmp_path: Path) -> None:
    for number in (1, 2):
        film(tmp_path / "in" / f"{number}.dcm", number)
    first = run()
    with quick_assistant(tmp_path / "data") as assistant:
        draft = assistant.case(first["1.dcm"]["case"]).draft
        assert draft is not None
        reader = assistant.reader_named("reader-1")
        assistant.decide(first["1.dcm"]["case"], [Accept(draft.statements[0].id)], by=reader)
    second = run(writer="rules")
    assert not any(line["skipped"] for line in second.values())
    assert {name: line["case"] for name, line in second.items()} == {
        n: line["case"] for n, line in first.items()
    }
    assert "its draft stays" in second["1.dcm"]["notes"][-1]
    assert "It was drafted again" in second["2.dcm"]["notes"][-1]
    with quick_assistant(tmp_path / "data") as assistant:
        drafts = {
            name: [e for e in assistant.history(second[name]["case"]) if e.verb == "draft"]
            for name in second
        }
        decisions = assistant.case(first["1.dcm"]["case"]).decisions
    assert [["unchanged" in e.details for e in drafts[name]] for name in ("1.dcm", "2.dcm")] == [
        [False, True], [False, False]
    ]  # fmt: skip
    assert decisions
    assert all(line["skipped"] for line in run(writer="rules", threads=2).values())


def test_records_are_found_by_uid_then_name_then_number(run: Run, tmp_path: Path) -> None:
    records = tmp_path / "records"
    for number in range(1, 8):
        film(tmp_path / "in" / f"film{number}.dcm", number)

    def record(name: str, number: int, condition: str = "Asthma", *studies: str) -> None:
        path = record_of(records / name, condition, identifier=[{"value": f"ZZ-{number}"}])
        bundle = json.loads(path.read_text())
        for uid in studies:
            identifier = [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}]
            found = {
                "resourceType": "ImagingStudy",
                "id": "i",
                "subject": {"reference": "Patient/p1"},
            }
            bundle["entry"].append(
                {"resource": {**found, "status": "available", "identifier": identifier}}
            )
        path.write_text(json.dumps(bundle))

    record("1.2.3.1.json", 1, "By file name")
    record("film1.json", 1, "By name of the film")
    record("deep/x.json", 2, "By ImagingStudy", "1.2.3.2", "1.2.3.99")
    record("film3.json", 3, "By name")
    record("y.json", 4, "By number")
    record("z.json", 5, "One")
    record("zz.json", 5, "Other")
    record("twice.json", 6, "Same")
    shutil.copy(records / "twice.json", records / "twice again.json")
    (records / "broken.json").write_text("{")
    lines = run(records)
    with quick_assistant(tmp_path / "data") as assistant:
        found = {}
        for name, line in lines.items():
            context = assistant.case(line["case"]).case.context
            found[name] = (
                {fact.label for fact in context.facts if fact.label[:3] in ("By ", "Sam")}
                if context
                else None
            )
    assert found == {
        "film1.dcm": {"By file name"},
        "film2.dcm": {"By ImagingStudy"},
        "film3.dcm": {"By name"},
        "film4.dcm": {"By number"},
        "film5.dcm": None,
        "film6.dcm": {"Same"},
        "film7.dcm": None,
    }
    assert lines["film5.dcm"]["notes"] == [
        "2 records fit the study by its patient ID (z.json, zz.json): neither is used."
    ]
    assert "can't be read as records (broken.json)" in lines["film7.dcm"]["notes"][0]
    (records / "zz.json").unlink()
    again = run(records)
    assert [name for name, line in again.items() if not line["skipped"]] == ["film5.dcm"]
    assert again["film5.dcm"]["record"]


def test_a_record_of_the_number_that_names_another_patient_is_not_joined(
    run: Run, tmp_path: Path
) -> None:
    film(tmp_path / "in" / "film.dcm", 1)
    record_of(
        tmp_path / "records" / "r.json",
        "Asthma",
        identifier=[{"value": "ZZ-1"}],
        birthDate="1980-05-05",
    )
    line = run(tmp_path / "records")["film.dcm"]
    assert (line["outcome"], line["record"]) == ("done", False)
    assert "names another patient" in line["notes"][0]


def test_records_that_lie_among_the_images_are_found_there(run: Run, tmp_path: Path) -> None:
    film(tmp_path / "in" / "PAT1" / "1.dcm", 1)
    record_of(tmp_path / "in" / "PAT1" / "export.json", "Asthma", identifier=[{"value": "ZZ-1"}])
    lines = run(tmp_path / "in")
    assert lines["PAT1"]["record"]
    assert lines["PAT1/export.json"]["outcome"] == "left out"


def test_one_uid_of_two_patients_is_refused_and_the_others_go_on(run: Run, tmp_path: Path) -> None:
    film(tmp_path / "in" / "a" / "1.dcm", 1, 1)
    film(tmp_path / "in" / "b" / "1.dcm", 1, 2, PatientID="ZZ-other")
    film(tmp_path / "in" / "c.dcm", 2)
    lines = run()
    assert {name: line["outcome"] for name, line in lines.items()} == {
        "a/1.dcm": "refused",
        "c.dcm": "done",
    }

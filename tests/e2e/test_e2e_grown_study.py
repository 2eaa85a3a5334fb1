"""A study grows until it is signed: images that come later join it, whichever way and under whichever path they come."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.errors import InputError, IntegrityError, StateError
from medmm.domain.report import Accept, CaseState
from medmm.domain.study import NotEvaluable, Study
from medmm.store import Store
from tests.dicom_files import film_file, picture
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant, signed

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"value": "ZZ-1"}],
    "name": [{"family": "ZZTEST", "given": ["FILM"]}],
    "gender": "female",
    "birthDate": "1960-01-02",
}


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data") as opened_:
        yield opened_


def film(folder: Path, number: int, name: str = "film.dcm", **changes: Any) -> Path:
    """A film of one study; equal numbers give equal bytes."""
    return film_file(
        folder, name, picture() // (number + 1), SOPInstanceUID=f"1.2.3.3.{number}", **changes
    )


def record_of(path: Path, condition: str, onset: str = "1990-01-01", **patient: Any) -> Path:
    found = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p1"},
        "code": {"text": condition},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "onsetDateTime": onset,
    }
    entries = [{"resource": {**PATIENT, **patient}}, {"resource": found}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def admitted(assistant: Assistant, path: Any, **how: Any) -> Study:
    study = assistant.admit(path, **how)
    assert isinstance(study, Study), study
    return study


def codes(study: Study) -> set[str]:
    return {notice.code for notice in study.warnings}


def states(assistant: Assistant) -> dict[str, CaseState]:
    return {case.case_id: case.state for case in assistant.cases()}


def test_films_of_one_study_are_one_study_whichever_way_they_come(
    assistant: Assistant, tmp_path: Path
) -> None:
    one, two = film(tmp_path / "a", 1), film(tmp_path / "b", 2)
    together = admitted(assistant, [one, two])
    assert len(together.volumes) == 2
    with quick_assistant(tmp_path / "other") as other:
        for way in (tmp_path, str(tmp_path), (str(two), one), iter([one, tmp_path / "b"])):
            results = [r for r in other.read(way) if r.study]
            assert [len(r.study.volumes) for r in results if r.study] == [2]
        admitted(other, two)
        grown = admitted(other, one)
    assert grown.volumes == together.volumes
    assert codes(grown) - codes(together) == {"images-joined"}
    assert [i.study.uid for i in assistant.inspect([one, two]) if i.study] == [together.uid]


def test_later_images_supersede_the_open_case(assistant: Assistant, tmp_path: Path) -> None:
    reader = assistant.reader_named("reader-1")
    first = opened(assistant, film(tmp_path / "a", 1))
    draft = assistant.draft(first)
    assistant.decide(first, [Accept(draft.statements[0].id)], by=reader)
    study = admitted(assistant, film(tmp_path / "b", 2))
    assert len(study.volumes) == 2
    with pytest.raises(StateError, match="other images"):
        assistant.sign(first, by=reader)
    second = assistant.open_case(study.uid)
    assert states(assistant) == {first: CaseState.SUPERSEDED, second.id: CaseState.OPENED}
    (said,) = [n.text for n in second.study.warnings if n.code == "decisions-superseded"]
    assert said.startswith(f"1 decision made on {first} stands there and is not carried over")
    assert assistant.case(first).decisions == (Accept(draft.statements[0].id),)
    assert assistant.open_case(study.uid) == second
    # what came first alone adds nothing: the study is what it was
    assert admitted(assistant, tmp_path / "a").volumes == study.volumes
    assert assistant.open_case(study.uid).id == second.id
    signed(assistant, second.id, reader)
    assert assistant.verify().ok


def test_images_after_signing_are_kept_and_said_and_make_a_case_of_their_own(
    assistant: Assistant, tmp_path: Path
) -> None:
    reader = assistant.reader_named("reader-1")
    first = opened(assistant, film(tmp_path / "a", 1))
    report = signed(assistant, first, reader)
    study = admitted(assistant, film(tmp_path / "b", 2))
    assert len(study.volumes) == 2
    (said,) = [n.text for n in study.warnings if n.code == "images-after-signing"]
    assert first in said
    assert "need a new case" in said
    second = assistant.open_case(study.uid)
    assert states(assistant) == {first: CaseState.SIGNED, second.id: CaseState.OPENED}
    assert "images-after-signing" in {n.code for n in second.study.warnings}
    assert assistant.case(first).report == report
    assert len(assistant.case(first).case.study.volumes) == 1
    third = opened(assistant, film(tmp_path / "c", 3))
    assert states(assistant)[second.id] is CaseState.SUPERSEDED
    signed(assistant, third, reader)
    assert opened(assistant, tmp_path / "c") == third
    assert assistant.verify().ok


def test_another_record_of_the_same_signed_images_opens_no_case(
    assistant: Assistant, tmp_path: Path
) -> None:
    path = film(tmp_path / "a", 1)
    signed(assistant, opened(assistant, path), assistant.reader_named("reader-1"))
    with pytest.raises(StateError, match="signed"):
        opened(assistant, path, record=record_of(tmp_path / "record.json", "Asthma"))


def test_an_image_that_came_again_takes_the_place_of_the_one_before(
    assistant: Assistant, tmp_path: Path
) -> None:
    path = film(tmp_path / "a", 1)
    first = opened(assistant, [path, film(tmp_path / "b", 2)])
    film_file(tmp_path / "a", "film.dcm", picture() // 7, SOPInstanceUID="1.2.3.3.1")
    study = admitted(assistant, path)
    assert len(study.volumes) == 2
    assert {"images-joined", "images-replaced"} <= codes(study)
    assert assistant.open_case(study.uid).id != first
    cut = path.read_bytes()[:-5000]
    path.write_bytes(cut)
    with pytest.raises(InputError):  # a copy that was cut short takes nobody's place
        assistant.admit(path)
    assert kept(assistant).study(study.uid).volumes == study.volumes


def test_images_of_another_patient_do_not_join(assistant: Assistant, tmp_path: Path) -> None:
    first = opened(assistant, film(tmp_path / "a", 1))
    outcome = assistant.admit(film(tmp_path / "b", 2, PatientID="ZZ-2", PatientName="ZZOTHER^X"))
    assert isinstance(outcome, NotEvaluable)
    assert outcome.reason_code == "mixed-patients"
    assert "images-joined" in {n.code for n in outcome.warnings}
    assert len(kept(assistant).study("1.2.3.1").volumes) == 1
    assert states(assistant) == {first: CaseState.OPENED}


def test_what_is_kept_and_gone_is_an_integrity_error(assistant: Assistant, tmp_path: Path) -> None:
    study = admitted(assistant, film(tmp_path / "a", 1))
    place = kept(assistant).object_place(study.volumes[0].sha256)
    place.write_bytes(place.read_bytes()[::-1])
    with pytest.raises(IntegrityError, match="kept"):
        assistant.admit(film(tmp_path / "b", 2))


def test_parts_that_come_at_once_are_all_joined(assistant: Assistant, tmp_path: Path) -> None:
    paths = [film(tmp_path / str(number), number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(assistant.admit, paths))
    assert len(kept(assistant).study("1.2.3.1").volumes) == 8
    assert assistant.verify().ok


def test_a_record_cut_to_a_later_time_is_not_used_for_an_earlier_image(
    assistant: Assistant, tmp_path: Path
) -> None:
    record = record_of(tmp_path / "record.json", "Asthma", onset="2020-03-04T09:00:00+01:00")
    opened(assistant, film(tmp_path / "a", 1), record=record)
    study = admitted(assistant, film(tmp_path / "b", 2, AcquisitionTime="080000"))
    assert "record-dropped" in codes(study)
    assert assistant.open_case(study.uid).context is None
    case = assistant.case(opened(assistant, tmp_path / "b", record=record)).case
    assert case.context is not None
    assert "Asthma" not in {fact.label for fact in case.context.facts}


def test_an_upload_again_under_another_path_is_the_same_request(
    assistant: Assistant, tmp_path: Path
) -> None:
    study = admitted(assistant, film(tmp_path / "upload-1", 1), key="upload")
    assert admitted(assistant, film(tmp_path / "upload-2", 1, "other-name"), key="upload") == study
    assert [e.verb for e in kept(assistant).events(study.uid)] == ["admit"]
    film(tmp_path / "upload-1", 2)
    with pytest.raises(StateError, match="another request"):
        assistant.admit(tmp_path / "upload-1" / "film.dcm", key="upload")
    record = record_of(tmp_path / "record.json", "Asthma")
    with pytest.raises(StateError, match="another request"):
        assistant.admit(tmp_path / "upload-2", record=record, key="upload")
    joined = admitted(assistant, tmp_path / "upload-2", record=record, key="joined")
    copy = tmp_path / "copy.json"
    copy.write_bytes(record.read_bytes())
    assert admitted(assistant, tmp_path / "upload-2", record=copy, key="joined") == joined
    record_of(record, "Asthma and more")
    with pytest.raises(StateError, match="another request"):
        assistant.admit(tmp_path / "upload-2", record=record, key="joined")
    assistant.close()
    with (
        quick_assistant(tmp_path / "data", writer="rules") as other,
        pytest.raises(StateError, match="another request"),
    ):
        other.admit(tmp_path / "upload-2", key="upload")


class Meanwhile:
    """Says frontal, and does something to the folder while it is asked."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def kind_of(self, grey: Any) -> str:
        self.act()
        return "frontal"


def objects(assistant: Assistant) -> list[Path]:
    return [path for path in (assistant.settings.data_dir / "objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize("change", ["other pixels", "longer", "gone", "a pipe"])
def test_a_file_that_changes_before_it_is_copied_is_refused_and_nothing_is_kept(
    assistant: Assistant, tmp_path: Path, change: str
) -> None:
    first, path = film(tmp_path / "in", 1, "1.dcm"), film(tmp_path / "in", 2, "2.dcm")

    def act() -> None:
        if change == "other pixels":
            film(tmp_path / "in", 5, "2.dcm")
        elif change == "longer":
            path.write_bytes(path.read_bytes() + b"\0" * 8)
        elif path.exists() and path.is_file():
            path.unlink()
            if change == "a pipe":
                os.mkfifo(path)

    real = Store.copied
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "copied", lambda store, sources: (act(), real(store, sources))[1])
        with pytest.raises(InputError, match=r"changed|can't be opened"):
            assistant.admit(tmp_path / "in")
    assert objects(assistant) == []
    with pytest.raises(InputError, match="no such study"):
        kept(assistant).study("1.2.3.1")
    assert admitted(assistant, first).uid == "1.2.3.1"
    assert assistant.verify().ok


def test_a_file_that_changes_while_it_is_judged_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "in", 1)
    changed = threading.Event()

    def act() -> None:
        if not changed.is_set():
            changed.set()
            film(tmp_path / "in", 4)

    with quick_assistant(tmp_path / "data", picture_kinds=Meanwhile(act)) as assistant:
        with pytest.raises(InputError, match="changed"):
            assistant.admit(path)
        assert objects(assistant) == []
        assert len(admitted(assistant, path).volumes) == 1


def test_what_can_t_be_read_beside_a_study_is_said_and_other_things_are_not(
    assistant: Assistant, tmp_path: Path
) -> None:
    film(tmp_path / "in", 1)
    for name in ("record.json", "README.txt", "old.zip"):
        (tmp_path / "in" / name).write_bytes(b"PK\x03\x04 or a text")
    film_file(tmp_path / "in", "DICOMDIR", SOPClassUID="1.2.840.10008.1.3.10")
    assert "files-beside-unreadable" not in codes(admitted(assistant, tmp_path / "in"))
    (tmp_path / "in" / "IM0002").write_bytes(b"half a file")
    assert "files-beside-unreadable" in codes(admitted(assistant, tmp_path / "in"))


def test_one_of_several_studies_is_admitted_by_its_uid(
    assistant: Assistant, tmp_path: Path
) -> None:
    film(tmp_path, 1, "1")
    film(tmp_path, 2, "2", StudyInstanceUID="1.2.9", PatientID="ZZ-9")
    with pytest.raises(InputError, match="holds 2 studies") as caught:
        assistant.admit(tmp_path)
    assert "1.2.9" in caught.value.where["studies"]
    assert admitted(assistant, tmp_path, study_uid="1.2.9").uid == "1.2.9"
    with pytest.raises(InputError, match="no image of this study"):
        assistant.admit(tmp_path, study_uid="1.2.77")


def test_a_study_of_an_earlier_release_grows_too(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        case = opened(assistant, film(tmp_path / "a", 1))
    with closing(sqlite3.connect(tmp_path / "data" / "medmm.sqlite")) as connection:
        later = ("study_file", "study_order", "worklist", "last_word", "lease", "reading", "draft")
        later += ("shadow_reading", "model_standing", "search_term", "saved_filter", "confirmation")
        later += (
            "decision_history",
            "unfinished_text",
            "reviewed_case",
            "first_read",
            "double_reading",
            "delivery",
            "waiting_order",
        )
        for table in later:  # what later releases brought
            connection.execute(f"DROP TABLE {table}")
        for part in ("reading", "draft"):  # which a case held itself
            connection.execute(f'ALTER TABLE "case" ADD COLUMN {part} JSON')
        for column in ("priority", "site", "communications", "preliminary"):
            connection.execute(f'ALTER TABLE "case" DROP COLUMN {column}')
        connection.execute("DROP TABLE idempotency")
        connection.execute(
            "CREATE TABLE idempotency (key TEXT PRIMARY KEY, verb TEXT, request_sha256 TEXT, result JSON)"
        )
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.commit()
    with quick_assistant(tmp_path / "data") as assistant:
        assert kept(assistant).files_of("1.2.3.1") == dict.fromkeys(
            kept(assistant).study("1.2.3.1").image_sha256s, "1.2.3.3.1"
        )
        assert opened(assistant, tmp_path / "a") == case
        assert len(admitted(assistant, film(tmp_path / "b", 2)).volumes) == 2

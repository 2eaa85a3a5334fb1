"""What becomes of studies that were sent: cases, drafts, refusals, and images that come late."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from medmm.assistant import Assistant
from medmm.domain.errors import Unavailable
from medmm.domain.report import CaseState
from medmm.doors.dicom import admissions
from tests.dicom_files import film_file, mr_file
from tests.listener import Event, entry, events, listening, sent, until
from tests.quick_assistant import quick_assistant, signed

FAST = {"quiet_seconds": 0.4, "force_seconds": 60.0}
Made = Callable[..., Assistant]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    opened: list[Assistant] = []

    def make(name: str = "data", **listen: Any) -> Assistant:
        opened.append(quick_assistant(tmp_path / name, listen=entry(**{**FAST, **listen})))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def slices(folder: Path, count: int, first: int = 0) -> list[Path]:
    return [
        mr_file(folder, f"mr{first + number}.dcm", 5.0 * (first + number))
        for number in range(count)
    ]


def test_a_study_becomes_a_drafted_case(made: Made, tmp_path: Path) -> None:
    assistant = made()
    with listening(assistant) as (address, told):
        assert sent(address, *slices(tmp_path, 4)) == [0] * 4
        until(lambda: events(told, "drafted"))
    (case,) = assistant.cases()
    assert case.state is CaseState.DRAFTED
    assert events(told, "admitted")[0]["instances"] == 4
    assert events(told, "stopped")[0]["stored"] == 4
    assert not list((tmp_path / "data/received/studies").glob("*/*/*"))
    assert "ZZ" not in json.dumps(told)


def test_an_ae_title_only_admits_and_names_its_site(made: Made, tmp_path: Path) -> None:
    titles = {"NORTH": {"action": "admit", "site": "Hospital North", "instances": 1}}
    assistant = made(titles=titles, quiet_seconds=60.0)
    with listening(assistant) as (address, told):
        sent(address, film_file(tmp_path), called="NORTH")
        until(lambda: events(told, "admitted"))
    (case,) = assistant.cases()
    assert (case.state, case.site) == (CaseState.OPENED, "Hospital North")
    assert not events(told, "drafted")


def test_a_refused_study_is_counted_and_a_late_image_lets_it_in(made: Made, tmp_path: Path) -> None:
    assistant = made()
    with listening(assistant) as (address, told):
        raw = {"PresentationIntentType": "FOR PROCESSING", "SOPInstanceUID": "1.2.3.4"}
        sent(address, film_file(tmp_path, "raw.dcm", **raw))
        until(lambda: events(told, "refused"))
        assert "for processing" in events(told, "refused")[0]["reason"]
        sent(address, film_file(tmp_path))
        until(lambda: events(told, "admitted"))
        assert events(told, "admitted")[0]["instances"] == 2
    assert len(assistant.cases()) == 1


def test_a_held_study_stays_for_a_person(made: Made, tmp_path: Path) -> None:
    assistant = made()
    with listening(assistant) as (address, told):
        sent(address, film_file(tmp_path, BodyPartExamined=None, ViewPosition="PA"))
        until(lambda: events(told, "held"))
    (said,) = events(told, "held")
    folder = Path(said["kept_in"])
    assistant.release(folder, reason="a chest film", by="reader-1")
    assert assistant.admit(folder).uid == "1.2.3.1"


def test_late_images_join_the_study_until_it_is_signed_and_change_nothing_signed(
    made: Made, tmp_path: Path
) -> None:
    assistant = made()
    with listening(assistant) as (address, told):
        sent(address, *slices(tmp_path, 4))
        until(lambda: events(told, "drafted"))
        sent(address, *slices(tmp_path, 2, first=4))
        until(lambda: len(events(told, "drafted")) == 2)
        first, second = [said["case"] for said in events(told, "admitted")]
        assert first != second
        assert assistant.case(first).state is CaseState.SUPERSEDED
        report = signed(assistant, second, assistant.reader_named("reader-1"))
        before = assistant.render(report.id)
        sent(address, *slices(tmp_path, 1, first=6))
        until(lambda: len(events(told, "drafted")) == 3)
        third = events(told, "admitted")[2]
    assert third["case"] not in (first, second)
    assert f"signed report of {second} stays as it is" in third["reason"]
    assert assistant.case(second).state is CaseState.SIGNED
    assert assistant.render(report.id) == before


def test_the_same_study_again_after_its_case_was_signed_changes_nothing(
    made: Made, tmp_path: Path
) -> None:
    assistant = made()
    with listening(assistant) as (address, told):
        sent(address, *slices(tmp_path, 4))
        until(lambda: events(told, "drafted"))
        signed(assistant, events(told, "drafted")[0]["case"], assistant.reader_named("reader-1"))
        assert sent(address, *slices(tmp_path, 4)) == [0] * 4
    assert events(told, "stopped")[0]["again"] == 4
    assert len(events(told, "admitted")) == 1


def test_a_study_with_a_file_that_can_not_be_read_keeps_its_files(
    made: Made, tmp_path: Path
) -> None:
    assistant = made()
    broken = dcmread(mr_file(tmp_path, "broken.dcm", 99))
    broken.PixelData = broken.PixelData[:-3000]
    with listening(assistant) as (address, told):
        assert sent(address, *slices(tmp_path, 4), broken) == [0] * 5
        until(lambda: events(told, "drafted"))
    (said,) = events(told, "admitted")
    assert len(list(Path(said["kept_in"]).glob("*/*.dcm"))) == 5


def test_what_can_not_be_admitted_now_is_admitted_later(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = made()
    admit, tries = assistant.admit, []

    def once_busy(*args: Any, **how: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("the store is busy", remedy="try again")
        return admit(*args, **how)

    monkeypatch.setattr(assistant, "admit", once_busy)
    monkeypatch.setattr(admissions, "FIRST_WAIT_S", 0.1)
    with listening(assistant) as (address, told):
        sent(address, film_file(tmp_path))
        until(lambda: events(told, "drafted"))
    assert [said["again_s"] for said in events(told, "waits")] == [0.1, 0.2]


def test_a_draft_that_waited_is_made_after_a_restart(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made()

    def busy(*args: Any, **how: Any) -> Any:
        raise Unavailable("no model answers", remedy="try again")

    with monkeypatch.context() as patch, listening(first) as (address, told):
        patch.setattr(first, "draft", busy)
        sent(address, film_file(tmp_path))
        until(lambda: events(told, "waits"))
    first.close()
    second = made()
    with listening(second) as (_, later):
        until(lambda: events(later, "drafted"))
    assert second.cases()[0].state is CaseState.DRAFTED


def test_a_second_listener_on_one_folder_is_refused(made: Made) -> None:
    from medmm.domain.errors import ConfigError
    from medmm.doors.dicom.listening import listen_until_stopped

    assistant = made()
    with (
        listening(assistant),
        pytest.raises(ConfigError, match="another listener works on this data folder"),
    ):
        listen_until_stopped(assistant, lambda event, **said: None)


def test_what_came_from_a_folder_and_comes_again_is_used_as_it_came_last(
    made: Made, tmp_path: Path
) -> None:
    assistant = made()
    film = film_file(tmp_path)
    before = assistant.open_case(assistant.admit(film).uid)
    with listening(assistant) as (address, told):
        sent(address, film)
        until(lambda: events(told, "drafted"))
    after = assistant.case(events(told, "drafted")[0]["case"]).case
    assert assistant.case(before.id).state is CaseState.SUPERSEDED
    assert "the newest are used" in " ".join(n.text for n in after.study.warnings)


def test_events_hold_keys_and_no_identity(made: Made, tmp_path: Path) -> None:
    told: list[Event]
    assistant = made()
    with listening(assistant) as (address, told):
        sent(address, film_file(tmp_path), film_file(tmp_path, "b.dcm", PatientID="ZZ-77"))
        until(lambda: events(told, "drafted"))
    text = json.dumps(told)
    for identity in ("ZZTEST", "ZZ-1", "ZZ-77", "1.2.3.1"):
        assert f'"{identity}' not in text

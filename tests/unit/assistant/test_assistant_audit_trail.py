"""The log read from a number on: order, times, patients, and what is not what its hash says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.audit_event import AuditedEvent
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied
from tests.dicom_files import film_file
from tests.quick_assistant import READERS, opened, quick_assistant


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Assistant, Path, str]]:
    """Cases of two patients, looked at."""
    folder = tmp_path_factory.mktemp("trail")
    readers = (*READERS, ReaderEntry(id="auditor-1", name="ZZAUDITOR One", role="auditor"))
    with quick_assistant(folder / "data", readers=readers) as made:
        first = opened(made, film_file(folder / "1"))
        uids = {"SOPInstanceUID": "1.2.9.3", "StudyInstanceUID": "1.2.9.1"}
        opened(made, film_file(folder / "2", PatientID="ZZ-2", **uids))
        made.case(first)
        made.worklist(by="reader-1")
        yield made, folder, first


def all_of(assistant: Assistant, limit: int = 3) -> list[AuditedEvent]:
    found: list[AuditedEvent] = []
    after: int | None = 0
    while after is not None:
        part = assistant.audit_trail(after=after, limit=limit)
        found += part.events
        after = part.after
    return found


def test_all_is_read_in_the_order_of_the_log_however_many_at_once(
    kept: tuple[Assistant, Path, str],
) -> None:
    assistant, _, _ = kept
    found = all_of(assistant, limit=3)
    verbs = [one.event.verb for one in found]
    assert verbs[:6] == ["admit", "open_case", "admit", "open_case", "case", "worklist"]
    assert [one.event.number for one in found] == list(range(1, len(found) + 1))
    assert verbs[6:] == ["audit_trail"] * len(verbs[6:]), "reading the log stands in it too"


def test_an_event_names_the_patients_whom_it_concerns(kept: tuple[Assistant, Path, str]) -> None:
    assistant, _, first = kept
    found = {one.event.number: one for one in all_of(assistant)}
    mine, other = found[1].patients, found[3].patients
    assert len(mine) == len(other) == 1
    assert mine != other
    assert found[2].patients == found[5].patients == mine
    assert set(found[6].patients) == {*mine, *other}, "a page of the worklist concerns both"
    assert assistant.case(first).case.study.patient_key == mine[0]
    assert found[7].patients == ()


def test_a_span_of_time_begins_with_its_first_and_ends_before_its_last(
    kept: tuple[Assistant, Path, str],
) -> None:
    assistant, _, _ = kept
    times = [one.event.at for one in all_of(assistant)]
    found = assistant.audit_trail(since=times[1], until=times[4]).events
    assert [one.event.number for one in found] == [2, 3, 4]
    assert assistant.audit_trail(since=times[-1] + timedelta(days=1)).events == ()


def test_who_may_and_what_can_be_asked(kept: tuple[Assistant, Path, str]) -> None:
    assistant, _, _ = kept
    assert assistant.audit_trail(by="auditor-1").events
    with pytest.raises(PermissionDenied, match="audit_trail"):
        assistant.audit_trail(by="reader-1")
    with pytest.raises(InputError, match="zone"):
        assistant.audit_trail(since=datetime(2026, 1, 1))
    for limit in (0, 10_001):
        with pytest.raises(InputError, match="at once"):
            assistant.audit_trail(limit=limit)


def test_an_entry_that_was_altered_is_not_given_out(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        opened(assistant, film_file(tmp_path / "in"))
        database = sqlite3.connect(tmp_path / "data" / "medmm.sqlite")
        triggers = [
            row[0]
            for row in database.execute("select name from sqlite_master where type = 'trigger'")
        ]
        for name in triggers:
            database.execute(f'drop trigger "{name}"')
        database.execute(
            "update audit_entry set entry = cast(replace(cast(entry as text), 'service', 'servant')"
            " as blob) where seq = 2"
        )
        database.commit()
        database.close()
        with pytest.raises(IntegrityError, match="does not bear out"):
            assistant.audit_trail()

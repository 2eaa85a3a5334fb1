"""An earlier state of a case, put back into the database whole, is refused by whatever binds, and lines by the worklist."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm import Assistant
from medmm.domain.errors import IntegrityError
from medmm.domain.report import Accept
from tests.databases import raw, unprotect
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant, signed

TABLES = ('"case"', "reading", "draft", "report", "last_word", "worklist")


def rows(data: Path) -> dict[str, list[tuple[object, ...]]]:
    with raw(data) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def put_back(data: Path, kept: dict[str, list[tuple[object, ...]]]) -> None:
    with raw(data) as connection:
        for table in reversed(TABLES):
            connection.execute(f"DELETE FROM {table}")
        for table, lines in kept.items():
            for line in lines:
                connection.execute(
                    f"INSERT INTO {table} VALUES ({', '.join('?' * len(line))})", line
                )
        connection.commit()


def run(data: Path, statement: str) -> None:
    with raw(data) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()


@pytest.fixture
def drafted(tmp_path: Path) -> tuple[Path, str]:
    with quick_assistant(tmp_path / "data") as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        assistant.draft(case_id)
    return tmp_path / "data", case_id


def accepted(assistant: Assistant, case_id: str) -> None:
    draft = assistant.case(case_id).draft
    assert draft is not None
    assistant.decide(
        case_id, [Accept(s.id) for s in draft.statements if s.summarises is None], by="reader-1"
    )


def test_a_signed_case_that_was_put_back_is_not_decided_and_signed_again(
    drafted: tuple[Path, str],
) -> None:
    data, case_id = drafted
    before = rows(data)
    with quick_assistant(data) as assistant:
        signed(assistant, case_id, assistant.reader_named("reader-1"))
    put_back(data, before)
    with quick_assistant(data) as assistant:
        for act in (lambda: accepted(assistant, case_id), lambda: assistant.draft(case_id)):
            with pytest.raises(IntegrityError, match="last digest"):
                act()
        assert not assistant.verify().ok


def test_the_signature_of_a_case_whose_decisions_were_put_back_is_refused(
    drafted: tuple[Path, str],
) -> None:
    data, case_id = drafted
    with quick_assistant(data) as assistant:
        accepted(assistant, case_id)
        before = rows(data)
        signed_one = assistant.sign(case_id, by="reader-1")
    put_back(data, before)
    with quick_assistant(data) as assistant:
        with pytest.raises(IntegrityError):
            assistant.sign(case_id, by="reader-1")
        assert signed_one.case_id == case_id


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM worklist",
        "UPDATE worklist SET patient_key = 'another'",
        "UPDATE worklist SET state = 'signed'",
        "UPDATE worklist SET suspected = false, suspicions = '[]'",
    ],
)
def test_a_worklist_that_shows_a_case_otherwise_is_not_shown(
    drafted: tuple[Path, str], statement: str
) -> None:
    data, _ = drafted
    run(data, statement)
    with quick_assistant(data) as assistant, pytest.raises(IntegrityError, match="worklist"):
        assistant.cases()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_entry WHERE seq = 1",
        "DELETE FROM audit_entry WHERE seq = 3",
        "UPDATE audit_entry SET entry = 'text' WHERE seq = 1",
        "UPDATE audit_entry SET leaf = 'text' WHERE seq = 2",
        "UPDATE audit_head SET root = 'zz' WHERE size = 3",
        "UPDATE audit_head SET signature = '00' WHERE size = 3",
    ],
)
def test_nothing_is_proved_of_a_damaged_log(drafted: tuple[Path, str], statement: str) -> None:
    data, _ = drafted
    unprotect(data)
    run(data, statement)
    with quick_assistant(data) as assistant, pytest.raises(IntegrityError):
        assistant.prove(1)

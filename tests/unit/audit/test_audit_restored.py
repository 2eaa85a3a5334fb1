"""The same damage as a whole installation meets it: files put back, cut, deleted, then the store opened again."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import psycopg
import pytest

from medmm.audit import log
from medmm.domain.audit_event import AuditVerification
from medmm.domain.errors import IntegrityError
from medmm.store import Store
from tests.databases import delete_database, only_postgres, only_sqlite, raw
from tests.unit.audit.test_audit_tampering import event


def write(folder: Path, numbers: range) -> None:
    with Store.open(folder) as store:
        for number in numbers:
            with store.step() as work:
                work.record(event(number))


def check(folder: Path) -> AuditVerification:
    with Store.open(folder) as store:
        return store.verify()


def places(found: AuditVerification) -> set[str]:
    return {problem.place for problem in found.problems}


@pytest.mark.parametrize("written_after", [0, 3, 30])
@only_sqlite
def test_yesterdays_file_is_found_even_after_new_entries(
    written_after: int, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    write(folder, range(10))
    shutil.copy(folder / "medmm.sqlite", tmp_path / "yesterday")
    write(folder, range(10, 20))
    assert check(folder) == AuditVerification(size=20, problems=(), uncovered=0)
    shutil.copy(tmp_path / "yesterday", folder / "medmm.sqlite")
    write(folder, range(100, 100 + written_after))
    assert "entry 11" in places(check(folder))


def test_a_deleted_database_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder, range(5))
    delete_database(folder)
    assert "entry 1" in places(check(folder))


@only_sqlite
def test_a_deleted_key_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder, range(5))
    (folder / "keys" / "audit.key").unlink()
    assert "heads file, line 1" in places(check(folder))


@pytest.mark.parametrize("written_after", [0, 4])
@pytest.mark.parametrize("left", [0, 3])
def test_a_cut_heads_file_is_found_and_stays_found(
    left: int, written_after: int, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    write(folder, range(8))
    heads = tmp_path / "data.heads"
    heads.write_text("".join(heads.read_text().splitlines(keepends=True)[:left]))
    write(folder, range(100, 100 + written_after))
    assert f"head of size {left + 1}" in places(check(folder))


def test_a_crash_between_commit_and_head_is_healed_when_opened(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder, range(8))
    heads = tmp_path / "data.heads"
    whole = heads.read_text()
    for kept in (whole.rindex("\n", 0, -1) + 1, whole.rindex("\n", 0, -1) + 50, len(whole) - 1):
        heads.write_text(whole[:kept])
        assert check(folder) == AuditVerification(size=8, problems=(), uncovered=0)
        assert heads.read_text() == whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET entry = leaf WHERE seq = 1",
        "DELETE FROM audit_entry WHERE seq = 1",
        "INSERT INTO audit_head VALUES (1, '', '') ON CONFLICT (size) DO UPDATE SET root = ''",
        "UPDATE audit_head SET root = ''",
        "DELETE FROM audit_head",
    ],
)
def test_another_program_cannot_change_what_happened(statement: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder, range(3))
    with (
        pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="append-only"),
        raw(folder) as database,
    ):
        database.execute(statement)
    assert check(folder).ok


@only_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        "REPLACE INTO audit_entry SELECT seq, subject, x'00', leaf FROM audit_entry WHERE seq = 1",
        "INSERT OR REPLACE INTO audit_head SELECT size, '', '' FROM audit_head WHERE size = 1",
    ],
)
def test_sqlite_replaces_nothing(statement: str, tmp_path: Path) -> None:
    test_another_program_cannot_change_what_happened(statement, tmp_path)


@only_postgres
def test_postgresql_truncates_nothing(tmp_path: Path) -> None:
    for table in ("audit_entry", "audit_head"):
        test_another_program_cannot_change_what_happened(f"TRUNCATE {table}", tmp_path / table)


def test_a_missing_table_stops_everything(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder, range(3))
    with raw(folder) as database:
        database.execute("DROP TABLE audit_head")
    with pytest.raises(IntegrityError, match=r"no such table|does not exist"):
        Store.open(folder)


def test_every_event_comes_back_as_it_was() -> None:
    for number in range(5):
        assert log.event_of(log.entry_bytes(event(number))) == event(number)

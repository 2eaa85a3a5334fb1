"""A step is there wholly, with its audit entry, or not at all: errors, full disks, locks, races, kill -9."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.audit_event import AuditVerification
from medmm.domain.errors import InputError, IntegrityError, StateError, Unavailable
from medmm.domain.report import Accept, CaseState, Decision, Reject
from medmm.store import Store
from medmm.store.dialects import SQLite, sqlite
from tests.databases import only_sqlite, raw, url_of
from tests.factories import make_case, make_checked_draft, make_context, make_signed_report
from tests.unit.store.test_store_nouns import EVENT, IDENTITY, OPENED_AT, open_case


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def run(store: Store, name: str, *args: Any, record: bool = True, **kwargs: Any) -> None:
    """One step of one action."""
    with store.step() as work:
        getattr(work, name)(*args, **kwargs)
        if record:
            work.record(EVENT)


def test_a_step_without_an_audit_entry_keeps_nothing(store: Store) -> None:
    with pytest.raises(StateError, match="without an audit entry"):
        run(store, "save_identity", "pk-1", IDENTITY, record=False)
    with pytest.raises(InputError):
        store.identity("pk-1")


def save_and_fail(store: Store) -> None:
    with store.step() as work:
        work.save_identity("pk-1", IDENTITY)
        work.record(EVENT)
        work.save_reading("no-such-case", None)  # type: ignore[arg-type]


def test_an_error_in_a_step_takes_all_of_it_back(store: Store) -> None:
    with pytest.raises(InputError, match="no such case"):
        save_and_fail(store)
    with pytest.raises(InputError):
        store.identity("pk-1")
    assert store.events() == ()
    run(store, "save_identity", "pk-1", IDENTITY)
    assert store.identity("pk-1") == IDENTITY


def test_a_value_without_its_parent_is_refused(store: Store) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        run(store, "save_context", "no-such-study", make_context())
    assert store.events() == ()


@only_sqlite
def test_a_full_disk_is_unavailable_until_there_is_space_again(store: Store) -> None:
    run(store, "save_identity", "pk-0", IDENTITY)
    with store._database._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(
            f"PRAGMA max_page_count = {pages}"
        )  # for this connection, which the pool reuses
    long = make_case(context=make_context(sha256="x" * 100_000))
    with pytest.raises(Unavailable, match="free space"):
        save_case(store, long)
    assert (store.cases(), len(store.events())) == ((), 1)
    with store._database._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    save_case(store, long)
    assert store.case_file(long.id).case == long
    assert store.verify() == AuditVerification(size=2, problems=(), uncovered=0)


def save_case(store: Store, case: Any) -> None:
    with store.step() as work:
        work.save_study(case.study)
        work.open_case(case, OPENED_AT)
        work.record(EVENT)


@only_sqlite
def test_a_locked_database_is_unavailable_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    with (
        Store.open(tmp_path / "data") as store,
        closing(sqlite3.connect(SQLite(store.data_dir).file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            run(store, "save_identity", "pk-1", IDENTITY)
        assert store.events() == ()  # reading goes on
        other.execute("ROLLBACK")
        run(store, "save_identity", "pk-1", IDENTITY)
        assert store.identity("pk-1") == IDENTITY


def test_heads_that_cannot_be_written_lose_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        run(store, "save_identity", "pk-1", IDENTITY)
        aside = store.heads.path.rename(tmp_path / "aside")
        store.heads.path.mkdir()
        with pytest.raises(Unavailable, match="heads_path"):
            run(store, "save_identity", "pk-2", IDENTITY)
        store.heads.path.rmdir()
        aside.rename(store.heads.path)
        run(store, "save_identity", "pk-3", IDENTITY)
        found = store.verify()
    assert (found.ok, found.uncovered) == (True, 0)


def test_only_the_first_of_two_moves_a_case_on(store: Store) -> None:
    with store.step() as work:
        open_case(work)

    def move(_: int) -> bool:
        try:
            run(store, "set_state", "case-1", CaseState.DRAFTED, expected=CaseState.OPENED)
        except StateError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(move, range(8))) == [False] * 7 + [True]
    assert len(store.events("case-1")) == 2


def test_no_decision_is_overwritten_unseen(store: Store) -> None:
    with store.step() as work:
        open_case(work)
    first: tuple[Decision, ...] = (Accept("s1"),)
    run(store, "save_decisions", "case-1", first, expected=())
    with pytest.raises(StateError, match="somebody else"):
        run(store, "save_decisions", "case-1", (Reject("s1"),), expected=())
    with pytest.raises(StateError, match="somebody else"):
        run(store, "save_report", make_signed_report(), decisions=())
    assert store.case_file("case-1").decisions == first
    run(store, "save_draft", "case-1", make_checked_draft())
    assert store.case_file("case-1").decisions == ()


def test_decisions_of_a_release_that_knew_fewer_fields_are_compared_as_what_they_say(
    store: Store,
) -> None:
    with store.step() as work:
        open_case(work)
    run(store, "save_decisions", "case-1", (Reject("s1"),), expected=())
    early = '[{"type": "Reject", "statement_id": "s1"}]'
    with raw(store) as database:
        database.execute(f"UPDATE \"case\" SET decisions = '{early}'")
    with pytest.raises(StateError, match="somebody else"):
        run(store, "save_decisions", "case-1", (), expected=(Reject("s1", "seen twice"),))
    run(store, "save_decisions", "case-1", (Accept("s1"),), expected=(Reject("s1"),))
    assert store.case_file("case-1").decisions == (Accept("s1"),)


def test_a_remembered_result_comes_back_for_the_same_request_only(store: Store) -> None:
    assert store.recall("key-1", "sign", "a" * 64) is None
    run(store, "remember", "key-1", "sign", "a" * 64, {"report": "report-1"})
    assert store.recall("key-1", "sign", "a" * 64) == {"report": "report-1"}
    for verb, request in (("sign", "b" * 64), ("draft", "a" * 64)):
        with pytest.raises(StateError, match="another request"):
            store.recall("key-1", verb, request)
    with pytest.raises(StateError, match="taken"):
        run(store, "remember", "key-1", "sign", "a" * 64, {})
    assert len(store.events()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from medmm.store import Store
from tests.unit.store.test_store_nouns import EVENT, IDENTITY, open_case

store = Store.open(Path(sys.argv[1]), url=sys.argv[3] or None)
if sys.argv[2] == "after":  # committed; the head is not written yet
    store._cover = lambda **_: os.kill(os.getpid(), signal.SIGKILL)
with store.step() as work:
    open_case(work)
    work.save_identity("pk-1", IDENTITY)
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "kept"), [("before", 0), ("after", 1)])
def test_a_killed_process_leaves_nothing_half(moment: str, kept: int, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "data"), moment, url_of(tmp_path / "data")],
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    with Store.open(tmp_path / "data") as store:
        assert (len(store.cases()), len(store.events())) == (kept, kept)
        assert store.verify() == AuditVerification(size=kept, problems=(), uncovered=0)
        run(store, "save_identity", "pk-1", IDENTITY)
        assert store.verify().size == kept + 1

"""What PostgreSQL alone can do to a store: other orders of text, lost servers, other hosts, passwords."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors

from medmm.domain.audit_event import AuditVerification
from medmm.domain.errors import ConfigError, InputError, MedmmError, Unavailable
from medmm.store import Store
from medmm.store import store as opened
from medmm.store.dialects import Fault, dialect_of, postgresql
from tests.databases import only_postgres, raw, unprotect, url_of
from tests.dicom_files import film_file
from tests.postgres_server import PostgresServer
from tests.quick_assistant import opened as opened_case
from tests.quick_assistant import quick_assistant, signed
from tests.unit.store.test_store_nouns import EVENT, IDENTITY, open_case

pytestmark = only_postgres
PASSWORD = "geheim-4711"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def keep(store: Store, key: str = "key-1") -> None:
    with store.step() as work:
        open_case(work)
        work.remember(key, "open_case", "a" * 64, ["done"])


def step_in_which(store: Store, happens: Callable[[], object]) -> None:
    with store.step() as work:
        open_case(work)
        happens()
        work.save_identity("pk-1", IDENTITY)
        work.record(EVENT)


def test_a_text_that_the_server_can_not_keep_is_refused_by_type(store: Store) -> None:
    with pytest.raises(InputError, match="refused a value") as caught:
        store.recall("key\0", "sign", "a" * 64)
    assert "key" not in caught.value.problem
    keep(store)
    assert store.verify().ok


def test_all_text_compares_by_its_bytes(store: Store) -> None:
    columns = sa.text(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND data_type = 'text'"
        " AND collation_name IS DISTINCT FROM 'C'"
    )
    assert store._read(lambda c: c.execute(columns).all()) == []
    by_default = store._read(lambda c: c.scalar(sa.text("SELECT 'a' < 'B'")))
    assert by_default, (
        "the server of the tests sorts by language, so that the columns' own order shows"
    )


def test_a_case_goes_its_whole_way_over_a_url_of_the_settings(tmp_path: Path) -> None:
    url = url_of(tmp_path / "data").replace("medmm@", f"medmm:{PASSWORD}@")
    with quick_assistant(tmp_path / "data", store={"url": url}) as assistant:
        case_id = opened_case(assistant, film_file(tmp_path / "in"))
        report = signed(assistant, case_id, by=assistant.reader_named("reader-1"))
        assert assistant.case(case_id).report == report
        assert assistant.verify().problems == ()
        database = assistant.capabilities().database
        shown = f"{assistant.history(case_id)} {assistant.settings!r}"
    assert database.startswith("PostgreSQL 1")
    assert PASSWORD not in database + shown
    assert not (tmp_path / "data" / "medmm.sqlite").exists()


# ---- a server that is lost ----


def test_a_server_killed_in_mid_step_leaves_nothing_and_a_retry_works(
    store: Store, postgres: PostgresServer
) -> None:
    store.events()
    try:
        with pytest.raises(Unavailable, match="nothing was half-stored"):
            step_in_which(store, postgres.kill)
        for ask in (store.events, store.verify, lambda: keep(store)):
            with pytest.raises(Unavailable):
                ask()
    finally:
        postgres.start()
    assert store.events() == ()
    keep(store)
    assert store.verify() == AuditVerification(size=1, problems=(), uncovered=0)


@pytest.mark.parametrize("kept", [False, True])
def test_a_server_lost_at_the_commit_is_told_and_the_key_says_what_was_kept(
    kept: bool, store: Store, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = store._database._engine.dialect
    commit = dialect.do_commit

    def lost(connection: Any) -> None:
        if kept:
            commit(connection)
        postgres.kill()
        connection.execute("SELECT 1")

    try:
        with monkeypatch.context() as patched:
            patched.setattr(dialect, "do_commit", lost)
            with pytest.raises(Unavailable, match=r"while it committed.*idempotency key"):
                keep(store)
    finally:
        postgres.start()
    assert store.recall("key-1", "open_case", "a" * 64) == (["done"] if kept else None)
    if not kept:
        keep(store)
    with Store.open(store.data_dir) as again:  # writes the head that the lost answer left out
        assert again.verify() == AuditVerification(size=1, problems=(), uncovered=0)


def test_a_read_that_lost_its_server_is_asked_once_more(
    store: Store, postgres: PostgresServer
) -> None:
    keep(store)
    asked = []

    def ask(connection: sa.Connection) -> int:
        asked.append(connection)
        if len(asked) == 1:
            postgres.kill()
            postgres.start()
        return int(connection.scalar(sa.text("SELECT count(*) FROM audit_entry")) or 0)

    assert (store._read(ask), len(asked)) == (1, 2)


def test_a_server_that_restarted_between_two_calls_is_not_noticed(
    store: Store, postgres: PostgresServer
) -> None:
    with ExitStack() as several:  # connections of the pool
        for key in "abc":
            several.enter_context(store.exclusive(key))
    postgres.kill()
    postgres.start()
    keep(store)
    assert len(store.events()) == 1


# ---- several hosts ----


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """Another host that shares folder and database."""
    with Store.open(store.data_dir) as other:
        yield other


def test_a_step_waits_for_that_of_another_host_and_then_says_so(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "BUSY_TIMEOUT_S", 1)
    with store.step() as work:
        open_case(work)
        with pytest.raises(Unavailable, match="lock timeout"):
            keep(other)
        assert other.events() == ()  # reading goes on
    with other.step() as work:
        work.record(EVENT)
    assert [len(one.events()) for one in (store, other)] == [2, 2]
    found = store.verify()
    assert (found.size, found.problems, found.uncovered) == (2, (), 0)


def test_equal_keys_wait_for_each_other_across_hosts_and_others_do_not(
    store: Store, other: Store
) -> None:
    order: list[str] = []

    def second() -> None:
        with other.exclusive("key-1"):
            order.append(f"second sees {other.recall('key-1', 'open_case', 'a' * 64)}")

    waiting = threading.Thread(target=second)
    with store.exclusive("key-1"), other.exclusive("key-2"), other.exclusive_study("key-1"):
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        keep(store)
        order.append("first")
    waiting.join(30)
    assert order == ["first", "second sees ['done']"]


def test_a_key_whose_lock_was_lost_with_the_server_is_still_kept_once(
    store: Store, other: Store, postgres: PostgresServer
) -> None:
    with store.exclusive("key-1"):
        postgres.kill()
        postgres.start()
        with other.exclusive("key-1"):
            keep(other)
        with pytest.raises(MedmmError, match="taken"):
            keep(store)
    assert len(store.events()) == 1


def test_a_host_without_the_keys_of_the_installation_is_refused(
    store: Store, tmp_path: Path
) -> None:
    keep(store)
    with pytest.raises(ConfigError, match="a key that is not in the data folder"):
        Store.open(tmp_path / "elsewhere", url=url_of(store.data_dir))
    assert store.verify().size == 1


def test_a_read_only_folder_can_be_checked_and_nothing_is_written(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        keep(store)
    for path in (*(tmp_path / "data").rglob("*"), tmp_path / "data"):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        with Store.open(tmp_path / "data") as store:
            assert store.verify() == AuditVerification(size=1, problems=(), uncovered=0)
            with pytest.raises(ConfigError, match="read-only copy"):
                keep(store)
            with pytest.raises(Unavailable, match="read-only transaction"):
                store._write(lambda c: c.execute(sa.text("DELETE FROM lease")))
    finally:
        for path in (tmp_path / "data", *(tmp_path / "data").rglob("*")):
            path.chmod(0o700)


# ---- what a hand can do ----

TAMPERINGS = {
    "changed": ("UPDATE audit_entry SET entry = '{}' WHERE seq = 2", "entry 2"),
    "removed": ("DELETE FROM audit_entry WHERE seq = 2", "entry 2"),
    "renumbered": ("UPDATE audit_entry SET seq = 9 WHERE seq = 2", "entry 2"),
    "inserted": (
        "INSERT INTO audit_entry SELECT 4, subject, entry, leaf FROM audit_entry WHERE seq = 1",
        "entry 4",
    ),
    "tail": ("DELETE FROM audit_entry WHERE seq = 3", "entry 3"),
    "head": ("UPDATE audit_head SET root = repeat('0', 64) WHERE size = 2", "head of size 2"),
    "frontier": ("UPDATE audit_frontier SET peaks = ''", "entry 3"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_log_is_found(store: Store, name: str) -> None:
    for _ in range(3):
        with store.step() as work:
            work.record(EVENT)
    unprotect(store.data_dir)
    statement, place = TAMPERINGS[name]
    with raw(store) as database:
        assert database.execute(statement).rowcount == 1
    found = {(problem.kind, problem.place) for problem in store.verify().problems}
    (triggers,) = [where for kind, where in found if kind == "trigger removed or altered"]
    assert triggers.count("audit_") == 4
    assert place in {where for _, where in found}


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER audit_entry_no_change ON audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_no_change",
        "ALTER TABLE audit_head ENABLE REPLICA TRIGGER audit_head_no_truncate",
        "CREATE OR REPLACE FUNCTION audit_head_append_only() RETURNS trigger LANGUAGE plpgsql"
        " AS $$BEGIN RETURN NEW; END$$",
    ],
)
def test_a_trigger_that_was_taken_away_is_found(store: Store, statement: str) -> None:
    assert store.verify().ok
    with raw(store) as database:
        database.execute(statement)
    (problem, *_) = store.verify().problems
    assert problem.kind == "trigger removed or altered"


# ---- what errors mean, and what they never say ----


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (psycopg.OperationalError, Fault.GONE),  # of libpq, without any state
        (psycopg.InterfaceError, Fault.GONE),
        (errors.AdminShutdown, Fault.GONE),
        (errors.CannotConnectNow, Fault.GONE),
        (errors.ReadOnlySqlTransaction, Fault.GONE),
        (errors.TooManyConnections, Fault.GONE),
        (errors.DiskFull, Fault.FULL),
        (errors.LockNotAvailable, Fault.LOCKED),
        (errors.SerializationFailure, Fault.LOCKED),
        (errors.InsufficientPrivilege, Fault.FORBIDDEN),
        (errors.InvalidPassword, Fault.FORBIDDEN),
        (errors.InvalidTextRepresentation, Fault.REFUSED),
        (errors.UndefinedTable, Fault.DAMAGED),
        (errors.UniqueViolation, Fault.DAMAGED),
        (errors.DataCorrupted, Fault.DAMAGED),
    ],
)
def test_a_fault_is_told_by_the_class_of_its_error(
    kind: type[psycopg.Error], fault: Fault, store: Store
) -> None:
    error = sa.exc.DBAPIError("SELECT 1", None, kind("the server says so"))
    assert store.dialect.fault(error) is fault
    assert isinstance(store._database._translated(error), MedmmError)


@pytest.fixture
def asks_for_passwords(postgres: PostgresServer) -> Iterator[str]:
    """A role that the server lets in by its password alone: its URL, where `:word@` stands for one."""
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    postgres.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
    try:
        rules.write_text(f"local all guarded scram-sha-256\n{before}")
        postgres.execute("SELECT pg_reload_conf()")
        yield postgres.url("postgres").replace("medmm@", "guarded:word@")
    finally:
        rules.write_text(before)
        postgres.execute("SELECT pg_reload_conf()")
        postgres.execute("DROP ROLE guarded")


@pytest.mark.parametrize(
    ("word", "user", "said"),
    [
        (":wrong-4711@", "guarded", "password authentication failed"),
        ("@", "guarded", "no password supplied"),
        ("@", "nobody-here", "does not exist"),
    ],
)
def test_a_user_that_the_server_does_not_let_in_is_an_error_of_the_settings(
    asks_for_passwords: str, word: str, user: str, said: str, tmp_path: Path
) -> None:
    url = asks_for_passwords.replace(":word@", word).replace("guarded", user)
    with pytest.raises(ConfigError, match=said) as caught:
        Store.open(tmp_path / "data", url=url)
    assert "store.url" in caught.value.remedy
    assert "wrong-4711" not in f"{caught.value} {caught.value.where}"
    sound = dialect_of(asks_for_passwords.replace("word", PASSWORD), tmp_path)
    with sound.engine(read_only=False) as engine, sound.reading(engine) as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == "guarded"


def test_a_mark_of_libpq_tells_a_missing_password_in_any_language() -> None:
    error = psycopg.OperationalError("es wurde kein Passwort angegeben")
    wrapped = sa.exc.DBAPIError("connect", None, error)
    dialect = postgresql.PostgreSQL(sa.make_url("postgresql+psycopg://u@h/d"), Path())
    assert dialect.fault(wrapped) is Fault.GONE
    error._pgconn = SimpleNamespace(needs_password=True)  # type: ignore[assignment]
    assert dialect.fault(wrapped) is Fault.FORBIDDEN


def test_a_password_is_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"postgresql+psycopg://medmm:{PASSWORD}@127.0.0.1:1/medmm?connect_timeout=2"
    with pytest.raises(Unavailable) as caught:
        Store.open(tmp_path / "data", url=url)
    assert caught.value.where == {"database": "postgresql+psycopg://medmm@127.0.0.1:1/medmm"}
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in f"{error} {error!r} {getattr(error, 'where', '')}"
        error = error.__cause__ or error.__context__
    assert PASSWORD not in caplog.text + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "url", [f"mysql://u:{PASSWORD}@h/d", f"postgresql+psycopg://u:{PASSWORD}@h", f"{PASSWORD}"]
)
def test_another_url_is_refused_without_being_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no URL of a PostgreSQL database") as caught:
        dialect_of(url, tmp_path)
    assert PASSWORD not in str(caught.value)


def test_a_missing_driver_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "medmm.store.dialects.postgresql")
    with pytest.raises(ConfigError, match=r"pip install 'medmm\[postgres\]'"):
        opened.dialect_of("postgresql+psycopg://medmm@db/medmm", tmp_path)
    assert not (tmp_path / "medmm.sqlite").exists()

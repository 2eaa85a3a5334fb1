"""SQLite: one file in the data folder, a write-ahead log beside it, one writer at a time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from medmm.audit.log import APPEND_ONLY
from medmm.audit.log_database import as_bytes
from medmm.store import files
from medmm.store.dialects.dialect import Fault

BUSY_TIMEOUT_S = 30
KEPT_CONNECTIONS = 32  # a further one is set up for each use, which takes as long as a short read
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON")
FAULTS = {
    sqlite3.SQLITE_ERROR: Fault.DAMAGED,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: Fault.DAMAGED,
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_FULL: Fault.FULL,
}


class SQLite:
    """The database file of a data folder."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self.file = self.marker = folder / "medmm.sqlite"
        self.where = {"file": str(self.file)}
        self._locks = folder / "locks"
        self._writing = threading.RLock()

    @contextmanager
    def engine(self, *, read_only: bool) -> Iterator[sa.Engine]:
        """Open an engine on the file: commits flushed, foreign keys on, writers wait in turn.

        Nobody may write to a read-only file, nor to its folder.
        """
        if read_only:
            with _read_only(self.file) as engine:
                yield engine
            return
        # SQLite gives its WAL the mode of the file
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self.file)),
            connect_args={"timeout": BUSY_TIMEOUT_S},
            pool_size=KEPT_CONNECTIONS,
            max_overflow=-1,
        )
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", _begin)
        try:
            yield engine
        finally:
            engine.dispose()

    def reading(self, engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
        """Open a connection whose reads all see one state, that of the first."""
        return engine.connect()

    @contextmanager
    def writing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock of the file from its beginning.

        SQLite asks for that lock again and again, after up to 0.1 s. Threads of this process
        therefore wait for each other before; who waits too long is left to SQLite, which says so.
        """
        first = self._writing.acquire(timeout=BUSY_TIMEOUT_S)
        try:
            with (
                engine.connect() as connection,
                connection.execution_options(medmm_write=True).begin(),
            ):
                yield connection
        finally:
            if first:
                self._writing.release()

    @contextmanager
    def migrating(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open as `writing`; a file lock keeps other migrations out however long one takes."""
        with files.exclusive(self._locks, "migrate"), self.writing(engine) as connection:
            yield connection

    def exclusive(
        self, engine: sa.Engine, key: str, *, of: str = ""
    ) -> AbstractContextManager[None]:
        """Hold a file lock, by the key's stripe."""
        return files.exclusive(self._locks / of, key)

    def take_snapshot(self, connection: sa.Connection) -> None:
        """Read something: what a transaction sees is fixed by its first read."""
        connection.execute(sa.text("SELECT count(*) FROM sqlite_master")).first()

    def append_only(self, table: str, key: str) -> tuple[str, ...]:
        """Give the triggers that refuse change, removal and replacement.

        A person with the file can drop them; signed heads find that. They stop accidents and other
        programs. REPLACE deletes without firing a DELETE trigger, hence the check before INSERT.
        """
        taken = f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
        return tuple(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}{when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", taken))
        )

    def settle(self, connection: sa.Connection) -> None:
        """Do nothing: text compares by its bytes already."""

    def unprotected(self, connection: sa.Connection) -> tuple[str, ...]:
        """Name the triggers of the log that are gone or altered."""
        kept = set(
            connection.scalars(sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger'"))
        )
        made = (trigger for table in APPEND_ONLY for trigger in self.append_only(*table))
        return tuple(trigger.split()[2] for trigger in made if trigger not in kept)

    def integrity_findings(self, connection: sa.Connection) -> Iterator[str]:
        """List what SQLite finds wrong with pages and indexes, ten findings at most."""
        for finding in connection.scalars(sa.text("PRAGMA integrity_check(10)")):
            if finding != "ok":
                yield str(finding)

    def version(self, connection: sa.Connection) -> str:
        """Name SQLite and its release, which comes with Python."""
        return f"SQLite {sqlite3.sqlite_version}"

    def is_damage(self, error: sa.exc.DatabaseError) -> bool:
        """Tell whether the file is damaged, rather than busy, full or out of reach."""
        return self.fault(error) is Fault.DAMAGED

    def fault(self, error: sa.exc.DBAPIError) -> Fault:
        """Tell what an error means, by SQLite's primary code."""
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        return FAULTS.get(code, Fault.GONE)

    def words(self, error: sa.exc.DBAPIError) -> str:
        """Give SQLite's own message, which holds no values."""
        return str(error.orig)


@contextmanager
def _read_only(file: Path) -> Iterator[sa.Engine]:
    """Open an engine on a database that nobody may write to, nor to its folder.

    SQLite can't recover a write-ahead log in such a folder (sqlite.org/wal.html, read-only
    databases): if one holds something, it is recovered in a private copy, which goes again.
    """
    wal = file.with_name(file.name + "-wal")
    with ExitStack() as stack:
        options = "mode=ro&immutable=1"
        if wal.is_file() and wal.stat().st_size:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="medmm-")))
            for part in (file, wal):
                shutil.copyfile(part, folder / part.name)
            file, options = folder / file.name, "mode=rw"
        engine = sa.create_engine(
            f"sqlite:///file:{quote(str(file))}?{options}&uri=true", max_overflow=-1
        )
        sa.event.listen(engine, "connect", _set_up_read_only)
        sa.event.listen(engine, "begin", _begin)
        stack.callback(engine.dispose)
        yield engine


def _set_up_read_only(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's own BEGIN below, not sqlite3's late one
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("medmm_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@compiles(as_bytes, "sqlite")
def _as_blob(element: as_bytes, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS BLOB)"

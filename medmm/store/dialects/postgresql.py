"""PostgreSQL: a server that several hosts share; one of them writes the log at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors
from sqlalchemy.ext.compiler import compiles

from medmm.audit.log import APPEND_ONLY
from medmm.audit.log_database import as_bytes
from medmm.store import files
from medmm.store.dialects.dialect import Fault

BUSY_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
# Unless the URL says otherwise: a host that is gone is noticed, and what is committed is on disk.
CONNECTION = {
    "application_name": "medmm",
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "client_encoding": "UTF8",
    "options": "-c synchronous_commit=on",
}
# The first class that an error is of says what it means; libpq names no state where the server is
# gone.
FAULTS: tuple[tuple[type[psycopg.Error], Fault], ...] = (
    (errors.DiskFull, Fault.FULL),
    (errors.OutOfMemory, Fault.FULL),
    (errors.LockNotAvailable, Fault.LOCKED),
    (errors.DeadlockDetected, Fault.LOCKED),
    (errors.SerializationFailure, Fault.LOCKED),
    (errors.QueryCanceled, Fault.LOCKED),
    (errors.InvalidAuthorizationSpecification, Fault.FORBIDDEN),
    (errors.InvalidPassword, Fault.FORBIDDEN),
    (errors.InvalidCatalogName, Fault.FORBIDDEN),
    (errors.InsufficientPrivilege, Fault.FORBIDDEN),
    (errors.ReadOnlySqlTransaction, Fault.GONE),
    (psycopg.InterfaceError, Fault.GONE),
    (psycopg.OperationalError, Fault.GONE),
    (psycopg.DataError, Fault.REFUSED),
)
# What libpq says, without a state, of a server that answers and does not let this user in
NOT_LET_IN = re.compile(
    r"(password|\w+) authentication failed for user|no password supplied|no pg_hba\.conf entry"
    r"|pg_hba\.conf rejects connection|(role|database) \".*\" does not exist"
    r"|is not permitted to log in|permission denied for database"
)
# Transaction locks alone: those of a session, and settings of one, survive the return of a
# connection to the pool.
LOCK = sa.text(
    "SELECT set_config('lock_timeout', :wait, true),"
    " set_config('idle_in_transaction_session_timeout', '0', true), pg_advisory_xact_lock(:number)"
)
# BEFORE (2) UPDATE (16) or DELETE (8) for each row (1); BEFORE (2) TRUNCATE (32)
CHANGE, TRUNCATE = 2 + 16 + 8 + 1, 2 + 32
TRIGGERS = sa.text(
    "SELECT c.relname AS on_table, t.tgname AS name, t.tgtype AS type, p.prosrc AS body"
    " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
    " WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled = 'A'"
    " AND t.tgqual IS NULL AND t.tgnargs = 0 AND t.tgattr = ''"
)
NOT_VALID = sa.text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE c.relnamespace = current_schema()::regnamespace AND NOT (i.indisvalid AND i.indisready)"
)
CHECKSUM_FAILURES = sa.text(
    "SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()"
)
TEXT_OF_OTHER_ORDER = sa.text(
    "SELECT c.relname AS on_table, a.attname AS name FROM pg_attribute a"
    " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation o ON o.oid = a.attcollation"
    " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
    " AND a.attnum > 0 AND NOT a.attisdropped AND o.collname <> 'C' ORDER BY 1, 2"
)


class PostgreSQL:
    """A database of a PostgreSQL server.

    Keys, images and tree heads stay files of the data folder.
    """

    shared = True

    def __init__(self, url: sa.URL, folder: Path) -> None:
        self._url = url
        place = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        self.where = {"database": place.render_as_string()}  # neither password nor options
        self.marker = files.secret_path(folder / "keys", "audit")

    @contextmanager
    def engine(self, *, read_only: bool) -> Iterator[sa.Engine]:
        """Open an engine whose connections are tried before each use.

        So a restarted server is found again.
        """
        given: dict[str, Any] = {k: v for k, v in CONNECTION.items() if k not in self._url.query}
        # no prepared statements: another host may bring the tables to a newer release meanwhile
        engine = sa.create_engine(
            self._url,
            connect_args={**given, "prepare_threshold": None},
            execution_options={"postgresql_readonly": True} if read_only else {},
            pool_pre_ping=True,
            max_overflow=-1,
        )
        try:
            yield engine
        finally:
            engine.dispose()

    def reading(self, engine: sa.Engine) -> sa.Connection:
        """Open a connection whose reads all see one state, that of the first."""
        return engine.connect().execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @contextmanager
    def writing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction that holds the lock of the log, on any host, from its beginning.

        It reads what is committed at each statement: a snapshot would be older than the lock.
        """
        with _committed(engine) as connection, connection.begin():
            _lock(connection, "write", wait_s=BUSY_TIMEOUT_S)
            yield connection

    @contextmanager
    def migrating(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction as `writing`, and alone, however long another migration takes."""
        with _committed(engine) as connection, connection.begin():
            _lock(connection, "migrate", wait_s=0)
            _lock(connection, "write", wait_s=0)
            yield connection

    @contextmanager
    def exclusive(self, engine: sa.Engine, key: str, *, of: str = "") -> Iterator[None]:
        """Hold a lock on the server, by a transaction that does nothing else."""
        connection = _committed(engine)
        try:
            _lock(connection, f"{of or 'key'} {key}", wait_s=0)
            yield
        finally:
            with suppress(sa.exc.DBAPIError):  # of a server that was lost, and its locks with it
                connection.rollback()
            connection.close()

    def take_snapshot(self, connection: sa.Connection) -> None:
        """Read something: what a transaction sees is fixed by its first statement."""
        connection.execute(sa.text("SELECT 1")).first()

    def append_only(self, table: str, key: str) -> tuple[str, ...]:
        """Say the triggers that refuse change, removal and truncation, even from a replica.

        A key refuses a second row itself.
        """
        refuse = f"EXECUTE FUNCTION {table}_append_only()"
        return (
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql"
            f" AS $${_body(table)}$$",
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW {refuse}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT {refuse}",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate",
        )

    def settle(self, connection: sa.Connection) -> None:
        """Have all text compare by its bytes, whatever language the server sorts by."""
        quoted = connection.dialect.identifier_preparer.quote
        changes: dict[str, list[str]] = {}
        for row in connection.execute(TEXT_OF_OTHER_ORDER).all():
            change = f'ALTER COLUMN {quoted(row.name)} TYPE text COLLATE "C"'
            changes.setdefault(row.on_table, []).append(change)
        for table, columns in changes.items():
            if table != "alembic_version":
                connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} {', '.join(columns)}")

    def unprotected(self, connection: sa.Connection) -> tuple[str, ...]:
        """Name the triggers of the log that are gone or altered."""
        kept = {(r.on_table, r.name, r.type, r.body) for r in connection.execute(TRIGGERS)}
        made = (
            (table, f"{table}_no_{name}", kind, _body(table))
            for table, _ in APPEND_ONLY
            for name, kind in (("change", CHANGE), ("truncate", TRUNCATE))
        )
        return tuple(trigger[1] for trigger in made if trigger not in kept)

    def integrity_findings(self, connection: sa.Connection) -> Iterator[str]:
        """Say what the server finds of its indexes and of the checksums of its pages."""
        for index in connection.scalars(NOT_VALID):
            yield f"index {index} is not valid"
        if failures := connection.scalar(CHECKSUM_FAILURES):
            yield f"{failures} pages failed their checksums"

    def version(self, connection: sa.Connection) -> str:
        """Ask the server for its release."""
        return f"PostgreSQL {connection.scalar(sa.text('SHOW server_version'))}"

    def is_damage(self, error: sa.exc.DatabaseError) -> bool:
        """Tell whether the database is not as medmm wrote it, not busy, full or out of reach."""
        return self.fault(error) is Fault.DAMAGED

    def fault(self, error: sa.exc.DBAPIError) -> Fault:
        """Say what an error means, by its class."""
        if _not_let_in(error.orig):
            return Fault.FORBIDDEN
        if error.connection_invalidated:
            return Fault.GONE
        found = (fault for kind, fault in FAULTS if isinstance(error.orig, kind))
        return next(found, Fault.DAMAGED)

    def words(self, error: sa.exc.DBAPIError) -> str:
        """Quote the first line of the server's message.

        Details hold values, and so does all of a refused one.
        """
        if self.fault(error) is Fault.REFUSED:
            return f"PostgreSQL can't keep it ({type(error.orig).__name__})"
        diagnosis = getattr(error.orig, "diag", None)
        said = (diagnosis and diagnosis.message_primary) or str(error.orig)
        first = next(iter(str(said).splitlines()), type(error.orig).__name__)
        password = self._url.password
        return first.replace(str(password), "***") if password else first


def _not_let_in(error: BaseException | None) -> bool:
    """Tell whether a connection failed since the server does not take its user or password.

    Such an error of libpq has no state: it is told by the words of the server, or by libpq's own
    mark that a password was asked for and none was there, which no language hides.
    """
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return False
    asked = error.pgconn is not None and error.pgconn.needs_password
    return asked or NOT_LET_IN.search(str(error)) is not None


def _committed(engine: sa.Engine) -> sa.Connection:
    return engine.connect().execution_options(isolation_level="READ COMMITTED")


def _lock(connection: sa.Connection, what: str, *, wait_s: int) -> None:
    """Take an advisory lock until the end of the transaction.

    It belongs to one database of the server.

    Args:
        wait_s: how long to wait for it at most; 0 waits for ever.
    """
    digest = hashlib.sha256(f"medmm {what}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute(LOCK, {"wait": f"{wait_s}s", "number": number})


def _body(table: str) -> str:
    return (
        f"BEGIN RAISE EXCEPTION '{table} is append-only'"
        " USING ERRCODE = 'integrity_constraint_violation'; END"
    )


@compiles(as_bytes, "postgresql")
def _as_bytea(element: as_bytes, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    text = compiler.process(column, **options)
    if isinstance(column.type, sa.LargeBinary):
        return str(text)
    if isinstance(column.type, sa.Boolean):
        text = f"CAST({text} AS INTEGER)"
    return f"convert_to(CAST({text} AS TEXT), 'UTF8')"

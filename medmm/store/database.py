"""The database of a store: opened, brought to the newest release, its errors translated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from medmm.domain.errors import ConfigError, InputError, IntegrityError, MedmmError, Unavailable
from medmm.store.dialects import Dialect, Fault

T = TypeVar("T")
MIGRATIONS = Path(__file__).parent / "migrations"
RESTORE = "stop; restore the data folder from a copy; `medmm audit verify` then names what differs"
REMEDIES = {
    Fault.DAMAGED: (IntegrityError, "the database refused", RESTORE),
    Fault.REFUSED: (InputError, "the database refused a value", "correct it at its source"),
    Fault.FORBIDDEN: (
        ConfigError,
        "the database refused its user",
        "correct store.url, its password (PGPASSWORD, ~/.pgpass) or the rights of its role "
        "(docs/postgresql.md)",
    ),
    Fault.GONE: (
        Unavailable,
        "the database can't be used now",
        "see that it can be reached and has space, then try again; nothing was half-stored",
    ),
}
TRY_AGAIN = (
    Unavailable,
    "the database can't be used now",
    "free space or wait for the other program, then try again; nothing was half-stored",
)


class Database:
    """Reads and writes of one opened database. Safe from several threads and processes."""

    def __init__(self, dialect: Dialect, *, read_only: bool) -> None:
        self.dialect = dialect
        self._open = ExitStack()
        self._engine = self._open.enter_context(dialect.engine(read_only=read_only))

    def close(self) -> None:
        """Let go of all connections."""
        self._open.close()

    def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Ask in one snapshot, and once more if the server was lost meanwhile.

        Raises: as `border`.
        """
        with self.border():
            try:
                return self._ask(query)
            except sa.exc.DBAPIError as error:
                if self.dialect.fault(error) is not Fault.GONE:
                    raise
            return self._ask(query)

    def _ask(self, query: Callable[[sa.Connection], T]) -> T:
        with self.dialect.reading(self._engine) as connection:
            return query(connection)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a write transaction that commits all or nothing.

        Raises: as `border`; Unavailable that says so if the server was lost while it committed.
        """
        committing = False
        with self.border():
            try:
                with self.dialect.writing(self._engine) as connection:
                    yield connection
                    committing = True
            except sa.exc.DBAPIError as error:
                if committing and self.dialect.fault(error) is Fault.GONE:
                    raise self._unknown(error) from error
                raise

    def _unknown(self, error: sa.exc.DBAPIError) -> Unavailable:
        return Unavailable(
            f"the database was lost while it committed: {self.dialect.words(error)};"
            " the step is kept wholly or not at all",
            remedy="try again with the same idempotency key, or look at the case first",
            **self.dialect.where,
        )

    @contextmanager
    def exclusive(self, key: str, *, of: str = "") -> Iterator[None]:
        """Hold a lock for equal keys of one kind, across all processes of this installation."""
        with ExitStack() as held:
            with self.border():
                held.enter_context(self.dialect.exclusive(self._engine, key, of=of))
            yield

    def is_newest(self) -> bool:
        """Tell whether the database has this release's tables, not an earlier one's or none.

        Raises: ConfigError if it was written by a newer release.
        """
        return self.read(self._is_newest)

    def _is_newest(self, connection: sa.Connection) -> bool:
        known, found = revisions(), None
        if sa.inspect(connection).has_table("alembic_version"):
            found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        if found is not None and found not in known:
            raise ConfigError(
                f"the database is of another release (revision {found})",
                remedy="open it with the medmm that wrote it, or a newer one",
                **self.dialect.where,
            )
        return found == known[-1]

    def upgrade(self, fill: Callable[[sa.Connection], None]) -> None:
        """Bring the database to this release's tables; several processes may open at once.

        Args:
            fill: derives what new tables hold from what is kept, in the same transaction.

        Raises: ConfigError if it was written by a newer release.
        """
        if self.is_newest():
            return
        with self.border(), self.dialect.migrating(self._engine) as connection:
            if not self._is_newest(connection):  # else another process was first
                migrate(connection, self.dialect, "head")
                fill(connection)
                self.dialect.settle(connection)

    @contextmanager
    def border(self) -> Iterator[None]:
        """Translate the database's errors into ours, once."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._translated(error) from error
        except UnicodeEncodeError as error:
            raise InputError(
                "a text holds half a character (a lone surrogate)", remedy="write it again"
            ) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise IntegrityError(
                "a kept value is no JSON",
                remedy="restore the file from a copy",
                **self.dialect.where,
            ) from error

    def _translated(self, error: sa.exc.DBAPIError) -> MedmmError:
        kind, problem, remedy = REMEDIES.get(self.dialect.fault(error), TRY_AGAIN)
        words = self.dialect.words(error)
        return kind(f"{problem}: {words}", remedy=remedy, **self.dialect.where)


def revisions() -> list[str]:
    """List the revisions of the tables that this release knows, oldest first.

    The names of its migrations begin with them.
    """
    return sorted(file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def migrate(connection: sa.Connection, dialect: Dialect, revision: str) -> None:
    """Run the migrations up to a revision on a connection of `Dialect.migrating`."""
    from alembic import command  # slow to import, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes |= {"connection": connection, "dialect": dialect}
    command.upgrade(config, revision)

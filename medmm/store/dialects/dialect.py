"""What the store asks of a database, whichever it is.

It is the one place where SQLite and PostgreSQL differ.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from medmm.audit.log_database import LogDatabase


class Fault(Enum):
    """The meaning of a database's error to whoever called it."""

    DAMAGED = "it is not as medmm wrote it"
    LOCKED = "another program holds it"
    FULL = "no room is left"
    GONE = "it is out of reach"
    FORBIDDEN = "its user may not"
    REFUSED = "it can't hold a value that was given"


class Dialect(LogDatabase, Protocol):
    """One database of an installation.

    Attributes:
        where: how messages name its place: never with a password.
        marker: the file in the data folder that is there once an installation was made.
        shared: whether it lies apart from the data folder, so that another folder may come to it.
    """

    where: dict[str, str]
    marker: Path
    shared: bool

    def engine(self, *, read_only: bool) -> AbstractContextManager[sa.Engine]:
        """Open it; at the end all connections are closed.

        Args:
            read_only: nothing may be written, nor made.
        """
        ...

    def reading(self, engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
        """Open a connection whose reads all see one state of the database, that of the first."""
        ...

    def writing(self, engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
        """Open a transaction that no other writer works beside, on any host.

        It sees all that was committed before it began, commits at the end and rolls back on an
        error.
        """
        ...

    def migrating(self, engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
        """Open as `writing`, with no other migration beside it: others wait, then find it done."""
        ...

    def exclusive(
        self, engine: sa.Engine, key: str, *, of: str = ""
    ) -> AbstractContextManager[None]:
        """Hold a lock that all processes of this installation share for equal keys of one kind.

        Args:
            key: what is locked; unlike keys may share a lock, equal ones always do.
            of: the kind; without it idempotency keys.
        """
        ...

    def take_snapshot(self, connection: sa.Connection) -> None:
        """Fix the state that a connection of `reading` sees as that of this moment."""
        ...

    def append_only(self, table: str, key: str) -> tuple[str, ...]:
        """Give the statements by which the database refuses all changes of a table but new rows.

        Args:
            table: its name.
            key: the column that names a row: a second row under it is refused, too.
        """
        ...

    def settle(self, connection: sa.Connection) -> None:
        """Do what is left to do at the end of a migration, inside its transaction."""
        ...

    def version(self, connection: sa.Connection) -> str:
        """Name the database and its release."""
        ...

    def fault(self, error: sa.exc.DBAPIError) -> Fault:
        """Tell what an error means, by its class or by the primary code of the library."""
        ...

    def words(self, error: sa.exc.DBAPIError) -> str:
        """Give what the database says, without the values that were given and any password."""
        ...

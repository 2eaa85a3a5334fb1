"""What the log asks of the database that it lies in; values come as the bytes kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql.functions import FunctionElement


class LogDatabase(Protocol):
    """What a database must tell of itself, so that the log in it can be checked."""

    def unprotected(self, connection: sa.Connection) -> tuple[str, ...]:
        """Name the triggers that keep the log append-only and are gone or altered."""
        ...

    def integrity_findings(self, connection: sa.Connection) -> Iterator[str]:
        """Say what the database itself finds wrong with its pages and indexes."""
        ...

    def is_damage(self, error: sa.exc.DatabaseError) -> bool:
        """Tell whether an error says that the database is not as medmm wrote it.

        Returns: False if it is busy, full or out of reach.
        """
        ...


class as_bytes(FunctionElement[bytes]):
    """A column as the bytes of its text, whatever type a tampering hand gave its values.

    Each dialect says how: a truth is 0 or 1, a kept value its very JSON text, bytes stay bytes.
    """

    type = sa.LargeBinary()
    inherit_cache = True
    name = "as_bytes"


def bytes_of(*columns: sa.Column[Any]) -> list[sa.ColumnElement[bytes]]:
    """Select columns as bytes under their own names."""
    return [as_bytes(column).label(column.name) for column in columns]

"""The filters that readers keep for themselves, by name; a reader has but some."""

from __future__ import annotations

import sqlalchemy as sa

from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import InputError, StateError
from medmm.domain.worklist import SavedFilter
from medmm.store import tables

FILTERS = tables.saved_filters
MOST = 20  # of one reader


def of_reader(connection: sa.Connection, reader: str) -> tuple[SavedFilter, ...]:
    """Read a reader's filters, by name."""
    query = sa.select(FILTERS.c.body).where(FILTERS.c.reader == reader).order_by(FILTERS.c.name)
    return tuple(from_json(SavedFilter, body) for body in connection.scalars(query))


def keep(connection: sa.Connection, reader: str, saved: SavedFilter) -> None:
    """Keep a filter, in place of one of the same name.

    Raises: StateError if the reader has too many.
    """
    drop(connection, reader, saved.name)
    count = sa.select(sa.func.count()).where(FILTERS.c.reader == reader)
    if (connection.scalar(count) or 0) >= MOST:
        raise StateError(
            f"a reader keeps at most {MOST} filters", remedy="drop one that is used no more"
        )
    connection.execute(FILTERS.insert().values(reader=reader, name=saved.name, body=to_json(saved)))


def refuse_missing(connection: sa.Connection, reader: str, name: str) -> None:
    """Refuse to drop what is not there.

    Raises: InputError if the reader has no filter of this name.
    """
    if name not in {saved.name for saved in of_reader(connection, reader)}:
        raise InputError("no such saved filter", remedy="take a name of those that `filters` lists")


def drop(connection: sa.Connection, reader: str, name: str) -> None:
    """Drop the filter of this name, if there is one."""
    where = (FILTERS.c.reader == reader) & (FILTERS.c.name == name)
    connection.execute(FILTERS.delete().where(where))

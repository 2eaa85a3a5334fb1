"""The databases that a store may lie in, each behind the one `Dialect`."""

from pathlib import Path

import sqlalchemy as sa

from medmm.domain.errors import ConfigError
from medmm.store.dialects.dialect import Dialect, Fault
from medmm.store.dialects.sqlite import SQLite

__all__ = ["Dialect", "Fault", "SQLite", "dialect_of"]


def dialect_of(url: str | None, folder: Path) -> Dialect:
    """Choose the database of a data folder: its SQLite file, or what the URL names.

    Raises: ConfigError, without the URL, if that is not a PostgreSQL one, or its driver is not
        installed.
    """
    if url is None:
        return SQLite(folder)
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = sa.URL.create("none")
    if parsed.get_backend_name() != "postgresql" or not parsed.database:
        raise ConfigError(
            "store.url is no URL of a PostgreSQL database",
            remedy="write postgresql+psycopg://USER@HOST/DATABASE, or leave it out for SQLite",
        )
    try:
        from medmm.store.dialects.postgresql import PostgreSQL  # its driver is an extra
    except ImportError as error:
        raise ConfigError(
            "store.url names a PostgreSQL database, whose driver is not installed",
            remedy="pip install 'medmm[postgres]'",
        ) from error
    return PostgreSQL(parsed.set(drivername="postgresql+psycopg"), folder)

"""The databases that a store may lie in, each behind the one `Dialect`."""

from pathlib import Path

from medmm.store.dialects.dialect import Dialect, Fault
from medmm.store.dialects.sqlite import SQLite

__all__ = ["Dialect", "Fault", "SQLite", "dialect_of"]


def dialect_of(folder: Path) -> Dialect:
    """The database of a data folder."""
    return SQLite(folder)

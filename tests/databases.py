"""The database under a store as a hand reaches it that knows nothing of medmm, whichever database it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from medmm.store import Store
from medmm.store import store as opened


@contextmanager
def raw(of: Store | Path) -> Iterator[Any]:
    """A DB-API connection to the database of a store or of a data folder; what was done is committed at the end."""
    dialect = of.dialect if isinstance(of, Store) else opened.dialect_of(of)
    with closing(sqlite3.connect(dialect.file)) as connection, connection:  # type: ignore[attr-defined]
        yield connection

"""Both databases for a test of the store, and each as a hand reaches it that knows nothing of medmm."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.string import TextLoader

from medmm.store import Store
from medmm.store import store as opened
from medmm.store.database import Database
from medmm.store.dialects import Dialect, dialect_of
from tests.postgres_server import TEMPLATE, Databases, PostgresServer

WORDS_OF_POSTGRESQL = {
    r"replace\((\w+), ('[^']*'), ('[^']*')\)": r"CAST(replace(CAST(\1 AS TEXT), \2, \3) AS JSON)",
    r"CAST\(('[^']*') AS BLOB\)": r"convert_to(\1, 'UTF8')",
    r"x'([0-9a-f]*)'": r"decode('\1', 'hex')",
}
POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)
only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("engine", [POSTGRES], indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the session, with a database of this release's tables to copy."""
    server = PostgresServer()
    try:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        made = Database(dialect_of(server.url(TEMPLATE), server.folder), read_only=False)
        made.upgrade(lambda connection: None)
        made.close()
        yield server
    finally:
        server.close()


@pytest.fixture
def databases(postgres: PostgresServer) -> Iterator[Databases]:
    """The databases of one test, gone after it."""
    made = Databases(postgres)
    yield made
    made.drop()


@pytest.fixture(autouse=True, params=["sqlite", POSTGRES])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a store lies whose URL is not given: a file of its folder, or a database of the server."""
    kind = str(request.param)
    if kind == "postgresql":
        databases: Databases = request.getfixturevalue("databases")

        def of_folder(url: str | None, folder: Path) -> Dialect:
            return dialect_of(url or databases.url_of(folder), folder)

        monkeypatch.setattr(opened, "dialect_of", of_folder)
    return kind


def url_of(folder: Path) -> str:
    """The URL for another process that opens a folder's store; empty for its SQLite file."""
    url = getattr(opened.dialect_of(None, folder), "_url", None)
    return "" if url is None else url.render_as_string(hide_password=False)


@contextmanager
def raw(of: Store | Path) -> Iterator[Any]:
    """A connection to the database of a store or of a data folder; what was done is committed at the end.

    It takes SQLite's words: `?` for a value, and text functions on columns of JSON.
    """
    folder = of.data_dir if isinstance(of, Store) else of
    url = url_of(folder)
    if not url:
        with closing(sqlite3.connect(folder / "medmm.sqlite")) as connection, connection:
            yield connection
        return
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.adapters.register_loader("json", TextLoader)  # as text, as SQLite gives it
        yield _Translated(connection)


class _Translated:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        connection.execute("SET session_replication_role = replica")  # no foreign keys, as SQLite

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        if "x'ff'" in statement or "CAST('\u00ff' AS BLOB)" in statement:
            pytest.skip("a column of PostgreSQL holds values of its own type alone")
        for pattern, words in WORDS_OF_POSTGRESQL.items():
            statement = re.sub(pattern, words, statement)
        if values:
            return self._connection.execute(statement.replace("?", "%s"), values)
        return self._connection.execute(statement)

    def commit(self) -> None:
        self._connection.commit()


def unprotect(folder: Path) -> None:
    """Drop every trigger that keeps tables append-only."""
    with raw(folder) as connection:
        if isinstance(connection, sqlite3.Connection):
            listed = "SELECT name, '' FROM sqlite_master WHERE type = 'trigger'"
        else:
            listed = (
                "SELECT tgname, ' ON ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal"
            )
        for name, on_table in connection.execute(listed).fetchall():
            connection.execute(f"DROP TRIGGER {name}{on_table}")


def delete_database(folder: Path) -> None:
    """Take a folder's database away; the next opening makes an empty one."""
    (folder / "medmm.sqlite").unlink(missing_ok=True)
    if url_of(folder):
        with raw(folder) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

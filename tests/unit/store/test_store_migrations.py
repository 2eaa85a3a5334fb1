"""The database is brought to this release, once, by whoever opens it first; others are refused untouched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from medmm.audit.log import APPEND_ONLY
from medmm.domain.errors import ConfigError, IntegrityError
from medmm.store import Store, tables
from medmm.store.dialects import SQLite
from tests.databases import raw
from tests.unit.store.test_store_nouns import EVENT


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store, store._database._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        triggers = set(
            connection.scalars(sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger'"))
        )
    assert triggers == {made for table in APPEND_ONLY for made in store.dialect.append_only(*table)}


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store, store.step() as work:
        work.record(EVENT)
    with Store.open(tmp_path / "data") as store:
        assert store.events() == (EVENT,)


def test_eight_open_an_empty_folder_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: Store.open(tmp_path / "data"), range(8)))
    for store in stores:
        assert store.verify().ok
        store.close()


def test_a_database_of_a_newer_release_is_refused_untouched(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        file = store.data_dir
    with raw(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with pytest.raises(ConfigError, match="another release"):
        Store.open(tmp_path / "data")
    with raw(file) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_refused(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "medmm.sqlite").write_bytes(content)
    with pytest.raises(IntegrityError):
        Store.open(folder)
    assert (folder / "medmm.sqlite").read_bytes() == content


def test_an_interrupted_upgrade_leaves_nothing_and_is_done_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(SQLite, "append_only", lambda *_: ("CREATE TRIGGER broken",))
        with pytest.raises(IntegrityError):
            Store.open(tmp_path / "data")
    with raw(tmp_path / "data") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []
    with Store.open(tmp_path / "data") as store:
        assert store.verify().ok

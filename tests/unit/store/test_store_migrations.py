"""The database is brought to this release, once, by whoever opens it first; others are refused untouched."""

from __future__ import annotations

import signal
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from medmm.domain.errors import ConfigError, IntegrityError
from medmm.store import Store, tables
from medmm.store.database import MIGRATIONS, revisions
from tests.databases import only_sqlite, raw, url_of
from tests.unit.store.test_store_nouns import EVENT

EARLIER = Path(__file__).with_name("earlier_release") / "store.tar.xz"


@pytest.fixture(autouse=True)
def _empty(engine: str, request: pytest.FixtureRequest) -> None:
    """Databases here are made without tables, as an operator makes one."""
    if engine == "postgresql":
        request.getfixturevalue("databases").template = "template0"


def table_names(folder: Path) -> list[str]:
    url = url_of(folder) or f"sqlite:///{folder / 'medmm.sqlite'}"
    engine = sa.create_engine(url)
    try:
        return sa.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        with store._database._engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, tables.metadata) == []
        assert store._read(store.dialect.unprotected) == ()


@only_sqlite
def test_revisions_are_told_by_the_names_of_their_files() -> None:
    scripts = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())
    assert [script.revision for script in reversed(scripts)] == revisions()


@only_sqlite
def test_opening_a_database_of_this_release_imports_no_alembic(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    code = (
        "import sys; from pathlib import Path; from medmm.store import Store;"
        "Store.open(Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], check=True)


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


OPENS = """
import os, signal, sys
from pathlib import Path
from medmm.store import Store, worklist

if sys.argv[3] == "killed":  # the tables are made; nothing is committed
    worklist.fill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with Store.open(Path(sys.argv[1]), url=sys.argv[2] or None) as store:
    assert store.verify().ok
"""


def opening(folder: Path, how: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-W", "error", "-c", OPENS, str(folder), url_of(folder), how]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def test_two_processes_that_migrate_at_once_both_go_on(tmp_path: Path) -> None:
    url_of(tmp_path / "data")
    for process in [opening(tmp_path / "data") for _ in range(2)]:
        assert process.communicate()[1] == ""
        assert process.returncode == 0


def test_a_process_killed_in_mid_migration_leaves_nothing_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    process = opening(tmp_path / "data", "killed")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert table_names(tmp_path / "data") == []
    with Store.open(tmp_path / "data") as store:
        with store.step() as work:
            work.record(EVENT)
        assert store.verify().ok


@only_sqlite
def test_a_folder_of_an_earlier_release_stays_as_it_was_where_its_upgrade_is_killed(
    tmp_path: Path,
) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "data"
    with raw(folder) as database:
        before = list(database.iterdump())
    process = opening(folder, "killed")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with raw(folder) as database:
        assert list(database.iterdump()) == before
    with Store.open(folder) as store:
        assert store.verify().ok
        assert len(store.cases()) == 1


@only_sqlite
def test_the_first_opening_of_an_earlier_folder_tells_its_progress(tmp_path: Path) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    told: list[tuple[int, int]] = []
    for _ in range(2):  # the second one has nothing to do
        Store.open(tmp_path / "data", progress=lambda done, of: told.append((done, of))).close()
    assert told == [(0, 1)]


def test_a_database_of_a_newer_release_is_refused_untouched(tmp_path: Path) -> None:
    Store.open(tmp_path / "data").close()
    with raw(tmp_path / "data") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="another release"):
        Store.open(tmp_path / "data")
    with raw(tmp_path / "data") as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


@only_sqlite
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
        from medmm.store.dialects.postgresql import PostgreSQL
        from medmm.store.dialects.sqlite import SQLite

        for dialect in (SQLite, PostgreSQL):
            patched.setattr(dialect, "append_only", lambda *_: ("CREATE TRIGGER broken",))
        with pytest.raises(IntegrityError):
            Store.open(tmp_path / "data")
    assert table_names(tmp_path / "data") == []
    with Store.open(tmp_path / "data") as store:
        assert store.verify().ok

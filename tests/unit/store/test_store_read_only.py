"""A read-only copy of the data folder: its log can be checked as it is, and nothing in it is made or changed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import Settings
from medmm.domain.errors import ConfigError, IntegrityError
from medmm.store import Store
from tests.databases import only_sqlite, raw
from tests.unit.audit.test_audit_tampering import event

pytestmark = only_sqlite


def writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700)


def frozen(folder: Path) -> dict[str, str]:
    """Take every write bit of a copy away. Returns: its files by their digests."""
    found = [folder.parent / f"{folder.name}.heads", *folder.rglob("*"), folder]
    for path in found:
        if path.exists():
            path.chmod(path.stat().st_mode & ~0o222)
    return contents(folder)


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.parent.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(params=["closed", "in use"])
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A copy of a store with 20 entries, taken after it was closed, or while it was open and had its WAL."""
    folder, made = tmp_path / "own" / "data", tmp_path / "copy" / "data"
    made.parent.mkdir()
    with Store.open(folder) as store:
        for number in range(20):
            with store.step() as work:
                work.record(event(number))
        if request.param == "in use":
            shutil.copytree(folder, made)
            assert (made / "medmm.sqlite-wal").stat().st_size
    if request.param == "closed":
        shutil.copytree(folder, made)
    shutil.copy(f"{folder}.heads", f"{made}.heads")
    yield made
    writable(made)


def test_a_read_only_copy_is_checked_and_stays_as_it_is(copy: Path) -> None:
    before = frozen(copy)
    with Assistant(Settings(data_dir=copy)) as assistant:
        assert assistant.read_only
        found = assistant.verify()
        assert (found.ok, found.size, found.uncovered) == (True, 20, 0)
        assert assistant.capabilities().models
        for look in (
            assistant.cases,
            lambda: assistant.inspect(copy),
            lambda: next(assistant.read(copy)),
        ):
            with pytest.raises(ConfigError, match="read-only"):
                look()
    assert contents(copy) == before


def test_damage_in_a_read_only_copy_is_found(copy: Path) -> None:
    with raw(copy) as database:
        database.execute("DROP TRIGGER audit_entry_no_update")
        database.execute("UPDATE audit_entry SET entry = x'7b7d' WHERE seq = 7")
        database.commit()
    frozen(copy)
    with Store.open(copy) as store:
        found = store.verify()
    assert not found.ok
    assert "entry 7" in {problem.place for problem in found.problems}


def test_a_copy_without_its_heads_or_its_key_says_so(copy: Path) -> None:
    heads = copy.with_name("data.heads")
    heads.rename(copy.with_name("away"))
    frozen(copy)
    with Store.open(copy) as store:
        assert {problem.kind for problem in store.verify().problems} == {"head removed"}
    assert not heads.exists()
    writable(copy)
    (copy / "keys" / "audit.key").unlink()
    frozen(copy)
    with pytest.raises(ConfigError, match="can't be used"):
        Store.open(copy)
    assert not (copy / "keys" / "audit.key").exists()


def test_a_cut_copy_is_a_typed_error(copy: Path) -> None:
    (copy / "medmm.sqlite").write_bytes(b"this is no database" * 100)
    (copy / "medmm.sqlite-wal").unlink(missing_ok=True)
    frozen(copy)
    with pytest.raises(IntegrityError):
        Store.open(copy)

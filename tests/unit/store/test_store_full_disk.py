"""A disk that is full at intake, draft, signature, entry or checkpoint: told by type, nothing half-stored, no restart needed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from medmm import Assistant
from medmm.domain.errors import Unavailable
from medmm.domain.report import Accept
from medmm.store import Store
from tests.databases import only_sqlite, raw
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant
from tests.unit.store.test_store_nouns import EVENT

pytestmark = only_sqlite
SIZE = "6m"


class SmallDisk:
    """A file system of a few megabytes that can be filled to its last byte."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file, and leave none of its room to be used again."""
        with raw(self.folder / "data") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def fill(self) -> None:
        """Leave no page free."""
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 4096)

    def free(self) -> None:
        """Give it all back."""
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip("a small file system is mounted by root alone")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_every_verb_on_a_full_disk_is_unavailable_and_goes_on_when_there_is_space(
    disk: SmallDisk, tmp_path: Path
) -> None:
    film = film_file(tmp_path / "in")
    with quick_assistant(disk.folder / "data") as assistant:

        def full_then_free(verb: Callable[[], object]) -> object:
            before = assistant.verify()
            assert before.ok
            disk.checkpoint()
            disk.fill()
            with pytest.raises(Unavailable) as caught:
                verb()
            assert caught.value.remedy
            disk.free()
            return verb()

        full_then_free(lambda: assistant.admit(film, key="admit"))
        case_id = opened(assistant, film)
        full_then_free(lambda: assistant.draft(case_id, key="draft"))
        decide_all(assistant, case_id)
        full_then_free(lambda: assistant.sign(case_id, by="reader-1", key="sign"))
        full_then_free(lambda: assistant.case(case_id))  # a look keeps its entry, or gives nothing
        assert assistant.case(case_id).report is not None
        assert assistant.verify().problems == ()
        left = [path.name for path in (disk.folder / "data" / "objects").iterdir()]
        assert not [name for name in left if name.startswith(".")]


def decide_all(assistant: Assistant, case_id: str) -> None:
    draft = assistant.case(case_id).draft
    assert draft is not None
    stated = [Accept(s.id) for s in draft.statements if s.summarises is None]
    assistant.decide(case_id, stated, by="reader-1")


def append(store: Store) -> None:
    with store.step() as work:
        work.record(EVENT)


def test_an_entry_on_a_full_disk_is_wholly_kept_or_not_at_all(disk: SmallDisk) -> None:
    with Store.open(disk.folder / "data") as store:
        for _ in range(5):
            append(store)
        disk.checkpoint()
        disk.fill()
        for _ in range(3):
            with pytest.raises(Unavailable):
                append(store)
        kept = len(store.events())
        disk.free()
        append(store)
        found = store.verify()
    assert (found.size, found.problems, found.uncovered) == (kept + 1, (), 0)
    assert kept in (5, 6, 7, 8)


def test_a_checkpoint_on_a_full_disk_loses_nothing(disk: SmallDisk) -> None:
    """The log of writes is moved into the file when it has grown; that fails, and what is committed stays."""
    with Store.open(disk.folder / "data") as store:
        for _ in range(20):
            append(store)
        disk.fill()
        with suppress(sqlite3.OperationalError):
            disk.checkpoint()
        assert len(store.events()) == 20
        disk.free()
        append(store)
    with Store.open(disk.folder / "data") as again:
        found = again.verify()
    assert (found.size, found.problems, found.uncovered) == (21, (), 0)

"""Objects, keys and permissions: contents name the files, nobody else reads them."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medmm.domain.errors import ConfigError, InputError, IntegrityError, Unavailable
from medmm.store import Store, files
from tests.databases import only_sqlite
from tests.unit.store.test_store_steps import EVENT

pytestmark = only_sqlite

HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "CON",
    "",
    "a" * 300,
    "A" * 64,
    "." * 64,
    "a" * 63 + "/",
    "a" * 65,
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def test_an_object_is_kept_once_under_its_digest(store: Store, tmp_path: Path) -> None:
    content = os.urandom(3 * files.CHUNK_BYTES + 17)
    digest = hashlib.sha256(content).hexdigest()
    for name in ("one.dcm", "..%2Ftwo", "x" * 200):
        (tmp_path / name).write_bytes(content)
        assert store.put_object(tmp_path / name) == digest
    kept = [path for path in store.objects.folder.rglob("*") if path.is_file()]
    assert kept == [store.object_path(digest)] == [store.objects.folder / digest]
    assert kept[0].read_bytes() == content
    store.objects.verify(digest)


def test_eight_threads_keep_the_same_file_at_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"pixels" * 100_000)
    with ThreadPoolExecutor(8) as pool:
        (digest,) = set(pool.map(store.put_object, [tmp_path / "film"] * 16))
    store.objects.verify(digest)
    assert [path.name for path in store.objects.folder.rglob("*") if path.is_file()] == [digest]


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is flushed: names of files and folders, in order."""
    flushed: list[str] = []
    flush = os.fsync

    def noted(file: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{file}")).name)
        flush(file)

    monkeypatch.setattr(os, "fsync", noted)
    return flushed


def test_what_is_there_is_neither_written_nor_flushed(
    store: Store, tmp_path: Path, flushes: list[str]
) -> None:
    (tmp_path / "film").write_bytes(b"pixels")
    digest = store.put_object(tmp_path / "film")
    before, place = store.object_place(digest).stat(), store.object_place(digest)
    flushes.clear()
    assert store.put_object(tmp_path / "film") == digest
    with store.copied({digest: tmp_path / "film"}) as keep:
        keep()
    assert flushes == []
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (tmp_path / "film").write_bytes(b"others")
    with (
        pytest.raises(InputError, match="changed after"),
        store.copied({digest: tmp_path / "film"}),
    ):
        pass
    assert list(store.objects.digests()) == [digest]


def test_one_flush_of_the_folder_covers_a_study(
    store: Store, tmp_path: Path, flushes: list[str]
) -> None:
    for n in range(20):
        (tmp_path / f"{n}.dcm").write_bytes(b"slice %d" % n)
    sources = {files.sha256_of(path): path for path in tmp_path.glob("*.dcm")}
    store.put_object(tmp_path / "0.dcm")  # the folder is there
    flushes.clear()
    with store.copied(sources) as keep:
        assert len(list(store.objects.digests())) == 1
        keep()
    assert flushes.count("objects") == 1
    assert flushes[-1] == "objects"
    assert len(flushes) == 19 + 1, "each new file, then the folder"
    assert set(store.objects.digests()) == set(sources)
    assert not list(store.objects.folder.glob(".incoming-*"))


def test_objects_of_an_earlier_release_stay_where_they_are(store: Store, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"pixels")
    digest = store.put_object(tmp_path / "film")
    earlier = store.objects.folder / digest[:2] / digest[2:]
    earlier.parent.mkdir(mode=0o700)
    (store.objects.folder / digest).rename(earlier)
    assert store.object_path(digest) == earlier
    assert list(store.objects.digests()) == [digest]
    assert store.put_object(tmp_path / "film") == digest
    earlier.write_bytes(b"altered")
    assert store.put_object(tmp_path / "film") == digest, "an altered one is replaced where it lies"
    assert (store.object_path(digest), earlier.read_bytes()) == (earlier, b"pixels")


def test_a_look_flushes_the_database_alone(
    store: Store, tmp_path: Path, flushes: list[str]
) -> None:
    def step(*, look: bool = False) -> list[str]:
        flushes.clear()
        with store.step(look=look) as work:
            work.record(EVENT)
        return list(flushes)

    store.secret("patient")
    assert step() == ["data.heads"]
    assert [step(look=True) for _ in range(3)] == [[], [], []]
    assert store.verify().uncovered == 0, "the heads are written, if not flushed"
    assert step() == ["data.heads"]
    assert [step(look=True)] == [[]]
    store.close()
    flushes.clear()
    Store.open(tmp_path / "data").close()
    assert flushes == ["data.heads"], "opening flushes what looks left"


@pytest.mark.parametrize("left", [1, 2, 3, 4, 5])
def test_heads_of_looks_that_a_loss_of_power_took_are_written_again(
    store: Store, tmp_path: Path, left: int
) -> None:
    """A write, two looks, a write, two looks: what no flush kept may be lost, all else is found missing."""
    for look in (False, True, True, False, True, True):
        with store.step(look=look) as work:
            work.record(EVENT)
    store.close()
    lines = store.heads.path.read_text().splitlines(keepends=True)
    store.heads.path.write_text("".join(lines[:left]))
    with Store.open(tmp_path / "data") as again:
        problems = [p.kind for p in again.verify().problems]
        assert again.verify().uncovered == 0
    assert problems == ([] if left >= 4 else ["head removed"]), "the fourth was flushed"
    assert len(store.heads.path.read_text().splitlines()) == (6 if left >= 4 else left + 2)


def test_an_altered_object_is_found(store: Store, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"pixels")
    digest = store.put_object(tmp_path / "film")
    store.object_path(digest).write_bytes(b"pixel!")
    with pytest.raises(IntegrityError, match="altered"):
        store.objects.verify(digest)


def test_an_object_is_verified_when_it_is_first_opened_and_after_a_change(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film").write_bytes(b"pixels")
    digest = store.put_object(tmp_path / "film")
    read: list[Path] = []
    original = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: read.append(path) or original(path))
    place = store.object_path(digest)
    assert store.object_path(digest) == place
    assert read == [place]
    state = place.stat()
    place.write_bytes(b"pixel!")
    os.utime(
        place, ns=(state.st_atime_ns, state.st_mtime_ns)
    )  # a date that says it was not changed
    for _ in range(2):
        with pytest.raises(IntegrityError, match="altered"):
            store.object_path(digest)
    place.write_bytes(b"pixels")
    assert store.object_path(digest) == place
    place.unlink()
    with pytest.raises(InputError, match="no such object"):
        store.object_path(digest)


def test_no_more_objects_are_remembered_than_there_is_room_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_VERIFIED", 2)
    digests = []
    for name in "abcd":
        (tmp_path / name).write_bytes(name.encode())
        digests.append(store.put_object(tmp_path / name))
        store.object_path(digests[-1])
    assert list(store.objects._verified) == digests[-2:]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_from_outside_becomes_a_path(name: str, store: Store) -> None:
    with pytest.raises(InputError):
        store.object_path(name)


def test_a_source_that_is_not_there_is_the_senders(store: Store, tmp_path: Path) -> None:
    for source in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match="can't be opened"):
            store.put_object(source)


def test_a_disk_that_fills_up_leaves_no_half_object(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film").write_bytes(b"pixels" * 1000)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        with pytest.raises(Unavailable, match="free space"):
            store.put_object(tmp_path / "film")
    assert [path for path in store.objects.folder.rglob("*") if path.is_file()] == []
    store.objects.verify(store.put_object(tmp_path / "film"))


def test_what_a_killed_copy_left_is_swept_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    Store.open(folder).close()
    (folder / "objects").mkdir(exist_ok=True)
    old, new = folder / "objects" / ".incoming-old", folder / "objects" / ".incoming-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * files.DAY_S,) * 2)
    Store.open(folder).close()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_key_is_made_once_for_all(store: Store, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        (key,) = set(pool.map(store.secret, ["patient"] * 16))
    assert len(key) == 32
    assert store.secret("patient") == key != store.secret("audit")
    with Store.open(tmp_path / "data") as again, Store.open(tmp_path / "other") as other:
        assert again.secret("patient") == key != other.secret("patient")
    (tmp_path / "data" / "keys" / "patient.key").write_bytes(key[:-1])
    with pytest.raises(IntegrityError, match="damaged"):
        store.secret("patient")


def test_nobody_else_can_read_anything(store: Store, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Store.open(tmp_path / "open" / "data") as other:
            (tmp_path / "film").write_bytes(b"pixels")
            other.put_object(tmp_path / "film")
            with other.exclusive("key-1"), other.step() as work:
                work.record(EVENT)
            paths = [other.data_dir, other.heads.path, *other.data_dir.rglob("*")]
            assert any(path.name.endswith("-wal") for path in paths)
            for path in paths:
                mode = stat.S_IMODE(path.stat().st_mode)
                assert mode == (0o700 if path.is_dir() else 0o600), path
    finally:
        os.umask(before)


def test_heads_go_beside_the_data_or_where_told(store: Store, tmp_path: Path) -> None:
    assert store.heads.path == tmp_path / "data.heads"
    told = tmp_path / "elsewhere" / "heads"
    with Store.open(tmp_path / "other", heads_path=told) as other, other.step() as work:
        work.record(EVENT)
    assert len(told.read_text().splitlines()) == 1


def test_a_data_folder_that_is_a_file_is_the_operators(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(ConfigError, match="data_dir"):
        Store.open(tmp_path / "data")

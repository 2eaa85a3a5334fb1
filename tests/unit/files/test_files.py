"""Digests, files that are whole or not there, and locks that hold between threads and processes."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from medmm import files

HOLD = """
import sys, time
from pathlib import Path
from medmm.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process_holds(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def taken(path: Path, within_s: float) -> bool:
    """Whether a thread gets the lock in this time; it ends with the holder's."""
    got = threading.Event()

    def take() -> None:
        with files.locked(path):
            got.set()

    threading.Thread(target=take, daemon=True).start()
    return got.wait(within_s)


def test_a_digest_is_that_of_all_bytes(tmp_path: Path) -> None:
    content = os.urandom(2 * files.CHUNK_BYTES + 17)
    (tmp_path / "film").write_bytes(content)
    assert files.sha256_of(tmp_path / "film") == hashlib.sha256(content).hexdigest()
    with (tmp_path / "film").open("rb", buffering=0) as file:
        file.seek(5)
        assert files.digest_of_open(file.fileno()) == hashlib.sha256(content[5:]).hexdigest()


def test_a_file_is_written_with_the_permissions_that_are_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_atomically(tmp_path / "report", b"text")
        files.write_atomically(tmp_path / "catalogue", b"rows", mode=files.PRIVATE)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"report": 0o640, "catalogue": 0o600}


def test_a_link_under_the_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "report").symlink_to(tmp_path / "other")
    files.write_atomically(tmp_path / "report", b"text")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "report").is_symlink()
    assert (tmp_path / "report").read_bytes() == b"text"


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "report", []
    path.write_bytes(b"old")
    fsync = os.fsync

    def noted(file: int) -> None:
        state = os.fstat(file)
        seen.append(
            (
                "folder" if stat.S_ISDIR(state.st_mode) else f"{state.st_size} bytes",
                path.read_bytes(),
            )
        )
        fsync(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", noted)
        files.write_atomically(path, b"newer")
    assert seen == [("5 bytes", b"old"), ("folder", b"newer")]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fills_up_leaves_what_was_there(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "report"
    path.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
        with pytest.raises(OSError, match="No space"):
            files.write_atomically(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("report", b"old")]


def test_a_folder_that_is_not_there_or_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        files.write_atomically(tmp_path / "nothing" / "report", b"text")
    with pytest.raises(NotADirectoryError):
        files.write_atomically(tmp_path / "file" / "report", b"text")


def test_eight_threads_write_one_file_whole(tmp_path: Path) -> None:
    contents = [bytes([n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda content: files.write_atomically(tmp_path / "report", content), contents * 4
            )
        )
    assert (tmp_path / "report").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser may write anywhere")
def test_folders_that_bar_a_user(tmp_path: Path) -> None:
    drop_box, copy = tmp_path / "drop-box", tmp_path / "copy"
    for folder, mode in ((drop_box, 0o300), (copy, 0o500)):
        folder.mkdir()
        folder.chmod(mode)
    try:
        files.write_atomically(drop_box / "report", b"text")
        assert (drop_box / "report").read_bytes() == b"text"
        with pytest.raises(PermissionError):
            files.write_atomically(copy / "report", b"text")
        with pytest.raises(PermissionError), files.locked(copy / "lock"):
            pass
    finally:
        for folder in (drop_box, copy):
            folder.chmod(0o700)


def test_threads_hold_a_lock_one_after_another(tmp_path: Path) -> None:
    inside, most = [], []

    def take(n: int) -> None:
        with files.locked(tmp_path / "lock"):
            inside.append(n)
            most.append(len(inside))
            time.sleep(0.002)
            inside.remove(n)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(40)))
    assert most == [1] * 40


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process_holds(path) as holder:
        assert not taken(path, 0.2)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert taken(path, 10)


def test_a_lock_and_flock_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with files.locked(path), path.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not taken(path, 0.2)
    assert taken(path, 10)


def test_a_lock_is_made_for_this_user_alone_and_keeps_the_content(tmp_path: Path) -> None:
    path, before = tmp_path / "locks" / "lock", os.umask(0)
    try:
        with files.locked(path) as file:
            os.write(file, b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(ZeroDivisionError), files.locked(path):
        raise ZeroDivisionError
    with files.locked(path) as file:  # an error in the body let it go
        assert os.pread(file, 9, 0) == b"content"


def test_what_cannot_be_locked_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IsADirectoryError), files.locked(tmp_path):
        pass
    with pytest.raises(FileExistsError), files.locked(tmp_path / "file" / "lock"):
        pass

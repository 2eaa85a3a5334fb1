"""Digests of files, atomic writes, and locks: each once, for every room.

Nothing here knows what a file holds. Failures are `OSError`: the caller knows what could not be
done, and who can mend it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import lock_descriptor

CHUNK_BYTES = 1 << 20
PRIVATE = 0o600  # this user alone
KEY_BYTES = 32
POLL_S = 0.005  # between two tries for a lock that another holds


def sha256_of(path: Path) -> str:
    """Compute the digest of a file's bytes in hex, read in chunks."""
    with path.open("rb") as file:
        return digest_of_open(file.fileno())


def digest_of_open(file: int) -> str:
    """Compute the digest of an open file from where it stands, read in chunks."""
    digest = hashlib.sha256()
    while chunk := os.read(file, CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def flushed_file(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Create a file, and flush it to disk at the end.

    Args:
        mode: its permissions, less those that the umask takes away.
    Raises: FileExistsError if something lies under the name, be it a link; OSError if it can't be
        written.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())


def flush(path: Path) -> None:
    """Flush a file or folder to disk.

    A new or changed name is there for good only once its folder is flushed.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all, and for good.

    A link that waits under its name is replaced, not followed.

    Args:
        mode: permissions of the file, less those that the umask takes away.
    Raises: OSError if the folder is not there or can't be written; then what was there before is as
        it was.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with flushed_file(temporary, mode) as out:
            out.write(content)
        temporary.replace(path)
    finally:
        # It is gone where all went well; where the disk failed, that error counts
        with suppress(OSError):
            temporary.unlink()
    with suppress(PermissionError):  # a folder that may be written and not read can't be flushed
        flush(path.parent)


def made_key(path: Path) -> bytes:
    """Read a file of random bytes, made once with its folder, readable by this user alone.

    Of several processes that make it at a time the first one's counts.

    Raises: OSError if it can't be made or read.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        try:
            with flushed_file(temporary) as out:
                out.write(secrets.token_bytes(KEY_BYTES))
            with suppress(FileExistsError):
                os.link(temporary, path)
            flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return path.read_bytes()


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock on a file, which is made with its folder if it is missing.

    Its content is left as it is.

    It excludes other threads and other processes, and goes with the process that holds it, however
    that dies. It is not reentrant. The file stays, since a lock file that is removed lets two in.

    Yields: the open file, to read and to append to.
    Raises: OSError if the file can't be opened to be written, as in a read-only folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE)
    try:
        lock_descriptor(file, poll_interval=POLL_S)
        yield file
    finally:
        os.close(file)  # also unlocks

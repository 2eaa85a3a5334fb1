"""Files of the store: content-addressed objects, secrets, locks. No name ever comes from the input."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from medmm.domain.errors import InputError, IntegrityError, Unavailable

CHUNK_BYTES = 1 << 20
LOCK_STRIPES = 256
INCOMING = ".incoming-"
DAY_S = 86_400


def sha256_of(path: Path) -> str:
    """Digest of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class Objects:
    """Files kept under the digest of their content, readable by this user alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where an object lies. Raises: InputError if `sha256` is no digest or names nothing here."""
        path = self._place(sha256)
        if not path.is_file():
            raise InputError("no such object in the store", remedy="admit the study again", sha256=sha256)
        return path

    def put(self, source: Path) -> str:
        """Copy a file in, flushed and renamed into place; the same content is kept once. Returns: its digest.

        Raises: InputError if the source can't be opened; Unavailable if the copy can't be written.
        """
        try:
            incoming = source.open("rb")
        except OSError as error:
            raise InputError(
                f"the file can't be opened: {type(error).__name__}", remedy="check that it is there and readable"
            ) from error
        with incoming:
            try:
                return self._keep(incoming)
            except OSError as error:
                raise Unavailable(
                    f"the file can't be copied into the store: {type(error).__name__}",
                    remedy="free space in data_dir or make it writable, then try again",
                ) from error

    def _keep(self, incoming: BinaryIO) -> str:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f"{INCOMING}{secrets.token_hex(8)}"
        digest = hashlib.sha256()
        try:
            with _private(temporary) as out:
                while chunk := incoming.read(CHUNK_BYTES):
                    digest.update(chunk)
                    out.write(chunk)
            place = self._place(digest.hexdigest())
            place.parent.mkdir(exist_ok=True, mode=0o700)
            temporary.replace(place)
            for folder in (place.parent, self.folder):
                _flush_folder(folder)
        finally:
            temporary.unlink(missing_ok=True)
        return digest.hexdigest()

    def sweep(self) -> None:
        """Remove what a killed process left half-copied more than a day ago."""
        for left in self.folder.glob(f"{INCOMING}*"):
            with suppress(FileNotFoundError):  # another process sweeps too
                if time.time() - left.stat().st_mtime > DAY_S:
                    left.unlink()

    def verify(self, sha256: str) -> None:
        """Raises: IntegrityError if an object's bytes no longer give its digest."""
        if sha256_of(self.path(sha256)) != sha256:
            raise IntegrityError("an object of the store was altered", remedy="restore it from a copy", sha256=sha256)

    def _place(self, sha256: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise InputError("an object is named by its SHA-256 in hex", remedy="take it from Volume.sha256")
        return self.folder / sha256[:2] / sha256[2:]


def secret(folder: Path, name: str) -> bytes:
    """32 random bytes of this installation, made once, readable by this user alone."""
    path = folder / f"{name}.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = folder / f".{name}-{secrets.token_hex(8)}"
        try:
            with _private(temporary) as out:
                out.write(secrets.token_bytes(32))
            with suppress(FileExistsError):  # another process was first: then its key counts
                os.link(temporary, path)
            _flush_folder(folder)
        finally:
            temporary.unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) != 32:
        raise IntegrityError("a key of this installation is damaged", remedy="restore it from a copy", key=name)
    return key


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file for this user alone, flushed to disk at the end."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())


def _flush_folder(folder: Path) -> None:
    """A new name is on disk only once its folder is."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def exclusive(folder: Path, key: str) -> Iterator[None]:
    """Hold a lock that threads and processes share for equal keys. Raises: Unavailable if it can't be made."""
    stripe = int(hashlib.sha256(key.encode()).hexdigest(), 16) % LOCK_STRIPES
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(folder / f"{stripe:02x}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(
            f"a lock can't be taken: {type(error).__name__}",
            remedy="free space in data_dir or make it writable, then try again",
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)

"""Files of the store: content-addressed objects, secrets, locks.

No name ever comes from the input.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from medmm.domain.errors import InputError, IntegrityError, Unavailable
from medmm.files import (
    CHUNK_BYTES,
    KEY_BYTES,
    digest_of_open,
    flush,
    flushed_file,
    locked,
    made_key,
    sha256_of,
)
from medmm.store.object_store import ObjectFault, is_digest

LOCK_STRIPES = 256
INCOMING = ".incoming-"
DAY_S = 86_400
MOST_VERIFIED = 100_000  # objects that are remembered as verified, some 30 MB


class Objects:
    """The `ObjectStore` of one folder: files under their digest, readable by this user alone.

    All lie in one folder, so that one flush of it keeps a whole study; those of earlier releases
    lie in folders by the first two digits, and stay there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._verified: dict[
            str, tuple[int, ...]
        ] = {}  # what the file system said of each when it was verified

    def path(self, sha256: str) -> Path:
        """Find an object.

        Raises: InputError if `sha256` is not a digest, or names nothing here: it is `missing` then.
        """
        path = self.place(sha256)
        if not path.is_file():
            raise InputError(
                "no such object in the store", remedy="admit the study again", missing=sha256
            )
        return path

    def put(self, source: Path) -> str:
        """Copy a file in, flushed and renamed into place; return its digest.

        The same content is kept once: of what is there and sound nothing is written or flushed.

        Raises: InputError if the source can't be opened; Unavailable if the copy can't be written.
        """
        with _regular(source) as incoming:
            digest = digest_of_open(incoming.fileno())
        if not self._sound(digest):
            temporary, digest = self._copy(source)
            self._settle({temporary: digest})
        return digest

    @contextmanager
    def copied(self, sources: Mapping[str, Path]) -> Iterator[Callable[[], None]]:
        """Copy files in, each under the digest that it had when it was judged.

        The callable that is given keeps them.

        Until it is called nothing is kept, and what was copied goes again. What is there already
        and sound is only compared.

        Raises: InputError if a file can't be opened or is no longer what was judged; Unavailable as
            `put`.
        """
        copies: dict[Path, str] = {}
        try:
            for sha256, source in sources.items():
                if self._sound(sha256):
                    with _regular(source) as incoming:
                        found = digest_of_open(incoming.fileno())
                else:
                    temporary, found = self._copy(source)
                    copies[temporary] = found
                if found != sha256:
                    raise InputError(
                        "the file changed after it was judged, so nothing was kept",
                        remedy="wait until it is written, then admit the study again",
                        path=str(source),
                    )
            yield lambda: self._settle(copies)
        finally:
            for temporary in copies:
                temporary.unlink(missing_ok=True)

    def _sound(self, sha256: str) -> bool:
        """Tell whether an object is there and sound; an altered one is replaced by a copy."""
        try:
            return sha256_of(self.place(sha256)) == sha256
        except OSError:
            return False

    def _copy(self, source: Path) -> tuple[Path, str]:
        """Copy a regular file privately, and give the copy with its digest."""
        with _regular(source) as incoming:
            try:
                return self._written(incoming)
            except OSError as error:
                raise _not_copied(error) from error

    def _written(self, incoming: BinaryIO) -> tuple[Path, str]:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            flush(self.folder.parent)
        temporary, whole = self.folder / f"{INCOMING}{secrets.token_hex(8)}", False
        digest, left = hashlib.sha256(), os.fstat(incoming.fileno()).st_size
        try:
            with flushed_file(temporary) as out:
                while chunk := incoming.read(CHUNK_BYTES):
                    left -= len(chunk)
                    if left < 0:  # it would fill the disk before it ends
                        raise InputError(
                            "the file grows while it is copied", remedy="wait until it is written"
                        )
                    digest.update(chunk)
                    out.write(chunk)
            whole = True
        finally:
            if not whole:
                temporary.unlink(missing_ok=True)
        return temporary, digest.hexdigest()

    def _settle(self, copies: Mapping[Path, str]) -> None:
        """Move copies to their places, for good, with one flush for each folder.

        That is one for all that is new.
        """
        folders = set()
        try:
            for temporary, digest in copies.items():
                place = self.place(digest)
                temporary.replace(place)
                folders.add(place.parent)
            for folder in folders:
                flush(folder)
        except OSError as error:
            raise _not_copied(error) from error
        finally:
            for temporary in copies:
                temporary.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a killed process left half-copied more than a day ago."""
        for left in self.folder.glob(f"{INCOMING}*"):
            with suppress(FileNotFoundError):  # another process sweeps too
                if time.time() - left.stat().st_mtime > DAY_S:
                    left.unlink()

    def verify(self, sha256: str) -> None:
        """Refuse an object whose bytes no longer give its digest.

        Raises: IntegrityError if so.
        """
        if sha256_of(self.path(sha256)) != sha256:
            raise IntegrityError(
                "an object of the store was altered", remedy="restore it from a copy", sha256=sha256
            )

    def verified_path(self, sha256: str) -> Path:
        """Find an object and verify it.

        It is verified when it is first opened in this process, and after any change to its file.

        Raises: as `verify`, and InputError if it is not there.
        """
        path = self.path(sha256)
        seen = _state(path)
        if self._verified.get(sha256) != seen:
            self.verify(sha256)
            while len(self._verified) >= MOST_VERIFIED:
                self._verified.pop(next(iter(self._verified), ""), None)
            self._verified[sha256] = (
                seen  # as it was before it was read: a change meanwhile is found next time
            )
        return path

    def fault(self, sha256: str) -> ObjectFault | None:
        """Read an object and say what is wrong with it; None if its bytes give its digest."""
        try:
            file = os.open(self.place(sha256), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except FileNotFoundError:
            return ObjectFault(kind="missing")
        except OSError as error:
            return ObjectFault(kind="unreadable", text=type(error).__name__)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return ObjectFault(kind="altered", text="it is no regular file")
            altered = digest_of_open(file) != sha256
        except OSError as error:
            return ObjectFault(kind="unreadable", text=type(error).__name__)
        finally:
            os.close(file)
        return ObjectFault(kind="altered", text="its bytes are others") if altered else None

    def digests(self) -> Iterator[str]:
        """List the names of all objects that are there, in order."""
        earlier = {file.parent.name + file.name for file in self.folder.glob("[0-9a-f][0-9a-f]/*")}
        yield from sorted(
            filter(is_digest, earlier | {file.name for file in self.folder.glob("[0-9a-f]*")})
        )

    def place(self, sha256: str) -> Path:
        """Say where an object would lie.

        Raises: InputError if `sha256` is not a digest.
        """
        if not is_digest(sha256):
            raise InputError(
                "an object is named by its SHA-256 in hex", remedy="take it from Volume.sha256"
            )
        earlier = self.folder / sha256[:2] / sha256[2:]
        return earlier if os.path.lexists(earlier) else self.folder / sha256


def _state(path: Path) -> tuple[int, ...]:
    """Read what changes when a file is written, replaced or renamed into place."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def is_read_only(folder: Path, file: Path) -> bool:
    """Tell whether a folder is a copy that nothing is to be written to.

    This user may not write there, or nobody may by the modes.

    False if `file` is not there yet: then the folder is to be made, and an error says why it
    can't be.
    """
    if not file.is_file():
        return False
    # Binds a superuser too
    marked = any(not path.stat().st_mode & 0o222 for path in (folder, file))
    return marked or not all(os.access(path, os.W_OK) for path in (folder, file))


def secret_path(folder: Path, name: str) -> Path:
    """Say where a key lies once it was made."""
    return folder / f"{name}.key"


def secret(folder: Path, name: str, *, make: bool = True) -> bytes:
    """Read 32 random bytes of this installation, made once, readable by this user alone.

    Raises: OSError if they can't be made.
    """
    path = secret_path(folder, name)
    key = made_key(path) if make else path.read_bytes()
    if len(key) != KEY_BYTES:
        raise IntegrityError(
            "a key of this installation is damaged", remedy="restore it from a copy", key=name
        )
    return key


def _regular(path: Path) -> BinaryIO:
    """Open a regular file, whatever was put in its place since it was found.

    Raises: InputError if it can't be opened or is not a regular file.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise _not_opened(type(error).__name__, path) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise _not_opened("it is no regular file", path)
    return os.fdopen(file, "rb")


def _not_opened(why: str, path: Path) -> InputError:
    remedy = "check that it is there and readable"
    return InputError(f"the file can't be opened: {why}", remedy=remedy, path=str(path))


def _not_copied(error: OSError) -> Unavailable:
    return Unavailable(
        f"the file can't be copied into the store: {type(error).__name__}",
        remedy="free space in data_dir or make it writable, then try again",
    )


@contextmanager
def exclusive(folder: Path, key: str) -> Iterator[None]:
    """Hold a lock that threads and processes share for equal keys.

    Raises: Unavailable if it can't be made.
    """
    stripe = int(hashlib.sha256(key.encode()).hexdigest(), 16) % LOCK_STRIPES
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder / f"{stripe:02x}.lock"))
        except OSError as error:
            raise Unavailable(
                f"a lock can't be taken: {type(error).__name__}",
                remedy="free space in data_dir or make it writable, then try again",
            ) from error
        yield

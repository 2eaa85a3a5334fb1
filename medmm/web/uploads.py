"""What readers send from their pages: files of the data folder, until they are admitted.

A file is written as it comes and never held in memory. It is numbered: no name from outside names a
file here. Whoever sends has a folder of their own, which goes with the process at the latest.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from medmm.domain.errors import InputError, StateError, Unavailable
from medmm.web.zip_files import files_in, is_zip

IMAGES, RECORD = "images", "record"
PARTS = (IMAGES, RECORD)
LIFETIME_S = 12 * 3600  # of what nobody touches
MOST_OF_A_READER = 8  # that hold files and are not admitted yet
MOST_EMPTY = 1024  # every page that could send has one
MOST_FILES = 20_000
RESERVE_BYTES = 256 << 20  # of the disk, left to the store and its log
STALLED_S = 15  # after which a page that has more to send is not waited for
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """How many files of a part have come whole, and their bytes together."""

    files: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Part:
    sizes: dict[Path, int] = field(default_factory=dict)  # of what has come whole
    bytes: int = 0  # of that together
    coming: int = 0  # bytes of what has not
    open: int = 0  # files of what has not


class Upload:
    """What one reader sends from one page; thread-safe. Made by `Uploads.begin`.

    Nothing lies on the disk before a file comes.

    Attributes:
        limit_bytes: of all its files together.
    """

    def __init__(self, upload_id: str, reader: str, limit_bytes: int, uploads: Uploads) -> None:
        self.id, self.reader, self.limit_bytes = upload_id, reader, limit_bytes
        self._uploads, self._lock = uploads, threading.Lock()
        self._parts = {name: _Part() for name in PARTS}
        self._sending = self._left = self._count = 0
        self._touched = uploads.now()

    def received(self, part: str) -> Received:
        """Say what of a part has come whole."""
        with self._lock:
            found = self._parts[part]
            return Received(files=len(found.sizes), bytes=found.bytes)

    def path(self, part: str) -> Path | None:
        """Give the folder of the images, or the file of the record; None if none has come."""
        with self._lock:
            found = self._parts[part]
            if not found.sizes:
                return None
            last = next(reversed(found.sizes))
            return last.parent if part == IMAGES else last

    @property
    def sending(self) -> bool:
        """Whether a file is being sent."""
        return self._sending > 0

    @property
    def empty(self) -> bool:
        """Whether nothing has come and nothing is coming."""
        return not self.sending and not any(one.sizes for one in self._parts.values())

    @property
    def underway(self) -> bool:
        """Whether a file is being sent, or its page has just said that more will come."""
        with self._lock:
            waiting = self._left > 0 and self._uploads.now() - self._touched < STALLED_S
            return self._sending > 0 or waiting

    def clear(self, part: str) -> None:
        """Remove what has come of a part."""
        with self._lock:
            found = self._parts[part]
            paths, found.bytes, self._left = list(found.sizes), 0, 0
            found.sizes.clear()
        for path in paths:
            path.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove all of it."""
        if (folder := self._uploads.forget(self.id)) is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def touch(self) -> None:
        """Note that somebody still needs it."""
        self._touched = self._uploads.now()

    @property
    def touched(self) -> float:
        """When somebody last needed it, in seconds as its clock counts."""
        return self._touched

    def receive(self, part: str, announced: int | None, left: int) -> Spool:
        """Open a file for one that is sent. Its `end` is to be called, whatever comes.

        Args:
            part: one of `PARTS`.
            announced: its length as the sender says, in bytes; None if it says none.
            left: how many files its page sends after this one.

        Raises: InputError if too much is sent; Unavailable if the disk is full.
        """
        spool = Spool(self, part)
        spool.refuse(announced or 0)
        with self._lock:
            self._sending, self._left = self._sending + 1, left
        return spool

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being dropped as idle, however many others its reader begins."""
        with self._lock:
            self._sending += 1
        try:
            yield
        finally:
            self._ended()

    def _ended(self) -> None:
        """Note that a file is not being sent any more."""
        with self._lock:
            self._sending -= 1
        self.touch()

    def _begin(self, part: str) -> Path:
        """Name a file that begins. Raises: InputError if there are too many."""
        folder = self._uploads.own_folder() / self.id / part
        with _to_disk():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock:
            found = self._parts[part]
            if len(found.sizes) + found.open >= MOST_FILES:
                raise InputError(
                    f"more than {MOST_FILES:,} files are sent at once",
                    remedy="admit them by their path",
                    limit_files=str(MOST_FILES),
                )
            found.open += 1
            self._count += 1
            name = str(self._count)
        return folder / name

    def refuse(self, size: int) -> None:
        """Refuse bytes that come or are announced. Raises: InputError if they are too much."""
        held = sum(one.bytes + one.coming for one in self._parts.values())
        if held + size > self.limit_bytes:
            raise InputError(
                f"more than {self.limit_bytes:,} bytes are sent at once",
                remedy="admit the study by its path, or raise upload_bytes in the settings",
                limit_bytes=str(self.limit_bytes),
            )

    def _grow(self, part: str, size: int) -> None:
        """Count what comes. Raises: InputError if it is too much."""
        with self._lock:
            self.refuse(size)
            self._parts[part].coming += size

    def _settle(self, part: str, size: int, kept: Path | None) -> None:
        """Enter what came as whole, or, without a path, forget it."""
        with self._lock:
            found = self._parts[part]
            found.coming, found.open = found.coming - size, found.open - 1
            if kept is None:
                return
            before = list(found.sizes) if part == RECORD else []  # the record is one file: the last
            found.bytes += size - sum(found.sizes.pop(path) for path in before)
            found.sizes[kept] = size
        for path in before:
            path.unlink(missing_ok=True)


class Spool:
    """A file that is being received; its methods may block."""

    def __init__(self, upload: Upload, part: str) -> None:
        self._upload, self._part, self._size = upload, part, 0
        self._settled = False  # kept, or removed
        self._path = upload._begin(part)
        try:
            with _to_disk():
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                self._file = os.fdopen(handle, "wb")
        except Unavailable:
            self._settle(None)
            raise

    def refuse(self, size: int) -> None:
        """Refuse a length that is announced and too much.

        Raises: InputError, or Unavailable if there is no room for it on the disk.
        """
        try:
            self._upload.refuse(size)
            self._refuse_full(size)
        except (InputError, Unavailable):
            self.close()
            raise

    def write(self, data: bytes | bytearray) -> None:
        """Write what came. Raises: InputError if it is too much; Unavailable on a full disk."""
        self._upload._grow(self._part, len(data))
        self._size += len(data)
        self._refuse_full(len(data))
        with _to_disk():
            self._file.write(data)

    def keep(self) -> int:
        """Keep the file, or in its place the files of an archive.

        Returns: how many files it is.
        Raises: InputError if it is an archive that can't be unpacked, or holds too much; then
            nothing of it is kept.
        """
        with _to_disk():
            self._file.close()
            packed = self._part == IMAGES and is_zip(self._path)
        if not packed:
            self._settle(self._path)
            return 1
        found: list[Spool] = []
        try:
            with _to_disk():
                for parts in files_in(self._path):
                    found.append(Spool(self._upload, self._part))
                    for data in parts:
                        found[-1].write(data)
                    found[-1]._file.close()
            for one in found:
                one._settle(one._path)
        finally:
            for one in found:
                one.close()
        return len(found)

    def end(self) -> None:
        """End what `Upload.receive` began; the file is removed unless it was kept."""
        self.close()
        self._upload._ended()

    def close(self) -> None:
        """Remove the file unless it was kept."""
        if self._settled:
            return
        self._settle(None)
        with suppress(OSError):  # what it still held finds no room on the disk; it goes anyway
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _settle(self, kept: Path | None) -> None:
        self._settled = True
        self._upload._settle(self._part, self._size, kept)

    def _refuse_full(self, size: int) -> None:
        with _to_disk():
            free = shutil.disk_usage(self._path.parent).free
        if free < size + RESERVE_BYTES:
            raise _full()


class Uploads:
    """The uploads of this process; thread-safe.

    Args:
        data_dir: in its folder `uploads` they lie.
        limit_bytes: of one upload.
        now: gives seconds.
    """

    def __init__(self, data_dir: Path, limit_bytes: int, now: Callable[[], float]) -> None:
        self._root, self._limit, self.now = data_dir / "uploads", limit_bytes, now
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._uploads: OrderedDict[str, Upload] = OrderedDict()

    def begin(self, reader: str) -> Upload:
        """Begin an upload of a reader; of too many the one that was untouched longest goes."""
        for one in self._stale(reader):
            one.drop()
        made = Upload(secrets.token_hex(16), reader, self._limit, self)
        with self._lock:
            self._uploads[made.id] = made
        return made

    def find(self, upload_id: str, reader: str) -> Upload:
        """Find an upload of this reader.

        Raises: StateError if there is none any more.
        """
        with self._lock:
            found = self._uploads.get(upload_id)
        if found is None or found.reader != reader:
            raise StateError(
                "what was sent before is not here any more",
                remedy="reload the page, then choose the files again",
            )
        found.touch()
        return found

    def forget(self, upload_id: str) -> Path | None:
        """Forget an upload; give the folder whose files are to go, if there is one."""
        with self._lock:
            self._uploads.pop(upload_id, None)
            return None if self._folder is None else self._folder / upload_id

    def _stale(self, reader: str) -> list[Upload]:
        with self._lock:
            known = sorted(self._uploads.values(), key=lambda one: one.touched)
        idle = [one for one in known if not one.sending]
        old = [one for one in idle if self.now() - one.touched > LIFETIME_S]
        empty = [one for one in idle if one.empty and one not in old]
        own = [one for one in idle if one.reader == reader and one not in (*old, *empty)]
        over = max(0, len(own) - MOST_OF_A_READER + 1), max(0, len(empty) - MOST_EMPTY + 1)
        return [*old, *own[: over[0]], *empty[: over[1]]]

    def own_folder(self) -> Path:
        """Make the folder of this process, which goes with it; those of dead ones go now.

        Raises: Unavailable if it can't be written.
        """
        with self._lock:
            return self._made_folder()

    def _made_folder(self) -> Path:
        if self._folder is None:
            with _to_disk():
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                for left in self._root.iterdir():
                    if self.now() - left.stat().st_mtime > LIFETIME_S:
                        shutil.rmtree(left, ignore_errors=True)
                self._folder = Path(tempfile.mkdtemp(dir=self._root))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        with _to_disk():
            os.utime(self._folder)
        return self._folder


@contextmanager
def _to_disk() -> Iterator[None]:
    """Say as a typed error what the disk refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full() from error
        raise Unavailable(
            f"the upload can't be written: {type(error).__name__}",
            remedy="see that the data folder can be written",
        ) from error


def _full() -> Unavailable:
    return Unavailable(
        "the disk of the data folder is full",
        remedy="free some of it, then send the files again",
        disk="full",
    )

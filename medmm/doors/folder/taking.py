"""One file of a folder, or the files of an archive, on the way into a spool."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from medmm.doors.dicom.arriving import ArrivingObject
from medmm.doors.dicom.object_uids import ObjectUids
from medmm.doors.dicom.spool import OtherContentError, Sender, Spool
from medmm.doors.folder.file_objects import DIRECTORY, LeftOutError, arrived_file
from medmm.doors.folder.media import is_directory_file, named_files
from medmm.web.zip_files import files_in, is_zip

PART_BYTES = 1 << 20
Arrived = list[tuple[ArrivingObject, ObjectUids]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a file.

    Attributes:
        new: objects that are in the spool and were not before.
        others: objects of an archive under whose UIDs other ones came before.
        whole: whether all of it is in the spool, so that the file may go.
    """

    new: int = 0
    others: int = 0
    whole: bool = False


class FileTaker:
    """Brings files into a spool.

    Args:
        wanted: UIDs of the SOP classes that studies are made of.
        archive_bytes: to which a zip archive may unpack.
    """

    def __init__(
        self, spool: Spool, wanted: Collection[str], sender: Sender, archive_bytes: int
    ) -> None:
        self._spool, self._wanted, self._sender = spool, wanted, sender
        self._archive_bytes = archive_bytes

    def take(self, path: Path, size_bytes: int, time_ns: int) -> Taken | None:
        """Bring a file of this size and time into the spool; None if it changed meanwhile.

        Raises: LeftOutError or InputError if it goes to no study; NoRoomError if the disk is full;
            OSError if it can't be read.
        """
        descriptor = _opened(path)
        with os.fdopen(descriptor, "rb") as file, ExitStack() as dropping:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LeftOutError("no regular file")
            if is_directory_file(path):
                return _directory(path)
            left = 0
            if is_zip(path):
                arrived, left = self._unpacked(path)
            else:
                parts = iter(lambda: file.read(PART_BYTES), b"")
                arrived = [arrived_file(parts, self._spool.room, self._wanted)]
            for one, _ in arrived:
                dropping.callback(one.drop)
            now = os.fstat(descriptor)
            if (now.st_size, now.st_mtime_ns) != (size_bytes, time_ns):
                return None
            return self._kept(arrived, left)

    def _kept(self, arrived: Arrived, left: int) -> Taken:
        new = others = 0
        for one, uids in arrived:
            try:
                new += self._spool.keep(one, uids, self._sender)
            except OtherContentError:
                others += 1
        if others and len(arrived) == 1:
            raise LeftOutError("another object came under its UID")
        return Taken(new=new, others=others, whole=not (others or left))

    def _unpacked(self, path: Path) -> tuple[Arrived, int]:
        """Unpack an archive whole, before any of it counts.

        Returns: its objects, and how many other files are in it.
        """
        arrived: Arrived = []
        left = 0
        with ExitStack() as undone:
            for parts in files_in(path, self._archive_bytes):
                try:
                    arrived.append(arrived_file(parts, self._spool.room, self._wanted))
                except LeftOutError:
                    left += 1
                else:
                    undone.callback(arrived[-1][0].drop)
            undone.pop_all()
        if not arrived:
            raise LeftOutError("a zip archive without an image that is read here")
        return arrived, left


def _opened(path: Path) -> int:
    """Open a file. Raises: LeftOutError if it is a link; OSError if it can't be read."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LeftOutError("a link, which is not followed") from error
        raise


def _directory(path: Path) -> Taken:
    """Count the files that a DICOMDIR names; the files themselves are found without it."""
    missing = named_files(path).missing
    if missing:
        raise LeftOutError(f"{DIRECTORY}: {missing} files that it names are not there")
    return Taken()

"""One object while it arrives: written as its fragments come, never held whole in memory."""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydicom.uid import UID

from medmm.files import flushed_file

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HEAD_BYTES = 65_536  # of a data set that are also kept in memory, to find its UIDs
# The same object sent again must give the same file, whichever release of whichever library took
# it in: so nothing of a library stands in the header. A UID made from a UUID (PS3.5 B.2).
IMPLEMENTATION_UID = UID("2.25.78016076834401449423469574811082956706")
IMPLEMENTATION_NAME = "MEDMM"


class Fault(Enum):
    """Why an object that arrived can't be kept."""

    DISK = "the disk is full or can't be written"
    SIZE = "the object is larger than object_bytes"
    COMMAND = "no C-STORE command came before the data set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a C-STORE command says of the object that follows it."""

    sop_class: str
    sop_instance: str
    syntax: UID


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where objects arrive, and how much room there is.

    Attributes:
        object_bytes: the most that one data set may have.
        free_bytes: what must stay free on the disk.
    """

    folder: Path
    object_bytes: int
    free_bytes: int

    def left(self) -> bool:
        """Tell whether another object may be begun."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize > self.free_bytes


class ArrivingObject(BytesIO):
    """Take the data set of one message in the place of the `BytesIO` that pynetdicom fills.

    What is written goes to a DICOM file (PS3.10) in the room. A fault of the disk is kept in
    `fault` and the rest of the data set discarded: it comes up in the thread that reads the
    connection, where an exception would end the association without an answer.

    Args:
        file_head: preamble and file meta information where the object comes as a file; None has
            them made from its command.

    Attributes:
        fault: why the object can't be kept; None while nothing is wrong.
        size_bytes: of the data set so far.
        moved: whether its file was moved to where it stays.
    """

    def __init__(
        self, room: Room, command: Callable[[], Command | None], file_head: bytes | None = None
    ) -> None:
        super().__init__()
        self._file_head = file_head
        self.fault: Fault | None = None
        self.size_bytes = 0
        self.moved = False
        self.command: Command | None = None
        self.path = room.folder / f"{secrets.token_hex(16)}.part"
        self._room, self._find_command = room, command
        self._digest = hashlib.sha256()
        self._head = bytearray()
        self._stack = ExitStack()
        self._out: BinaryIO | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Take one fragment; bytes of a faulty object are counted and let go."""
        fragment = memoryview(data)
        self.size_bytes += fragment.nbytes
        if self.fault is None:
            try:
                self._take(fragment)
            except OSError:
                self._fail(Fault.DISK)
        return fragment.nbytes

    def _take(self, fragment: memoryview) -> None:
        if self._out is None and not self._begin():
            return
        if self.size_bytes > self._room.object_bytes:
            self._fail(Fault.SIZE)
            return
        if (lacking := HEAD_BYTES - len(self._head)) > 0:
            self._head += fragment[:lacking]
        self._digest.update(fragment)
        if self._out is not None:
            self._out.write(fragment)

    def _begin(self) -> bool:
        """Open the file; returns whether that could be done."""
        self.command = self._find_command()
        if self.command is None:
            self._fail(Fault.COMMAND)
        elif not self._room.left():
            self._fail(Fault.DISK)
        else:
            self._out = self._stack.enter_context(flushed_file(self.path))
            given = self._file_head
            self._out.write(_file_head(self.command) if given is None else given)
        return self.fault is None

    def _fail(self, fault: Fault) -> None:
        self.fault = fault
        self.drop()

    def finish(self) -> None:
        """Flush the file to disk; a fault is in `fault` afterwards."""
        try:
            self._stack.close()
        except OSError:
            self._fail(Fault.DISK)

    def drop(self) -> None:
        """Remove what was written, unless it was moved away."""
        if self._out is not None and not self._out.closed:
            with suppress(OSError):  # what can't be flushed is removed all the same
                self._out.close()
        self._stack.pop_all()
        if not self.moved:
            with suppress(OSError):
                os.unlink(self.path)

    def move(self, place: Path) -> None:
        """Move the flushed file to where it stays; its folder is not flushed yet.

        Raises: OSError if it can't be moved.
        """
        self.path.rename(place)
        self.moved = True

    @property
    def sha256(self) -> str:
        """Digest of the data set as it came, in hex."""
        return self._digest.hexdigest()

    @property
    def head(self) -> bytes:
        """The first bytes of the data set, `HEAD_BYTES` at most."""
        return bytes(self._head)


def _file_head(command: Command) -> bytes:
    """Make preamble and file meta information (PS3.10 7.1).

    By hand: pydicom takes a third of a millisecond for it, as long as the digest of 0.5 MB.
    """
    values = (
        (0x0002, b"UI", command.sop_class),
        (0x0003, b"UI", command.sop_instance),
        (0x0010, b"UI", str(command.syntax)),
        (0x0012, b"UI", IMPLEMENTATION_UID),
        (0x0013, b"SH", IMPLEMENTATION_NAME),
    )
    elements = [struct.pack("<HH2sHL2s", 2, 0x0001, b"OB", 0, 2, b"\0\1")]
    for number, vr, text in values:
        value = text.encode("ascii", "replace")
        value += (b" " if vr == b"SH" else b"\0") * (len(value) % 2)
        elements.append(struct.pack("<HH2sH", 2, number, vr, len(value)) + value)
    group = b"".join(elements)
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(group)) + group

"""DICOM files on their way into a spool: their heads, and what is left where it is."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path

from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from medmm.doors.dicom.arriving import HEAD_BYTES, ArrivingObject, Command, Fault, Room
from medmm.doors.dicom.object_uids import ObjectUids, object_uids

PREAMBLE_BYTES = 128
NOT_DICOM = "no DICOM file"
NO_CLASS = "it is of a class that is not read here"
DIRECTORY = "a DICOMDIR, which holds no image"
# What pydicom 3 raises on a head that is none
_NO_HEAD = (
    InvalidDicomError,
    BytesLengthException,
    struct.error,
    AttributeError,
    EOFError,
    LookupError,
    TypeError,
    UserWarning,
    ValueError,
)


class LeftOutError(Exception):
    """A file that goes to no study; its text says why."""


class NoRoomError(Exception):
    """The disk is full or can't be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHead:
    """Preamble and file meta information (PS3.10 7.1) as they stand in a file.

    Attributes:
        size_bytes: of both; the data set follows.
        sop_class: Media Storage SOP Class UID; "" if none is stated.
    """

    size_bytes: int
    syntax: UID
    sop_class: str


def file_head(first: bytes) -> FileHead | None:
    """Read the head of a file from its first bytes; None if it is no DICOM file.

    Without preamble and prefix the file may begin with its data set, as old ones do.
    """
    start = PREAMBLE_BYTES + 4 if first[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM" else 0
    if not start and (first[:2] not in (b"\x02\x00", b"\x08\x00") or first[3:4] != b"\x00"):
        return None
    source = BytesIO(first)
    source.seek(start)
    try:
        meta = read_dataset(source, False, True, stop_when=_after_meta)
        syntax = str(meta.get("TransferSyntaxUID", ""))
        stated = str(meta.get("MediaStorageSOPClassUID", ""))
    except _NO_HEAD:
        return None
    end = source.tell()
    if not syntax:
        explicit = first[end + 4 : end + 6].isalpha() and first[end + 4 : end + 6].isupper()
        syntax = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    uid = UID(syntax)
    if not uid.is_transfer_syntax:
        return None
    return FileHead(size_bytes=end, syntax=uid, sop_class=stated)


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def arrived_file(
    parts: Iterator[bytes], room: Room, wanted: Collection[str]
) -> tuple[ArrivingObject, ObjectUids]:
    """Write a file that comes in parts into a spool's room, flushed; never held in memory.

    Args:
        wanted: UIDs of the SOP classes that studies are made of.

    Raises: LeftOutError if it goes to no study, as far as can be told before all of it was copied;
        NoRoomError if the disk is full. Then nothing of it stays in the room.
    """
    first = _first(parts)
    head = file_head(first)
    if head is None:
        raise LeftOutError(NOT_DICOM if first else "the file is empty")
    if head.sop_class == MediaStorageDirectoryStorage:
        raise LeftOutError(DIRECTORY)
    data = first[head.size_bytes :]
    early = object_uids(data, Path(), 0, head.syntax)
    if early is not None and early.sop_class not in wanted:
        raise LeftOutError(NO_CLASS)
    command = Command(sop_class=head.sop_class, sop_instance="", syntax=head.syntax)
    with ExitStack() as undone:
        arrived = ArrivingObject(room, lambda: command, first[: head.size_bytes])
        undone.callback(arrived.drop)
        for part in chain((data,), parts):
            arrived.write(part)
            if arrived.fault is not None:
                break
        arrived.finish()
        if arrived.fault is Fault.DISK:
            raise NoRoomError(Fault.DISK.value)
        if arrived.fault is not None:
            raise LeftOutError(arrived.fault.value)
        uids = early or object_uids(arrived.head, arrived.path, arrived.size_bytes, head.syntax)
        if uids is None or uids.sop_class not in wanted:
            raise LeftOutError("its UIDs can't be read" if uids is None else NO_CLASS)
        undone.pop_all()
    return arrived, uids


def _first(parts: Iterator[bytes]) -> bytes:
    found = bytearray()
    for part in parts:
        found += part
        if len(found) >= HEAD_BYTES:
            break
    return bytes(found)

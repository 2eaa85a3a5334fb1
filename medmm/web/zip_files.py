"""The files in a zip archive, one after the other and never under their names.

What an archive says of itself is not believed: each file is unpacked in parts, so that who takes
them counts what really comes. Source: APPNOTE.TXT - .ZIP File Format Specification (PKWARE),
sections 4.3.14 to 4.3.16 and 4.4.4.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from medmm.domain.errors import InputError

PART_BYTES = 1 << 20
# An entry of the list at the end takes 46 bytes and its name; a longer list would be held in memory
LIST_BYTES = 32 << 20
RATIO, SURE_BYTES = 100, 1 << 30  # what unpacks to more than both is no study
_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_END, _END_BYTES, _MOST_COMMENT = b"PK\x05\x06", 22, 65_535
_LOCATOR_64, _LOCATOR_BYTES = b"PK\x06\x07", 20
_ENCRYPTED = 0x1  # of the general purpose flags


def is_zip(path: Path) -> bool:
    """Tell by its first bytes whether a file is a zip archive."""
    with path.open("rb") as file:
        return file.read(4) in _STARTS


def files_in(path: Path, limit_bytes: int | None = None) -> Iterator[Iterator[bytes]]:
    """Yield the content of each file of an archive, in parts of at most 1 MiB.

    Args:
        limit_bytes: to which it may unpack; None where who takes the parts counts them.

    Raises: InputError if it is damaged, encrypted, packed in a way that Python can't undo, of the
        kind for more than 65,535 files or 4 GiB (ZIP64), or unpacks to more than the limit, or to
        more than 1 GiB and 100 times its size; OSError if it can't be read.
    """
    _refuse_long_list(path)
    most = max(SURE_BYTES, RATIO * path.stat().st_size)
    bound = _Bound(most if limit_bytes is None else min(most, limit_bytes))
    with _typed(), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & _ENCRYPTED:
                raise InputError("the zip archive is encrypted", remedy="unpack it first")
            with archive.open(info) as file:
                yield _parts(file, bound)


class _Bound:
    """Counts what an archive unpacks to."""

    def __init__(self, left_bytes: int) -> None:
        self._left_bytes = left_bytes

    def count(self, size: int) -> None:
        """Count bytes. Raises: InputError if they are too many."""
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise InputError(
                "the zip archive unpacks to more than is taken",
                remedy="unpack it yourself, look at what is in it, and name the folder",
            )


def _parts(file: IO[bytes], bound: _Bound) -> Iterator[bytes]:
    with _typed():
        while part := file.read(PART_BYTES):
            bound.count(len(part))
            yield part


@contextmanager
def _typed() -> Iterator[None]:
    """Say as a typed error what can't be unpacked."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OverflowError) as error:
        raise InputError(
            f"the zip archive is damaged: {type(error).__name__}", remedy="pack it again"
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise InputError(
            "the zip archive is packed in a way that is not known here",
            remedy="pack it by the usual method (deflate)",
        ) from error


def _refuse_long_list(path: Path) -> None:
    """Refuse an archive whose list of files would be held in memory at great length.

    Raises: InputError if so, or if there is no list.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES - _MOST_COMMENT - _LOCATOR_BYTES))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise InputError("the zip archive has no end: a part is missing", remedy="send it again")
    long = int.from_bytes(tail[end + 12 : end + 16], "little") > LIST_BYTES
    if long or tail[max(0, end - _LOCATOR_BYTES) : end].startswith(_LOCATOR_64):
        raise InputError(
            "the zip archive holds more than 65,535 files or 4 GiB (ZIP64)",
            remedy="send the files themselves, or admit them by their path",
        )

"""Find and open DICOM files; failures of libraries and disk become InputError here."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

import pydicom
from PIL import Image
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from medmm.domain.errors import InputError
from medmm.imaging.dicom.content_uids import content_uid

# What pydicom 3 and its decoders raise on bytes that are not what they claim to be. RuntimeError
# covers RecursionError (nesting) and NotImplementedError; LookupError unknown codecs;
# ArithmeticError bad numbers; StopIteration fewer frames than stated.
LIBRARY_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    Image.DecompressionBombError,
    struct.error,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
)
_PIXEL_DATA = 0x7FE00010
_ITEM = b"\xfe\xff\x00\xe0"
UNDEFINED_LENGTH = 0xFFFFFFFF
# Deflated frames, JPEG XL: pydicom knows them once pynetdicom 3.0.4 is imported, and decodes none
UNDECODED = frozenset(
    f"1.2.840.10008.1.2.{syntax}" for syntax in ("4.110", "4.111", "4.112", "8.1")
)
MAX_FILE_BYTES = 2**30
MAX_INFLATED_BYTES = 2**26  # of a deflated file, or 30 times its size where that is more
# An element costs pydicom some 400 bytes and may have 8 in the file: so many, and one more for so
# many bytes of it.
MAX_ELEMENTS, BYTES_PER_ELEMENT = 100_000, 20
_CLASS_OF = {"CR": ComputedRadiographyImageStorage, "MR": MRImageStorage}
_PACKED = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
}

# pydicom quotes tag values in what it logs; a log of ours must never hold text of a record.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFile:
    """An opened file: its digest and its header; the pixels were measured and let go.

    Attributes:
        pixel_bytes: bytes of Pixel Data that are really there; None if the element is missing.
        pixels_whole: whether they are as many as their element says.
        room_bytes: the most that its uncompressed data can hold: the file's size, or its inflated
            size.
        prefixed: whether the file had the 128-byte preamble and DICM (PS3.10 section 7.1).
        uids_stated: false if the file states no UID at all and has those of its content.
    """

    path: Path
    sha256: str
    header: Dataset
    syntax: UID
    pixel_bytes: int | None
    pixels_whole: bool
    room_bytes: int
    prefixed: bool
    preamble: bytes
    uids_stated: bool = True


class _Quiet:
    """Mutes pydicom's warnings, which quote tag values.

    It is counted, so that threads do not undo each other.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.saved = warnings.catch_warnings()
                self.saved.__enter__()
                warnings.filterwarnings("ignore", module=r"(pydicom|PIL|openjpeg|jpeg_ls)(\.|$)")
            self.inside += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and self.saved is not None:
                self.saved.__exit__(None, None, None)
                self.saved = None


quiet = _Quiet()


@contextmanager
def dicom_border(path: Path, doing: str = "read") -> Iterator[None]:
    """Translate what pydicom, its decoders and the disk raise. Raises: InputError."""
    try:
        with quiet:
            yield
    except RecursionError as error:
        raise InputError(
            "sequences are nested too deep", remedy="export the file again", path=str(path)
        ) from error
    except LIBRARY_ERRORS as error:
        raise InputError(
            f"can't {doing} this file as DICOM: {type(error).__name__}",
            remedy="send the original file again; it may be cut short or not DICOM",
            path=str(path),
        ) from error


def irregular(path: Path) -> InputError:
    """Return the error for a path that is neither a file nor a folder."""
    return InputError("not a regular file", remedy="leave it out", path=str(path))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file of at most `MAX_FILE_BYTES`, even if it was replaced meanwhile.

    Raises: InputError if it is none, is too large, or can't be opened.
    """
    with dicom_border(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise irregular(path)
            if state.st_size > MAX_FILE_BYTES:
                raise InputError(
                    f"a file of {state.st_size} bytes", remedy="split it", path=str(path)
                )
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(descriptor)


def content_of(path: Path) -> bytes:
    """Read as many bytes of a regular file as it had when it was opened.

    A file that grows meanwhile would never end otherwise.

    Raises: InputError as `opened`.
    """
    with opened(path) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def open_dicom(path: Path) -> DicomFile:
    """Read a file once, so that digest and header come from the same bytes.

    Memory is bounded by the file's real size.

    Raises: InputError if it is empty, too large, no DICOM, nested too deep or inflates beyond its
        limit.
    """
    data = content_of(path)
    if not data:
        raise InputError("the file is empty", remedy="send the file again", path=str(path))
    prefixed = data[128:132] == b"DICM"
    if not prefixed and not _looks_like_dataset(data):
        if kind := archive_of(data[:265]):
            raise InputError(
                f"a {kind} archive is not opened", remedy="unpack it first", path=str(path)
            )
        raise InputError("not a DICOM file", remedy="leave it out", path=str(path))
    if data.find(b"DICM\x02\x00", 132) > 0:  # prefix and first group of a second file
        raise InputError("two files joined in one", remedy="send them apart", path=str(path))
    with dicom_border(path):
        header, room = _header(data, path, prefixed)
        _check_lengths(header)
        pixel_bytes, pixels_whole = _take_pixels_off(header)
        syntax = settle_syntax(header)
    if len(header) == 0:
        raise InputError(
            "a DICOM file without content", remedy="send the file again", path=str(path)
        )
    digest = hashlib.sha256(data).hexdigest()
    return DicomFile(
        path=path,
        sha256=digest,
        header=header,
        syntax=syntax,
        pixel_bytes=pixel_bytes,
        pixels_whole=pixels_whole,
        room_bytes=room,
        prefixed=prefixed,
        preamble=data[:128] if prefixed else b"",
        uids_stated=not (pixel_bytes and _name_by_content(header, digest)),
    )


def archive_of(head: bytes) -> str | None:
    """Name the kind of archive that a file's first bytes show; return None if there is none."""
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for start, kind in _PACKED.items() if head.startswith(start)), None)


def _name_by_content(header: Dataset, sha256: str) -> bool:
    """Give an image that states no UID, as in ACR-NEMA, UIDs made from its content.

    Its SOP class is that of its modality.
    """
    uids = {"StudyInstanceUID": "study", "SeriesInstanceUID": "series", "SOPInstanceUID": "image"}
    if (
        any(keyword in header for keyword in (*uids, "SOPClassUID"))
        or header.get("Modality") not in _CLASS_OF
    ):
        return False
    for keyword, level in uids.items():
        setattr(header, keyword, content_uid(level, sha256))
    header.SOPClassUID = _CLASS_OF[header.Modality]
    return True


def _looks_like_dataset(data: bytes) -> bool:
    """Tell whether bytes without prefix begin with an element of group 0002 or 0008.

    Only little endian counts.
    """
    return len(data) > 200 and data[:2] in (b"\x02\x00", b"\x08\x00") and data[3:4] == b"\x00"


class _Counted(BytesIO):
    """Bytes that can be asked for only so often.

    pydicom asks at least once for every element and item, so this bounds what a header costs.
    """

    def __init__(self, data: bytes, path: Path, limit: int) -> None:
        super().__init__(data)
        self.path, self.left = path, limit

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise _too_many(self.path)
        return super().read(size)


def _too_many(path: Path) -> InputError:
    return InputError(
        "more elements than an image has", remedy="export the file again", path=str(path)
    )


def _header(data: bytes, path: Path, prefixed: bool) -> tuple[Dataset, int]:
    """Parse a dataset; return it and the most bytes that its uncompressed data can hold.

    That is the size of the file, or its inflated size if it is deflated.
    """
    meta = pydicom.filereader.read_file_meta_info(path) if prefixed else FileMetaDataset()
    deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    limit = MAX_ELEMENTS + len(data) // BYTES_PER_ELEMENT
    if deflated:
        data = _inflated(
            data[132 + 12 + int(meta.get("FileMetaInformationGroupLength", 0)) :], path
        )
    if data.count(_ITEM) > limit // 2:  # also those of sequences that are opened later
        raise _too_many(path)
    header = pydicom.dcmread(_Counted(data, path, limit), force=deflated or not prefixed)
    if deflated:
        header.file_meta = meta
    return header, len(data)


def _inflated(deflated: bytes, path: Path) -> bytes:
    """Inflate deflated bytes after counting them.

    Raises: InputError if they are more than a file can need.
    """
    inflater, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, deflated
    limit = min(max(MAX_INFLATED_BYTES, 30 * len(deflated)), MAX_FILE_BYTES)
    while rest and not inflater.eof:
        size += len(inflater.decompress(rest, 2**20))
        rest = inflater.unconsumed_tail
        if size > limit:
            raise InputError(
                f"inflates beyond {limit} bytes", remedy="send it undeflated", path=str(path)
            )
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated)


def _check_lengths(header: Dataset) -> None:
    """Refuse an element before the pixels that states more bytes than the file has left.

    Raises: EOFError if there is one.
    """
    # As stored; junk may follow the pixels
    tags = takewhile(lambda tag: tag != _PIXEL_DATA, header.keys())
    if not all(_whole(header.get_item(tag)) for tag in tags):
        raise EOFError("an element is longer than its file")


def _whole(element: DataElement | RawDataElement) -> bool:
    raw = isinstance(element, RawDataElement) and element.length != UNDEFINED_LENGTH
    return not raw or element.length <= len(element.value or b"")


def _take_pixels_off(header: Dataset) -> tuple[int | None, bool]:
    """Take Pixel Data off a header; return its bytes and whether they are as many as stated.

    The number of bytes is None if there is no such element.
    """
    if "PixelData" not in header:
        return None, True
    element = header.get_item("PixelData")
    del header["PixelData"]
    return len(element.value or b""), _whole(element)


def settle_syntax(header: Dataset) -> UID:
    """Settle the transfer syntax of a header.

    Without file meta information it is little endian, implicit or explicit as found.

    Raises: ValueError if the file names something that is not a transfer syntax.
    """
    meta = getattr(header, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit = header.original_encoding[0]
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    header.file_meta = meta
    syntax = UID(str(meta.TransferSyntaxUID))
    if syntax in UNDECODED or not syntax.is_transfer_syntax:
        raise ValueError("no transfer syntax")
    return syntax

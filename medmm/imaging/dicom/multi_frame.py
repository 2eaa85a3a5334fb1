"""A DICOM image of several frames whose single frames are read and decoded alone.

Its header is parsed and its frames are found once.
"""

from __future__ import annotations

import os
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from medmm.domain.errors import InputError
from medmm.imaging.dicom import gdcm
from medmm.imaging.dicom.coded_frames import CodedFrames, coded_frames, extended_table
from medmm.imaging.dicom.files import UNDEFINED_LENGTH, dicom_border, opened
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.pixel_cells import alone_suffices, values_in
from medmm.imaging.dicom.pixels import by_gdcm, cells_of, frame_count, grey_syntax, packed_12_bit

# Bytes in memory for a byte of header in the file: of enhanced MR images 4 to 45, once all was read
HEADER_TIMES = 45
_PIXELS = 0x7FE00010
# What a decoder must know of one frame (PS3.3 C.7.6.3).
_GRID = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)


@dataclass(frozen=True, slots=True)
class MultiFrameImage:
    """An opened image: its header without pixels, and where its frames lie.

    Attributes:
        coded: where the frames of compressed pixel data lie; None if they are not compressed.
        start: where uncompressed pixel data begin in the file.
        lock: pydicom reads the elements of a header when they are asked for, which is not safe from
            several threads.
    """

    path: Path
    header: Dataset
    syntax: UID
    frames: int
    start: int
    coded: CodedFrames | None
    lock: threading.RLock = field(default_factory=threading.RLock, compare=False)

    @classmethod
    def opened(cls, path: Path) -> MultiFrameImage | None:
        """Parse the header and find the frames; return None if they can't be read alone.

        That is so for deflated and big endian files, and for values that do not begin at a byte.

        Raises: InputError if the file is damaged, is not grey, or has no decoder here.
        """
        with opened(path) as file, dicom_border(path, "decode"):
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            syntax, tags = grey_syntax(header, path), Tags(header)
            frames, allocated = frame_count(tags), tags.number("BitsAllocated") or 0
            divisible = syntax.is_little_endian and syntax != DeflatedExplicitVRLittleEndian
            if not divisible or packed_12_bit(tags, syntax) or allocated % 8 or frames < 1:
                return None
            length = _to_pixels(file, implicit=bool(header.original_encoding[0]))
            if length is None or syntax.is_encapsulated is not (length == UNDEFINED_LENGTH):
                return None
            start = file.tell()
            coded = (
                coded_frames(file, frames, extended_table(header))
                if syntax.is_encapsulated
                else None
            )
            return cls(path, header, syntax, frames, start, coded)

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return HEADER_TIMES * self.start

    def values(self, index: int) -> NDArray[np.generic] | None:
        """Decode the stored values of one frame, counted from 0, shape (rows, columns).

        Returns: None if they depend on the image's other frames.
        Raises: InputError, which names file and frame, if that frame can't be decoded.
        """
        with self.lock, naming(self.path, index), dicom_border(self.path, "decode"):
            if not 0 <= index < self.frames:
                raise InputError(
                    f"the image has {self.frames} frames", remedy="ask for one of them"
                )
            cells = self._cells(index)
            tags, coded = Tags(self.header), self.coded is not None
            return values_in(cells, tags, coded=coded)[0] if alone_suffices(cells, tags) else None

    def _cells(self, index: int) -> NDArray[np.generic]:
        one, tags = self._alone(index), Tags(self.header)
        if not by_gdcm(self.syntax, tags):
            return cells_of(one, self.syntax, self.path)
        with _as_file(one) as path:
            return gdcm.decode(path, (1, int(one.Rows), int(one.Columns)))

    def _alone(self, index: int) -> Dataset:
        """Wrap the frame as an image that says nothing but how its pixels are coded."""
        one = Dataset()
        for keyword in _GRID:
            if keyword in self.header:
                one[keyword] = self.header[keyword]
        one.file_meta = self.header.file_meta
        one.set_original_encoding(*self.header.original_encoding)
        with opened(self.path) as file:
            data = self._read(file, index)
        one["PixelData"] = DataElement(
            _PIXELS, "OB" if self.coded else "OW", data, is_undefined_length=bool(self.coded)
        )
        return one

    def _read(self, file: BinaryIO, index: int) -> bytes:
        if self.coded is not None:
            return encapsulate([self.coded.read(file, index)])
        tags = Tags(self.header)
        numbers = (tags.number(keyword) or 0 for keyword in ("Rows", "Columns", "BitsAllocated"))
        rows, columns, allocated = (int(number) for number in numbers)
        size = rows * columns * allocated // 8
        file.seek(self.start + index * size)
        data = file.read(size)
        if len(data) < size:
            raise EOFError("the frame is cut short")
        return data + bytes(size % 2)


def _to_pixels(file: BinaryIO, *, implicit: bool) -> int | None:
    """Read the head of the element that follows, up to its value.

    Returns: its length; None if it is not Pixel Data.
    """
    head = file.read(8)
    if len(head) < 8 or struct.unpack("<HH", head[:4]) != (0x7FE0, 0x0010):
        return None
    return int.from_bytes(head[4:] if implicit else file.read(4), "little")


@contextmanager
def naming(path: Path, index: int) -> Iterator[None]:
    """Add to an error the file and frame in which it arose.

    Raises: InputError if the block raises one.
    """
    try:
        yield
    except InputError as error:
        where = {**error.where, "path": str(path), "frame": str(index + 1)}
        raise InputError(error.problem, remedy=error.remedy, **where) from error


@contextmanager
def _as_file(one: Dataset) -> Iterator[Path]:
    """Write the frame to a file that only this user can read, and remove it afterwards.

    GDCM takes files. The file names nobody.
    """
    one.SOPClassUID, one.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = one.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        one.SOPClassUID,
        one.SOPInstanceUID,
    )
    one.file_meta, one.preamble = meta, bytes(128)
    handle, name = tempfile.mkstemp(prefix="medmm-frame-", suffix=".dcm")
    try:
        with os.fdopen(handle, "wb") as file:
            pydicom.dcmwrite(file, one, enforce_file_format=True)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)

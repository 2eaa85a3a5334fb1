"""Where the frames of encapsulated pixel data lie: by an offset table or by the fragments.

An offset table counts only if it agrees with the fragments.

Source: PS3.5 A.4 (fragments, Basic Offset Table), PS3.3 C.7.6.3.1.8 (Extended Offset Table).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from medmm.domain.errors import InputError

ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
END_OF_IMAGE, NEAR_END_BYTES = b"\xff\xd9", 10  # JPEG EOI and JPEG 2000 EOC; padding may follow
_HEAD_BYTES = 8  # tag and length of an item
_REMEDY = "export the image again"


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment: where its item begins, and how many bytes it holds.

    The offset is counted from the end of the Basic Offset Table.
    """

    start: int
    length: int


Frames = tuple[tuple[Fragment, ...], ...]


@dataclass(frozen=True, slots=True)
class CodedFrames:
    """The fragments of each frame of an image.

    Attributes:
        base: where the items after the Basic Offset Table begin in the file.
        frames: the fragments of each frame, in order.
        table_holds: whether the offset tables that are there agree with the fragments; true if
            there is none.
    """

    base: int
    frames: Frames
    table_holds: bool = True

    def read(self, file: BinaryIO, index: int) -> bytes:
        """Read the coded bytes of one frame, counted from 0, and of no other.

        Raises: EOFError if the file ends before them.
        """
        parts = []
        for fragment in self.frames[index]:
            file.seek(self.base + fragment.start + _HEAD_BYTES)
            part = file.read(fragment.length)
            if len(part) < fragment.length:
                raise EOFError("a fragment is cut short")
            parts.append(part)
        return b"".join(parts)


def coded_frames(
    file: BinaryIO, frames: int, extended: tuple[bytes, bytes] | None = None
) -> CodedFrames:
    """Find the fragments of every frame; their heads are read, their content is not.

    An offset table counts where each of its entries is the start of a fragment and there is one for
    every frame. Files come with tables of zeros, of one entry, or of another encoding of the same
    image; then, as without a table, a fragment is a frame if there are as many, and a frame ends
    with the end of a JPEG image if there are more.

    Args:
        file: at the Basic Offset Table.
        frames: as many as the header states, at least 1.
        extended: the values of Extended Offset Table and Extended Offset Table Lengths, little
            endian.
    Raises: InputError if the fragments can't be told apart by frame; ValueError or EOFError if
        items are broken.
    """
    basic = _basic_table(file)
    base = file.tell()
    fragments = _fragments(file)
    if frames == 1:
        return CodedFrames(base, (tuple(fragments),))
    by_table = [_by_extended(fragments, extended, frames)] if extended else []
    by_table += [_by_offsets(fragments, basic, frames)] if basic else []
    holds = not by_table or by_table[0] is not None  # decoders follow the first of the two
    by_walk = _by_fragments(file, base, fragments, frames)
    found = next((one for one in by_table if one is not None), by_walk)
    if found is None:
        raise InputError(
            f"the coded pixels are {len(fragments)} fragments that can't be told apart as "
            f"{frames} frames",
            remedy=_REMEDY,
            tag="PixelData",
        )
    return CodedFrames(base, found, holds)


def with_true_table(dataset: Dataset, frames: int) -> Dataset:
    """Return the image if its offset tables fit its fragments, else a copy whose table does.

    A decoder that follows a wrong table shows one frame in place of another. Raises: as
    `coded_frames`.
    """
    if frames <= 1:
        return dataset
    data: bytes = dataset.PixelData
    found = coded_frames(BytesIO(data), frames, extended_table(dataset))
    if found.table_holds:
        return dataset
    right = Dataset()
    right.update(dataset)
    right.file_meta = dataset.file_meta
    right.set_original_encoding(*dataset.original_encoding)
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in right:
            del right[keyword]
    table = struct.pack(f"<{frames}I", *(fragments[0].start for fragments in found.frames))
    coded = ITEM + struct.pack("<I", len(table)) + table + data[found.base :]
    # A new one: both share the others
    right["PixelData"] = DataElement(0x7FE00010, "OB", coded, is_undefined_length=True)
    return right


def extended_table(dataset: Dataset) -> tuple[bytes, bytes] | None:
    """Return the values of the Extended Offset Table and of its lengths.

    Returns: None if one of them is missing or does not hold 64-bit numbers.
    """
    offsets, lengths = (
        dataset.get(k) for k in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    )
    whole = isinstance(offsets, bytes) and isinstance(lengths, bytes) and not len(offsets) % 8
    return (offsets, lengths) if whole and offsets else None


def _unpacked(data: bytes, kind: str) -> list[int]:
    return list(struct.unpack(f"<{len(data) // struct.calcsize(f'<{kind}')}{kind}", data))


def _basic_table(file: BinaryIO) -> list[int]:
    head = file.read(_HEAD_BYTES)
    if head[:4] != ITEM:
        raise ValueError("no Basic Offset Table")
    length = int.from_bytes(head[4:], "little")
    data = file.read(length)
    if len(data) < length or length % 4:
        raise ValueError("the Basic Offset Table is cut short")
    return _unpacked(data, "I")


def _fragments(file: BinaryIO) -> list[Fragment]:
    base = file.tell()
    found: list[Fragment] = []
    while (head := file.read(_HEAD_BYTES))[:4] == ITEM:
        length = int.from_bytes(head[4:], "little")
        if len(head) < _HEAD_BYTES or length == 0xFFFFFFFF:
            raise ValueError("a fragment without its length")
        found.append(Fragment(file.tell() - _HEAD_BYTES - base, length))
        file.seek(length, 1)
    if head and head[:4] != DELIMITER:
        raise ValueError("something else than a fragment among them")
    if not found:
        raise EOFError("no fragments")
    return found


def _by_extended(
    fragments: Sequence[Fragment], extended: tuple[bytes, bytes], frames: int
) -> Frames | None:
    """Assign one fragment to each frame by offsets and lengths.

    A length may leave out the byte that makes it even.
    """
    found = _by_offsets(fragments, _unpacked(extended[0], "Q"), frames)
    lengths = _unpacked(extended[1], "Q")
    if found is None or len(lengths) != frames or any(len(one) != 1 for one in found):
        return None
    right = (one[0].length - length in (0, 1) for one, length in zip(found, lengths, strict=True))
    return found if all(right) else None


def _by_offsets(
    fragments: Sequence[Fragment], offsets: Sequence[int], frames: int
) -> Frames | None:
    """Assign to each frame the fragments from its offset to the next one.

    Returns: None if the offsets are not those of the frames.
    """
    places = {fragment.start: n for n, fragment in enumerate(fragments)}
    starts = [places.get(offset, -1) for offset in offsets]
    if len(starts) != frames or starts[0] != 0 or any(one >= two for one, two in pairwise(starts)):
        return None
    return tuple(tuple(fragments[one:two]) for one, two in pairwise([*starts, len(fragments)]))


def _by_fragments(
    file: BinaryIO, base: int, fragments: Sequence[Fragment], frames: int
) -> Frames | None:
    """Assign one fragment to each frame, or cut after fragments that end a JPEG image."""
    if len(fragments) <= frames:
        return tuple((fragment,) for fragment in fragments) if len(fragments) == frames else None
    found: list[list[Fragment]] = [[]]
    for fragment in fragments:
        found[-1].append(fragment)
        near = min(NEAR_END_BYTES, fragment.length)
        file.seek(base + fragment.start + _HEAD_BYTES + fragment.length - near)
        if END_OF_IMAGE in file.read(near):
            found.append([])
    whole = [tuple(one) for one in found if one]  # the last may lack its end
    return tuple(whole[:frames]) if len(whole) >= frames else None

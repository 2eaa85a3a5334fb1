"""Which study an object belongs to: its UIDs, found without reading the rest of it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

_INFLATED_BYTES = 2**22  # of a deflated data set; its UIDs come early
_SEARCHED_BYTES = 2**24  # of a data set whose UIDs come late
_LAST = Tag("NumberOfStudyRelatedInstances")  # (0020,1208); what comes after it is not read
_UIDS = [Tag(k) for k in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")]
# What pydicom 3 raises on bytes that are no data set
NO_DATASET = (
    InvalidDicomError,
    BytesLengthException,
    struct.error,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    UserWarning,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectUids:
    """The UIDs of one object.

    Attributes:
        instances_in_study: what the object states of its study (0020,1208); None if nothing.
    """

    sop_class: str
    sop_instance: str
    study: str
    instances_in_study: int | None = None


def object_uids(head: bytes, file: Path, size_bytes: int, syntax: UID) -> ObjectUids | None:
    """Find the UIDs of a data set in its first bytes, else further on in its file.

    Args:
        head: the first bytes of the data set.
        file: the DICOM file that ends with all of it.
        size_bytes: of the data set.

    Returns: None if a UID is missing or the bytes are no data set.
    Raises: OSError if the file can't be read.
    """
    found = _read(BytesIO(head), syntax)
    if found is None and size_bytes > len(head):
        with file.open("rb") as whole:
            whole.seek(-size_bytes, SEEK_END)
            return _read(BytesIO(whole.read(_SEARCHED_BYTES)), syntax)
    return found


def _read(source: BinaryIO, syntax: UID) -> ObjectUids | None:
    try:
        if syntax == DeflatedExplicitVRLittleEndian:
            inflating = zlib.decompressobj(-zlib.MAX_WBITS)
            source = BytesIO(inflating.decompress(source.read(), _INFLATED_BYTES))
        dataset = read_dataset(
            source,
            is_implicit_VR=syntax.is_implicit_VR,
            is_little_endian=syntax.is_little_endian,
            stop_when=_after_the_uids,
            specific_tags=[*_UIDS, _LAST],
        )
        sop_class, sop_instance, study = (_text(dataset, tag) for tag in _UIDS)
        stated = _text(dataset, _LAST)
        number = int(stated) if stated else None
    except NO_DATASET:
        return None
    if not (sop_class and sop_instance and study):
        return None
    return ObjectUids(
        sop_class=sop_class, sop_instance=sop_instance, study=study, instances_in_study=number
    )


def _text(dataset: Dataset, tag: BaseTag) -> str:
    """Give an element's bytes as text: unread, since pydicom quotes values that it doubts."""
    value = dataset.get_item(tag).value if tag in dataset else None
    return value.decode("ascii").strip(" \0") if isinstance(value, bytes) else ""


def _after_the_uids(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag > _LAST

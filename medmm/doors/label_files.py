"""Label maps as NIfTI files on the very grid of the array that they were read from, and where they are written."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError, Unavailable
from medmm.domain.reading import LabelMap
from medmm.files import write_atomically

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?<!\.)")
DEVICE = re.compile(
    r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?"
)  # names that Windows keeps for itself
LABEL_INTENT = 1002  # NIFTI_INTENT_LABEL (nifti1.h)


def folders_for(studies: Sequence[Path], out_dir: Path) -> dict[Path, Path]:
    """Where the masks of each study go: the folder itself for one study, one of its own for each of several."""
    if len(studies) == 1:
        return {studies[0]: out_dir}
    names = {study: study_name(study) for study in studies}
    different = {os.path.abspath(study): name.casefold() for study, name in names.items()}
    often = Counter(different.values())
    return {
        study: out_dir / _folder_name(study, names[study], often[names[study].casefold()] > 1)
        for study in studies
    }


def study_name(folder: Path) -> str:
    """The name of a folder, also of one given as `.`."""
    return Path(os.path.abspath(folder)).name


def _folder_name(study: Path, name: str, taken: bool) -> str:
    """The name as it is where it can be no path and no device, else a digest; two studies never share one."""
    digest = hashlib.sha256(os.fsencode(os.path.abspath(study))).hexdigest()[:16]
    if not PLAIN_NAME.fullmatch(name) or DEVICE.fullmatch(name):
        return digest
    return f"{name}-{digest}" if taken else name


def write_label_map(label_map: LabelMap, arrays_dir: Path, out_dir: Path) -> Path:
    """Write a label map as NAME.nii.gz (uint8), with shape, axes, affines, their codes and units of its source.

    Args:
        arrays_dir: the folder that was read; its file with the digest of the label map's volume is the source.

    Raises: InputError if that file is there no more, Unavailable if the folder can't be written.
    """
    header = _header(_source(label_map, arrays_dir))
    header.set_data_dtype("uint8")
    for key, value in {
        "scl_slope": 1,
        "scl_inter": 0,
        "cal_min": 0,
        "cal_max": 0,
        "intent_code": LABEL_INTENT,
    }.items():
        header[key] = value
    for key in {"descrip", "aux_file", "intent_name", "data_type", "db_name"} & set(header.keys()):
        header[key] = b""  # free text of the source may name a patient
    header["vox_offset"] = len(header.binaryblock) + 4
    # Label maps lie as NIfTI does: columns run fastest, then rows, then slices. Four zero bytes: no extension follows.
    content = header.binaryblock + bytes(4) + label_map.array().tobytes()
    return put(out_dir / f"{file_stem(label_map.name)}.nii.gz", gzip.compress(content, mtime=0))


def file_stem(name: str) -> str:
    """The name of a label map as that of a file: it can be no path."""
    return re.sub("[^a-z0-9-]", "-", name.lower())


def put(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; a link that waits under the name is replaced, not followed.

    Raises: Unavailable if the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise Unavailable(
            f"a mask can't be written: {type(error).__name__}",
            remedy="make the folder writable",
            path=str(path),
        ) from error
    return path


def _source(label_map: LabelMap, arrays_dir: Path) -> bytes:
    """The bytes that were read. Raises: InputError if no file of the folder holds them."""
    cause: OSError | None = None
    try:
        for path in sorted(arrays_dir.iterdir()):
            if path.name.lower().endswith((".nii", ".nii.gz")) and path.is_file():
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() == label_map.volume_sha256:
                    return data
    except OSError as error:
        cause = error
    raise InputError(
        "the file that was read is there no more, or was changed",
        remedy="read the folder again",
        path=str(arrays_dir),
        sha256=label_map.volume_sha256,
    ) from cause


def _header(data: bytes) -> Any:
    """The header of a NIfTI-1 or NIfTI-2 file, plain or in gzip."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    head = zlib.decompressobj(31).decompress(data, 540) if data[:2] == b"\x1f\x8b" else data[:540]
    second = 540 in (int.from_bytes(head[:4], order) for order in ("little", "big"))
    return Nifti2Header(head, check=False) if second else Nifti1Header(head[:348], check=False)

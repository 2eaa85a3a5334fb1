"""Masks of readings as files: folders that can be no path and no device, each file whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from medmm.domain.errors import InputError, Unavailable
from medmm.domain.reading import LabelMap, Reading
from medmm.domain.study import Study
from medmm.files import write_atomically
from medmm.presentation.label_maps import file_stem, label_map_bytes, series_label_map

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?<!\.)")
# Names that Windows keeps for itself
DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def folders_for(studies: Sequence[Path], out_dir: Path) -> dict[Path, Path]:
    """Choose a folder for the masks of each study.

    It is the folder itself for one study, one of its own for each of several.
    """
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
    """Name a folder, also one given as `.`."""
    return Path(os.path.abspath(folder)).name


def _folder_name(study: Path, name: str, taken: bool) -> str:
    """Keep a name that can be no path and no device, else make a digest of it.

    Two studies never share one.
    """
    digest = hashlib.sha256(os.fsencode(os.path.abspath(study))).hexdigest()[:16]
    if not PLAIN_NAME.fullmatch(name) or DEVICE.fullmatch(name):
        return digest
    return f"{name}-{digest}" if taken else name


def write_label_map(label_map: LabelMap, arrays_dir: Path, out_dir: Path) -> Path:
    """Write a label map as NAME.nii.gz, on the grid of the array that it was read from.

    Args:
        arrays_dir: the folder that was read; its file with the digest of the label map's volume is
            the source.

    Raises: InputError if that file is there no more, Unavailable if the folder can't be written.
    """
    content = label_map_bytes(label_map, _source(label_map, arrays_dir))
    return put(out_dir / f"{file_stem(label_map.name)}.nii.gz", content)


def write_series_label_maps(reading: Reading, study: Study, out_dir: Path) -> dict[str, Path]:
    """Write the label maps of a reading of images, each as NAME.nii.gz and NAME.json.

    They go into a folder named by a digest of the study's UID: a UID of the input never becomes a
    path.
    Returns: the NIfTI files by name; if several maps have one name, each carries a part of its
    volume's digest.

    Raises: InputError if a volume is not one of the study, Unavailable if the folder can't be
        written.
    """
    folder = out_dir / hashlib.sha256(study.uid.encode()).hexdigest()[:16]
    often = Counter(label_map.name for label_map in reading.label_maps)
    written: dict[str, Path] = {}
    for label_map in reading.label_maps:
        volume = study.volume(label_map.volume_sha256)
        if volume is None or volume.shape_zyx != label_map.shape_zyx:
            raise InputError(
                "a label map of no volume of its study",
                remedy="read the study again",
                label_map=label_map.name,
            )
        several = often[label_map.name] > 1
        name = f"{label_map.name}-{volume.sha256[:16]}" if several else label_map.name
        path = folder / f"{file_stem(name)}.nii.gz"
        content, about = series_label_map(label_map, volume, reading, path.name)
        put(folder / f"{file_stem(name)}.json", json.dumps(about, indent=1).encode() + b"\n")
        written[name] = put(path, content)
    return written


def put(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; a link under its name is replaced, not followed.

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
    """Read the source anew.

    Raises: InputError if no file of the folder holds what was read.
    """
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

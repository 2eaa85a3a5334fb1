"""Where the masks of several studies are written: names of folders that can be no path and no device."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?<!\.)")
DEVICE = re.compile(
    r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?"
)  # names that Windows keeps for itself


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

"""GDCM's own reader beside ours on the DICOM corpus: what each decodes, as data for tests and documents."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.imaging.dicom import gdcm
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.pixels import check_grid, stored_values

WORK_S = 60  # of processor time for one file
LOSSY_LEVELS = 1  # decoders of lossy JPEG round differently
LOSSY = tuple(f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 53, 55, 81, 91))
# Grey files that one reader alone decodes, and why. Files of several samples are refused before decoding: not compared.
ONLY_OURS = {
    "objects/ot_8bit_overlay.dcm": "GDCM aborts the process on its overlay",
    "objects/seg_ct_binary.dcm": "one bit a pixel: GDCM leaves eight of them packed in a byte",
    "objects/seg_labelmap_palette.dcm": "a label map: GDCM can't read the object",
    "wrong/not/garbage_after_end.dcm": "GDCM can't read what is followed by other bytes",
}
ONLY_GDCM = {
    "wrong/header/bits_stored_gt_allocated.dcm": "a header that contradicts itself: refused",
    "wrong/header/frames_0.dcm": "a header that contradicts itself: refused",
    "wrong/header/no_photometric.dcm": "black and white are not stated: refused in a file that states UIDs",
    "wrong/header/no_rows.dcm": "GDCM takes the size of the coded picture; an incomplete header is refused",
    "wrong/header/rows_0.dcm": "GDCM takes the size of the coded picture; a header that contradicts itself is refused",
    "wrong/header/samples_3_mono.dcm": "a header that contradicts itself: refused",
    "wrong/header/wrong_rows_500.dcm": "the coded picture is of another size than the header says: refused",
    "wrong/size/deflate_bomb_400mb.dcm": "it inflates beyond its limit: refused before it is held in memory",
}


def ours(path: Path) -> NDArray[np.generic] | None:
    """Stored values by medmm after its checks; None where it refuses."""
    try:
        check_grid(open_dicom(path))
        return stored_values(path)[0]
    except InputError:
        return None


def gdcms(path: Path) -> NDArray[np.generic] | None:
    """Stored values of a grey file by GDCM in a process of its own; None where it can't or dies."""
    done = subprocess.run(
        [sys.executable, "-I", str(gdcm.WORKER), str(gdcm.MEMORY_BYTES)],
        input=json.dumps([str(path), WORK_S]).encode() + b"\n",
        capture_output=True,
        check=False,
        timeout=2 * WORK_S,
    )
    if done.returncode != 0:
        return None
    head, _, values = done.stdout.partition(b"\n")
    stated = json.loads(head)
    shape, dtype = tuple(stated["shape"]), np.dtype(stated["dtype"])
    if (
        len(values) != math.prod(shape) * dtype.itemsize
    ):  # it also hands out grids that the file does not fill
        return None
    return np.frombuffer(values, dtype=dtype).reshape(shape)

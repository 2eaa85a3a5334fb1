"""The slices of a NIfTI file, one at a time.

The scale is that of all slices, so the file is read whole once to find it.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.imaging.dicom.files import opened
from medmm.imaging.nifti.files import (
    GreyScale,
    NiftiFile,
    limits_and_scale,
    nifti_border,
    stored_in,
)


@dataclass(frozen=True, slots=True)
class NiftiSlices:
    """A file whose scale is known, so that one slice can be shown without the others."""

    file: NiftiFile
    scale: GreyScale

    @classmethod
    def opened(cls, path: Path) -> tuple[NiftiSlices, NDArray[Any]]:
        """Read a file once to find its scale.

        Returns: the slices, and their stored values, shape (slices, rows, columns).
        Raises: InputError if it can't be read.
        """
        file, stored = stored_in(path)
        with nifti_border(path), np.errstate(over="ignore", invalid="ignore"):
            return cls(file, limits_and_scale(file, stored)[1]), stored

    def shown(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """Convert one slice of stored values as `load_nifti` shows it."""
        with nifti_border(self.file.path), np.errstate(over="ignore", invalid="ignore"):
            return self.scale.grey(plane)

    def stored(self, index_z: int) -> NDArray[Any]:
        """Read the stored values of one slice, shape (rows, columns).

        In a gzip file all that comes before is inflated and dropped.

        Raises: InputError if the file ends before it.
        """
        size = self.file.value_bytes // (self.file.shape_zyx[0] * self.file.volumes)
        start = self.file.start + index_z * size
        with opened(self.file.path) as source, nifti_border(self.file.path):
            plain: Any = gzip.GzipFile(fileobj=source) if self.file.gzipped else source
            plain.seek(start)
            raw = plain.read(size)
            return np.frombuffer(
                raw, dtype=self.file.dtype, count=size // self.file.dtype.itemsize
            ).reshape(self.file.shape_zyx[1:])

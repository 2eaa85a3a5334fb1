"""The slices of a NIfTI file, one at a time.

The scale is that of all slices, so the file is read whole once to find it.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.stored_frame import StoredFrame, Window
from medmm.imaging.dicom.files import opened
from medmm.imaging.dicom.stored_frames import fitted_to_16_bits
from medmm.imaging.nifti.files import (
    GreyScale,
    NiftiFile,
    limits_and_scale,
    nifti_border,
    stored_in,
    value_range,
)

WIDTHS = 64  # of the window: 16 bits then hold some thousand values within it


@dataclass(frozen=True, slots=True)
class NiftiSlices:
    """A file whose scale is known, so that one slice can be shown without the others.

    Attributes:
        told_apart: the least and greatest stored value that 16 bits tell apart.
    """

    file: NiftiFile
    scale: GreyScale
    told_apart: tuple[float, float]

    @classmethod
    def opened(cls, path: Path) -> tuple[NiftiSlices, NDArray[Any]]:
        """Read a file once to find its scale.

        Returns: the slices, and their stored values, shape (slices, rows, columns).
        Raises: InputError if it can't be read.
        """
        file, stored = stored_in(path)
        with nifti_border(path), np.errstate(over="ignore", invalid="ignore"):
            scale = limits_and_scale(file, stored)[1]
            return cls(file, scale, _told_apart(file, stored, scale)), stored

    def shown(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """Convert one slice of stored values as `load_nifti` shows it."""
        with nifti_border(self.file.path), np.errstate(over="ignore", invalid="ignore"):
            return self.scale.grey(plane)

    def frame(self, plane: NDArray[Any]) -> StoredFrame:
        """Convert one slice of stored values to a frame before its window.

        Values that do not fit in 16 bits are scaled over the range of the whole volume, so that all
        of its slices share one scale.
        """
        with nifti_border(self.file.path), np.errstate(over="ignore", invalid="ignore"):
            background = self.scale.black(plane)
            fitted = fitted_to_16_bits(
                plane, self.file.slope, self.file.intercept, background, self.told_apart
            )
            return replace(fitted, windows=self._windows())

    def _windows(self) -> tuple[Window, ...]:
        shown = Window.of_range(*self.scale.shown)
        if self.file.window is None:
            return (shown,)
        low, high = sorted(end * self.file.slope + self.file.intercept for end in self.told_apart)
        return replace(shown, name="of the file"), Window.of_range(low, high)

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


def _told_apart(file: NiftiFile, stored: NDArray[Any], scale: GreyScale) -> tuple[float, float]:
    """Find the range of stored values that 16 bits have to hold, background left out.

    Where it is very much wider than the window that is shown, it ends some widths beyond it: else
    the window would hold only a few different values.
    """
    low, high = value_range(stored, scale.far)
    shown = [(end - file.intercept) / file.slope for end in scale.shown]
    width = WIDTHS * (max(shown) - min(shown))
    if high - low <= width:
        return low, high
    return max(low, min(shown) - width / 2), min(high, max(shown) + width / 2)

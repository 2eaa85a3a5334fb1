"""Small NIfTI files made for tests: a smooth head-like picture of nobody, with any header field changed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

OBLIQUE = np.array([[-0.9, 0.1, 0, 80], [0.1, 0.9, 0, -90], [0, 0, 2, -30], [0, 0, 0, 1.0]])
OBLIQUE[:2, :2] /= np.hypot(0.9, 0.1)  # columns of length 1: the voxels are 1 x 1 x 2 mm


def head(shape_xyz: tuple[int, ...] = (70, 80, 6), dtype: str = "<i2") -> NDArray[Any]:
    """A smooth picture without symmetry."""
    axes = np.meshgrid(*[np.linspace(0, 1, n) for n in shape_xyz[:3]], indexing="ij")
    values = 900 * axes[0] ** 2 + 300 * axes[1] + 50 * axes[2] + 3
    return np.asarray(
        np.broadcast_to(values[(...,) + (None,) * (len(shape_xyz) - 3)], shape_xyz), dtype=dtype
    )


def nifti_file(
    folder: Path,
    name: str = "head.nii.gz",
    values: NDArray[Any] | None = None,
    *,
    affine: NDArray[np.float64] = OBLIQUE,
    codes: tuple[int, int] = (1, 1),
    version: int = 1,
    **fields: Any,
) -> Path:
    """A NIfTI file on disk.

    Args:
        codes: sform_code and qform_code.
        fields: header fields that are written as they are.
    """
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    made = kind(head() if values is None else values, affine)
    made.header.set_xyzt_units("mm")
    made.set_sform(affine, codes[0])
    made.set_qform(affine, codes[1])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    nibabel.save(made, path)
    if fields:  # written over what nibabel writes, which it would correct
        whole = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        header = type(made.header)(whole[: made.header.template_dtype.itemsize], check=False)
        for key, value in fields.items():
            header[key] = value
        whole = header.binaryblock + whole[len(header.binaryblock) :]
        path.write_bytes(gzip.compress(whole) if name.endswith(".gz") else whole)
    return path

"""Made-up MR volumes with labels: a head with a lesion, a heart in two phases, two cut-outs of a hippocampus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Affine, Sequence, SequenceRole, Volume

MR_STORAGE = "1.2.840.10008.5.1.4.1.1.4"  # MR Image Storage, PS3.4 B.5
Labels = NDArray[np.uint8]


def axial(
    spacing_zyx_mm: tuple[float, float, float], first_lps_mm: tuple[float, float, float]
) -> Affine:
    """Columns run toward the patient's left, rows toward the back, slices toward the head."""
    z, y, x = spacing_zyx_mm
    a, b, c = first_lps_mm
    return ((x, 0.0, 0.0, a), (0.0, y, 0.0, b), (0.0, 0.0, z, c), (0.0, 0.0, 0.0, 1.0))


def volume(
    role: SequenceRole,
    number: int,
    pixels: NDArray[np.float32],
    spacing_zyx_mm: tuple[float, float, float],
    first_lps_mm: tuple[float, float, float] | None,
) -> Volume:
    """An MR volume; without a first voxel's place it has no orientation."""
    z, y, x = pixels.shape
    return Volume(
        series_uid=f"1.2.826.0.1.3680043.8.498.2.{number}",
        sop_class_uid=MR_STORAGE,
        sop_uids=tuple(f"1.2.826.0.1.3680043.8.498.3.{number}.{n}" for n in range(z)),
        sha256=f"{number:x}" * 64,
        shape_zyx=(z, y, x),
        affine_lps_mm=None if first_lps_mm is None else axial(spacing_zyx_mm, first_lps_mm),
        spacing_yx_mm=spacing_zyx_mm[1:],
        spacing_z_mm=spacing_zyx_mm[0],
        sequence=Sequence(role=role, reason="made up", confirmed=True),
        loader=lambda: pixels,
        signal_loader=lambda: pixels * 1000,
    )


def grid(shape_zyx: tuple[int, int, int]) -> tuple[NDArray[np.float64], ...]:
    """Slice, row and column of every voxel, from -1 to 1."""
    return tuple(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape_zyx], indexing="ij"))


def head(*, oriented: bool = True) -> tuple[tuple[Volume, ...], Labels]:
    """FLAIR and T1 of a head 176 mm wide, and a lesion in the half of the last columns (the patient's left)."""
    z, y, x = grid((12, 48, 40))
    brain = (z / 1.1) ** 2 + (y / 0.9) ** 2 + (x / 0.85) ** 2 < 1
    lesion = ((z - 0.1) / 0.4) ** 2 + ((y + 0.3) / 0.22) ** 2 + ((x - 0.45) / 0.2) ** 2 < 1
    wave = 0.06 * np.sin(9 * x) * np.cos(7 * y)
    first = (-87.75, -105.0, -40.0) if oriented else None
    spacing = (8.0, 4.5, 4.5)
    flair = np.where(brain, 0.42 + wave, 0.02).astype(np.float32)
    flair[lesion] = 0.9
    t1 = np.where(brain, 0.6 + wave, 0.02).astype(np.float32)
    volumes = (
        volume(SequenceRole.FLAIR, 1, flair, spacing, first),
        volume(SequenceRole.T1, 2, t1, spacing, first),
    )
    return volumes, lesion.astype(np.uint8)


def heart() -> tuple[tuple[Volume, ...], tuple[Labels, Labels]]:
    """Two phases of a short axis; labels 1 RV, 2 myocardium, 3 LV."""
    z, y, x = grid((8, 64, 64))
    volumes, labels = [], []
    for number, (role, lv, rv) in enumerate(
        ((SequenceRole.CINE_ED, 0.3, 0.34), (SequenceRole.CINE_ES, 0.2, 0.26)), start=1
    ):
        along = np.sqrt(np.clip(1 - 0.5 * z**2, 0, 1))
        radius = np.hypot(y - 0.1, x - 0.15)
        values = np.zeros(z.shape, dtype=np.uint8)
        values[np.hypot((y - 0.05) / 1.2, x + 0.28) < rv * along] = 1
        values[radius < (lv + 0.13) * along] = 2
        values[radius < lv * along] = 3
        pixels = np.array([0.25, 0.75, 0.35, 0.85], dtype=np.float32)[values]
        volumes.append(volume(role, number, pixels, (9.0, 2.2, 2.2), (-70.0, -70.0, -30.0)))
        labels.append(values)
    return tuple(volumes), (labels[0], labels[1])


def hippocampi() -> tuple[tuple[Volume, ...], tuple[Labels, Labels]]:
    """T1 cut-outs around the right and the left hippocampus; labels 1 anterior, 2 posterior. The left is smaller."""
    z, y, x = grid((30, 40, 28))
    volumes, labels = [], []
    for number, (first_x, size) in enumerate(((-42.0, 1.0), (15.0, 0.93)), start=1):
        inside = (z / (0.55 * size)) ** 2 + (y / (0.7 * size)) ** 2 + (x / (0.5 * size)) ** 2 < 1
        values = np.where(inside, np.where(y < 0, 1, 2), 0).astype(np.uint8)
        pixels = (0.35 + 0.25 * inside + 0.05 * np.sin(8 * x)).astype(np.float32)
        volumes.append(
            volume(SequenceRole.T1, number, pixels, (1.0, 1.0, 1.0), (first_x, -20.0, -15.0))
        )
        labels.append(values)
    return tuple(volumes), (labels[0], labels[1])


def unspaced(one: Volume) -> Volume:
    """The same volume with the distance of its slices unknown."""
    return replace(one, spacing_z_mm=None)

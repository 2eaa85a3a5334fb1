"""Formulas of what is measured on labelled voxels: one place for those who measure and for those who check."""

from __future__ import annotations

from medmm.domain.reading import Extent, LabelMap, Measurement, Side
from medmm.domain.study import Volume

MYOCARDIUM_G_PER_ML = (
    1.05  # Schulz-Menger et al., J Cardiovasc Magn Reson 2020;22:19 (SCMR post-processing)
)
ASYMMETRY = "hippocampus asymmetry"


def voxel_ml(volume: Volume) -> float | None:
    """Volume of one voxel in ml; None where a spacing is unknown, then nothing is stated in ml."""
    if volume.spacing_yx_mm is None or volume.spacing_z_mm is None:
        return None
    return volume.spacing_yx_mm[0] * volume.spacing_yx_mm[1] * volume.spacing_z_mm / 1000


def voxel_count(label_map: LabelMap, label: str) -> int:
    """Number of voxels with a label; 0 for a label that the map does not have."""
    if label not in label_map.labels:
        return 0
    value = label_map.labels.index(label) + 1
    return sum(length for one, length in label_map.runs if one == value)


def ejection_fraction_percent(end_diastolic: float, end_systolic: float) -> float:
    """(EDV - ESV) / EDV in %, of two volumes in the same unit (ml, or voxels of one size)."""
    return 100 * (end_diastolic - end_systolic) / end_diastolic


def asymmetry_percent(left: float, right: float) -> float:
    """(left - right) over the mean of both, in %: above 0 where the left is larger."""
    return 200 * (left - right) / (left + right)


def hippocampus_asymmetry(left: Measurement, right: Measurement) -> Measurement:
    """The asymmetry of two volumes that were measured of the two sides.

    Its interval goes over both intervals' ends, as if both errors were at their worst at once: wider than 95 %.
    """
    low = asymmetry_percent(left.interval[0], right.interval[1])
    high = asymmetry_percent(left.interval[1], right.interval[0])
    extents: tuple[Extent, ...] = (*left.extents, *right.extents)
    value = asymmetry_percent(left.value, right.value)
    return Measurement(
        name=ASYMMETRY,
        value=value,
        unit="%",
        interval=(low, high),
        side=Side.BILATERAL,
        extents=extents,
        model=left.model if left.model == right.model else None,
    )

"""Formulas of what is measured on labelled voxels, for measuring and for checking."""

from __future__ import annotations

from medmm.domain.reading import Extent, LabelMap, Measurement, Side
from medmm.domain.study import Volume

# Schulz-Menger et al., J Cardiovasc Magn Reson 2020;22:19 (SCMR post-processing)
MYOCARDIUM_G_PER_ML = 1.05
ASYMMETRY = "hippocampus asymmetry"


def voxel_ml(volume: Volume) -> float | None:
    """Compute the volume of one voxel in ml; return None if a spacing is unknown.

    Then nothing is stated in ml.
    """
    if volume.spacing_yx_mm is None or volume.spacing_z_mm is None:
        return None
    return volume.spacing_yx_mm[0] * volume.spacing_yx_mm[1] * volume.spacing_z_mm / 1000


def voxel_count(label_map: LabelMap, label: str) -> int:
    """Count the voxels with a label; 0 for a label that the map does not have."""
    if label not in label_map.labels:
        return 0
    value = label_map.labels.index(label) + 1
    return sum(length for one, length in label_map.runs if one == value)


def ejection_fraction_percent(end_diastolic: float, end_systolic: float) -> float:
    """Compute (EDV - ESV) / EDV in %, of two volumes in the same unit.

    The unit is ml, or voxels of one size.
    """
    return 100 * (end_diastolic - end_systolic) / end_diastolic


def asymmetry_percent(left: float, right: float) -> float:
    """Compute (left - right) over the mean of both, in %: above 0 if the left is larger."""
    return 200 * (left - right) / (left + right)


def hippocampus_asymmetry(left: Measurement, right: Measurement) -> Measurement:
    """Compute the asymmetry of two volumes that were measured on the two sides.

    Its interval goes over both intervals' ends, as if both errors were at their worst at once:
    wider than 95 %.
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

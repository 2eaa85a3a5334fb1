"""G8: labelled voxels lie where the statement's evidence says, as recomputed.

That is slices, centre, half and side.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medmm.domain.draft import Case, ExtentEvidence, Statement
from medmm.domain.label_location import (
    MIDLINE_MARGIN_MM,
    SHARE,
    centre_x_lps_mm,
    halves,
    indices_zyx,
    to_lps_mm,
)
from medmm.domain.reading import Extent, ImageHalf, LabelMap, Reading, Side
from medmm.domain.study import Volume
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable

_CENTRE_VOXELS = 0.06  # a centre may be rounded to one decimal
_OPPOSITE = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Hold every named extent against its label map and the geometry of its volume."""
    extents = [item.extent for item in evidence_of(statement, ExtentEvidence)]
    if not extents:
        return not_applicable("no labelled voxels are named")
    problems = [problem for extent in extents for problem in _problems(extent, case, reading)]
    return judged(problems, "the labelled voxels lie where they are said to lie")


def _problems(extent: Extent, case: Case, reading: Reading) -> Iterator[str]:
    volume = case.study.volume(extent.volume_sha256)
    label_map = reading.label_map(extent.label_map, extent.volume_sha256)
    if volume is None:
        yield f"the study has no volume {extent.volume_sha256[:12]}"
    elif label_map is None:
        yield f"the reading has no label map {extent.label_map} of this volume"
    elif label_map.shape_zyx != volume.shape_zyx:
        yield f"the label map {extent.label_map} has another grid than its volume"
    elif extent.label not in label_map.labels:
        yield f"the label map {extent.label_map} has no label {extent.label}"
    else:
        yield from _place_problems(extent, label_map, volume)
        yield from _side_problems(extent, volume)
        yield from _order_problems(extent, reading)


def _place_problems(extent: Extent, label_map: LabelMap, volume: Volume) -> Iterator[str]:
    found = indices_zyx(label_map, extent.label)
    if not len(found):
        yield f"no voxel carries the label {extent.label}"
        return
    slices = np.unique(found[:, 0])
    if (int(slices[0]), int(slices[-1]), len(slices)) != (*extent.slices, extent.slice_count):
        yield (
            f"{extent.label} lies on {len(slices)} slices from {slices[0] + 1} to {slices[-1] + 1}"
        )
    centre = found.mean(0)
    if np.abs(centre - extent.centroid_index_zyx).max() > _CENTRE_VOXELS:
        yield f"the centre of {extent.label} is another"
    low, high = halves(found, volume.shape_zyx[2])
    borne_out = {ImageHalf.LOW_COLUMNS: low >= SHARE, ImageHalf.HIGH_COLUMNS: high >= SHARE}
    # a middle column may be counted to either half, so that both answers may hold
    borne_out[ImageHalf.BOTH] = not (1 - high >= SHARE or 1 - low >= SHARE)
    if extent.image_half is not None and not borne_out[extent.image_half]:
        yield f"{extent.label} lies not in {extent.image_half.value}"


def _side_problems(extent: Extent, volume: Volume) -> Iterator[str]:
    if volume.affine_lps_mm is None:
        if extent.side is not None or extent.centroid_lps_mm is not None:
            yield (
                f"a place in the patient is named for {extent.label}, and the volume has no "
                "orientation"
            )
        return
    if extent.centroid_lps_mm is not None:
        expected = to_lps_mm(np.array([extent.centroid_index_zyx]), volume.affine_lps_mm)[0]
        step = np.linalg.norm(np.array(volume.affine_lps_mm)[:3, :3], axis=0).max()
        if np.abs(expected - extent.centroid_lps_mm).max() > _CENTRE_VOXELS * max(1.0, step):
            yield f"the centre of {extent.label} lies elsewhere in the patient"
    middle = centre_x_lps_mm(volume)
    if middle is None or extent.side not in _OPPOSITE:
        return
    x = to_lps_mm(np.array([extent.centroid_index_zyx]), volume.affine_lps_mm)[0, 0]
    # LPS: x grows toward the patient's left
    beyond = (x - middle) * (1 if extent.side is Side.RIGHT else -1)
    if beyond > MIDLINE_MARGIN_MM:
        yield (
            f"{extent.label} is said to lie {extent.side.value} and lies {beyond:.0f} mm on the "
            "other side"
        )


def _order_problems(extent: Extent, reading: Reading) -> Iterator[str]:
    """Yield a problem unless, of two places of a label, the left one lies farther left."""
    if extent.side not in _OPPOSITE or extent.centroid_lps_mm is None:
        return
    for other in reading.extents:
        same = (other.label_map, other.label) == (extent.label_map, extent.label)
        if same and other.side is _OPPOSITE[extent.side] and other.centroid_lps_mm is not None:
            toward_left = extent.centroid_lps_mm[0] - other.centroid_lps_mm[0]
            if (toward_left > 0) != (extent.side is Side.LEFT):
                yield f"{extent.label} called left lies right of the one called right"

"""How much of what a network looks at its images show: a part must not pass for all.

The bounds for heads and hippocampi were set on the training and validation subjects of the MR sets,
every one of them whole: 76 heads (lgg-mri-segmentation), 179 crops (Medical Segmentation Decathlon,
Task04); none is doubted. Those for hearts stand in the network's calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.domain.reading import Coverage
from medmm.domain.study import Notice, Volume
from medmm.models.mr.resampling import spacing_zyx_mm

Mask = NDArray[np.bool_]
# An adult head is 130 to 160 mm wide, 170 to 200 mm long; its brain is 120 to 140 mm high (Bushby
# et al., J Med Genet 1992;29:756-758 for the head). Below these a part is missing whoever it is.
LEAST_HEIGHT_MM, LEAST_WIDTH_MM, LEAST_LENGTH_MM = 90.0, 100.0, 120.0
TOP_SHARE = 0.6  # of the largest slice: the uppermost slice of the 76 heads has at most 0.49
# Of a head's extent that lies on one border of the picture: at most 0.24 of the 76 heads
BORDER_SHARE = 0.35
WIDTH_OVER_LENGTH = (0.6, 1.15)  # of the 76 heads 0.73 to 0.89
EDGE_PX = 2  # of a film that count as its edge
# Of the lungs' width on the upper or lower edge: two of 402 validation films have more
LUNG_EDGE_SHARE = 0.15
LEAST_FACE_VOXELS = 5  # of an outline on the edge of its crop: none of the 179 hippocampi has any


def head_coverage(head: Mask, volume: Volume) -> Coverage:
    """Judge how much of a head an axial stack shows.

    Args:
        head: (slices, rows, columns), true within the head.
    """
    areas = head.sum((1, 2))
    shown = np.flatnonzero(areas > 0.02 * areas.max()) if areas.any() else np.zeros(0, dtype=int)
    if not shown.size:
        return Coverage(
            of="head", volume_sha256=volume.sha256, shortfalls=("no head is found in it",)
        )
    large = head[areas >= 0.5 * areas.max()]
    tall, wide = (float(np.median([_extent(plane, axis) for plane in large])) for axis in (1, 0))
    length, width = (wide, tall) if _rows_run_to_the_side(volume) else (tall, wide)
    extents: list[tuple[str, float]] = []
    shortfalls: list[str] = []
    spacing = spacing_zyx_mm(volume)
    if spacing is not None and len(head) > 1:
        height_mm = float(shown[-1] - shown[0] + 1) * spacing[0]
        pixel = (
            (spacing[2], spacing[1]) if _rows_run_to_the_side(volume) else (spacing[1], spacing[2])
        )
        length_mm, width_mm = length * pixel[0], width * pixel[1]
        length, width = length_mm, width_mm
        extents = [
            ("foot to head", height_mm),
            ("left to right", width_mm),
            ("front to back", length_mm),
        ]
        least = (LEAST_HEIGHT_MM, LEAST_WIDTH_MM, LEAST_LENGTH_MM)
        shortfalls = [
            f"{mm:.0f} mm from {way}"
            for (way, mm), low in zip(extents, least, strict=True)
            if mm < low
        ]
    if len(head) > 1 and _top_slice(areas, volume) > TOP_SHARE * areas.max():
        shortfalls.append("its top is cut off")
    shortfalls += [f"it is cut off at the {edge} edge of the slices" for edge in _cut_edges(large)]
    low, high = WIDTH_OVER_LENGTH
    if not low <= width / max(length, 1e-6) <= high:
        shortfalls.append("it is far too narrow or too short for its other direction")
    rounded = tuple((way, round(mm, 1)) for way, mm in extents)
    return Coverage(
        of="head", volume_sha256=volume.sha256, extents_mm=rounded, shortfalls=tuple(shortfalls)
    )


def _extent(plane: Mask, axis: int) -> int:
    """Count the rows (axis 1) or columns (axis 0) that a mask reaches over."""
    places = np.flatnonzero(plane.any(axis=axis))
    return int(places[-1] - places[0] + 1) if places.size else 0


def _rows_run_to_the_side(volume: Volume) -> bool:
    """Tell whether the row index counts along the patient's left-right axis.

    By convention it runs to the back.
    """
    if volume.affine_lps_mm is None:
        return False
    axes = np.abs(np.array(volume.affine_lps_mm)[:2, :2])
    return bool(axes[0, 1] > axes[0, 0])


def _top_slice(areas: NDArray[np.integer], volume: Volume) -> float:
    """Return the area of the head in the uppermost slice.

    Slices run to the head if nothing says how they run.
    """
    downward = volume.affine_lps_mm is not None and volume.affine_lps_mm[2][2] < 0
    return float(areas[0 if downward else -1])


def _cut_edges(large: Mask) -> list[str]:
    """Name the picture's borders on which a good part of the head lies, in large slices."""
    borders = {
        "upper": (large[:, 0, :], 0),
        "lower": (large[:, -1, :], 0),
        "left": (large[:, :, 0], 1),
        "right": (large[:, :, -1], 1),
    }
    found = []
    for name, (border, axis) in borders.items():
        shares = [
            line.sum() / max(_extent(plane, axis), 1)
            for line, plane in zip(border, large, strict=True)
        ]
        if float(np.median(shares)) > BORDER_SHARE:
            found.append(name)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class VentricleShape:
    """The shape of a left ventricle at end-diastole in a short-axis stack.

    Attributes:
        length_mm: over all slices with it.
        length_over_width: that over the diameter of a circle as large as its largest slice.
        end_share: its area in the first or the last slice of the stack, the smaller of the two,
            over that of the largest.
    """

    length_mm: float
    length_over_width: float
    end_share: float


def ventricle_shape(ventricle: Mask, spacing_zyx_mm: tuple[float, float, float]) -> VentricleShape:
    """Measure the shape of a ventricle, (slices, rows, columns), of which there is some."""
    areas = ventricle.sum((1, 2))
    marked = np.flatnonzero(areas)
    z, y, x = spacing_zyx_mm
    length_mm = float(marked[-1] - marked[0] + 1) * z
    width_mm = 2 * math.sqrt(float(areas.max()) * y * x / math.pi)
    return VentricleShape(
        length_mm=length_mm,
        length_over_width=length_mm / width_mm,
        end_share=float(min(areas[0], areas[-1]) / areas.max()),
    )


def ventricle_bounds(shapes: Sequence[VentricleShape]) -> dict[str, float]:
    """Find the bounds of the ventricle of a whole stack, from hearts whose stacks are whole.

    They are the extremes with a tenth of room.
    """
    return {
        "least_length_mm": round(0.9 * min(shape.length_mm for shape in shapes), 1),
        "least_length_over_width": round(0.9 * min(shape.length_over_width for shape in shapes), 3),
        "most_end_share": round(1.1 * max(shape.end_share for shape in shapes), 3),
    }


def ventricle_coverage(
    ventricle: Mask, volume: Volume, bounds: Mapping[str, float] | None
) -> Coverage:
    """Judge how much of the left ventricle a short-axis stack shows.

    That goes by its outline at end-diastole, (slices, rows, columns).

    A base that is cut off alone shows in the length; a single missing slice shows in nothing.
    """
    spacing = spacing_zyx_mm(volume)
    if spacing is None or not ventricle.any():  # said elsewhere: nothing is measured
        return Coverage(of="heart", volume_sha256=volume.sha256)
    shape = ventricle_shape(ventricle, spacing)
    extents = (("base to apex", round(shape.length_mm, 1)),)
    if bounds is None:
        return Coverage(of="heart", volume_sha256=volume.sha256, extents_mm=extents)
    shortfalls = []
    if shape.end_share > bounds["most_end_share"]:
        shortfalls.append(
            "the left ventricle is wide in the first and in the last slice: the apex is cut off"
        )
    short = shape.length_over_width < bounds["least_length_over_width"]
    if short or shape.length_mm < bounds["least_length_mm"]:
        width_mm = shape.length_mm / shape.length_over_width
        shortfalls.append(
            f"{shape.length_mm:.0f} mm of a left ventricle that is {width_mm:.0f} mm wide"
        )
    return Coverage(
        of="heart", volume_sha256=volume.sha256, extents_mm=extents, shortfalls=tuple(shortfalls)
    )


def crop_coverage(outline: Mask, volume: Volume) -> Coverage:
    """Judge whether the outline of a hippocampus reaches the edge of its crop.

    Then a part may lie beyond.
    """
    faces = [outline.take(end, axis=axis) for axis in range(3) for end in (0, -1)]
    cut = any(int(face.sum()) >= LEAST_FACE_VOXELS for face in faces)
    why = ("its outline reaches the edge of the volume",) if cut else ()
    return Coverage(of="hippocampus", volume_sha256=volume.sha256, shortfalls=why)


def lungs_coverage(lungs: Mask, volume: Volume) -> Coverage:
    """Judge whether the lungs' outline lies along the film's upper or lower edge.

    Then a part of them may lie beyond.

    The sides are not asked: there an outline that ran into an arm or clothes reached the edge on 3
    of 150 whole films.

    Args:
        lungs: (rows, columns); empty if none was outlined, which tells nothing.
    """
    wide = max(_extent(lungs, 0), 1)
    lines = {"upper": lungs[:EDGE_PX].any(0), "lower": lungs[-EDGE_PX:].any(0)}
    cut = [edge for edge, line in lines.items() if line.sum() > LUNG_EDGE_SHARE * wide]
    why = tuple(f"they are cut off at the {edge} edge of the film" for edge in cut)
    return Coverage(of="lungs", volume_sha256=volume.sha256, shortfalls=why)


def coverage_notice(coverage: Coverage, consequence: str) -> tuple[Notice, ...]:
    """Say that only a part is shown, and what follows; nothing if it is whole."""
    if coverage.whole:
        return ()
    what = "; ".join(coverage.shortfalls)
    return (
        Notice(
            code="not-covered",
            text=f"Only a part of the {coverage.of} is shown ({what}). {consequence}",
        ),
    )

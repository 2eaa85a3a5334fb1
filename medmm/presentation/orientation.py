"""A slice turned the way readers look at it, with letters at its edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Affine, Volume

T = TypeVar("T", bound=np.generic)
SIDE_UNKNOWN = "Orientation unknown: no side is named."
STORED = "Orientation unknown: shown as stored, no side is named."
OBLIQUE = (
    0.34  # sine of some 20 degrees: a direction that an edge's letters name beside the main one
)


def facing(
    grey: NDArray[np.float32], affine_lps_mm: Affine | None
) -> tuple[NDArray[np.float32], tuple[str, str]]:
    """Turn a slice the way readers look at it; name its left and its right edge.

    Rows run toward the patient's left or back, columns toward the back or feet (PS3.3 C.7.6.1.1.1
    names the directions); what runs against that is mirrored. It is as stored, without letters, if
    the affine is unknown.
    """
    edges = edge_letters(affine_lps_mm)
    return turned(grey, affine_lps_mm), (edges.left, edges.right)


def turned(grid: NDArray[T], affine_lps_mm: Affine | None) -> NDArray[T]:
    """Mirror a slice (rows, columns, ...) so that it lies as readers look at it.

    It stays as stored if that is unknown.
    """
    flip = display_flip(affine_lps_mm)
    return grid[:: -1 if flip.rows else 1, :: -1 if flip.columns else 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Whether columns, and rows, are counted from the other end for readers."""

    columns: bool = False
    rows: bool = False


def display_flip(affine_lps_mm: Affine | None) -> Flip:
    """Say how a slice is mirrored so that it lies as readers look at it; not if unknown."""
    if affine_lps_mm is None:
        return Flip()
    (_, columns), (_, rows) = _in_plane(affine_lps_mm)
    return Flip(columns=columns, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The patient's direction at each edge of a turned slice, as letters.

    "R", or "RA" where oblique; "" if unknown.
    """

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""


def edge_letters(affine_lps_mm: Affine | None) -> Edges:
    """Name the edges of a slice after `turned`.

    The main direction comes first, a second one from some 20 degrees on.
    """
    if affine_lps_mm is None:
        return Edges()
    (along, flip_x), (down, flip_y) = _in_plane(affine_lps_mm)
    along, down = -along if flip_x else along, -down if flip_y else down
    return Edges(
        left=_letters(-along), right=_letters(along), top=_letters(-down), bottom=_letters(down)
    )


def stored_edges(volume: Volume) -> Edges:
    """Name the edges of a picture as it is stored, before `turned`.

    A film that only says where the patient's left is has letters left and right alone.
    """
    flip, edges = display_flip(volume.affine_lps_mm), edge_letters(volume.affine_lps_mm)
    left, right = (edges.right, edges.left) if flip.columns else (edges.left, edges.right)
    top, bottom = (edges.bottom, edges.top) if flip.rows else (edges.top, edges.bottom)
    if volume.patient_left_on is not None:
        left, right = ("L", "R") if volume.patient_left_on == "left" else ("R", "L")
    return Edges(left=left, right=right, top=top, bottom=bottom)


def _in_plane(affine_lps_mm: Affine) -> list[tuple[NDArray[np.float64], bool]]:
    """Find the unit direction (toward L, P, F) in which columns, and rows, count up.

    Beside each stands whether it is mirrored.
    """
    axes = np.array(affine_lps_mm)[:3, :2] * [[1], [1], [-1]]
    axes = axes / np.linalg.norm(axes, axis=0)
    return [(axis, bool(axis[np.abs(axis).argmax()] < 0)) for axis in axes.T]


def _letters(toward_lpf: NDArray[np.float64]) -> str:
    order = [n for n in np.argsort(-np.abs(toward_lpf)) if abs(toward_lpf[n]) >= OBLIQUE]
    return "".join("LPF"[n] if toward_lpf[n] > 0 else "RAH"[n] for n in order)


def slice_of(volume: Volume, index_z: int) -> tuple[NDArray[np.float32], tuple[str, str]]:
    """Take a slice as readers look at it, with the letters of its left and right edges.

    A film stays as it is stored.
    """
    grey = volume.frame(index_z)
    if volume.patient_left_on is not None:
        return grey, ("L", "R") if volume.patient_left_on == "left" else ("R", "L")
    return facing(grey, volume.affine_lps_mm)


def film_side_words(patient_left_on: str | None) -> str:
    """Say which side of the patient is where on a film."""
    if patient_left_on is None:
        return SIDE_UNKNOWN
    return f"The patient's left is on the {patient_left_on} of the picture."

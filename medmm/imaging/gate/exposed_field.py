"""The exposed field of a film: the picture inside a collimator's uniform border.

A border is one grey along two opposite sides of the picture or all four, black (a shutter), white
(unexposed film) or any between. What lies within it counts as a field only if it is a rectangle,
upright or a little turned: air around a patient leaves none. A band along one side alone is not a
collimator's: part of the picture may be lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

LOOKED_AT_PX = 256  # longest side of the reduced picture on which the border is found
# Of the picture; outside of these the whole picture stands
LARGEST_SHARE, SMALLEST_SHARE = 0.9, 0.15
SMALLEST_FIELD_PX = 128  # as of a whole film
FILLED = 0.95  # of its rectangle, by a turned field
UNIFORM = 0.97  # of what lies outside of an upright field, by the border
# Of an upright field's edge, by what is no border: a patient in air touches a box in places only
STRAIGHT = 0.6
MOST_DEGREES = 15.0
_SIDES = {"top": np.s_[0, :], "bottom": np.s_[-1, :], "left": np.s_[:, 0], "right": np.s_[:, -1]}
_OF_A_SIDE = 0.6  # in one grey
_TOLERANCES = (0.012, 0.05)  # of the spread of greys, least and most

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedField:
    """The field of a collimated film.

    Attributes:
        grey: the field alone, turned upright, (rows, columns).
        share: its part of the picture's area, 0 to 1.
    """

    grey: Grey
    share: float


def exposed_field(grey: Grey) -> ExposedField | None:
    """Find the field within a uniform border.

    Args:
        grey: display-ready film (rows, columns), 0 black to 1 white.
    Returns: None if the picture has no border, or its field is too small to be judged.
    """
    rows, columns = grey.shape
    step = max(1, -(-max(rows, columns) // LOOKED_AT_PX))
    small = (
        np.asarray(Image.fromarray(np.ascontiguousarray(grey)).reduce(step), dtype=np.float32)
        if step > 1
        else grey
    )
    border = _border(small)
    if border is None:
        return None
    degrees, box = _upright(border) or _turned(border) or (0.0, None)
    if box is None or not SMALLEST_SHARE <= (share := _area(box) / small.size) <= LARGEST_SHARE:
        return None
    cut = _cut(grey, degrees, box, step)
    return ExposedField(grey=cut, share=share) if min(cut.shape) >= SMALLEST_FIELD_PX else None


def _border(small: Grey) -> Mask | None:
    """Find what has a side's own grey and is connected to that side.

    Returns: None without two uniform sides face to face.
    """
    low, high = np.percentile(small, [0.5, 99.5])
    spread = float(high - low)
    if spread <= 0:
        return None
    smooth = ndimage.uniform_filter(small, 3, mode="nearest")
    found: Mask | None = None
    uniform = set()
    for name, side in _SIDES.items():
        strip = smooth[side]
        level = _commonest(strip, spread)
        off = np.abs(strip - level)
        tolerance = float(np.clip(6 * np.median(off) / spread, *_TOLERANCES)) * spread
        if (off <= tolerance).mean() < _OF_A_SIDE:
            continue
        uniform.add(name)
        alike, _ = ndimage.label(np.abs(smooth - level) <= tolerance)
        touching = np.unique(alike[side])
        mask = np.isin(alike, touching[touching > 0])
        found = mask if found is None else found | mask
    return found if {"left", "right"} <= uniform or {"top", "bottom"} <= uniform else None


def _commonest(strip: NDArray[np.float32], spread: float) -> float:
    """Return the grey around which most of a strip lies."""
    ordered = np.sort(strip)
    within = np.searchsorted(
        ordered, ordered + 2 * _TOLERANCES[0] * spread, side="right"
    ) - np.arange(ordered.size)
    first = int(within.argmax())
    return float(np.median(ordered[first : first + int(within[first])]))


def _upright(border: Mask) -> tuple[float, Box] | None:
    """Find the rows and columns that are not all border, if these form an upright field.

    Nothing else may lie outside of them, and their edges must be straight.
    """
    columns = np.flatnonzero(border.mean(axis=0) < 0.9)
    if not columns.size:
        return None
    left, right = int(columns[0]), int(columns[-1]) + 1
    lines = np.flatnonzero(border[:, left:right].mean(axis=1) < 0.9)
    if not lines.size:
        return None
    top, bottom = int(lines[0]), int(lines[-1]) + 1
    outside = np.ones_like(border)
    outside[top:bottom, left:right] = False
    edges = (
        (left > 0, border[top:bottom, left + 1 : left + 3]),
        (right < border.shape[1], border[top:bottom, right - 3 : right - 1]),
        (top > 0, border[top + 1 : top + 3, left:right]),
        (bottom < border.shape[0], border[bottom - 3 : bottom - 1, left:right]),
    )
    straight = all(
        1 - edge.mean() >= STRAIGHT for bordered, edge in edges if bordered and edge.size
    )
    if not outside.any() or border[outside].mean() < UNIFORM or not straight:
        return None
    y, x = border.shape[0] / 2, border.shape[1] / 2
    return 0.0, (left - x, top - y, right - x, bottom - y)


def _turned(border: Mask) -> tuple[float, Box] | None:
    """Find the least rectangle around what is not border, if that fills it."""
    content = _largest(~border)
    if content is None:
        return None
    degrees, box = _rectangle(content)
    return (degrees, box) if content.sum() >= FILLED * _area(box) else None


def _largest(content: Mask) -> Mask | None:
    """Return the largest connected part without its holes.

    Letters and markers in the border are left out.
    """
    parts, count = ndimage.label(ndimage.binary_opening(content, iterations=2))
    if not count:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(ndimage.binary_fill_holes(parts == 1 + int(sizes.argmax())), dtype=np.bool_)


def _rectangle(content: Mask) -> tuple[float, Box]:
    """Find the least rectangle around a mask.

    Returns: the degrees by which it is turned, and its box about the picture's centre.
    """
    y, x = np.nonzero(content ^ ndimage.binary_erosion(content))
    points = np.stack([x + 0.5 - content.shape[1] / 2, y + 0.5 - content.shape[0] / 2])

    def box(degrees: float) -> Box:
        u, v = _turn(-degrees) @ points
        return (
            float(u.min()) - 0.5,
            float(v.min()) - 0.5,
            float(u.max()) + 0.5,
            float(v.max()) + 0.5,
        )

    boxes = {
        float(degrees): box(degrees)
        for degrees in np.arange(-MOST_DEGREES, MOST_DEGREES + 0.25, 0.5)
    }
    degrees = min(boxes, key=lambda d: (_area(boxes[d]), abs(d)))
    if _area(boxes[degrees]) > 0.99 * _area(boxes[0.0]):
        degrees = 0.0  # turned by less than can be told
    return degrees, boxes[degrees]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _turn(degrees: float) -> NDArray[np.float64]:
    """Build the rotation of (x, y), y downwards, clockwise on the picture."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _cut(grey: Grey, degrees: float, box: Box, step: int) -> Grey:
    """Cut the box, less the blurred edge of the border, out of the picture, upright.

    The picture keeps its own resolution.
    """
    x0, y0, x1, y1 = (
        step * (edge + inwards) for edge, inwards in zip(box, (2, 2, -2, -2), strict=True)
    )
    # Of the reduced picture, back at full size
    rows, columns = (step * -(-n // step) for n in grey.shape)
    size = round(x1 - x0), round(y1 - y0)
    if degrees == 0:
        left, top = max(0, round(columns / 2 + x0)), max(0, round(rows / 2 + y0))
        return np.ascontiguousarray(grey[top : top + size[1], left : left + size[0]])
    turn = _turn(degrees)
    corner = turn @ (x0, y0) + (columns / 2, rows / 2)
    wanted = (turn[0, 0], turn[0, 1], corner[0], turn[1, 0], turn[1, 1], corner[1])
    image = Image.fromarray(np.ascontiguousarray(grey))
    cut = image.transform(size, Image.Transform.AFFINE, wanted, Image.Resampling.BILINEAR)
    return np.asarray(cut, dtype=np.float32)

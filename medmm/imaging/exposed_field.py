"""The exposed field of a film: what is left of the picture inside the uniform border that a collimator or a shutter leaves.

A border is one grey along a side of the picture, black (a shutter), white (unexposed film) or any between. What lies
within it counts as a field only where it fills a rectangle, upright or a little turned; air around a patient does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

LOOKED_AT_PX = 256  # longest side of the reduced picture on which the border is found
LARGEST_SHARE, SMALLEST_SHARE = 0.9, 0.15  # of the picture; outside of these the whole picture stands
SMALLEST_FIELD_PX = 128  # as of a whole film
FILLED = 0.95  # of its rectangle, by a field
MOST_DEGREES = 15.0
_UNIFORM = 0.6  # of a side, in one grey
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
    """The field within a uniform border; None where the picture has none, or its field is too small to be judged.

    Args:
        grey: display-ready film (rows, columns), 0 black to 1 white.
    """
    rows, columns = grey.shape
    step = max(1, -(-max(rows, columns) // LOOKED_AT_PX))
    small = np.asarray(Image.fromarray(np.ascontiguousarray(grey)).reduce(step), dtype=np.float32) if step > 1 else grey
    border = _border(small)
    if border is None:
        return None
    content = _largest(~border)
    if content is None or not SMALLEST_SHARE <= content.mean() <= LARGEST_SHARE:
        return None
    degrees, box = _rectangle(content)
    share = _area(box) / content.size
    if content.mean() < FILLED * share or not SMALLEST_SHARE <= share <= LARGEST_SHARE:
        return None
    cut = _cut(grey, degrees, box, step)
    return ExposedField(grey=cut, share=share) if min(cut.shape) >= SMALLEST_FIELD_PX else None


def _border(small: Grey) -> Mask | None:
    """What is of a side's own grey and hangs together with that side; None where no side is uniform."""
    low, high = np.percentile(small, [0.5, 99.5])
    spread = float(high - low)
    if spread <= 0:
        return None
    smooth = ndimage.uniform_filter(small, 3, mode="nearest")
    found: Mask | None = None
    for side in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        strip = smooth[side]
        level = _commonest(strip, spread)
        off = np.abs(strip - level)
        tolerance = float(np.clip(6 * np.median(off) / spread, *_TOLERANCES)) * spread
        if (off <= tolerance).mean() < _UNIFORM:
            continue
        alike, _ = ndimage.label(np.abs(smooth - level) <= tolerance)
        touching = np.unique(alike[side])
        mask = np.isin(alike, touching[touching > 0])
        found = mask if found is None else found | mask
    return found


def _commonest(strip: NDArray[np.float32], spread: float) -> float:
    """The grey around which most of a strip lies."""
    ordered = np.sort(strip)
    within = np.searchsorted(ordered, ordered + 2 * _TOLERANCES[0] * spread, side="right") - np.arange(ordered.size)
    first = int(within.argmax())
    return float(np.median(ordered[first : first + int(within[first])]))


def _largest(content: Mask) -> Mask | None:
    """The largest connected part without its holes; letters and markers in the border are left out."""
    parts, count = ndimage.label(ndimage.binary_opening(content, iterations=2))
    if not count:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(ndimage.binary_fill_holes(parts == 1 + int(sizes.argmax())), dtype=np.bool_)


def _rectangle(content: Mask) -> tuple[float, Box]:
    """The least rectangle around a mask: degrees by which it is turned, and its box about the picture's centre."""
    y, x = np.nonzero(content ^ ndimage.binary_erosion(content))
    points = np.stack([x + 0.5 - content.shape[1] / 2, y + 0.5 - content.shape[0] / 2])

    def box(degrees: float) -> Box:
        u, v = _turn(-degrees) @ points
        return float(u.min()) - 0.5, float(v.min()) - 0.5, float(u.max()) + 0.5, float(v.max()) + 0.5

    boxes = {float(degrees): box(degrees) for degrees in np.arange(-MOST_DEGREES, MOST_DEGREES + 0.25, 0.5)}
    degrees = min(boxes, key=lambda d: (_area(boxes[d]), abs(d)))
    if _area(boxes[degrees]) > 0.99 * _area(boxes[0.0]):
        degrees = 0.0  # turned by less than can be told
    return degrees, boxes[degrees]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _turn(degrees: float) -> NDArray[np.float64]:
    """Rotation of (x, y), y downwards, clockwise on the picture."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _cut(grey: Grey, degrees: float, box: Box, step: int) -> Grey:
    """The box, less the blurred edge of the border, out of the picture at its own resolution, turned upright."""
    x0, y0, x1, y1 = (step * (edge + inwards) for edge, inwards in zip(box, (1, 1, -1, -1), strict=True))
    rows, columns = (step * -(-n // step) for n in grey.shape)  # of the reduced picture, back at full size
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

"""How far a cardiothoracic ratio can be trusted: do looks agree, are outlines a chest's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.models.film.cardiothoracic_ratio import columns_of, largest_parts

Mask = NDArray[np.bool_]
Maps = NDArray[np.float32]
Bounds = Mapping[str, tuple[float, float]]
# Probabilities: where an outline runs, and between which its edge is soft
EDGE, SOFT = 0.5, (0.25, 0.75)
INSIDE = 8  # columns inside an outline's end from which its edge is followed outward
# What is said of a shape outside its bounds.
SHAPES = {
    "lungs": "the outline of the lungs covers an unusual part of the film",
    "heart": "the outline of the heart covers an unusual part of the film",
    "balance": "the two lungs are outlined in very different sizes",
    "tops": "the tops of the two lungs are outlined at very different heights",
    "bottoms": "the bases of the two lungs are outlined at very different heights",
    "middle": "the heart is outlined far from the middle of the chest",
    "depth": "the lower edge of the heart does not lie at the bases of the lungs",
    "fill": "the outline of the heart has an unusual shape",
    "margin": "the outer edge of a lung is not on the film",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What looks at one film say of four columns: heart and outer lung, left and right.

    Attributes:
        columns: (looks, 4), fractions of the film's width, in the image's own left and right.
        soft: summed width of the four edges between the probabilities of SOFT, over the width
            between the lungs.
    """

    columns: NDArray[np.float64]
    soft: float

    @property
    def ratios(self) -> NDArray[np.float64]:
        """The ratio of each look."""
        heart_left, heart_right, lung_left, lung_right = self.columns.T
        return np.asarray((heart_right - heart_left) / (lung_right - lung_left))

    @property
    def spread(self) -> float:
        """Standard deviation of the ratio over the looks."""
        return float(self.ratios.std())

    @property
    def edge_spread(self) -> float:
        """The greatest distance between looks at one column, over the width between the lungs."""
        width = float((self.columns[:, 3] - self.columns[:, 2]).mean())
        return float(np.ptp(self.columns, axis=0).max() / width)


def agreement(looks: Maps) -> Agreement | None:
    """Measure what looks say of the four columns; return None if one finds none.

    Args: looks: lung and heart probabilities (looks, 2, rows, columns) on the film's own grid.
    """
    columns, soft = [], []
    for lungs, heart in looks:
        ends = [
            _ends(heart, largest_parts(heart > EDGE, 1)),
            _ends(lungs, largest_parts(lungs > EDGE, 2)),
        ]
        if ends[0] is None or ends[1] is None:
            return None
        (heart_ends, heart_soft), (lung_ends, lung_soft) = ends[0], ends[1]
        columns.append((*heart_ends, *lung_ends))
        soft.append((heart_soft + lung_soft) / (lung_ends[1] - lung_ends[0]))
    return Agreement(columns=np.asarray(columns), soft=float(np.mean(soft)))


def _ends(probability: Maps, part: Mask) -> tuple[tuple[float, float], float] | None:
    """Find the left and right end of a structure as fractions of the width.

    Returns: the ends, between pixels, and how soft both are.
    """
    if not part.any():
        return None
    rows = part.any(axis=1)
    profile = probability[rows].max(axis=0)
    first, last = columns_of(part)
    count = len(profile)
    start, stop = max(last + 1 - INSIDE, 0), min(first + INSIDE, count)
    left, left_soft = _crossing(profile[:stop][::-1], count)
    right, right_soft = _crossing(profile[start:], count)
    ends = ((stop - left) / count, (start + right) / count)
    return ends, left_soft + right_soft


def _crossing(falling: Maps, count: int) -> tuple[float, float]:
    """Find where a profile from inside to outside crosses EDGE, in columns from its start.

    Returns: that, and its softness as a fraction.
    """
    places = [_first_below(falling, level) for level in (EDGE, *SOFT)]
    return places[0], max(places[1] - places[2], 0.0) / count


def _first_below(falling: Maps, level: float) -> float:
    below = np.flatnonzero(falling < level)
    if not len(below):
        return float(len(falling))
    at = int(below[0])
    if at == 0:
        return 0.0
    high, low = float(falling[at - 1]), float(falling[at])
    return at - 0.5 + (high - level) / max(high - low, 1e-6)


def shapes_of(lungs: Mask, heart: Mask) -> dict[str, float]:
    """Measure area, position and symmetry of outlines, by the names of SHAPES.

    Mirroring changes nothing but rounding.

    Args:
        lungs, heart: masks (rows, columns) of one grid; neither may be empty.
    Returns: shares of the grid, of the chest's width or of its height, without unit.
    """
    columns = lungs.shape[1]
    left, right = columns_of(lungs)
    middle = (left + right + 1) // 2
    halves = [lungs[:, :middle], lungs[:, middle:]]
    sizes = [float(half.sum()) for half in halves]
    vertical = [np.flatnonzero(half.any(axis=1)) for half in halves]
    if not all(len(v) for v in vertical):
        return {"lungs": float(lungs.mean()), "heart": float(heart.mean()), "balance": 0.0}
    top, bottom = min(v[0] for v in vertical), max(v[-1] for v in vertical)
    height, width = bottom - top + 1, right - left + 1
    heart_left, heart_right = columns_of(heart)
    heart_rows = np.flatnonzero(heart.any(axis=1))
    box = (heart_right - heart_left + 1) * len(heart_rows)
    return {
        "lungs": float(lungs.mean()),
        "heart": float(heart.mean()),
        "balance": min(sizes) / max(sizes),
        "tops": abs(float(vertical[0][0] - vertical[1][0])) / height,
        "bottoms": abs(float(vertical[0][-1] - vertical[1][-1])) / height,
        "middle": abs((heart_left + heart_right) / 2 - (left + right) / 2) / width,
        "depth": float(heart_rows[-1] + 1 - top) / height,
        "fill": float(heart.sum()) / box,
        "margin": min(left, columns - 1 - right) / columns,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """Lungs and heart on the film's grid (rows, columns), and what speaks for them or against.

    Attributes:
        shapes: see `shapes_of`; empty if lungs or heart were not found.
        looks: how far the looks agree; None if one of them finds no lungs or no heart.
    """

    lungs: Mask
    heart: Mask
    shapes: Mapping[str, float]
    looks: Agreement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtRule:
    """When a ratio is stated, and with which interval, as chosen on films without figures.

    That is, no figure of the card is measured on these films.

    Attributes:
        shapes: bounds by the names of SHAPES: outside, nothing rests on the outlines.
        ratio: between what a ratio lies that is believed.
        floor: half-width of the interval before `scale`, of a film on which all looks agree.
        slope: of the half-width before `scale`, by the spread of the looks.
        scale: from those to the half of a 95 % interval.
        most_spread: of the looks, above which no ratio is stated.
    """

    shapes: Bounds
    ratio: tuple[float, float]
    floor: float
    slope: float
    scale: float
    most_spread: float

    @classmethod
    def of(cls, calibration: Mapping[str, Any]) -> DoubtRule:
        """Read the rule that calibration.json holds."""
        low, high = calibration["ratio"]
        return cls(
            shapes={
                name: (float(least), float(most))
                for name, (least, most) in calibration["shapes"].items()
            },
            ratio=(float(low), float(high)),
            **{
                name: float(calibration[name])
                for name in ("floor", "slope", "scale", "most_spread")
            },
        )

    def half_width(self, looks: Agreement) -> float:
        """Compute half of the 95 % interval of this film."""
        return self.scale * math.hypot(self.floor, self.slope * looks.spread)

    def implausible(self, shapes: Mapping[str, float]) -> str | None:
        """Say why outlines are not a chest's; return None if they look like one."""
        if not shapes:
            return "lungs or heart were not found"
        for name, (low, high) in self.shapes.items():
            if not low <= shapes[name] <= high:
                return f"{SHAPES[name]} ({name} {shapes[name]:.2f})"
        return None

    def objection(self, seen: Outlines) -> str | None:
        """Say why no ratio is stated; return None if one is."""
        if why := self.implausible(seen.shapes):
            return why
        if seen.looks is None:
            return "lungs or heart were not found on every look at the film"
        low, high = float(seen.looks.ratios.min()), float(seen.looks.ratios.max())
        if low < self.ratio[0] or high > self.ratio[1]:
            return f"the outlines give {low:.2f} to {high:.2f}, which is hardly a person's ratio"
        if seen.looks.spread > self.most_spread:
            return (
                "the outlines are not sure enough: looks at the film as it is, mirrored, "
                f"shifted and scaled give {low:.2f} to {high:.2f}"
            )
        return None

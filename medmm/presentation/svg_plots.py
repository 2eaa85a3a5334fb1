"""Plots of an evaluation: dots with intervals, points on two axes, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from medmm.presentation.plots import PALETTE, Mark, Plot, circle, line, text

ROW, LEFT, RIGHT, TOP = 34, 410, 40, 34
INK, AXIS, GRID, DASHED = "#222", "#888", "#ddd", "#999"


class Interval(Protocol):
    """A figure with its interval; None if there is none."""

    @property
    def value(self) -> float | None:
        """The figure."""
        ...

    @property
    def low(self) -> float | None:
        """The lower end of its interval."""
        ...

    @property
    def high(self) -> float | None:
        """The upper end of its interval."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A colour of the plot: its name and one figure a row, None if there is none."""

    name: str
    figures: tuple[Interval | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A named point of a scatter plot."""

    name: str
    x: float
    y: float


def dots(title: str, rows: Sequence[str], series: Sequence[Series], width: int = 900) -> Plot:
    """Draw a dot with its 95 % interval for every row and series, from 0 to the largest."""
    bounds = [
        f.high if f.high is not None else f.value
        for s in series
        for f in s.figures
        if f is not None
    ]
    most = max([b for b in bounds if b is not None], default=0.0) * 1.05 or 1.0
    height = TOP + ROW * len(rows) + 30
    inner = width - LEFT - RIGHT
    marks = _axis_x(most, TOP - 6, height - 30, inner)
    for i, row in enumerate(rows):
        y = TOP + ROW * i + ROW / 2
        marks.append(_text(LEFT - 10, y + 4, row, "end"))
        for k, its in enumerate(series):
            if (figure := its.figures[i]) is not None and figure.value is not None:
                at = y + (k - (len(series) - 1) / 2) * 11
                marks += _dot(figure.value, figure, LEFT, inner / most, at, PALETTE[k])
    names = tuple(s.name for s in series)
    return Plot(title=title, width=width, height=height, marks=tuple(marks), legend=names)


def _dot(
    value: float, figure: Interval, left: float, scale: float, y: float, colour: str
) -> list[Mark]:
    marks = [circle(left + value * scale, y, 4, fill=colour)]
    if figure.low is not None and figure.high is not None:
        ends = (left + figure.low * scale, y, left + figure.high * scale, y)
        marks.append(line(ends, stroke=colour, **{"stroke-width": "2"}))
    return marks


def scatter(
    title: str,
    x_name: str,
    y_name: str,
    points: Sequence[Point],
    marks: Sequence[tuple[float, str]] = (),
) -> Plot:
    """Draw points with their names; `marks` are upright lines at values of x."""
    width, height, left, base = 900, 380, 80, 320
    most_x = max([p.x for p in points] + [m for m, _ in marks], default=0.0) * 1.1 or 1.0
    most_y = max([p.y for p in points], default=0.0) * 1.15 or 1.0
    inner, tall = width - left - 240, base - 30
    drawn = [_corner(left, base - tall, base, left + inner)]
    for k in range(5):
        x, y = left + inner * k / 4, base - tall * k / 4
        drawn.append(_text(x, base + 18, f"{most_x * k / 4:.2f}", "middle"))
        drawn.append(_text(left - 8, y + 4, f"{most_y * k / 4:.2f}", "end"))
    drawn.append(_text(left + inner / 2, base + 42, x_name, "middle"))
    drawn.append(_text(left, base - tall - 12, y_name, "start"))
    for value, name in marks:
        x = left + inner * value / most_x
        drawn.append(_dashed((x, base - tall, x, base)))
        drawn.append(_text(x + 4, base - tall + 10, name, "start"))
    for n, point in enumerate(points):
        x, y = left + inner * point.x / most_x, base - tall * point.y / most_y
        drawn.append(circle(x, y, 11, fill=PALETTE[0 if n == 0 else 1]))
        drawn.append(_text(x, y + 4, str(n + 1), "middle", "#fff"))
    names = tuple(p.name for p in points)
    return Plot(title=title, width=width, height=height, marks=tuple(drawn), names=names)


def reliability(title: str, points: Sequence[tuple[float, Interval]], note: str = "") -> Plot:
    """Draw a reliability diagram: mean probability of a bin against its share of positives.

    The diagonal stands beside it.

    Args: points: of each bin the mean probability and the share with its interval; note: words
        below the plot.
    """
    size, left, base = 300, 46, 250
    bounds = [
        value
        for x, y in points
        for value in (x, y.high if y.high is not None else y.value)
        if value is not None
    ]
    most = min(1.0, max(bounds, default=0.0) * 1.05) or 1.0
    scale = (base - 16) / most
    right, top = left + most * scale, base - most * scale
    marks = [_corner(left, top, base, right), _dashed((left, base, right, top))]
    for value in (0.0, most / 2, most):
        marks.append(_text(left + value * scale, base + 16, f"{value:.2f}", "middle"))
        marks.append(_text(left - 6, base - value * scale + 4, f"{value:.2f}", "end"))
    marks.append(_text(left + most * scale / 2, base + 36, "mean probability", "middle"))
    marks.append(_text(left + 6, top + 4, "share of positives", "start"))
    for x, share in points:
        at = left + x * scale
        if share.low is not None and share.high is not None:
            span = (at, base - share.low * scale, at, base - min(share.high, most) * scale)
            marks.append(line(span, stroke=PALETTE[0], **{"stroke-opacity": "0.45"}))
        marks.append(circle(at, base - (share.value or 0.0) * scale, 3.5, fill=PALETTE[0]))
    return Plot(title=title, width=size, height=size, marks=tuple(marks), note=note)


def roc(title: str, points: Sequence[tuple[float, float]], note: str = "") -> Plot:
    """Draw a ROC curve: share of studies without a finding against share with it.

    Args: points: from (0, 0) to (1, 1); note: words below the plot.
    """
    size, left, base, top = 300, 46, 250, 24
    scale = base - top
    marks = [_corner(left, top, base, left + scale), _dashed((left, base, left + scale, top))]
    for value in (0.0, 0.5, 1.0):
        marks.append(_text(left + value * scale, base + 16, f"{value:.1f}", "middle"))
        marks.append(_text(left - 6, base - value * scale + 4, f"{value:.1f}", "end"))
    marks.append(_text(left + scale / 2, base + 36, "1 - specificity", "middle"))
    marks.append(_text(left - 40, top - 10, "sensitivity", "start"))
    marks.append(_curve([(left + x * scale, base - y * scale) for x, y in points], PALETTE[0]))
    return Plot(title=title, width=size, height=size, marks=tuple(marks), note=note)


def cumulative(
    title: str, edges: Sequence[float], shares: Sequence[Sequence[float]], note: str = ""
) -> Plot:
    """Draw which share of studies has a value of at most each edge.

    Args: edges: rising; shares: a share an edge for each colour; note: words below the plot.
    """
    width, height, left, base, top = 300, 164, 46, 140, 16
    low, high = edges[0], edges[-1]
    across = (width - left - 16) / ((high - low) or 1.0)
    marks = [_corner(left, top, base, width - 16)]
    for value in dict.fromkeys((low, (low + high) / 2, high)):
        marks.append(_text(left + (value - low) * across, base + 16, f"{value:.3g}", "middle"))
    for share in (0.0, 0.5, 1.0):
        marks.append(_text(left - 6, base - share * (base - top) + 4, f"{share:.0%}", "end"))
    for its, colour in zip(shares, PALETTE, strict=False):
        steps: list[tuple[float, float]] = [(left, base)]
        for edge, share in zip(edges, its, strict=True):
            x, y = left + (edge - low) * across, base - share * (base - top)
            steps += [(x, steps[-1][1]), (x, y)]
        marks.append(_curve(steps, colour))
    return Plot(title=title, width=width, height=height, marks=tuple(marks), note=note)


def _curve(places: Sequence[tuple[float, float]], colour: str) -> Mark:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = {"points": joined, "fill": "none", "stroke": colour, "stroke-width": "2"}
    return Mark(tag="polyline", attributes=drawn)


def _axis_x(most: float, top: float, base: float, inner: float) -> list[Mark]:
    marks = []
    for k in range(5):
        x = LEFT + inner * k / 4
        marks.append(line((x, top, x, base), stroke=GRID))
        marks.append(_text(x, base + 18, f"{most * k / 4:.2f}", "middle"))
    return marks


def _corner(left: float, top: float, base: float, right: float) -> Mark:
    """Draw the two axes: from the top down to the base, and along it."""
    path = f"M{left:g},{top:.1f} V{base:g} H{right:.1f}"
    return Mark(tag="path", attributes={"d": path, "fill": "none", "stroke": AXIS})


def _dashed(ends: Sequence[float]) -> Mark:
    return line(ends, stroke=DASHED, **{"stroke-dasharray": "4 4"})


def _text(x: float, y: float, words: str, anchor: str, colour: str = INK) -> Mark:
    return text(x, y, words, anchor, fill=colour)

"""Plots as SVG, written so that a page stands alone: dots with intervals, points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from medmm.evaluation.metrics import Interval

COLOURS = ("#1f5fa8", "#c2571a", "#3d7d3d", "#7a4fa3")
ROW, LEFT, RIGHT, TOP = 34, 410, 40, 34


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


def dots(title: str, rows: Sequence[str], series: Sequence[Series], width: int = 900) -> str:
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
    parts = _axis_x(most, TOP - 6, height - 30, inner)
    for i, row in enumerate(rows):
        y = TOP + ROW * i + ROW / 2
        parts.append(_text(LEFT - 10, y + 4, row, "end"))
        for k, its in enumerate(series):
            if (figure := its.figures[i]) is not None and figure.value is not None:
                parts += _dot(
                    figure.value,
                    figure,
                    LEFT,
                    inner / most,
                    y + (k - (len(series) - 1) / 2) * 11,
                    COLOURS[k],
                )
    return _svg(title, width, height, parts) + legend([s.name for s in series])


def _dot(
    value: float, figure: Interval, left: float, scale: float, y: float, colour: str
) -> list[str]:
    parts = [f'<circle cx="{left + value * scale:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>']
    if figure.low is not None and figure.high is not None:
        ends = f'x1="{left + figure.low * scale:.1f}" x2="{left + figure.high * scale:.1f}"'
        parts.append(f'<line {ends} y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>')
    return parts


def scatter(
    title: str,
    x_name: str,
    y_name: str,
    points: Sequence[Point],
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Draw points with their names; `marks` are upright lines at values of x."""
    width, height, left, base = 900, 380, 80, 320
    most_x = max([p.x for p in points] + [m for m, _ in marks], default=0.0) * 1.1 or 1.0
    most_y = max([p.y for p in points], default=0.0) * 1.15 or 1.0
    inner, tall = width - left - 240, base - 30
    parts = [f'<path d="M{left},{base - tall} V{base} H{left + inner}" fill="none" stroke="#888"/>']
    for k in range(5):
        x, y = left + inner * k / 4, base - tall * k / 4
        parts += [
            _text(x, base + 18, f"{most_x * k / 4:.2f}", "middle"),
            _text(left - 8, y + 4, f"{most_y * k / 4:.2f}", "end"),
        ]
    parts += [
        _text(left + inner / 2, base + 42, x_name, "middle"),
        _text(left, base - tall - 12, y_name, "start"),
    ]
    for value, name in marks:
        x = left + inner * value / most_x
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base - tall}" y2="{base}" stroke="#999" '
            'stroke-dasharray="4 4"/>'
        )
        parts.append(_text(x + 4, base - tall + 10, name, "start"))
    for n, point in enumerate(points):
        x, y = left + inner * point.x / most_x, base - tall * point.y / most_y
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="11" fill="{COLOURS[0 if n == 0 else 1]}"/>'
        )
        parts.append(_text(x, y + 4, str(n + 1), "middle", "#fff"))
    names = "".join(f"<li>{escape(p.name)}</li>" for p in points)
    return _svg(title, width, height, parts) + f'<ol class="names">{names}</ol>'


def reliability(title: str, points: Sequence[tuple[float, Interval]], note: str = "") -> str:
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
    parts = [
        (
            f'<path d="M{left},{base - most * scale:.1f} V{base} H{left + most * scale:.1f}" '
            'fill="none" stroke="#888"/>'
        )
    ]
    ends = f'x2="{left + most * scale:.1f}" y2="{base - most * scale:.1f}"'
    parts.append(f'<line x1="{left}" y1="{base}" {ends} stroke="#999" stroke-dasharray="4 4"/>')
    for value in (0.0, most / 2, most):
        parts.append(_text(left + value * scale, base + 16, f"{value:.2f}", "middle"))
        parts.append(_text(left - 6, base - value * scale + 4, f"{value:.2f}", "end"))
    parts.append(_text(left + most * scale / 2, base + 36, "mean probability", "middle"))
    parts.append(_text(left + 6, base - most * scale + 4, "share of positives", "start"))
    for x, share in points:
        at = left + x * scale
        if share.low is not None and share.high is not None:
            span = (
                f'y1="{base - share.low * scale:.1f}" '
                f'y2="{base - min(share.high, most) * scale:.1f}"'
            )
            parts.append(
                f'<line x1="{at:.1f}" x2="{at:.1f}" {span} stroke="{COLOURS[0]}" '
                'stroke-opacity="0.45"/>'
            )
        parts.append(
            f'<circle cx="{at:.1f}" cy="{base - (share.value or 0.0) * scale:.1f}" r="3.5" '
            f'fill="{COLOURS[0]}"/>'
        )
    return _svg(title, size, size, parts, note)


def legend(names: Sequence[str]) -> str:
    """Draw the colours with their names."""
    parts = (
        f'<span><i style="background:{c}"></i>{escape(n)}</span>'
        for n, c in zip(names, COLOURS, strict=False)
    )
    return f'<p class="legend">{"".join(parts)}</p>'


def _axis_x(most: float, top: float, base: float, inner: float) -> list[str]:
    parts = []
    for k in range(5):
        x = LEFT + inner * k / 4
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{base}" stroke="#ddd"/>')
        parts.append(_text(x, base + 18, f"{most * k / 4:.2f}", "middle"))
    return parts


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(words)}</text>'
    )


def _svg(title: str, width: int, height: int, parts: Sequence[str], note: str = "") -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title, quote=True)}">{"".join(parts)}</svg>'
        f"{f'<p>{escape(note)}</p>' if note else ''}</figure>"
    )

"""The curves of a run as one HTML file that needs no other: SVG in the page, no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from medmm.presentation.pages import page
from medmm.presentation.plots import Mark, Plot, circle, line, text

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 240, 64, 32, 12, 12
FIGURES = {
    "loss": "Loss",
    "text_loss": "Loss of the text",
    "finding_loss": "Loss of the finding heads",
    "outline_loss": "Loss of the outlines",
    "presence_loss": "Loss of presence in slices",
    "learning_rate": "Learning rate",
    "examples_per_second": "Examples a second",
}
Points = list[tuple[float, float]]


def curves(name: str, rows: Sequence[Mapping[str, Any]], state: str) -> str:
    """Make the page of a run's log (`FitResult.log`)."""
    figures = []
    for key, title in FIGURES.items():
        steps, epochs = points(rows, "steps", key), points(rows, "epoch", key)
        if not key.endswith("loss"):
            epochs = []
        if steps or epochs:
            figures.append(figure(title, steps, epochs))
    for key in sorted({key for row in rows for key in row.get("validation", {})}):
        if epochs := points(rows, "epoch", key, within="validation"):
            figures.append(figure(f"Validation: {key}", [], epochs))
    return page("curves.html", name=name, state=state, figures=figures)


def points(rows: Sequence[Mapping[str, Any]], kind: str, key: str, within: str = "") -> Points:
    """(step, value) of the rows of a kind that have a finite value."""
    found = []
    for row in rows:
        value = (row.get(within, {}) if within else row).get(key)
        if row["kind"] == kind and value is not None and math.isfinite(value):
            found.append((float(row["step"]), float(value)))
    return found


def figure(title: str, steps: Points, epochs: Points) -> Plot:
    """Draw one chart: a line over the steps, one over the epochs."""
    both = steps + epochs
    x_ticks = ticks(min(x for x, _ in both), max(x for x, _ in both))
    y_ticks = ticks(min(y for _, y in both), max(y for _, y in both))

    def x_at(x: float) -> float:
        return LEFT + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        return (
            HEIGHT
            - BOTTOM
            - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - BOTTOM - TOP)
        )

    marks = []
    for y in y_ticks:
        marks.append(line((LEFT, y_at(y), WIDTH - RIGHT, y_at(y)), **{"class": "grid"}))
        marks.append(text(LEFT - 6, y_at(y) + 4, f"{y:.4g}", "end"))
    marks += [text(x_at(x), HEIGHT - BOTTOM + 18, f"{x:.6g}", "middle") for x in x_ticks]
    for style, curve in (("line", steps), ("epoch", epochs)):
        placed = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in curve)
        if len(curve) > 1:
            marks.append(Mark(tag="polyline", attributes={"class": style, "points": placed}))
    marks += [circle(x_at(x), y_at(y), 3, **{"class": "dot"}) for x, y in epochs]
    return Plot(
        title=title,
        width=WIDTH,
        height=HEIGHT,
        marks=tuple(marks),
        label=f"{title}: {both[0][1]:.4g} to {both[-1][1]:.4g}",
        shown_px=WIDTH,
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers around a range, three to seven of them."""
    if high <= low:
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / 4
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * m for m in (1, 2, 2.5, 5, 10) if scale * m >= rough)
    first = math.floor(low / step)
    return [n * step for n in range(first, max(math.ceil(high / step), first + 1) + 1)]

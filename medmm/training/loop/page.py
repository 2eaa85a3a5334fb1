"""The curves of a run as one HTML file that needs no other: SVG in the page, no script."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

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
STYLE = """body{font:15px system-ui,sans-serif;margin:2rem;color:#1c2733;background:#fff}
h1{font-size:1.4rem}h2{font-size:1rem;margin:0 0 .3rem}main{display:flex;flex-wrap:wrap;gap:1.5rem}
figure{margin:0}svg{max-width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:#44525f}
.grid{stroke:#e1e7ec}.line{fill:none;stroke:#1f5fa8;stroke-width:1.6}
.epoch{fill:none;stroke:#b3541e;stroke-width:1.8}
.dot{fill:#b3541e}.key{font-size:.85rem;color:#44525f}
.key b:first-child{color:#1f5fa8}.key b:last-child{color:#b3541e}"""
Points = list[tuple[float, float]]


def page(name: str, rows: Sequence[Mapping[str, Any]], state: str) -> str:
    """Build the page of a run's log (`FitResult.log`)."""
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
    body = "\n".join(figures) or "<p>No step was logged yet.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta '
        f'charset="utf-8"><title>{html.escape(name)}: curves</title>\n'
        f"<style>{STYLE}</style></head>\n<body><h1>{html.escape(name)}</h1><p>{html.escape(state)}</p>\n"
        '<p class="key">Over steps: <b>mean since the line before</b>, <b>mean of the epoch, '
        "and validation</b></p>\n"
        f"<main>\n{body}\n</main></body></html>\n"
    )


def points(rows: Sequence[Mapping[str, Any]], kind: str, key: str, within: str = "") -> Points:
    """List (step, value) of the rows of a kind that have a finite value."""
    found = []
    for row in rows:
        value = (row.get(within, {}) if within else row).get(key)
        if row["kind"] == kind and value is not None and math.isfinite(value):
            found.append((float(row["step"]), float(value)))
    return found


def figure(title: str, steps: Points, epochs: Points) -> str:
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

    parts = [
        (
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_at(y):.1f}" '
            f'y2="{y_at(y):.1f}"/><text x="{LEFT - 6}" y="{y_at(y) + 4:.1f}" '
            f'text-anchor="end">{y:.4g}</text>'
        )
        for y in y_ticks
    ]
    parts += [
        f'<text x="{x_at(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:.6g}</text>'
        for x in x_ticks
    ]
    for style, line in (("line", steps), ("epoch", epochs)):
        placed = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in line)
        parts += [f'<polyline class="{style}" points="{placed}"/>'] if len(line) > 1 else []
    parts += [
        f'<circle class="dot" r="3" cx="{x_at(x):.1f}" cy="{y_at(y):.1f}"/>' for x, y in epochs
    ]
    label = html.escape(f"{title}: {both[0][1]:.4g} to {both[-1][1]:.4g}")
    return (
        f"<figure><h2>{html.escape(title)}</h2>"
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">'
        f"{''.join(parts)}</svg></figure>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Choose three to seven round numbers around a range."""
    if high <= low:
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / 4
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * m for m in (1, 2, 2.5, 5, 10) if scale * m >= rough)
    first = math.floor(low / step)
    return [n * step for n in range(first, max(math.ceil(high / step), first + 1) + 1)]

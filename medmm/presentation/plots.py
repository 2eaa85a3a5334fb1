"""Plots as marks on a plane, which `templates/plots.html` draws as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PALETTE = ("#1f5fa8", "#c2571a", "#3d7d3d", "#7a4fa3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One element of a plot with its attributes (SVG 2), and its words if it is a text."""

    tag: Literal["circle", "line", "path", "polyline", "text"]
    attributes: Mapping[str, str]
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot of a width and height in its own units.

    Attributes:
        label: what is read out in place of the picture; the title unless it says more.
        note: words below the plot.
        legend: names of the colours, in the order of `PALETTE`.
        names: of numbered points, in their order.
        shown_px: the width on the page; None to fill it.
    """

    title: str
    width: int
    height: int
    marks: tuple[Mark, ...]
    label: str = ""
    note: str = ""
    legend: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    shown_px: int | None = None
    colours: tuple[str, ...] = field(default=PALETTE, init=False)


def line(ends: Sequence[float], **attributes: str) -> Mark:
    """Draw a line from (x, y) to (x, y)."""
    x1, y1, x2, y2 = (f"{end:.1f}" for end in ends)
    return Mark(tag="line", attributes={"x1": x1, "x2": x2, "y1": y1, "y2": y2, **attributes})


def circle(x: float, y: float, radius: float, **attributes: str) -> Mark:
    """Draw a dot."""
    place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{radius:g}"}
    return Mark(tag="circle", attributes={**place, **attributes})


def text(x: float, y: float, words: str, anchor: str, **attributes: str) -> Mark:
    """Write words that start, end or have their middle at a place."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    return Mark(tag="text", attributes={**place, **attributes}, words=words)

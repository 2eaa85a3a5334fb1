"""Plots of shares with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

ACCENT, LINE, WORDS = "#4fb3c8", "#5d727d", "#c9d1d7"
ROW_PX, AXIS_PX, LONGEST_LABEL_PX = 26, 56, 260


def interval_chart(
    points: Sequence[dict[str, Any]], title: str, domain: tuple[float, float], *, zero: bool = False
) -> alt.LayerChart:
    """Draw a dot with its interval for each name, in the order given.

    Args:
        points: `name`, `share`, `low` and `high` each.
        title: of the axis, with its unit.
        domain: what the axis spans.
        zero: whether a line marks zero.
    """
    frame = pd.DataFrame(points)
    names = [point["name"] for point in points]
    axis = alt.Axis(labelLimit=LONGEST_LABEL_PX, title=None)
    base = alt.Chart(frame).encode(y=alt.Y("name:N", sort=names, axis=axis))
    scale = alt.Scale(domain=list(domain))
    rules = base.mark_rule(color=LINE, strokeWidth=2).encode(
        x=alt.X("low:Q", scale=scale, title=title), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=70, color=ACCENT, opacity=1).encode(x="share:Q")
    layers = [rules, dots]
    if zero:
        line = alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=WORDS, strokeDash=[4, 4])
        layers.insert(0, line.encode(x="at:Q"))
    chart = alt.layer(*layers).properties(
        height=ROW_PX * len(points) + AXIS_PX  # Streamlit fits the axis into it
    )
    return (
        chart.configure(background="transparent")
        .configure_axis(labelColor=WORDS, titleColor=WORDS, gridColor="#2b3238")
        .configure_view(stroke=None)
    )

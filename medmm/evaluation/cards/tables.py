"""Figures and tables as the cards and pages print them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def figure(value: Json | float | None) -> str:
    """Format a figure with its interval."""
    if value is None:
        return "n/a"
    if isinstance(value, int | float):
        return f"{value:.3f}"
    if value.get("value") is None:
        return "n/a"
    interval = f" [{value['low']:.3f}, {value['high']:.3f}]" if value.get("low") is not None else ""
    return f"{value['value']:.3f}{interval}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Build a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"

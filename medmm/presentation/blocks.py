"""Blocks of a page that is put together from top to bottom (`templates/blocks.html`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from medmm.presentation.plots import Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading; `level` 1 is that of the page."""

    kind: ClassVar[str] = "heading"
    words: str
    level: Literal[1, 2, 3] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Some sentences."""

    kind: ClassVar[str] = "paragraph"
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list; folded under `summary` if there is one."""

    kind: ClassVar[str] = "items"
    items: tuple[str, ...]
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of cells in print; the first row stands out where `first` says so."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A plot."""

    kind: ClassVar[str] = "figure"
    plot: Plot


Block = Heading | Paragraph | Items | Table | Figure

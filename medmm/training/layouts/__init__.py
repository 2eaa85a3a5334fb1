"""Folders of public sets, as distributed, and of one's own films: all to `ReportedFilm`. See docs/training-data.md."""

from medmm.training.layouts.example import FilmSource, Layout, ReportedFilm, ReportText
from medmm.training.layouts.gathering import counted
from medmm.training.layouts.registry import LAYOUTS, read_layout

__all__ = ["LAYOUTS", "FilmSource", "Layout", "ReportText", "ReportedFilm", "counted", "read_layout"]

"""Folders of public sets, as distributed, and of one's own films, to `ReportedFilm`.

See docs/training-data.md.
"""

from medmm.training.data.layouts.collector import counted
from medmm.training.data.layouts.registry import LAYOUTS, read_layout
from medmm.training.data.layouts.reported_film import FilmSource, Layout, ReportedFilm, ReportText

__all__ = [
    "LAYOUTS",
    "FilmSource",
    "Layout",
    "ReportText",
    "ReportedFilm",
    "counted",
    "read_layout",
]

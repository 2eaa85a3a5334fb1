"""What a path was understood as, as one HTML page that stands alone, with its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medmm.domain.study import Volume
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.presentation.draft_words import RESEARCH
from medmm.presentation.film_picture import grey_bytes
from medmm.presentation.inspection_words import series_rows, verdict_rows
from medmm.presentation.orientation import slice_of
from medmm.presentation.pages import Figure, page
from medmm.presentation.slice_picture import slice_title

BANNER = f"A look at what came in: no draft and no report. {RESEARCH}"
LONGEST_PX = 700
MOST_SLICES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """One series: its number, what it was understood as, and pictures of each volume."""

    number: int
    rows: tuple[tuple[str, str], ...]
    volumes: tuple[tuple[Figure, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Study:
    """The gate's verdict on one study, and its series."""

    verdict: tuple[tuple[str, str], ...]
    series: tuple[_Series, ...]


def study_html(found: Sequence[Inspection]) -> str:
    """Make the page of everything that a path holds.

    The patient is not named, but pictures may hold burned-in text.
    """
    return page("study.html", banner=BANNER, studies=tuple(map(_study, found)))


def _study(found: Inspection) -> _Study:
    accepted = found.study is not None
    series = (_series(look, n, accepted=accepted) for n, look in enumerate(found.series, start=1))
    return _Study(verdict=tuple(verdict_rows(found)), series=tuple(series))


def _series(look: SeriesLook, number: int, *, accepted: bool) -> _Series:
    return _Series(
        number=number,
        rows=tuple(series_rows(look, number, accepted=accepted)),
        volumes=tuple(map(_figures, look.volumes)),
    )


def _figures(volume: Volume) -> tuple[Figure, ...]:
    """Show the film, or slices at even steps through the volume."""
    slices = volume.shape_zyx[0]
    wanted = sorted({round(z) for z in np.linspace(0, slices - 1, min(slices, MOST_SLICES))})
    longest = LONGEST_PX if len(wanted) == 1 else LONGEST_PX // 3
    figures = []
    for z in wanted:
        grey, edges = slice_of(volume, z)
        caption = slice_title(volume, z) if slices > 1 else "as it was understood"
        picture = grey_bytes(grey, longest, aspect=volume.pixel_aspect)
        figures.append(Figure.of(picture, caption, edges))
    return tuple(figures)

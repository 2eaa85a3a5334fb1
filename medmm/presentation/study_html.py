"""What a path was understood as, as one self-contained HTML page with its pictures. No script, all escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from medmm.domain.study import Volume
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.presentation.draft_html import STYLE, figure, letters
from medmm.presentation.film_picture import grey_bytes
from medmm.presentation.inspection_words import series_rows, verdict_rows
from medmm.presentation.orientation import slice_of

BANNER = "A look at what came in: no draft and no report. Research software, not a medical device."
LONGEST_PX = 700
MOST_SLICES = 12


def study_html(found: Sequence[Inspection]) -> str:
    """The page of everything that a path holds; the patient is not named, but pictures may hold burned-in text."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Look at a study</title><style>{STYLE}</style></head><body>
<header>{escape(BANNER)}</header>{"".join(_one(inspection) for inspection in found)}</body></html>
"""


def _one(found: Inspection) -> str:
    accepted = found.study is not None
    looks = "".join(
        _series(look, number, accepted) for number, look in enumerate(found.series, start=1)
    )
    return f"<main><section><h1>Verdict</h1>{_table(tuple(verdict_rows(found)))}</section><section></section>{looks}</main>"


def _series(look: SeriesLook, number: int, accepted: bool) -> str:
    pictures = "".join(_pictures(volume) for volume in look.volumes) or "<p>No picture.</p>"
    words = _table(tuple(series_rows(look, number, accepted=accepted)))
    return f"<section><h2>series {number}</h2>{pictures}</section><section><h2>understood as</h2>{words}</section>"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows
    )
    return f"<table>{cells}</table>"


def _pictures(volume: Volume) -> str:
    slices = volume.shape_zyx[0]
    wanted = sorted({round(z) for z in np.linspace(0, slices - 1, min(slices, MOST_SLICES))})
    longest = LONGEST_PX if len(wanted) == 1 else LONGEST_PX // 3
    figures = []
    for z in wanted:
        grey, edges = slice_of(volume, z)
        caption = f"slice {z + 1} of {slices}" if slices > 1 else "as it was understood"
        picture = grey_bytes(grey, longest, aspect=volume.pixel_aspect)
        figures.append(figure(picture, caption, letters(*edges)))
    joined = "".join(figures)
    return joined if len(figures) == 1 else f'<div class="heats">{joined}</div>'

"""What a path was understood as, as a page in the terminal: words and pictures.

Pictures are of half blocks, if the terminal has colours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from medmm.domain.study_inspection import Inspection
from medmm.doors.session import add_row, new_table
from medmm.presentation.film_picture import grey_bytes
from medmm.presentation.inspection_words import series_rows, verdict_rows
from medmm.presentation.orientation import slice_of

PICTURE_COLUMNS = 64
UPPER_HALF = "▀"
COLOURS = ("256", "truecolor")


def study_page(found: Inspection, console: Console) -> None:
    """Print one study of a path, or what was no study."""
    table = new_table()
    for name, value in verdict_rows(found):
        add_row(table, name, value)
    console.print(table)
    for number, look in enumerate(found.series, start=1):
        table = new_table()
        for name, value in series_rows(look, number, accepted=found.study is not None):
            add_row(table, name, value)
        console.print(table)
        if console.is_terminal and console.color_system in COLOURS:
            for volume in look.volumes:
                grey, _ = slice_of(volume, volume.shape_zyx[0] // 2)
                console.print(
                    half_blocks(grey, volume.pixel_aspect, min(PICTURE_COLUMNS, console.width))
                )


def half_blocks(grey: NDArray[np.float32], aspect: float, columns: int) -> Segments:
    """Draw a picture of half blocks, two pixels above each other in a character cell.

    The cell is twice as high as wide.
    """
    tall = max(1.0, grey.shape[0] * aspect / grey.shape[1])
    small = grey_bytes(grey, round(columns * tall), aspect=aspect)[:, :columns]
    return colour_blocks(np.repeat(small[..., None], 3, axis=2))


def colour_blocks(rgb: NDArray[np.uint8]) -> Segments:
    """Draw half blocks of an RGB picture (rows, columns, 3), a pixel a column."""
    rgb = np.pad(rgb, ((0, rgb.shape[0] % 2), (0, 0), (0, 0)))
    segments = []
    for upper, lower in zip(rgb[::2].tolist(), rgb[1::2].tolist(), strict=True):
        segments += [Segment(UPPER_HALF, _style(u, v)) for u, v in zip(upper, lower, strict=True)]
        segments.append(Segment.line())
    return Segments(segments)


def _style(upper: list[int], lower: list[int]) -> Style:
    return Style(color="rgb({},{},{})".format(*upper), bgcolor="rgb({},{},{})".format(*lower))

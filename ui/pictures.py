"""The film as the page shows it: window, heat-map, box; and a score beside its operating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medmm.domain.reading import Region
from medmm.presentation.film_picture import grey_bytes, heat_overlay

LONGEST_PX = 1000
BOX_COLOUR = (120, 220, 255)
BAR_PX = (20, 280)  # rows, columns
TRACK, BELOW, REACHED, TICK = (228, 232, 236), (148, 163, 176), (38, 109, 133), (24, 32, 40)


def film_picture(
    grey: NDArray[np.float32],
    window: tuple[float, float],
    region: Region | None,
    opacity: float,
    aspect: float = 1.0,
) -> NDArray[np.uint8]:
    """RGB (rows, columns, 3) of a display-ready film (rows, columns), with a region's heat and box where given.

    Args:
        aspect: height of a pixel over its width.
    """
    picture = grey_bytes(grey, LONGEST_PX, window, aspect)
    if region is None:
        return np.repeat(picture[..., None], 3, axis=2)
    image = Image.fromarray(heat_overlay(picture, region, opacity))
    rows, columns = picture.shape
    x0, y0, x1, y1 = region.box_xyxy
    box = (x0 * columns, y0 * rows, x1 * columns - 1, y1 * rows - 1)
    ImageDraw.Draw(image).rectangle(box, outline=BOX_COLOUR, width=2)
    return np.asarray(image)


def score_bar(probability: float, threshold: float) -> NDArray[np.uint8]:
    """RGB (rows, columns, 3): a bar from 0 to 1 filled to `probability`, a dark tick at the operating point."""
    rows, columns = BAR_PX
    bar = np.full((rows, columns, 3), TRACK, dtype=np.uint8)
    bar[4:-4, : round(probability * columns)] = REACHED if probability >= threshold else BELOW
    bar[:4] = bar[-4:] = 255
    tick = min(round(threshold * columns), columns - 3)
    bar[:, tick : tick + 3] = TICK
    return bar

"""The film as the page shows it: window, heat-map, box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medmm.domain.display import grey_bytes, heat_overlay
from medmm.domain.reading import Region

LONGEST_PX = 1000
BOX_COLOUR = (120, 220, 255)


def film_picture(
    grey: NDArray[np.float32], window: tuple[float, float], region: Region | None, opacity: float
) -> NDArray[np.uint8]:
    """RGB (rows, columns, 3) of a display-ready film (rows, columns), with a region's heat and box where given."""
    picture = grey_bytes(grey, LONGEST_PX, window)
    if region is None:
        return np.repeat(picture[..., None], 3, axis=2)
    image = Image.fromarray(heat_overlay(picture, region, opacity))
    rows, columns = picture.shape
    x0, y0, x1, y1 = region.box_xyxy
    box = (x0 * columns, y0 * rows, x1 * columns - 1, y1 * rows - 1)
    ImageDraw.Draw(image).rectangle(box, outline=BOX_COLOUR, width=2)
    return np.asarray(image)

"""A film as bytes of grey or RGB, with the heat of a region in the one set of colours."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medmm.domain.reading import Region

HEAT_NOTE = "A heat-map shows where a network's score comes from, not the outline of a lesion."
LONGEST_PX = 1000
BOX_COLOUR = (120, 220, 255)
BAR_PX = (20, 280)  # rows, columns
TRACK, BELOW, REACHED, TICK = (228, 232, 236), (148, 163, 176), (38, 109, 133), (24, 32, 40)
SQUARE = 0.01  # pixels that differ less from a square are shown as squares


# Anchors of a perceptually ordered map from dark purple over orange to light yellow (after
# matplotlib's inferno, CC0).
ANCHORS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    dtype=np.float32,
)


def grey_bytes(
    grey: NDArray[np.float32],
    longest_px: int,
    window: tuple[float, float] = (0.0, 1.0),
    aspect: float = 1.0,
) -> NDArray[np.uint8]:
    """Shrink a film to uint8 (rows, columns) by averages of blocks.

    Its longest side is at most `longest_px`.

    Args:
        grey: (rows, columns), 0 black to 1 white.
        window: (level shown black, level shown white).
        aspect: height of a pixel over its width; the shorter side of a pixel is stretched to the
            longer.
    """
    tall, wide = max(aspect, 1.0), max(1 / aspect, 1.0)
    if abs(aspect - 1) < SQUARE:
        tall = wide = 1.0
    scale = max(1.0, max(grey.shape[0] * tall, grey.shape[1] * wide) / longest_px)
    small = _averaged(grey, max(1, math.ceil(scale / tall)), max(1, math.ceil(scale / wide)))
    if tall != wide:
        shape = tuple(
            max(1, round(n * by / scale)) for n, by in zip(grey.shape, (tall, wide), strict=True)
        )
        small = resized(small, shape)
    low, high = window
    return np.rint(np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def _averaged(grey: NDArray[np.float32], tall: int, wide: int) -> NDArray[np.float32]:
    """Average blocks of `tall` x `wide` pixels.

    What is left over at the far edges is left out.
    """
    tall, wide = min(tall, grey.shape[0]), min(wide, grey.shape[1])
    rows, columns = grey.shape[0] // tall * tall, grey.shape[1] // wide * wide
    blocks = grey[:rows, :columns].reshape(rows // tall, tall, columns // wide, wide)
    return np.asarray(blocks.mean((1, 3)), dtype=np.float32)


def heat_overlay(
    picture: NDArray[np.uint8], region: Region, opacity: float = 0.5
) -> NDArray[np.uint8]:
    """Lay the heat of a region over a grey picture, as RGB (rows, columns, 3).

    Where there is no heat the picture stays grey.
    """
    heat = resized(np.asarray(region.heat, dtype=np.float32) / np.float32(255), picture.shape)
    cover = np.clip(opacity * heat * 1.5, 0, opacity)[..., None]
    base = np.repeat(picture[..., None].astype(np.float32), 3, axis=2)
    return np.rint(base * (1 - cover) + colours(heat) * cover).astype(np.uint8)


def colours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give values of 0 to 1 their colours, RGB (…, 3) of 0 to 255."""
    place = np.clip(values, 0, 1) * (len(ANCHORS) - 1)
    lower = np.minimum(place.astype(int), len(ANCHORS) - 2)
    part = (place - lower)[..., None]
    return np.asarray(ANCHORS[lower] * (1 - part) + ANCHORS[lower + 1] * part, dtype=np.float32)


def resized(grid: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample a small grid to `shape` (rows, columns), bilinearly between cell centres."""
    out = grid
    for axis in (0, 1):
        size = out.shape[axis]
        place = np.clip((np.arange(shape[axis]) + 0.5) / shape[axis] * size - 0.5, 0, size - 1)
        lower = np.minimum(place.astype(int), max(size - 2, 0))
        part = (place - lower).reshape((-1, 1) if axis == 0 else (1, -1))
        upper = np.minimum(lower + 1, size - 1)
        out = np.take(out, lower, axis) * (1 - part) + np.take(out, upper, axis) * part
    return out.astype(np.float32)


def film_picture(
    grey: NDArray[np.float32],
    window: tuple[float, float],
    region: Region | None,
    opacity: float,
    aspect: float = 1.0,
) -> NDArray[np.uint8]:
    """Draw a film (rows, columns) in its window as RGB (rows, columns, 3).

    The heat and the box of a region lie over it if there is one.

    Args:
        aspect: height of a pixel over its width.
    """
    picture = grey_bytes(grey, LONGEST_PX, window, aspect)
    if region is None:
        return np.repeat(picture[..., None], 3, axis=2)
    return heat_picture(picture, region, opacity)


def heat_picture(
    picture: NDArray[np.uint8], region: Region, opacity: float, box_width_px: int = 2
) -> NDArray[np.uint8]:
    """Lay a region's heat and box over a grey picture, as RGB (rows, columns, 3)."""
    image = Image.fromarray(heat_overlay(picture, region, opacity))
    rows, columns = picture.shape
    x0, y0, x1, y1 = region.box_xyxy
    box = (x0 * columns, y0 * rows, x1 * columns - 1, y1 * rows - 1)
    ImageDraw.Draw(image).rectangle(box, outline=BOX_COLOUR, width=box_width_px)
    return np.asarray(image)


def score_bar(probability: float, threshold: float) -> NDArray[np.uint8]:
    """Draw a bar from 0 to 1 filled to `probability`, as RGB (rows, columns, 3).

    A dark tick stands at the operating point.
    """
    rows, columns = BAR_PX
    bar = np.full((rows, columns, 3), TRACK, dtype=np.uint8)
    bar[4:-4, : round(probability * columns)] = REACHED if probability >= threshold else BELOW
    bar[:4] = bar[-4:] = 255
    tick = min(round(threshold * columns), columns - 3)
    bar[:, tick : tick + 3] = TICK
    return bar

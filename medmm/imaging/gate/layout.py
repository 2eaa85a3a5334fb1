"""Several pictures in one: mosaics of MR slices, films side by side, things drawn in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medmm.imaging.dicom.pixels import Shown
from medmm.imaging.gate.rules import Refusal, judge_pixels

Grey = NDArray[np.float32]
CELLS = 24  # along each side of a tile that are compared
MOST_TILES, LEAST_TILES = 16, 3  # along one side of a mosaic
# Of neighbouring tiles of a mosaic: likeness; grey where they meet over that of all
SAME_SHAPE, DARK_SEAMS = 0.3, 0.5
# Part of the spread of grey in a tile; 0.12 and more in halves and thirds of films
LEAST_CONTOURS = 0.08
SAME_FILM = 0.8  # likeness of contours of two exposures of one patient side by side
LINES = 250  # that are looked at across a divider or a seam
MIDDLE = (0.3, 0.7)  # of a side: between two films, and across a patient in one
# Greatest spread of grey along a divider; least part of the side that it takes
DIVIDER_SPREAD, DIVIDER_SHARE = (0.003, 0.005)
# Least step of grey across a seam, and part of its length that has it
SEAM_STEP, SEAM_ROWS = 0.08, 0.7


MOSAIC = Refusal(
    code="mosaic", reason="by its pixels perhaps a mosaic: many slices in one picture", held=True
)
TWO_FILMS = Refusal(
    code="shape", reason="by its pixels perhaps two films in one picture", held=True
)
FOREIGN = Refusal(
    code="far-values",
    reason="many pixels within the picture have a value far from all others: perhaps something was "
    "drawn into it",
    held=True,
)


def judge_layout(pixels: Grey, *, film: bool, foreign: bool = False) -> Refusal | None:
    """Hold a display-ready picture that is several in one, or into which something was drawn.

    Args:
        pixels: shape (slices, rows, columns), 0 to 1; the middle slice is looked at.
        film: whether it is a radiograph.
        foreign: whether values far from all others lie within it.
    """
    picture = pixels[pixels.shape[0] // 2]
    if film and is_two_films(picture):
        return TWO_FILMS
    if not film and is_mosaic(picture):
        return MOSAIC
    return FOREIGN if foreign else None


def judge_shown_nifti(picture: Shown) -> Refusal | None:
    """Judge the pixels of a NIfTI volume by its middle slice."""
    middle = len(picture.grey) // 2
    pixels = picture.grey[middle : middle + 1]
    background = None if picture.background is None else picture.background[np.newaxis]
    empty = judge_pixels(pixels, film=False, background=background)
    return empty or judge_layout(pixels, film=False, foreign=picture.foreign)


def is_mosaic(picture: Grey) -> bool:
    """Tell whether an MR picture (rows, columns) is many slices laid out as tiles.

    Neighbours are alike, and dark where they meet.

    Of 1368 single slices of brain and heart (training) none has dark seams and tiles that are alike
    at all.
    """
    for rows, columns in _tilings(picture.shape[0], picture.shape[1]):
        if _dark_seams(picture, rows, columns) and _likeness(picture, rows, columns) >= SAME_SHAPE:
            return True
    return False


def is_two_films(picture: Grey) -> bool:
    """Tell whether a radiograph (rows, columns) is two or three beside or above each other.

    They show the same contours, as the pictures of a dual-energy exposure do, or a divider or a
    seam runs between them. Of 942 single films (validation, JSRT, Open-i and Guangzhou) the
    likeness of halves and thirds was at most 0.73.
    """
    for grey in (picture, picture.T):
        if max(_likeness(grey, 1, n, contours=True) for n in (2, 3)) >= SAME_FILM or _divided(grey):
            return True
    return False


def _divided(grey: Grey) -> bool:
    """Tell whether a divider or a step of grey runs down the middle from edge to edge."""
    size = grey.shape[1]
    first, last = (int(part * size) for part in MIDDLE)
    middle = grey[:: max(1, grey.shape[0] // LINES), first:last]
    even = middle.std(axis=0) <= DIVIDER_SPREAD
    if _longest_run(even) >= max(2, DIVIDER_SHARE * size):
        return True
    steps = np.abs(np.diff(middle, axis=1)) >= SEAM_STEP
    return bool((steps.mean(axis=0) >= SEAM_ROWS).any())


def _longest_run(marks: NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true values."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], marks.astype(np.int8), [0]])))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def _dark_seams(picture: Grey, rows: int, columns: int) -> bool:
    """Tell whether the lines on which tiles meet are dark beside the rest."""
    places = [
        np.arange(1, count) * size // count
        for count, size in zip((rows, columns), picture.shape, strict=True)
    ]
    across, down = picture[places[0]], picture[:, places[1]]
    return max(float(across.mean()), float(down.mean())) <= DARK_SEAMS * float(picture.mean())


def _likeness(picture: Grey, rows: int, columns: int, *, contours: bool = False) -> float:
    """Measure how alike neighbouring tiles of a picture are, from -1 to 1.

    The picture is cut into so many rows and columns.

    Args:
        contours: whether what is brighter or darker than its surroundings is compared, or the grey
            itself.
    Returns: the mean correlation; -1 if few tiles hold anything, or the picture is too small to
        be cut.
    """
    if picture.shape[0] < rows * CELLS or picture.shape[1] < columns * CELLS:
        return -1.0
    from scipy import ndimage

    tiles = _tiles(picture, rows, columns)
    spread = whole = tiles.std(axis=(2, 3))
    if contours:
        tiles = tiles - ndimage.uniform_filter(tiles, size=(1, 1, 7, 7), mode="nearest")
        spread = tiles.std(axis=(2, 3))
    filled = (spread > 0.2 * spread.max()) & (spread >= LEAST_CONTOURS * whole)
    if filled.sum() < max(2, rows * columns / 2):
        return -1.0
    normed = (tiles - tiles.mean(axis=(2, 3), keepdims=True)) / np.maximum(spread, 1e-6)[
        ..., None, None
    ]
    along = (normed[:, 1:] * normed[:, :-1]).mean(axis=(2, 3))[filled[:, 1:] & filled[:, :-1]]
    down = (normed[1:] * normed[:-1]).mean(axis=(2, 3))[filled[1:] & filled[:-1]]
    means = [float(one.mean()) for one in (along, down) if one.size]
    return min(means) if means else -1.0


def _tiles(picture: Grey, rows: int, columns: int) -> NDArray[np.float64]:
    """Average each tile over its cells, some 4 x 4 pixels each: (rows, columns, CELLS, CELLS)."""
    steps = (
        max(1, size // (4 * CELLS * count))
        for size, count in zip(picture.shape, (rows, columns), strict=True)
    )
    sums = picture[tuple(slice(None, None, step) for step in steps)].astype(np.float64)
    for axis, count in enumerate((rows * CELLS, columns * CELLS)):
        edges = np.linspace(0, sums.shape[axis], count + 1).astype(int)
        sums = np.add.reduceat(sums, edges[:-1], axis=axis) / np.diff(edges).reshape(
            [-1, 1] if axis == 0 else [1, -1]
        )
    return sums.reshape(rows, CELLS, columns, CELLS).transpose(0, 2, 1, 3)


def _tilings(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield rows and columns of tiles into which a picture may be cut.

    Tiles have whole pixels, are not too small and nearly square.
    """
    counts = [
        [n for n in range(LEAST_TILES, MOST_TILES + 1) if size % n == 0 and size // n >= CELLS]
        for size in (rows, columns)
    ]
    for down in counts[0]:
        for along in counts[1]:
            if 0.5 <= (rows / down) / (columns / along) <= 2:
                yield down, along

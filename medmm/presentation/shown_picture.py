"""The one picture that an outside model is shown of a study: 8-bit RGB, in its window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.instruction import Picture
from medmm.domain.label_location import largest_slice
from medmm.domain.plain_text import clean
from medmm.domain.reading import Reading
from medmm.domain.study import Modality, Study, Volume
from medmm.presentation.film_picture import grey_bytes
from medmm.presentation.orientation import turned
from medmm.presentation.slice_picture import png_bytes, slice_title

FILM_PX, TILE_PX = 896, 448
MOST_TILES = 4
COLUMNS = 2
LEAST_RANGE = 8  # grey levels of 256 between the 1st and the 99th percentile
Slice = tuple[Volume, int, str]  # volume, index from 0, why it was chosen


def shown_picture(study: Study, reading: Reading) -> Picture:
    """Draw what an outside model looks at.

    Of a film it is the frontal one, of volumes the slices that show most of what the reading marked
    (up to four, as tiles), or the middle slices of what was read where nothing was marked. There
    are no letters and no outlines on it.

    Raises: InputError if its pixels are nearly constant, or the study holds none to show.
    """
    if study.modality is Modality.RADIOGRAPH:
        volume = study.frontal
        if volume is None:
            raise _nothing(study)
        grey = grey_bytes(volume.frame(0), FILM_PX, aspect=volume.pixel_aspect)
        return _picture(grey, f"the frontal film ({volume.view.value} view)", (volume,))
    once = {
        (volume.sha256, index_z): (volume, index_z, why)
        for volume, index_z, why in reversed(list(_slices(study, reading)))
    }
    chosen = list(once.values())[::-1][:MOST_TILES]
    if not chosen:
        raise _nothing(study)
    words = [f"tile {n}: {_words(*one)}" for n, one in enumerate(chosen, start=1)]
    tiles = [_tile(volume, index_z) for volume, index_z, _ in chosen]
    return _picture(_tiled(tiles), "; ".join(words), tuple(volume for volume, *_ in chosen))


def _slices(study: Study, reading: Reading) -> Iterator[Slice]:
    """Yield slices by what was marked on them, else the middle of each volume that was read."""
    marked = False
    for extent in reading.extents:
        volume = study.volume(extent.volume_sha256)
        label_map = reading.label_map(extent.label_map, extent.volume_sha256)
        if volume is None:
            continue
        index_z = largest_slice(label_map, extent.label) if label_map is not None else None
        middle = sum(extent.slices) // 2
        marked = True
        yield volume, middle if index_z is None else index_z, f"most of {extent.label}"
    for sha256 in () if marked else reading.volumes_read:
        if (read := study.volume(sha256)) is not None:
            yield read, read.shape_zyx[0] // 2, "the middle"


def _words(volume: Volume, index_z: int, why: str) -> str:
    series = f" of {volume.sequence.role.value}" if volume.sequence else ""
    return clean(f"{slice_title(volume, index_z)}{series} ({why})")


def _tile(volume: Volume, index_z: int) -> NDArray[np.uint8]:
    grey = turned(volume.frame(index_z), volume.affine_lps_mm)
    return grey_bytes(grey, TILE_PX, aspect=volume.pixel_aspect)


def _tiled(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lay pictures side by side in two columns, each in the middle of a black tile."""
    rows, columns = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    wide = min(COLUMNS, len(tiles))
    high = -(-len(tiles) // wide)
    whole = np.zeros((high * rows, wide * columns), dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top = number // wide * rows + (rows - tile.shape[0]) // 2
        left = number % wide * columns + (columns - tile.shape[1]) // 2
        whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return whole


def _picture(grey: NDArray[np.uint8], words: str, volumes: tuple[Volume, ...]) -> Picture:
    low, high = np.percentile(grey, (1, 99))
    if high - low < LEAST_RANGE:
        raise InputError(
            "the picture is nearly of one grey, so an outside model would see nothing in it",
            remedy="look at the image and its window",
            sha256=volumes[0].sha256,
        )
    rgb = np.repeat(grey[..., None], 3, axis=2)
    sha256s = tuple(dict.fromkeys(volume.sha256 for volume in volumes))
    return Picture(png=png_bytes(rgb), words=words, sha256s=sha256s)


def _nothing(study: Study) -> InputError:
    return InputError(
        "the study holds no image that was read and could be shown",
        remedy="write with `writer: rules`",
        study=study.uid,
    )

"""The only way from pixels to a network's input, in training, evaluation and live use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from medmm.domain.errors import InputError

TONE_PERCENTILES = (0.5, 99.5)
# Of the grey ImageNet pictures that the first layers were learned from
GREY_MEAN, GREY_SPREAD = 0.449, 0.226


class FilmToPrepare:
    """A film that several networks read: checked once, and prepared once a size."""

    def __init__(self, grey: NDArray[np.float32]) -> None:
        """Check a film (rows, columns). Raises: InputError as `prepare_film`."""
        if grey.ndim != 2 or not grey.size or not np.isfinite(grey).all():
            raise InputError(
                f"a film of shape {grey.shape} is not a finite grey image",
                remedy="give (rows, columns)",
            )
        self.shape: tuple[int, int] = grey.shape
        self._image = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
        self._prepared: dict[int, NDArray[np.float32]] = {}

    def at(self, size_px: int) -> NDArray[np.float32]:
        """Give it as `prepare_film` does; networks of one size share the array."""
        if size_px not in self._prepared:
            self._prepared[size_px] = self._made(size_px)
        return self._prepared[size_px]

    def _made(self, size_px: int) -> NDArray[np.float32]:
        square = np.asarray(
            self._image.resize((size_px, size_px), Image.Resampling.BILINEAR), dtype=np.float32
        )
        low, high = np.percentile(square, TONE_PERCENTILES)
        if high - low < 1e-4:
            raise InputError(
                "the film shows a single tone", remedy="check the window and the exposure"
            )
        stretched = np.clip((square - low) / (high - low), 0, 1)
        return ((stretched - GREY_MEAN) / GREY_SPREAD).astype(np.float32)[np.newaxis]


def prepare_film(grey: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """Prepare a film as the networks take it: square, tones stretched, normalised.

    The film is stretched to a square (its aspect is lost): the public films that the networks learn
    from were made square in the same way, so padding would show them borders that they have never
    met. Tones are stretched between two percentiles, so that a vendor's window changes little.

    Args:
        grey: shape (rows, columns), display-ready (MONOCHROME2), 0 black to 1 white.
        size_px: side of the square.
    Returns: shape (1, size_px, size_px), float32.
    Raises: InputError if `grey` is not a finite two-dimensional image or shows a single tone.
    """
    return FilmToPrepare(grey).at(size_px)


def prepare_volume(grey: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Prepare a volume as the 3D encoders take it: a cube, tones stretched, mean 0, spread 1.

    Tones are stretched between the same percentiles as a film's.

    Args:
        grey: shape (slices, rows, columns), finite.
        size: voxels a side of the cube; the volume is stretched to it.
    Returns: shape (1, size, size, size), float32.
    Raises: InputError if `grey` is not a finite three-dimensional image or shows a single tone.
    """
    if grey.ndim != 3 or not grey.size or not np.isfinite(grey).all():
        raise InputError(
            f"a volume of shape {grey.shape} is not a finite grey volume", remedy="give (z, y, x)"
        )
    cube = ndimage.zoom(
        grey.astype(np.float32),
        [size / n for n in grey.shape],
        order=1,
        grid_mode=True,
        mode="nearest",
    )
    low, high = np.percentile(cube, TONE_PERCENTILES)
    if high - low < 1e-4:
        raise InputError("the volume shows a single tone", remedy="check that it holds an image")
    stretched = np.clip((cube - low) / (high - low), 0, 1)
    return ((stretched - stretched.mean()) / (stretched.std() + 1e-6)).astype(np.float32)[
        np.newaxis
    ]

"""From the pixels of a study to the input that a declaration names, and back.

The axes are turned by the affine before anything else, so that one head stored in any order of axes
gives the network the same input byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.domain.errors import InputError
from medmm.domain.study import Study, Volume
from medmm.models.mr.axis_order import BACK, FRONT, HEAD, LEFT, RIGHT, Turn, turn_to
from medmm.models.mr.resampling import on_grid_of, spacing_zyx_mm
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.declaration_parts import (
    FILM_AXES,
    STORED_AXES,
    Coordinates,
    FurtherInput,
    Grid,
)
from medmm.models.outside.intensity import with_steps

Array = NDArray[np.float32]
Labels = NDArray[np.uint8]
FEET = (0.0, 0.0, -1.0)
DIRECTIONS = {"R": RIGHT, "L": LEFT, "A": FRONT, "P": BACK, "S": HEAD, "I": FEET}
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))
MOST_VOXELS = 1 << 28
TOLERANCE = 1e-3  # of a declared range: rounding


class NotPrepared(Exception):
    """A study that the declaration does not fit; `code` and `text` are of a warning."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How the network's grid lies over the source's, its axes turned to the network's.

    Attributes:
        turned: shape of the source in the network's order of axes.
        scaled: the same at the network's voxel size.
        fitted: shape that the network is given.
    """

    turn: Turn
    turned: tuple[int, ...]
    scaled: tuple[int, ...]
    fitted: tuple[int, ...]

    @property
    def cropped(self) -> bool:
        """Whether a part of the source is not shown to the network."""
        return any(f < s for f, s in zip(self.fitted, self.scaled, strict=True))

    def back(self, labels: Labels) -> Labels:
        """Bring labels from the network's grid to the source's; 0 where it was not looked at."""
        whole = np.zeros(self.scaled, dtype=np.uint8)
        inner, outer = _overlap(self.scaled, self.fitted)
        whole[inner] = labels[outer]
        return self.turn.back(_nearest(whole, self.turned))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a network is given, and how to bring its output back.

    Attributes:
        arrays: by the name of the input, (batch, channels, axes of the grid) or channels last.
        volumes: the images that it shows, in the order of its channels.
        placement: None of a film.
        cropped: whether a part of the images is not shown to the network.
    """

    arrays: Mapping[str, Array]
    volumes: tuple[Volume, ...]
    placement: Placement | None
    cropped: bool = False


def prepared(declared: OutsideDeclaration, study: Study, image_input: str) -> Prepared:
    """Prepare a study.

    Args:
        image_input: the name of the input that takes the image.
    Raises: NotPrepared for a study that the declaration does not fit; InputError if pixels do not
        decode, show a single tone, or do not overlap.
    """
    volumes: tuple[Volume, ...]
    placement: Placement | None = None
    if declared.grid.orientation == FILM_AXES:
        film = _film_of(declared, study)
        grey, cropped = on_film_grid(film, declared.grid)
        shown = with_steps(grey, declared.intensity)
        channels, volumes = [shown] * declared.input.copies, (film,)
        axes = ""
    else:
        volumes = _sequences_of(declared, study)
        placement = placement_on(volumes[0], declared.grid)
        cropped = placement.cropped
        channels = [
            with_steps(_on_network_grid(signal, placement), declared.intensity)
            for signal in _on_one_grid(volumes)
        ]
        axes = declared.grid.orientation
    _check_range(channels, declared.value_range)
    image = np.stack(channels, 1 if declared.grid.stacked else 0)
    image = image if declared.grid.stacked else image[np.newaxis]
    further = {
        one.tensor: _filled(one, image, axes, declared.grid) for one in declared.further_inputs
    }
    arrays = {image_input: image, **further}
    if declared.input.layout == "channels-last":
        arrays = {name: np.moveaxis(array, 1, -1) for name, array in arrays.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return Prepared(arrays=arrays, volumes=volumes, placement=placement, cropped=cropped)


def _on_one_grid(volumes: tuple[Volume, ...]) -> list[Array]:
    first, *others = volumes
    return [first.signal(), *(on_grid_of(first, volume) for volume in others)]


def _film_of(declared: OutsideDeclaration, study: Study) -> Volume:
    film = study.frontal
    if film is None or film.view not in declared.views:
        view = film.view.value if film else "no frontal"
        raise NotPrepared("outside-view", f"it was not made for this view ({view})")
    return film


def _sequences_of(declared: OutsideDeclaration, study: Study) -> tuple[Volume, ...]:
    found = [(role, study.chosen(role)) for role in declared.sequences]
    lacking = ", ".join(role.value for role, volume in found if volume is None)
    if lacking:
        raise NotPrepared("outside-sequence", f"the study lacks {lacking}")
    return tuple(volume for _, volume in found if volume is not None)


def on_film_grid(film: Volume, grid: Grid) -> tuple[Array, bool]:
    """Bring a film to the network's grid, (rows, columns), 0 black to 1 white.

    It is stretched as `film.preprocessing` stretches films.

    Returns: it, and whether a part of the film lies beyond the grid.
    """
    grey = film.pixels()[0]
    if grid.spacing_mm is not None and film.spacing_yx_mm is None:
        raise NotPrepared("outside-spacing", "the film does not state its pixel size")
    shape = _scaled_shape(grey.shape, film.spacing_yx_mm or (1.0, 1.0), grid)
    if grid.fit == "stretch":
        return _resized(grey, grid.size), False
    scaled = grey if shape == grey.shape else _resized(grey, shape)
    fitted = _fitted_shape(shape, grid)
    return _fitted(scaled, fitted), any(f < n for f, n in zip(fitted, shape, strict=True))


def _resized(grey: Array, shape: Sequence[int]) -> Array:
    image = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    small = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float32)


def placement_on(volume: Volume, grid: Grid) -> Placement:
    """Say how a network's grid lies over a volume.

    Raises: NotPrepared if orientation or voxel size is needed and unknown, or the grid too large.
    """
    if grid.orientation in STORED_AXES:
        turn = Turn(order=(0, 1, 2) if grid.orientation == STORED_AXES[0] else (0, 2, 1))
    elif volume.affine_lps_mm is None:
        raise NotPrepared("outside-orientation", "the orientation of the images is unknown")
    else:
        turn = turn_to(tuple(DIRECTIONS[code] for code in grid.orientation), volume.affine_lps_mm)
    spacing = spacing_zyx_mm(volume)
    if spacing is None and any(grid.spacing_mm or ()):
        raise NotPrepared("outside-spacing", "the voxel size of the images is unknown")
    turned = tuple(volume.shape_zyx[axis] for axis in turn.order)
    scaled = _scaled_shape(turned, turn.sizes(spacing or (1.0, 1.0, 1.0)), grid)
    fitted = _fitted_shape(scaled, grid)
    scaled = fitted if grid.fit == "stretch" else scaled
    if max(np.prod(scaled, dtype=np.int64), np.prod(fitted, dtype=np.int64)) > MOST_VOXELS:
        raise NotPrepared("outside-size", "the images are too large at its voxel size")
    return Placement(turn=turn, turned=turned, scaled=scaled, fitted=fitted)


def _scaled_shape(shape: Sequence[int], spacing_mm: Sequence[float], grid: Grid) -> tuple[int, ...]:
    goals = grid.spacing_mm or (None,) * len(shape)
    have = zip(shape, spacing_mm, goals, strict=True)
    return tuple(max(1, round(n * mm / goal)) if goal else n for n, mm, goal in have)


def _fitted_shape(shape: Sequence[int], grid: Grid) -> tuple[int, ...]:
    stack, axes = tuple(shape[: len(shape) - len(grid.size)]), shape[len(shape) - len(grid.size) :]
    if grid.fit == "multiple":
        return stack + tuple(-(-n // m) * m for n, m in zip(axes, grid.size, strict=True))
    return stack + grid.size


def _on_network_grid(signal: Array, placement: Placement) -> Array:
    scaled = _linear(placement.turn.there(signal), placement.scaled)
    return _fitted(scaled, placement.fitted)


def _fitted(values: Array, shape: Sequence[int]) -> Array:
    """Pad with the least value and crop, both about the centre."""
    whole = np.full(shape, values.min(), dtype=np.float32)
    inner, outer = _overlap(values.shape, shape)
    whole[outer] = values[inner]
    return whole


def _overlap(
    source: Sequence[int], target: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return which part of each of two grids with one centre lies on the other."""
    starts = [((s - t) // 2, min(s, t)) for s, t in zip(source, target, strict=True)]
    inner = tuple(slice(max(start, 0), max(start, 0) + n) for start, n in starts)
    outer = tuple(slice(max(-start, 0), max(-start, 0) + n) for start, n in starts)
    return inner, outer


def _linear(values: Array, shape: Sequence[int]) -> Array:
    """Resample to a shape over the same extent, linearly between centres of voxels."""
    if values.shape == tuple(shape):
        return values
    from scipy import ndimage

    ratios = [n / m for n, m in zip(values.shape, shape, strict=True)]
    moved = ndimage.affine_transform(
        values,
        np.array(ratios),
        offset=[(ratio - 1) / 2 for ratio in ratios],
        output_shape=tuple(shape),
        order=1,
        mode="nearest",
    )
    return np.asarray(moved, dtype=np.float32)


def _nearest(labels: Labels, shape: Sequence[int]) -> Labels:
    """Resample labels to a shape over the same extent: of each voxel the nearest's."""
    for axis, n in enumerate(shape):
        have = labels.shape[axis]
        if have != n:
            places = np.minimum(((np.arange(n) + 0.5) * have / n).astype(int), have - 1)
            labels = labels.take(places, axis=axis)
    return labels


def _check_range(channels: Sequence[Array], value_range: tuple[float, float] | None) -> None:
    if value_range is None:
        return
    low, high = value_range
    room = TOLERANCE * (high - low)
    if any(c.min() < low - room or c.max() > high + room for c in channels):
        raise InputError(
            f"values beyond {low:g} to {high:g}, which the model declares",
            remedy="correct intensity or value_range in its reading-model.yaml",
        )


def _filled(one: FurtherInput, image: Array, axes: str, grid: Grid) -> Array:
    """Fill a further input on the grid of the image, (batch, channels, axes)."""
    if one.coordinates is not None:
        return _coordinates(one.coordinates, image, axes, grid)
    batch, _, *shape = image.shape
    values = np.asarray(one.constant, dtype=np.float32)
    spread = values.reshape(1, -1, *[1] * len(shape))
    return np.broadcast_to(spread, (batch, len(values), *shape)).astype(np.float32)


def _coordinates(wanted: Coordinates, image: Array, axes: str, grid: Grid) -> Array:
    """Count voxels of the network's grid along the wanted axes, from the end they run from."""
    shape = (image.shape[0], *image.shape[2:]) if grid.stacked else image.shape[2:]
    found = []
    for code, origin in zip(wanted.axes, wanted.origin, strict=True):
        place = axes.find(code) if code in axes else axes.find(OPPOSITE[code])
        if place < 0:
            raise NotPrepared("outside-axes", f"its grid has no axis to {code}")
        along = np.arange(shape[place], dtype=np.float64)
        along = along if code in axes else along[::-1]
        values = ((along - origin) / wanted.divide_by).astype(np.float32)
        found.append(
            np.broadcast_to(values.reshape([-1 if n == place else 1 for n in range(3)]), shape)
        )
    stacked: NDArray[Any] = np.stack(found, 1 if grid.stacked else 0)
    return np.ascontiguousarray(stacked if grid.stacked else stacked[np.newaxis], dtype=np.float32)

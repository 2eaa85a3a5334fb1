"""Arrays in the axes that a network learned, and back, since affines name any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Affine

Scalar = TypeVar("Scalar", bound=np.generic)
Directions = tuple[tuple[float, float, float], ...]  # of slices, rows, columns in the patient, LPS
LEFT, BACK, HEAD = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
FRONT, RIGHT = (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How an array (slices, rows, columns) is turned: nothing is resampled.

    Attributes:
        order: for each axis of the turned array the axis of the source that becomes it.
        reversed_axes: axes of the turned array that run against the source.
    """

    order: tuple[int, ...] = (0, 1, 2)
    reversed_axes: tuple[int, ...] = ()

    def there(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Turn an array from the source's axes to the network's."""
        return np.ascontiguousarray(np.flip(array.transpose(self.order), self.reversed_axes))

    def back(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Turn an array from the network's axes to the source's."""
        return np.ascontiguousarray(
            np.flip(array, self.reversed_axes).transpose(np.argsort(self.order))
        )

    def sizes(self, of_axes: Sequence[float]) -> tuple[float, ...]:
        """Put sizes of the source's axes, as voxel sizes, in the order of the network's."""
        return tuple(of_axes[axis] for axis in self.order)


def turn_to(wanted: Directions, affine_lps_mm: Affine | None, *, slices_stay: bool = False) -> Turn:
    """Find the turn that brings axes closest to the wanted directions.

    It turns nothing if nothing says how the axes lie.

    Args:
        slices_stay: slices remain slices, whatever their direction; they may be reversed.
    """
    if affine_lps_mm is None:
        return Turn()
    axes = np.asarray(affine_lps_mm)[:3, 2::-1].T  # steps along slices, rows, columns
    cosines = np.asarray(wanted) @ (axes / np.linalg.norm(axes, axis=1, keepdims=True)).T
    orders = [order for order in permutations(range(3)) if order[0] == 0 or not slices_stay]
    best = max(orders, key=lambda order: sum(abs(cosines[n, axis]) for n, axis in enumerate(order)))
    against = tuple(n for n, axis in enumerate(best) if cosines[n, axis] < 0)
    return Turn(order=best, reversed_axes=against)

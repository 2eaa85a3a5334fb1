"""A volume built of files, with what a reader must know about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmm.domain.study import Notice, Volume
from medmm.imaging.dicom.newest_image import Stated
from medmm.imaging.mr.physics import Physics


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A volume with what a reader must know about it.

    Attributes:
        physics: of an MR volume, that of its middle image.
        signal_of: the signal of some of its slices, by their indices.
        order: what it states of its time at every level of `newest_image.LEVELS`.
        told_by: where one image or series holds several volumes at the same places, the elements
            that told this one apart.
    """

    volume: Volume
    notices: tuple[Notice, ...]
    physics: Physics | None = None
    signal_of: Callable[[Sequence[int]], NDArray[np.float32]] | None = None
    told_by: tuple[str, ...] = ()
    order: tuple[Stated, ...] = ()

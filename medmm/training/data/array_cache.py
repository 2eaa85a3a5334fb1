"""Arrays of films: in memory, or in a file where a set is larger than that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def room(shape: tuple[int, ...], kind: type[np.floating[Any]], file: Path | None) -> NDArray[Any]:
    """Create an array to fill, in memory or mapped from `file` (.npy), which is written anew.

    The values are the same either way.
    """
    if file is None:
        return np.empty(shape, dtype=kind)
    file.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(file, mode="w+", dtype=kind, shape=shape)

"""The overlap of masks, which training of outlines looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dice(found: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> float:
    """Compute the overlap of two masks (Dice 1945); NaN if neither holds anything."""
    size = int(found.sum()) + int(drawn.sum())
    return 2 * int((found & drawn).sum()) / size if size else float("nan")

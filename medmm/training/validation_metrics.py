"""The one figure that training looks at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Array = NDArray[np.float64]


def auroc(truth: Array, score: Array) -> float | None:
    """Compute the area under the ROC curve of one label; None if one class is missing.

    Args:
        truth: (n,) of 0 and 1.
        score: (n,), greater for what is likelier.
    """
    return float(roc_auc_score(truth, score)) if 0 < truth.sum() < len(truth) else None


def macro_auroc(truth: Array, score: Array, columns: Sequence[int] | None = None) -> float | None:
    """Average AUROC over labels, shape (films, labels), without labels of one class only."""
    labels = range(truth.shape[1]) if columns is None else columns
    values = [v for j in labels if (v := auroc(truth[:, j], score[:, j])) is not None]
    return float(np.mean(values)) if values else None


def dice(found: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> float:
    """Compute the overlap of two masks (Dice 1945); NaN if neither holds anything."""
    size = int(found.sum()) + int(drawn.sum())
    return 2 * int((found & drawn).sum()) / size if size else float("nan")

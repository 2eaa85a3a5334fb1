"""How many films show each finding, said and judged before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError

log = logging.getLogger(__name__)


def check_labels(names: Sequence[str], truth: NDArray[np.floating]) -> None:
    """Log how many films show each finding, do not show it, or leave it open.

    Args:
        truth: (films, findings), 1 present, 0 absent, NaN unknown.

    Raises: InputError naming each finding, with its counts, that no film shows or that all films
        show.
    """
    counts = {}
    for name, column in zip(names, truth.T, strict=True):
        present, absent = int((column == 1).sum()), int((column == 0).sum())
        counts[name] = (present, absent, len(column) - present - absent)
    for name, (present, absent, unknown) in counts.items():
        log.info("%s: %d present, %d absent, %d unknown", name, present, absent, unknown)
    one_sided = [
        f"{name} ({present} present, {absent} absent, {unknown} unknown)"
        for name, (present, absent, unknown) in counts.items()
        if not present or not absent
    ]
    if one_sided:
        raise InputError(
            f"findings that no training film shows, or all do: {', '.join(one_sided)}",
            remedy="leave them out of the recipe's findings, or give films of both kinds",
        )

"""What reading statistics ask of whoever computes intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from medmm.domain.acceptance import Figure


class Intervals(Protocol):
    """Figures of counts with their 95 % intervals."""

    def share(self, hits: int, of: int, patients: int) -> Figure:
        """Compute a share of counts, by as many draws as there are patients."""
        ...

    def difference(self, one: Figure, other: Figure) -> Figure:
        """Compute one share minus another of other patients."""
        ...

    def median(self, values: Sequence[float]) -> Figure:
        """Compute a median."""
        ...

    def mean(self, count: int, total: float, squares: float) -> Figure:
        """Compute a mean by the sum of values and the sum of their squares."""
        ...

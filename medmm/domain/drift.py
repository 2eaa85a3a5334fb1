"""Whether later studies still look like those that a model was accepted on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from medmm.domain.acceptance import Acceptance, Distribution


class DriftVerdict(Enum):
    """What a comparison of two distributions says."""

    SAME = "no drift seen"
    DRIFTED = "drifted"
    TOO_FEW = "too few to tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """One distribution of later studies beside that of acceptance.

    Attributes:
        then: as it was at acceptance; `now` has the same edges or labels.
        stability_index: population stability index; None if too few state a value.
        p_value: of the test that both are draws of one distribution (two-sample
            Kolmogorov-Smirnov for numbers, chi-squared for names), times the number of
            distributions that are compared; None likewise.
    """

    then: Distribution
    now: Distribution
    stability_index: float | None
    p_value: float | None
    verdict: DriftVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """Every distribution of a model's acceptance beside that of later studies.

    Attributes:
        studies: how many later studies were read.
    """

    acceptance: Acceptance
    studies: int
    rows: tuple[DriftRow, ...]

    @property
    def drifted(self) -> tuple[DriftRow, ...]:
        """The rows that drifted."""
        return tuple(row for row in self.rows if row.verdict is DriftVerdict.DRIFTED)

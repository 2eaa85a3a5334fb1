"""Which words a calibrated probability bears: `data/certainty.csv`, one table for all.

Screens, writers and checks read it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files


class Strength(IntEnum):
    """How much certainty words claim, the least first."""

    POSSIBLE = 1
    PROBABLE = 2
    PRESENT = 3

    @property
    def word(self) -> str:
        """As in the table."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """One row: from this probability on, its meaning in words and the strongest words.

    The latter are those that it bears.
    """

    from_probability: float
    meaning: str
    strongest: Strength


@cache
def certainties() -> tuple[Certainty, ...]:
    """Read the rows, the lowest first."""
    text = files("medmm.domain").joinpath("data/certainty.csv").read_text(encoding="utf-8")
    return tuple(
        Certainty(
            from_probability=float(row["from"]),
            meaning=row["meaning"],
            strongest=Strength[row["strongest"].upper()],
        )
        for row in csv.DictReader(text.splitlines())
    )


def certainty_of(probability: float) -> Certainty:
    """Return the row of a calibrated probability of 0 to 1."""
    return next(row for row in reversed(certainties()) if probability >= row.from_probability)

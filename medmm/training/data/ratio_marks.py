"""Columns of heart and lungs read off rulers on NIH films, twice and blind to any output.

No radiologist read them.

A vision-language model looked at each film under a ruler two times, independently.
`ratio_marks.csv` holds both readings as fractions of the film's width (left and right are the
image's), their mean, and by how much the two ratios differ.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

APART = 0.04  # films whose two readings differ by more are shown apart


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedFilm:
    """One film whose columns could be read: its mean ratio, and how far readings differ."""

    file: str
    split: str
    ratio: float
    repeat_difference: float

    @property
    def apart(self) -> bool:
        """Whether the two readings differ too much to count as one truth."""
        return self.repeat_difference > APART


def read_marks(split: str) -> list[MarkedFilm]:
    """Read the marked films of "val" or "test" whose columns could be read."""
    lines = files(__package__).joinpath("ratio_marks.csv").read_text(encoding="utf-8").splitlines()
    return [
        MarkedFilm(
            file=row["file"],
            split=split,
            ratio=float(row["ratio"]),
            repeat_difference=float(row["repeat_difference"]),
        )
        for row in csv.DictReader(lines)
        if row["split"] == split and row["ratio"]
    ]

"""Which words a calibrated probability bears: one table, `data/certainty.csv`, for screens, writers and checks."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files

from medmm.domain.wording import Polarity, clauses, findings_named


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
    """One row of the table: from this probability on, what it means in words, and the strongest words that it bears."""

    from_probability: float
    meaning: str
    strongest: Strength


@cache
def certainties() -> tuple[Certainty, ...]:
    """The rows, the lowest first."""
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
    """The row of a calibrated probability of 0 to 1."""
    return next(row for row in reversed(certainties()) if probability >= row.from_probability)


# Hedges that say more than "possible"; a weaker word in the same clause takes them back ("possibly suggesting").
_PROBABLE = re.compile(
    r"\b(?:probabl[ey]|(?<!less )likely|presum(?:ed|ably)|suspicious|suggest(?:s|ing|ive|ed)?|appears?|"
    r"concern(?:ing)?\s+for)\b",
    re.IGNORECASE,
)
_WEAKER = re.compile(
    r"\b(?:possib(?:le|ly)|may|might|could|cannot|can['’]t|questionable|question\s+of|perhaps|potential(?:ly)?|equivocal|"
    r"indeterminate|uncertain|unconfirmed|not\s+(?:certain|clear|sure))\b",
    re.IGNORECASE,
)


def strength_of(text: str, finding: str) -> Strength | None:
    """How much certainty a sentence claims for a finding: the strongest of its clauses; None where none claims it."""
    found = []
    for clause in clauses(text):
        said = findings_named(clause).get(finding)
        if said is Polarity.AFFIRMED:
            found.append(Strength.PRESENT)
        elif said is Polarity.HEDGED:
            probable = _PROBABLE.search(clause) and not _WEAKER.search(clause)
            found.append(Strength.PROBABLE if probable else Strength.POSSIBLE)
    return max(found, default=None)


def says_too_much(text: str, finding: str, probability: float) -> bool:
    """Whether a sentence claims more certainty for a finding than its calibrated probability bears."""
    claimed = strength_of(text, finding)
    return claimed is not None and claimed > certainty_of(probability).strongest

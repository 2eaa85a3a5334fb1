"""How much certainty words claim, and whether a probability bears it."""

from __future__ import annotations

import re

from medmm.domain.certainty import Strength, certainty_of
from medmm.language.report_parser import Polarity, clauses, findings_named

# Hedges that say more than "possible"; a weaker word in the same clause takes them back ("possibly
# suggesting").
_PROBABLE = re.compile(
    r"\b(?:probabl[ey]|(?<!less )likely|presum(?:ed|ably)|suspicious|suggest(?:s|ing|ive|ed)?|"
    r"appears?|concern(?:ing)?\s+for)\b",
    re.IGNORECASE,
)

_WEAKER = re.compile(
    r"\b(?:possib(?:le|ly)|may|might|could|cannot|can['’]t|questionable|question\s+of|perhaps|"
    r"potential(?:ly)?|equivocal|indeterminate|uncertain|unconfirmed|"
    r"not\s+(?:certain|clear|sure))\b",
    re.IGNORECASE,
)


def strength_of(text: str, finding: str) -> Strength | None:
    """Return how much certainty a sentence claims for a finding: its strongest clause.

    Returns: None if no clause claims it.
    """
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
    """Tell whether a sentence claims more certainty than its finding's probability bears.

    The probability is calibrated.
    """
    claimed = strength_of(text, finding)
    return claimed is not None and claimed > certainty_of(probability).strongest

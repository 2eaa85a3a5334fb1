"""G10: the words claim no more certainty than the finding's probability bears.

The probability is calibrated.
"""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.certainty import certainty_of
from medmm.domain.draft import CLAIMS, Case, ScoreEvidence, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable
from medmm.language.certainty_words import strength_of


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare the strength of the words with the table of `medmm.domain.certainty`."""
    scores = [e for e in evidence_of(statement, ScoreEvidence) if e.finding == statement.finding]
    if statement.assertion not in CLAIMS or not scores:
        return not_applicable("no finding is claimed by its score")
    return judged(
        _problems(statement, scores), "the words claim no more than the probability bears"
    )


def _problems(statement: Statement, scores: list[ScoreEvidence]) -> Iterator[str]:
    claimed = strength_of(statement.text, statement.finding or "")
    for score in scores:
        row = certainty_of(score.probability)
        if claimed is not None and claimed > row.strongest:
            yield (
                f"said to be {claimed.word} at a probability of {score.probability:.2f} "
                f"({row.meaning}), which bears {row.strongest.word}"
            )

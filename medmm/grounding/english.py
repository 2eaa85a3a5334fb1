"""G19: the words are English."""

from __future__ import annotations

from medmm.domain.draft import Case, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, judged, writers_words
from medmm.language.english import foreign_words


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look at script and function words, beside the record's own."""
    found = foreign_words(writers_words(statement, case))
    return judged([f"not English: {', '.join(found)}"] if found else [], "the words are English")

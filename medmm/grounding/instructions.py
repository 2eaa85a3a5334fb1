"""G18: the words describe; they instruct and address nobody, and hold no markup or code."""

from __future__ import annotations

from medmm.domain.draft import Case, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, judged, writers_words
from medmm.language.addressing import addressing_words


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for words that speak to the reader or to a system, beyond the record's own."""
    found = addressing_words(writers_words(statement, case))
    quoted = ", ".join(repr(words) for words in found)
    return judged(
        [f"speaks to a reader or a system: {quoted}"] if found else [], "nobody is addressed"
    )

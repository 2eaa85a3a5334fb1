"""G4: no comparison if nothing was compared."""

from __future__ import annotations

from medmm.domain.draft import Assertion, Case, FactEvidence, Statement
from medmm.domain.reading import Reading
from medmm.domain.record import FactKind
from medmm.grounding.verdicts import Result, evidence_of, failed, passed
from medmm.language.comparison import comparing_words
from medmm.language.record_words import without_words_of


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for comparing words; only what is reported from an earlier report may carry them."""
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    facts = [f for f in case.context.facts if f.id in ids] if case.context else []
    text = statement.text
    if statement.assertion is Assertion.REPORTED:
        text = without_words_of(text, facts)
    words = comparing_words(text)
    if not words:
        return passed("nothing is compared")
    quoted = ", ".join(words)
    if statement.assertion is Assertion.REPORTED and any(
        f.kind is FactKind.PRIOR_REPORT for f in facts
    ):
        return passed(f"compares ({quoted}) as an earlier report does")
    return failed(f"compares ({quoted}) although no earlier image was compared")

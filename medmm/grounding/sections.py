"""G22: findings stand in the draft where the reading has some, and beside an impression."""

from __future__ import annotations

from medmm.domain.draft import Case, Draft, Section, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, failed, not_applicable, passed


def examine(statement: Statement, draft: Draft, case: Case, reading: Reading) -> Result:
    """Look for findings beside an impression, and beside anything where the reading has some.

    What is missing fails at every statement of the impression; without one at the first statement.
    """
    impressions = [s.id for s in draft.statements if s.section is Section.IMPRESSION]
    first = [s.id for s in draft.statements][:1]
    if statement.id not in (impressions or first):
        return not_applicable("looked at in the impression, or in the first statement")
    if any(s.section is Section.FINDINGS for s in draft.decidable):
        return passed("the draft has findings")
    if reading.measurements or any(f.suspected for f in reading.findings):
        return failed("the draft states no findings, and the reading has some")
    if any(
        s.summarises is None and s.finding is not None
        for s in draft.statements
        if s.id in impressions
    ):
        return failed("an impression without findings")
    return passed("there is no finding that could be stated")

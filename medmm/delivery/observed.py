"""Which statements of a signed report are observations, and what is said of a finding.

Every coded form of a report takes it from here, so that none says more than another.
"""

from __future__ import annotations

from enum import Enum

from medmm.domain.draft import Assertion, MeasurementEvidence, Section
from medmm.domain.report import SignedReport, SignedStatement


class SaidOfFinding(Enum):
    """What a statement says of its finding."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"
    NOT_SUSPECTED = "not suspected"


def observations(report: SignedReport) -> list[SignedStatement]:
    """List the statements that are observations, each once, in the order of the report."""
    return [
        s for s in report.statements if s.assertion is not Assertion.REPORTED and _observable(s)
    ]


def measured(statement: SignedStatement) -> MeasurementEvidence | None:
    """Return the measurement that a statement rests on, if any."""
    return next((e for e in statement.evidence if isinstance(e, MeasurementEvidence)), None)


def said_of_finding(statement: SignedStatement) -> SaidOfFinding:
    """Tell what a statement says of its finding.

    A score below its rule-out point is not a look at the film: it is denied only where the reader's
    own words deny. A drafted denial that a reader let stand says that it is not suspected.
    """
    if statement.assertion is Assertion.PRESENT:
        return SaidOfFinding.PRESENT
    if statement.assertion is not Assertion.ABSENT:
        return SaidOfFinding.POSSIBLE
    own_words = (
        statement.drafted_text is not None or statement.author is not None
    ) and "suspect" not in statement.text.casefold()
    return SaidOfFinding.ABSENT if own_words else SaidOfFinding.NOT_SUSPECTED


def _observable(statement: SignedStatement) -> bool:
    """Tell whether it is an observation: a coded finding, a measurement or an addition.

    Each once: the impression repeats.
    """
    if statement.section not in (Section.FINDINGS, Section.ADDENDUM):
        return False
    if statement.author is not None:
        return True
    if statement.section is Section.ADDENDUM:  # which a reader alone writes
        return False
    return statement.finding is not None or (
        measured(statement) is not None and statement.drafted_text is None
    )

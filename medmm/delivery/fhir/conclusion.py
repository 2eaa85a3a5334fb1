"""What a report concludes: in words, and in codes where a code may stand alone.

A possible finding has no code here: whoever reads the code would take it for one that is there.

Source: FHIR R4 DiagnosticReport.conclusion, conclusionCode.
"""

from __future__ import annotations

from collections.abc import Sequence

from medmm.delivery.fhir.elements import Json, concept
from medmm.delivery.fhir.transparency import labelled_code, labelled_conclusion
from medmm.delivery.observed import SaidOfFinding, said_of_finding
from medmm.delivery.text import printable
from medmm.domain.draft import Section
from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.vocabulary import finding_term
from medmm.presentation.report_versions import Lineage


def conclusion(line: Lineage, observed: Sequence[SignedStatement]) -> Json:
    """Make the elements of the conclusion; {} if the report says nothing.

    Args:
        observed: the statements of this version that are observations.
    """
    report, body = line.report, {}
    if words := _conclusion(line):
        body = {"conclusion": words, **labelled_conclusion(report, _concluded(report))}
    if codes := [_conclusion_code(report, s) for s in observed if _stated_as_present(s)]:
        body["conclusionCode"] = codes
    return body


def _conclusion(line: Lineage) -> str:
    """Write the conclusion: impression, else findings, then addenda.

    What became of the report comes before them.
    """
    report = line.report
    added = [f"Addendum: {s.text}" for s in report.statements if s.section is Section.ADDENDUM]
    stated = [s.text for s in _concluded(report)]
    return printable("\n".join([*line.notices(), *added, *stated]))


def _concluded(report: SignedReport) -> list[SignedStatement]:
    """List the statements of the conclusion, without addenda; what is recorded is none."""
    impression = [s for s in report.statements if s.section is Section.IMPRESSION]
    return impression or [s for s in report.statements if s.section is Section.FINDINGS]


def _stated_as_present(statement: SignedStatement) -> bool:
    """Tell whether a code may stand for it without the words beside it."""
    return statement.finding is not None and said_of_finding(statement) is SaidOfFinding.PRESENT


def _conclusion_code(report: SignedReport, statement: SignedStatement) -> Json:
    term = finding_term(statement.finding or "")
    return labelled_code(report, statement, concept(*term.codings, text=term.words))

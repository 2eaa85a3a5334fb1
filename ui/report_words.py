"""What the page says of a signed report's versions, and which decisions change it.

All are pure functions.
"""

from __future__ import annotations

from medmm.domain.draft import Section
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import (
    Add,
    CaseFile,
    Decision,
    Edit,
    Reader,
    Reject,
    SignedReport,
    SignedStatement,
)
from medmm.presentation.draft_words import BANNER, BLIND_BANNER, SIGNED_BANNER
from medmm.presentation.report_versions import Lineage, change_words
from ui.presenter import one_line, patient_line

REWORD, TAKE_OUT, ADD = "Say it in other words", "Take it out", "Add a finding in free text"


def banner(file: CaseFile) -> str:
    """Say what stands on top of the page: a draft, or a report and whether it counts.

    It may be signed, changed, or count no more.
    """
    if file.blind:
        return BLIND_BANNER
    if file.report is None:
        return BANNER
    return " ".join(Lineage.of(file.report, file.versions).notices()) or SIGNED_BANNER


def version_lines(file: CaseFile) -> tuple[str, ...]:
    """Write a line for every version of the report, the newest first."""
    return tuple(_version_line(report) for report in reversed(file.versions))


def _version_line(report: SignedReport) -> str:
    if report.replaces is None:
        when = report.signed_at.isoformat(timespec="seconds")
        return f"Version 1, signed on {when} by {report.signed_by.name}"
    return f"Version {report.version}: {change_words(report)}"


def changeable(report: SignedReport) -> dict[str, SignedStatement]:
    """List the statements that an amendment can change, by id.

    A summary follows its finding, lines of an impression the first.
    """
    return {
        s.id: s
        for s in report.statements
        if s.summarises is None and not (s.section is Section.IMPRESSION and "-" in s.id)
    }


def changing(what: str, statement_id: str, text: str) -> Decision:
    """Make the decision that a reader asked for.

    Raises: InputError if words are lacking.
    """
    if what == TAKE_OUT:
        return Reject(statement_id)
    return Add(text) if what == ADD else Edit(statement_id, text)


def amending_question(
    reader: Reader, identity: PatientIdentity, report: SignedReport, reason: str
) -> str:
    """Ask before an amendment is signed: who changes which report of whom, and why."""
    return (
        f"{reader.name} ({reader.role}) signs this in place of version {report.version} of the "
        f"report for {patient_line(identity)}. Reason: {one_line(reason)}. The version before "
        "is kept and marked as replaced."
    )

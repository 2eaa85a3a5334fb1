"""The versions of a report in FHIR R4: one DiagnosticReport whose status changes.

Each statement is one Observation, whose status changes likewise.

R4 gives a DiagnosticReport no element for the report that it replaces. It is the same resource with
other content, found by an identifier that no version changes, and updated where it is (R4
http.html, conditional update in a transaction); its Provenance names the version before as the
entity that it is a revision of (provenance-entity-role).

Source: FHIR R4 diagnostic-report-status, observation-status, Provenance, v3-DataOperation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.report_kind import ReportKind

Json = dict[str, Any]
VERSION = r"version (?P<number>[0-9]{1,9}) of the report"
OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
# What says most of all that happened since the first version comes first: who holds the first must
# learn that it was wrong, even if the last change was an addendum.
STATUS = {
    ReportKind.WITHDRAWAL: "entered-in-error",
    ReportKind.CORRECTION: "corrected",
    ReportKind.AMENDMENT: "amended",
    ReportKind.ADDENDUM: "appended",
    ReportKind.ORIGINAL: "final",
}
OPERATION = {
    ReportKind.AMENDMENT: "UPDATE",
    ReportKind.CORRECTION: "UPDATE",
    ReportKind.ADDENDUM: "APPEND",
    ReportKind.WITHDRAWAL: "NULLIFY",
}


def report_status(versions: Sequence[SignedReport]) -> str:
    """Find the status of a report after all that became of it."""
    kinds = {version.kind for version in versions}
    return next(status for kind, status in STATUS.items() if kind in kinds)


def version_identifier(report: SignedReport) -> Json:
    """Make the identifier of a later version, which says its number.

    No time can tell which of two versions is the later: clocks are set back.
    """
    return {"type": {"text": f"version {report.version} of the report"}, "value": report.id}


def version_in(diagnostic_report: Json) -> int:
    """Read which version of a report a DiagnosticReport holds; the first has no number."""
    found = diagnostic_report.get("identifier")
    for one in found if isinstance(found, list) else []:
        kind = one.get("type") if isinstance(one, dict) else None
        words = kind.get("text") if isinstance(kind, dict) else None
        if isinstance(words, str) and (said := re.fullmatch(VERSION, words)):
            return int(said["number"])
    return 1


def observation_status(statement_id: str, versions: Sequence[SignedReport]) -> str:
    """Find the status of the observation of a statement that the newest version makes."""
    kinds = set()
    for before, after in pairwise(_since_first(statement_id, versions)):
        if _said(statement_id, before) != _said(statement_id, after):
            kinds.add(after.kind)
    if not kinds:
        return "final"
    return "corrected" if ReportKind.CORRECTION in kinds else "amended"


def no_longer_stated(
    stated: Sequence[SignedStatement], before: Sequence[SignedStatement]
) -> Iterator[SignedStatement]:
    """List what was an observation of an earlier version and no longer is, as last said.

    Each comes once.
    """
    now = {statement.id for statement in stated}
    last = {statement.id: statement for statement in before if statement.id not in now}
    yield from last.values()


def retracted(observation: Json, reader: Json, newest: SignedReport) -> Json:
    """Make an observation that is no longer valid, with its code and subject alone.

    No value can be read off it.
    """
    kept = ("category", "code", "subject", "derivedFrom", "effectiveDateTime")
    why = f"Not stated any more since version {newest.version} of the report."
    return {
        **{name: value for name, value in observation.items() if name in kept},
        "status": "entered-in-error",
        "performer": [reader],
        "issued": newest.signed_at.isoformat(),
        "note": [{"text": why}],
    }


def provenance_of_change(report: SignedReport) -> Json:
    """Say in the Provenance of a later version which one it revises and why; {} of a first."""
    if report.replaces is None:
        return {}
    before = {
        "type": "DiagnosticReport",
        "identifier": {"value": report.replaces},
        "display": f"version {report.version - 1} of the report, {report.replaces}",
    }
    return {
        "activity": {"coding": [{"system": OPERATIONS, "code": OPERATION[report.kind]}]},
        "reason": [{"text": " ".join(report.reason.split())}],
        "entity": [{"role": "revision", "what": before}],
    }


def _since_first(statement_id: str, versions: Sequence[SignedReport]) -> Sequence[SignedReport]:
    """List the versions from the first one that made the statement."""
    first = next(
        (n for n, version in enumerate(versions) if _said(statement_id, version)), len(versions)
    )
    return versions[first:]


def _said(statement_id: str, version: SignedReport) -> SignedStatement | None:
    return next((s for s in version.statements if s.id == statement_id), None)

"""A signed report as one HTML page that stands alone: no script, no picture, no address."""

from __future__ import annotations

from collections.abc import Sequence

from medmm.delivery.text import report_paragraphs
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport
from medmm.presentation.pages import page


def report_html(
    report: SignedReport,
    identity: PatientIdentity | None,
    restated_entry: int | None = None,
    versions: Sequence[SignedReport] = (),
) -> str:
    """Set the report as a page; the arguments are those of `report_text`."""
    paragraphs = report_paragraphs(report, identity, restated_entry, versions)
    return page("report.html", title="Radiology report", paragraphs=list(paragraphs))

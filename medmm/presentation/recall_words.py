"""What rests on a version of a model, in words and as a table."""

from __future__ import annotations

from datetime import datetime

from medmm.domain.recall import RecalledCase, RecallList
from medmm.domain.report import SIGNED_STATES
from medmm.domain.vocabulary import finding_terms
from medmm.presentation.csv_text import csv_text

HEADERS = (
    "case", "study_uid", "patient_key", "state", "site", "drafts", "newest_draft_rests",
    "drafted_at", "findings_claimed", "report", "report_rests", "signed_by", "signed_at",
    "published_at",
)  # fmt: skip
OUT_OF_SIGHT = (
    "Reports that were handed on from the folders written here, or read in the dashboard, are not "
    "known to this list. Who the patients are shows the worklist to roles that may see it."
)


def recall_csv(found: RecallList) -> str:
    """Write a recall list as CSV, a case a row."""
    return csv_text(HEADERS, ((*row.values(),) for row in recall_rows(found)))


def recall_rows(found: RecallList) -> list[dict[str, str]]:
    """List the cases as a table; times in UTC."""
    return [dict(zip(HEADERS, _cells(one), strict=True)) for one in found.cases]


def _cells(one: RecalledCase) -> tuple[str, ...]:
    terms = finding_terms()
    findings = (terms[name].words if name in terms else name for name in one.findings)
    return (
        one.case_id,
        one.study_uid,
        one.patient_key,
        one.state.value,
        one.site or "",
        " ".join(map(str, one.drafts)),
        "yes" if one.newest else "no",
        _moment(one.drafted_at),
        "; ".join(findings),
        one.report_id or "",
        "" if one.report_id is None else "yes" if one.report_rests else "no",
        one.signed_by or "",
        _moment(one.signed_at),
        _moment(one.published_at),
    )


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")


def recall_summary(found: RecallList) -> str:
    """Say how many cases rest on the version, and how far they went."""
    signed = sum(one.state in SIGNED_STATES for one in found.cases)
    published = sum(one.published_at is not None for one in found.cases)
    return (
        f"{len(found.cases)} of {found.looked_at} drafted cases rest on {found.model.name} "
        f"{found.model.manifest_sha256[:12]}: {signed} signed, {published} given out, "
        f"{len(found.cases) - signed} not signed."
    )

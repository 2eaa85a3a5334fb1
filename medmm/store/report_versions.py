"""The versions of a case's signed report: each in a row, and none is ever changed."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from medmm.domain.codec import from_json
from medmm.domain.report import SignedReport
from medmm.store import tables


def of_case(connection: sa.Connection, case_id: str) -> tuple[SignedReport, ...]:
    """Read every version of a case's report, oldest first.

    Whoever asks has held them against the log.
    """
    return of_cases(connection, (case_id,)).get(case_id, ())


def of_cases(
    connection: sa.Connection, case_ids: Collection[str]
) -> dict[str, tuple[SignedReport, ...]]:
    """Read every version of the reports of cases, as `of_case`."""
    query = sa.select(tables.reports.c.body).where(tables.reports.c.case_id.in_(case_ids))
    found: dict[str, tuple[SignedReport, ...]] = {}
    bodies = connection.scalars(query) if case_ids else ()
    for report in sorted(
        (from_json(SignedReport, body) for body in bodies), key=lambda report: report.version
    ):
        found[report.case_id] = (*found.get(report.case_id, ()), report)
    return found

"""The versions of a case's signed report: each in a row, and none is ever changed."""

from __future__ import annotations

import sqlalchemy as sa

from medmm.domain.codec import from_json
from medmm.domain.report import SignedReport
from medmm.store import tables


def of_case(connection: sa.Connection, case_id: str) -> tuple[SignedReport, ...]:
    """Read every version of a case's report, oldest first.

    Whoever asks has held them against the log.
    """
    query = sa.select(tables.reports.c.body).where(tables.reports.c.case_id == case_id)
    found = [from_json(SignedReport, body) for body in connection.scalars(query)]
    return tuple(sorted(found, key=lambda report: report.version))

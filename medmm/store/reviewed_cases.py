"""Signed cases by patient, with what was kept of each reader's review, some at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from medmm.domain.errors import IntegrityError
from medmm.domain.report import SIGNED_STATES, CaseState
from medmm.domain.reviewed_case import ReviewedCase
from medmm.store import log_coverage, tables
from medmm.store.decoded import noun
from medmm.store.last_words import REVIEWED

AT_ONCE = 500  # rows that one question names
LINES, CASES = tables.worklist, tables.cases
UNSIGNED = tuple(
    state.value for state in (CaseState.DRAFTED, CaseState.IN_REVIEW, CaseState.PRELIMINARY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCase:
    """A signed case, and what its reader made of the draft.

    Attributes:
        replaced: whether its report was amended or withdrawn since.
        reviewed: None of a case that an earlier release signed.
    """

    case_id: str
    replaced: bool
    reviewed: ReviewedCase | None


def signed(connection: sa.Connection) -> list[Any]:
    """List the signed cases with their states, ordered by patient."""
    query = (
        sa.select(CASES.c.id, CASES.c.state)
        .join(LINES, LINES.c.case_id == CASES.c.id)
        .where(CASES.c.state.in_([state.value for state in SIGNED_STATES]))
        .order_by(LINES.c.patient_key, CASES.c.id)
    )
    return list(connection.execute(query))


def some(connection: sa.Connection, rows: Sequence[Any]) -> list[SignedCase]:
    """Read what was kept of the review of these cases.

    Raises: IntegrityError if a row is not what the log says, unknown to it, or gone.
    """
    ids = [row.id for row in rows]
    bodies = log_coverage.checked_known(connection, REVIEWED, ids)
    return [_signed_case(row, bodies.get(row.id)) for row in rows]


def _signed_case(row: Any, body: bytes | None) -> SignedCase:
    reviewed = None if body is None else cast(ReviewedCase, noun(ReviewedCase, body))
    if reviewed is not None and reviewed.case_id != row.id:
        raise IntegrityError(
            "what was kept of a review is another case's",
            remedy="stop; restore the data folder from a copy; `medmm audit verify` names what "
            "differs",
            case=row.id,
        )
    replaced = row.state != CaseState.SIGNED.value
    return SignedCase(case_id=row.id, replaced=replaced, reviewed=reviewed)


def unsigned(connection: sa.Connection, site: str | None, modality: str | None) -> int:
    """Count the drafted cases that wait for a signature."""
    query = sa.select(sa.func.count()).select_from(LINES).where(LINES.c.state.in_(UNSIGNED))
    if site is not None:
        query = query.where(LINES.c.site == site)
    if modality is not None:
        query = query.where(LINES.c.modality == modality)
    return connection.scalar(query) or 0

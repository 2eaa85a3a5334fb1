"""Every draft of every case as its JSON, held against the log, for recall lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from medmm.store import integrity, tables

AT_ONCE = 100  # cases that one question reads whole
DRAFTS = tables.drafts


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftsOfCase:
    """The JSON of every version of a case's draft, by its number, with when it was made."""

    case_id: str
    bodies: Mapping[int, Any]
    created_at: Mapping[int, str | None]


def drafted(connection: sa.Connection) -> list[str]:
    """List the cases that were ever drafted, by id."""
    query = sa.select(DRAFTS.c.case_id).distinct().order_by(DRAFTS.c.case_id)
    return list(connection.scalars(query))


def some(connection: sa.Connection, case_ids: Sequence[str]) -> Iterator[DraftsOfCase]:
    """Read every version of the drafts of these cases.

    Raises: IntegrityError if one is not what the log says, or is missing.
    """
    kept = integrity.checked_drafts(connection, case_ids)
    for case_id, rows in kept.items():
        yield DraftsOfCase(
            case_id=case_id,
            bodies={row.version: json.loads(row.body) for row in rows},
            created_at={row.version: row.created_at for row in rows},
        )

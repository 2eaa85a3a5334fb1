"""Readings and drafts: each in a row of its own, in versions; a case shows the newest."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.entry import event_of
from medmm.audit.log_database import as_bytes
from medmm.domain.codec import to_json
from medmm.domain.draft import CheckedDraft
from medmm.domain.draft_version import DraftVersion
from medmm.domain.errors import InputError
from medmm.domain.reading import Reading
from medmm.store import integrity, tables
from medmm.store.decoded import noun

READINGS, DRAFTS, CASES = tables.readings, tables.drafts, tables.cases


def waiting_since() -> sa.ScalarSelect[Any]:
    """Make the query, within one of cases, for the time of a case's first draft.

    From then on a person is waited for.
    """
    query = sa.select(DRAFTS.c.created_at).where(DRAFTS.c.case_id == CASES.c.id).correlate(CASES)
    return query.order_by(DRAFTS.c.version).limit(1).scalar_subquery()


def version(connection: sa.Connection, table: sa.Table, case_id: str) -> int | None:
    """Find the number of the newest version; None if there is none."""
    found = sa.select(sa.func.max(table.c.version)).where(table.c.case_id == case_id)
    return connection.scalar(found)


def keep_reading(connection: sa.Connection, case_id: str, reading: Reading) -> dict[str, str]:
    """Keep what the models read.

    Returns: what an entry says of it.
    """
    body, number = to_json(reading), (version(connection, READINGS, case_id) or 0) + 1
    connection.execute(READINGS.insert().values(case_id=case_id, version=number, body=body))
    return {"reading_sha256": integrity.digest(body), "reading_version": str(number)}


def keep_draft(
    connection: sa.Connection, case_id: str, checked: CheckedDraft, at: datetime | None
) -> dict[str, str]:
    """Keep a draft after the others of its case.

    Returns: what an entry says of it.
    """
    parent, body = version(connection, DRAFTS, case_id), to_json(checked)
    row = {
        "case_id": case_id,
        "version": (parent or 0) + 1,
        "reading": version(connection, READINGS, case_id),
        "parent": parent,
        "author": checked.draft.author.id,
        "created_at": None if at is None else at.isoformat(),
    }
    connection.execute(DRAFTS.insert().values(body=body, **row))
    sha256 = integrity.digest(body)
    return {
        "draft_sha256": sha256,
        "draft_version": str(row["version"]),
        "draft_row_sha256": integrity.digest_of_draft(row, sha256),
    }


def versions(connection: sa.Connection, case_id: str) -> tuple[DraftVersion, ...]:
    """Read every draft of a case, oldest first.

    Raises: IntegrityError if one is not what the log says.
    """
    integrity.refuse_altered_drafts(connection, case_id)
    columns = [column for column in DRAFTS.c if column.name != "body"]
    body = as_bytes(DRAFTS.c.body).label("body")
    query = sa.select(*columns, body).where(DRAFTS.c.case_id == case_id).order_by(DRAFTS.c.version)
    return tuple(_version(row) for row in connection.execute(query))


def _version(row: Any) -> DraftVersion:
    checked: CheckedDraft = noun(CheckedDraft, row.body)
    return DraftVersion(
        case_id=row.case_id,
        version=row.version,
        parent=row.parent,
        author=checked.draft.author.id if row.author is None else row.author,
        created_at=None if row.created_at is None else datetime.fromisoformat(row.created_at),
        checked=checked,
    )


def fill(connection: sa.Connection) -> None:
    """Take the times of drafts that an earlier release kept from the entries that kept them."""
    words, entries = tables.last_words, log.entries
    query = (
        sa.select(DRAFTS.c.case_id, entries.c.entry)
        .join(words, (words.c.kind == "draft") & (words.c.owner == DRAFTS.c.case_id))
        .join(entries, entries.c.seq == words.c.entry)
        .where(DRAFTS.c.created_at.is_(None))
    )
    for case_id, entry in connection.execute(query).all():
        with suppress(InputError, ValueError, TypeError, RecursionError):  # the check names it
            at = event_of(entry).at.isoformat()
            where = DRAFTS.c.case_id == case_id
            connection.execute(DRAFTS.update().where(where).values(created_at=at))

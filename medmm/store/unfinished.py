"""Words that readers are typing: one small row a field, which the next one replaces.

No entry of the log tells of them, as of no key stroke: they are no part of a case, and no verb
reads them but the one that gives them back to who typed them. What is decided has its entry.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from medmm.domain.errors import StateError
from medmm.domain.unfinished_text import UnfinishedText
from medmm.store import tables
from medmm.store.reads import missing

ROWS, CASES = tables.unfinished, tables.cases
MOST = 100  # fields of one case and reader


def keep(connection: sa.Connection, reader: str, typed: UnfinishedText) -> None:
    """Keep what stands in a field; an empty text is kept no longer.

    Raises: InputError if there is no such case; StateError if it has too many fields.
    """
    where = (ROWS.c.case_id == typed.case_id) & (ROWS.c.reader == reader)
    connection.execute(ROWS.delete().where(where & (ROWS.c.field == typed.field)))
    if not typed.text.strip():
        return
    if connection.scalar(sa.select(CASES.c.id).where(CASES.c.id == typed.case_id)) is None:
        raise missing("case", typed.case_id)
    if (connection.scalar(sa.select(sa.func.count()).where(where)) or 0) >= MOST:
        raise StateError(
            f"a reader keeps unfinished text in at most {MOST} fields of a case",
            remedy="decide on some of it, or empty a field",
            case=typed.case_id,
        )
    values = {"text": typed.text, "draft": typed.draft, "at": typed.at.isoformat()}
    connection.execute(
        ROWS.insert().values(case_id=typed.case_id, reader=reader, field=typed.field, **values)
    )


def of_reader(connection: sa.Connection, case_id: str, reader: str) -> tuple[UnfinishedText, ...]:
    """Read what a reader has typed in a case, by field."""
    query = sa.select(ROWS).where((ROWS.c.case_id == case_id) & (ROWS.c.reader == reader))
    return tuple(
        UnfinishedText(
            case_id=row.case_id,
            field=row.field,
            text=row.text,
            draft=row.draft,
            at=datetime.fromisoformat(row.at),
        )
        for row in connection.execute(query.order_by(ROWS.c.field))
    )


def drop(
    connection: sa.Connection, case_id: str, reader: str, fields: Collection[str] | None = None
) -> None:
    """Drop what a reader has typed in a case.

    Args:
        fields: in these alone; None: in all.
    """
    where = (ROWS.c.case_id == case_id) & (ROWS.c.reader == reader)
    if fields is not None:
        where &= ROWS.c.field.in_(fields)
    connection.execute(ROWS.delete().where(where))

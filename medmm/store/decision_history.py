"""What stood decided before each act of a reader, so that the last act can be undone.

A row is trusted only as far as an entry of the log names its digest.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import IntegrityError, StateError
from medmm.domain.report import Decision
from medmm.store import integrity, last_words, tables

ROWS = tables.decision_history
KEPT = 50  # acts of one case


def push(
    connection: sa.Connection, case_id: str, reader: str, before: tuple[Decision, ...]
) -> None:
    """Keep what stood decided before a reader's act, and forget what is too long ago."""
    newest = sa.select(sa.func.max(ROWS.c.number)).where(ROWS.c.case_id == case_id)
    number = (connection.scalar(newest) or 0) + 1
    old = (ROWS.c.case_id == case_id) & (ROWS.c.number <= number - KEPT)
    connection.execute(ROWS.delete().where(old))
    values = {"reader": reader, "body": to_json(before)}
    connection.execute(ROWS.insert().values(case_id=case_id, number=number, **values))


def pop(connection: sa.Connection, case_id: str, reader: str) -> tuple[Decision, ...]:
    """Take back what stood decided before the last act, which was this reader's.

    Raises: StateError if nothing is left to undo, or the last act was another's; IntegrityError if
        no entry of the log says that this stood there.
    """
    query = sa.select(ROWS).where(ROWS.c.case_id == case_id).order_by(ROWS.c.number.desc())
    last: Any = connection.execute(query.limit(1)).first()
    if last is None:
        raise StateError(
            "there is no decision to undo", remedy="decide on statements", case=case_id
        )
    if last.reader != reader:
        raise StateError(
            "the last decision is another reader's",
            remedy="decide anew on what you see otherwise",
            case=case_id,
            reader=last.reader,
        )
    if not last_words.ever_said(
        connection, case_id, "decisions_sha256", integrity.digest(last.body)
    ):
        raise IntegrityError(
            "what stood decided before is not what an entry of the log says",
            remedy="stop; restore the data folder from a copy; `medmm audit verify` names what "
            "differs",
            case=case_id,
        )
    gone = (ROWS.c.case_id == case_id) & (ROWS.c.number == last.number)
    connection.execute(ROWS.delete().where(gone))
    return from_json(tuple[Decision, ...], last.body)


def clear(connection: sa.Connection, case_id: str) -> None:
    """Forget all of a case: its draft is another one, or it is signed."""
    connection.execute(ROWS.delete().where(ROWS.c.case_id == case_id))

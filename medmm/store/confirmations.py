"""Confirmations of a signature: one for a reader and a case, good once, for some minutes.

Only the digest of its token is kept. It stands for what was on the screen when it was asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

import sqlalchemy as sa

from medmm.domain.confirmation import Confirmation
from medmm.domain.errors import StateError
from medmm.store import tables

ROWS = tables.confirmations


def ask(
    connection: sa.Connection, case_id: str, reader: str, shown: str, until: datetime
) -> Confirmation:
    """Make a confirmation; an earlier one of this reader and case counts no more."""
    token = secrets.token_urlsafe(24)
    drop(connection, case_id, reader)
    values = {"token_sha256": _digest(token), "shown": shown, "until": _text(until)}
    connection.execute(ROWS.insert().values(case_id=case_id, reader=reader, **values))
    return Confirmation(case_id=case_id, token=token, until=until)


def take(
    connection: sa.Connection, case_id: str, reader: str, token: str, shown: str, at: datetime
) -> None:
    """Use a confirmation up.

    Raises: StateError if there is none, or it is another reader's, of another look, or too old.
    """
    where = (ROWS.c.case_id == case_id) & (ROWS.c.reader == reader)
    row = connection.execute(sa.select(ROWS).where(where)).first()
    same = row is not None and hmac.compare_digest(row.token_sha256, _digest(token))
    if row is None or not same or row.shown != shown or row.until <= _text(at):
        raise StateError(
            "the signature is not confirmed: its confirmation was used, replaced in another "
            "window, is too old, or was of something else",
            remedy="look at what is to be signed once more, and confirm it there",
            case=case_id,
            confirmation="refused",
        )
    drop(connection, case_id, reader)


def drop(connection: sa.Connection, case_id: str, reader: str) -> None:
    """Forget a reader's confirmation of a case, if there is one."""
    where = (ROWS.c.case_id == case_id) & (ROWS.c.reader == reader)
    connection.execute(ROWS.delete().where(where))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _text(at: datetime) -> str:
    """Format a moment as text that sorts."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")

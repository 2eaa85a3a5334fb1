"""What readers saw first and which cases are read twice, each row held against the log.

Whether a reader saw a draft before is what the log says: every look that shows one has its entry.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from medmm.audit import log
from medmm.domain.audit_event import AuditEvent
from medmm.domain.codec import to_json
from medmm.domain.double_reading import DoubleReading, FirstReads, in_order_of_time
from medmm.domain.errors import StateError
from medmm.domain.first_read import FirstRead
from medmm.store import last_words, log_coverage, tables
from medmm.store.decoded import noun
from medmm.store.last_words import DOUBLE_READING, FIRST_READ
from medmm.store.model_trials import AT_ONCE, text_of

ROWS, ORDERS, CASES = tables.first_reads, tables.double_readings, tables.cases
WORKLIST = "worklist"  # the subject of looks at it
# What shows a reader nothing that was read, drafted or decided; every other verb counts as a look
BLIND = frozenset(
    {
        "open_case",
        "claim",
        "unclaim",
        "prioritise",
        "record_first_read",
        "order_double_reading",
        "drop_double_reading",
    }
)


def keep(connection: sa.Connection, read: FirstRead) -> dict[str, Any]:
    """Keep a first read.

    Returns: its row.
    Raises: StateError if this reader's is kept already.
    """
    if connection.scalar(sa.select(ROWS.c.id).where(ROWS.c.id == read.id)) is not None:
        raise StateError(
            "this reader's first read of the case is kept, and is never changed",
            remedy="say what you see otherwise now in your decisions",
            case=read.case_id,
            reader=read.by.id,
        )
    row = {
        "id": read.id,
        "case_id": read.case_id,
        "reader": read.by.id,
        "read_at": text_of(read.at),
        "body": to_json(read),
    }
    connection.execute(ROWS.insert().values(**row))
    return row


def of_case(connection: sa.Connection, case_id: str) -> FirstReads:
    """Read who read a case first, all of it, and whether it is read twice.

    Raises: IntegrityError if a row is not what the log says, is missing or unknown to it.
    """
    words = last_words.of_cases(connection, (case_id,))
    logged = [word.owner for word in words if word.kind == FIRST_READ.table]
    lying = connection.scalars(sa.select(ROWS.c.id).where(ROWS.c.case_id == case_id)).all()
    reads = in_order_of_time(named(connection, tuple(dict.fromkeys((*logged, *lying)))))
    return FirstReads(
        case_id=case_id,
        order=order_of(connection, case_id),
        readers=tuple(read.by for read in reads),
        reads=reads,
    )


def named(connection: sa.Connection, ids: Sequence[str]) -> list[FirstRead]:
    """Read the first reads of these ids.

    Raises: as `of_case`.
    """
    bodies = log_coverage.checked_rows(connection, FIRST_READ, ids) if ids else {}
    return [cast(FirstRead, noun(FirstRead, bodies[one])) for one in ids]


def ids_since(connection: sa.Connection, since: datetime | None) -> list[list[str]]:
    """List the ids of first reads since a time, oldest first, some at a time."""
    query = sa.select(ROWS.c.id).order_by(ROWS.c.read_at, ROWS.c.id)
    if since is not None:
        query = query.where(ROWS.c.read_at >= text_of(since))
    ids = list(connection.scalars(query))
    return [ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE)]


def order_of(connection: sa.Connection, case_id: str) -> DoubleReading | None:
    """Read the order to read a case twice; None if there never was one.

    Raises: as `of_case`.
    """
    return orders_of(connection, (case_id,)).get(case_id)


def orders_of(connection: sa.Connection, case_ids: Sequence[str]) -> dict[str, DoubleReading]:
    """Read the orders of several cases; those without are left out.

    Raises: as `of_case`.
    """
    if not case_ids:
        return {}
    logged = last_words.of_all(connection, (DOUBLE_READING.table,), case_ids)
    lying = connection.scalars(sa.select(ORDERS.c.case_id).where(ORDERS.c.case_id.in_(case_ids)))
    owners = tuple(dict.fromkeys((*(owner for _, owner in logged), *lying)))
    bodies = log_coverage.checked_rows(connection, DOUBLE_READING, owners) if owners else {}
    return {owner: cast(DoubleReading, noun(DoubleReading, bodies[owner])) for owner in owners}


def read_by(connection: sa.Connection, reader: str, case_ids: Collection[str]) -> frozenset[str]:
    """Find those of some cases that a reader has read first."""
    query = sa.select(ROWS.c.case_id).where(ROWS.c.reader == reader, ROWS.c.case_id.in_(case_ids))
    return frozenset(connection.scalars(query)) if case_ids else frozenset()


def refuse_seen(connection: sa.Connection, case_id: str, reader: str) -> None:
    """Refuse a first read by who has seen what was read or drafted.

    Raises: StateError naming the entry of the log, if so.
    """
    seen = _seen(connection, case_id, reader)
    if seen is not None:
        raise StateError(
            "this reader has seen the case, or what was read of it, before: a first read is none "
            "any more",
            remedy="decide on the draft; a first read is recorded from a blind look alone",
            case=case_id,
            entry=str(seen.number),
            look=seen.verb,
        )


def has_seen(connection: sa.Connection, case_id: str, reader: str) -> bool:
    """Tell whether the log says that a reader saw what was read or drafted."""
    return _seen(connection, case_id, reader) is not None


def _seen(connection: sa.Connection, case_id: str, reader: str) -> AuditEvent | None:
    """Find the first look at this or another case of the study that was not blind."""
    study = sa.select(CASES.c.study_uid).where(CASES.c.id == case_id).scalar_subquery()
    cases = connection.scalars(sa.select(CASES.c.id).where(CASES.c.study_uid == study)).all()
    events = log.events(connection, (case_id, *cases))
    return next((e for e in events if e.actor == reader and _shows(e)), None)


def _shows(event: AuditEvent) -> bool:
    if event.outcome != "done" or event.verb in BLIND:
        return False
    if event.verb == "first_reads":
        return event.details.get("others") != "0"
    return event.details.get("blind") != "True"


def may_have_listed(connection: sa.Connection, case_id: str, reader: str) -> bool:
    """Tell whether a worklist may have named to a reader what is suspected in a case.

    That is a look at it since the case was drafted, which named the case, or does not say which
    cases it named, and did not withhold what is suspected in this one.
    """
    drafted = (e for e in log.events(connection, (case_id,)) if e.verb == "draft")
    first = next((e for e in drafted if e.outcome == "done"), None)
    if first is None or first.number is None:
        return False
    entries = log.entries.c
    later = (entries.subject == WORKLIST) & (entries.seq > first.number)
    for body in connection.scalars(sa.select(entries.entry).where(later)):
        event = json.loads(body)
        if event["actor"] == reader and _listed(event["details"], case_id):
            return True
    return False


def _listed(details: dict[str, str], case_id: str) -> bool:
    named = "cases" not in details or case_id in details["cases"].split()
    return named and case_id not in details.get("withheld", "").split()

"""Signed reports on their way: one row for each version and destination.

A version that waits holds back the later ones of its report at the same destination, and no other.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from medmm.domain.delivery import PAUSE_S, Delivery, DeliveryFilter, DeliveryState
from medmm.domain.errors import InputError, StateError
from medmm.store import tables

ROWS = tables.deliveries
WAITING = DeliveryState.WAITING.value
TIMES = ("since", "due", "tried_at")


def make(connection: sa.Connection, delivery: Delivery) -> None:
    """Keep a delivery that begins."""
    connection.execute(ROWS.insert().values(**_values(delivery)))


def addressed(connection: sa.Connection, case_id: str) -> frozenset[str]:
    """Name the destinations to which any version of a case's report was addressed."""
    query = sa.select(ROWS.c.destination).where(ROWS.c.case_id == case_id).distinct()
    return frozenset(connection.scalars(query))


def versions_arrived(connection: sa.Connection, case_id: str, destination: str) -> frozenset[str]:
    """Name by id the versions of a case's report that have arrived at a destination."""
    query = sa.select(ROWS.c.report_id).where(
        ROWS.c.case_id == case_id,
        ROWS.c.destination == destination,
        ROWS.c.state == DeliveryState.SENT.value,
    )
    return frozenset(connection.scalars(query))


def named(connection: sa.Connection, number: int) -> Delivery:
    """Read a delivery.

    Raises: InputError if there is none of this number.
    """
    row = connection.execute(sa.select(ROWS).where(ROWS.c.number == number)).first()
    if row is None:
        raise InputError(
            "no such delivery", remedy="`medmm deliveries` lists them", delivery=str(number)
        )
    return _delivery(row)


def listed(connection: sa.Connection, wanted: DeliveryFilter) -> tuple[Delivery, ...]:
    """Read deliveries, the newest first."""
    state = wanted.state.value if wanted.state else None
    asked = (
        (ROWS.c.state, state),
        (ROWS.c.destination, wanted.destination),
        (ROWS.c.report_id, wanted.report_id),
        (ROWS.c.case_id, wanted.case_id),
    )
    query = sa.select(ROWS).where(
        *(column == value for column, value in asked if value is not None)
    )
    rows = connection.execute(query.order_by(ROWS.c.number.desc()).limit(wanted.limit))
    return tuple(map(_delivery, rows))


def next_due(
    connection: sa.Connection,
    destinations: Collection[str],
    at: datetime,
    passed: Collection[int] = (),
) -> Delivery | None:
    """Find the delivery that is to be tried next; None if none is due.

    Urgent ones come first, else the one that was signed first.

    Args:
        destinations: those that are sent to; one that took nothing a moment ago is left alone.
        passed: numbers of deliveries that are left out.
    """
    open_to = [name for name in destinations if not _paused(connection, name, at)]
    earlier = ROWS.alias()
    held_back = sa.exists().where(
        earlier.c.case_id == ROWS.c.case_id,
        earlier.c.destination == ROWS.c.destination,
        earlier.c.state == WAITING,
        earlier.c.version < ROWS.c.version,
    )
    query = sa.select(ROWS).where(
        ROWS.c.state == WAITING,
        ROWS.c.destination.in_(open_to),
        ROWS.c.due <= _text(at),
        ROWS.c.number.not_in(passed),
        ~held_back,
    )
    row = connection.execute(query.order_by(ROWS.c.urgent.desc(), ROWS.c.number).limit(1)).first()
    return None if row is None else _delivery(row)


def _paused(connection: sa.Connection, destination: str, at: datetime) -> bool:
    """Tell whether the last attempt at a destination was a moment ago, and to no avail."""
    query = sa.select(ROWS.c.state, ROWS.c.attempts, ROWS.c.tried_at).where(
        ROWS.c.destination == destination, ROWS.c.tried_at.is_not(None)
    )
    last = connection.execute(query.order_by(ROWS.c.tried_at.desc()).limit(1)).first()
    if last is None or last.state != WAITING or last.attempts == 0:
        return False
    since = at - datetime.fromisoformat(last.tried_at)
    return timedelta(0) <= since < timedelta(seconds=PAUSE_S)


def save(connection: sa.Connection, before: Delivery, after: Delivery) -> None:
    """Keep where a delivery stands now.

    Raises: StateError if it is not any more as `before` says.
    """
    as_it_was = (
        (ROWS.c.number == before.number)
        & (ROWS.c.state == before.state.value)
        & (ROWS.c.attempts == before.attempts)
        & (ROWS.c.since == _text(before.since))
    )
    changed = connection.execute(ROWS.update().where(as_it_was).values(**_values(after)))
    if changed.rowcount != 1:
        raise StateError(
            "the delivery was changed meanwhile",
            remedy="look at it again (`medmm deliveries`)",
            delivery=str(before.number),
        )


def refuse_overtaken(connection: sa.Connection, delivery: Delivery) -> None:
    """Refuse to send a version after a later one, in whose place it would come.

    Raises: StateError if a later one has arrived there.
    """
    query = sa.select(ROWS.c.version).where(
        ROWS.c.case_id == delivery.case_id,
        ROWS.c.destination == delivery.destination,
        ROWS.c.version > delivery.version,
        ROWS.c.state == DeliveryState.SENT.value,
    )
    if (later := connection.scalar(query.limit(1))) is not None:
        raise StateError(
            f"version {later} of the report has arrived there, and says all that counts",
            remedy="nothing is to be done: an earlier version may not take its place",
            delivery=str(delivery.number),
            destination=delivery.destination,
        )


def _values(delivery: Delivery) -> dict[str, Any]:
    names = [column.name for column in ROWS.columns if column.name != "number"]
    values = {name: getattr(delivery, name) for name in names}
    times = {name: _text(values[name]) if values[name] else None for name in TIMES}
    return values | times | {"state": delivery.state.value}


def _delivery(row: Any) -> Delivery:
    values = dict(row._mapping)
    times = {n: datetime.fromisoformat(values[n]) if values[n] else None for n in TIMES}
    return Delivery(**values | times | {"state": DeliveryState(values["state"])})


def _text(at: datetime) -> str:
    """Format a moment as text that sorts: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")

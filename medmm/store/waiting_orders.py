"""Orders that wait for their studies, found by the numbers that images state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa

from medmm.domain.codec import to_json
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.waiting_order import WaitingOrder
from medmm.store import decoded, last_words, log_coverage, tables

ORDERS = tables.waiting_orders


def row_of(order: WaitingOrder) -> dict[str, Any]:
    """Make the row of an order, but for its key."""
    return {
        "study_uid": order.study_uid,
        "accession": order.accession,
        "placer": order.placer.value if order.placer else None,
        "filler": order.filler.value if order.filler else None,
        "body": to_json(order),
    }


def named(connection: sa.Connection, secret: bytes, keys: Sequence[str]) -> dict[str, WaitingOrder]:
    """Read the orders of these keys; those that are not known are left out.

    Raises: IntegrityError if one is missing or not what the log says.
    """
    kind = last_words.WAITING_ORDER
    bodies = log_coverage.checked_bodies(connection, kind, keys, secret)
    return {key: cast(WaitingOrder, decoded.noun(WaitingOrder, b)) for key, b in bodies.items()}


def fitting(
    connection: sa.Connection, secret: bytes, study_uid: str, order: StudyOrder
) -> dict[str, WaitingOrder]:
    """Find by key the orders that a study may be made for, cancelled or not.

    Those that name the study count before those that share its accession number, and these before
    those that share a placer's or filler's number.

    Raises: as `named`.
    """
    table = ORDERS.c
    ours = {
        table.accession: order.accession,
        table.placer: order.placer_order,
        table.filler: order.filler_order,
    }
    shared = [
        sa.and_(table.study_uid.is_(None), column == value)
        for column, value in ours.items()
        if value
    ]
    by = [table.study_uid == study_uid, *shared]
    for condition in by:
        keys = connection.scalars(sa.select(table.key).where(condition).order_by(table.key)).all()
        if keys:
            return named(connection, secret, keys)
    return {}


def known_as(connection: sa.Connection, secret: bytes, order: WaitingOrder) -> str:
    """Find the key under which an order is kept, by any of its numbers; else make it one.

    Raises: as `named`.
    """
    row = row_of(order)
    numbers = ("placer", "filler", "accession")
    shared = [ORDERS.c[name] == row[name] for name in numbers if row[name]]
    query = sa.select(ORDERS.c.key).where(sa.or_(*shared)).order_by(ORDERS.c.key)
    lying = named(connection, secret, connection.scalars(query).all())
    own = order.key(secret)
    found = [key for key, one in lying.items() if order.is_of(one)]
    return own if own in found or not found else found[0]

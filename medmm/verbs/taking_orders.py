"""Imaging orders of an order system: taken in, changed and cancelled as it says."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from zoneinfo import ZoneInfo

from medmm import records
from medmm.domain.waiting_order import OrdersTaken, OrderTaken, WaitingOrder
from medmm.store import Step
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, verb

AGAIN, OLDER = "again", "older"


@verb(
    "take_order",
    kept(OrdersTaken),
    request=lambda house, message: {"message": hashlib.sha256(message).hexdigest()},
)
def take_order(house: House, call: VerbCall, message: bytes) -> OrdersTaken:
    """Keep the orders of a message, all or none; see `Assistant.take_order`."""
    zone = house.settings.site_time_zone
    character_set = house.settings.orders.character_set
    orders = records.read_orders(message, ZoneInfo(zone) if zone else None, character_set)
    secret = house.store.secret("patient")
    with house.store.step() as step:
        taken = []
        for order in orders:
            found = _taken(step, order.key(secret), order)
            step.record(call.event("done", found.key, order=found.outcome, control=order.control))
            taken.append(found)
        result = OrdersTaken(orders=tuple(taken))
        if call.key is not None:
            step.remember(call.key, call.verb, call.request_sha256, result, taken[0].key)
    return result


def _taken(step: Step, key: str, order: WaitingOrder) -> OrderTaken:
    """Keep an order, unless this or a newer message was taken before."""
    before = step.waiting_order(key)
    if before is not None:
        if before.message_sha256 == order.message_sha256:
            return OrderTaken(key=key, outcome=AGAIN)
        if order.sent_at < before.sent_at:
            return OrderTaken(key=key, outcome=OLDER)
        if order.cancelled:  # a cancellation need not repeat the order
            order = replace(order, study_uid=order.study_uid or before.study_uid)
            order = replace(order, accession=order.accession or before.accession)
        if order.says_as(before):
            order = replace(order, said_at=min(order.said_at, before.said_at))
    step.save_waiting_order(key, order)
    word = "cancelled" if order.cancelled else "new" if before is None else "changed"
    return OrderTaken(key=key, outcome=word)

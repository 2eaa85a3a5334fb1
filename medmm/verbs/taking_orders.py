"""Imaging orders of an order system: taken in, changed and cancelled as it says."""

from __future__ import annotations

import hashlib
from zoneinfo import ZoneInfo

from medmm import records
from medmm.connections.hl7_message import DUPLICATE, fault
from medmm.domain.identity_match import MatchVerdict, compare_identities
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
    with house.store.step() as step:
        taken = []
        for order in orders:
            found = _taken(step, step.known_as(order), order)
            step.record(call.event("done", found.key, order=found.outcome, control=order.control))
            taken.append(found)
        result = OrdersTaken(orders=tuple(taken))
        if call.key is not None:
            step.remember(call.key, call.verb, call.request_sha256, result, taken[0].key)
    return result


def _taken(step: Step, key: str, order: WaitingOrder) -> OrderTaken:
    """Keep an order, unless this or a newer message was taken before.

    Raises: InputError if what is known by its number is another patient's.
    """
    before = step.waiting_order(key)
    if before is not None:
        if before.message_sha256 == order.message_sha256:
            return OrderTaken(key=key, outcome=AGAIN)
        if order.sent_at < before.sent_at:
            return OrderTaken(key=key, outcome=OLDER)
        match = compare_identities(before.identity, order.identity)
        if match.verdict is MatchVerdict.MISMATCH:
            raise fault("an order of this number is of another patient", DUPLICATE, "ORC-2")
        order = order.after(before)
    step.save_waiting_order(key, order)
    word = "cancelled" if order.cancelled else "new" if before is None else "changed"
    return OrderTaken(key=key, outcome=word)

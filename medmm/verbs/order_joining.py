"""A study and the orders that an order system sent for it: joined by number and identity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from medmm import records
from medmm.domain.codec import to_json
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import IdentityMatch, MatchVerdict, compare_identities
from medmm.domain.imaging_order import OrderRequest, StudyOrder
from medmm.domain.priority import AS_ORDERED, CasePriority, Priority, most_urgent
from medmm.domain.record import ClinicalContext
from medmm.domain.study import Notice, Study
from medmm.domain.waiting_order import ORDER_FACT, WaitingOrder
from medmm.store import digest
from medmm.verbs.house import House
from medmm.verbs.record_joining import RECORD_DROPPED, RECORD_KEPT

JOINS = (MatchVerdict.MATCH, MatchVerdict.NEAR)
CANCELLED = Notice(
    code="order-cancelled",
    text="The order of this study was cancelled: nothing of it is used.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedOrders:
    """A study with its record and its orders.

    Attributes:
        context: to be kept; None if what is kept stays, or nothing is to be kept.
        drops: whether what is kept is to go.
    """

    study: Study
    context: ClinicalContext | None
    order: StudyOrder
    drops: bool = False


def with_orders(
    house: House,
    study: Study,
    context: ClinicalContext | None,
    order: StudyOrder,
    identity: PatientIdentity | None,
) -> JoinedOrders:
    """Add to a study's record what its orders say.

    The record's own request of the study goes before every order. A signed report of the same
    images stands on what it was drafted from, so nothing is joined to it any more.
    """
    kept = house.store.context(study.uid)
    record = context if context is not None else _record_kept(study, kept)
    found = (
        _as_signed(house, study, kept, order)
        if _is_signed(house, study)
        else _found(house, study, order, identity)
    )
    study = replace(study, warnings=(*study.warnings, *found.notices))
    whole = _together(record, found.context)
    if whole is None:
        gone = kept is not None and (RECORD_DROPPED in study.warnings or not kept.sha256)
        return JoinedOrders(study=study, context=None, order=found.order, drops=gone)
    unchanged = context is None and whole == kept
    return JoinedOrders(study=study, context=None if unchanged else whole, order=found.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What orders say of a study.

    Attributes:
        context: their facts; None if there are none.
        order: of the study, with the request that they make.
    """

    order: StudyOrder
    context: ClinicalContext | None = None
    notices: tuple[Notice, ...] = ()


def _as_signed(
    house: House, study: Study, kept: ClinicalContext | None, order: StudyOrder
) -> _Found:
    """Give what orders said when a report of the study was drafted that is signed now."""
    before = house.store.order(study.uid)
    if before.message_orders and order.request is None:
        order = replace(order, request=before.request, message_orders=before.message_orders)
    return _Found(order=order, context=_orders_kept(kept) if kept else None)


def _is_signed(house: House, study: Study) -> bool:
    signed = house.store.signed_of(study.uid)
    return any(one.case.study.image_sha256s == study.image_sha256s for one in signed)


def _record_kept(study: Study, kept: ClinicalContext | None) -> ClinicalContext | None:
    """Give the record of an earlier admission as it was without orders; None if none counts."""
    if kept is None or RECORD_KEPT not in study.warnings:
        return None
    own = _orders_kept(kept)
    gone = {*own.facts} if own else set()
    return replace(
        kept,
        facts=tuple(one for one in kept.facts if one not in gone),
        left_out=tuple(one for one in kept.left_out if own is None or one not in own.left_out),
        order_sha256="",
    )


def _orders_kept(kept: ClinicalContext) -> ClinicalContext | None:
    """Give what an earlier admission kept of orders."""
    if not kept.order_sha256:
        return None
    return replace(
        kept,
        facts=tuple(one for one in kept.facts if one.id.startswith(ORDER_FACT)),
        left_out=tuple(one for one in kept.left_out if one.source.startswith("HL7 v2 order-")),
        sha256="",
        incomplete=(),
    )


def _together(
    record: ClinicalContext | None, orders: ClinicalContext | None
) -> ClinicalContext | None:
    if orders is None:
        return record
    sha256 = orders.order_sha256 or digest(to_json([*orders.facts, *orders.left_out]))
    if record is None:
        return replace(orders, order_sha256=sha256)
    return replace(
        record,
        facts=(*record.facts, *orders.facts),
        left_out=(*record.left_out, *orders.left_out),
        order_sha256=sha256,
    )


def _found(
    house: House, study: Study, order: StudyOrder, identity: PatientIdentity | None
) -> _Found:
    """Find the standing orders of a study and its patient, and what must be said of them."""
    who = identity or PatientIdentity(patient_id=None)
    fitting = house.store.waiting_orders(study.uid, order)
    matches = {key: compare_identities(who, one.identity) for key, one in fitting.items()}
    own = {key: match for key, match in matches.items() if match.verdict in JOINS}
    orders = {key: fitting[key] for key in own if not fitting[key].cancelled}
    notices = (
        *_not_joined(match for match in matches.values() if match.verdict not in JOINS),
        *((CANCELLED,) if own and not orders else ()),
        *_near({name for key in orders for name in own[key].differing}),
    )
    if not orders or order.request is not None:
        return _Found(order=order, notices=notices)
    context = records.order_context(orders, patient_key=study.patient_key, acquired=study.acquired)
    return _Found(order=_ordered(order, orders), context=context, notices=notices)


def _not_joined(matches: Iterable[IdentityMatch]) -> Iterator[Notice]:
    """Say that an order has the number of the study and is not joined, by fields, not values."""
    for match in matches:
        fields = ", ".join(match.differing)
        if match.verdict is MatchVerdict.MISMATCH:
            yield Notice(
                code="order-of-another",
                text=f"An order with a number of this study is of another patient ({fields} "
                "differ): nothing of it is used.",
            )
        else:
            yield Notice(
                code="order-unconfirmed",
                text="An order with a number of this study may be of another patient "
                f"({'; '.join(match.questions)}): nothing of it is used.",
            )


def _near(fields: set[str]) -> Iterator[Notice]:
    if fields:
        names = ", ".join(sorted(fields))
        text = f"Image and order differ slightly, or only one of them says anything, in {names}."
        yield Notice(code="order-identity-near", text=text)


def _ordered(order: StudyOrder, found: Mapping[str, WaitingOrder]) -> StudyOrder:
    """Give a study's order the request that its orders make together."""
    requests = [one.request() for one in found.values()]
    stated = (
        CasePriority(level=Priority(one.priority), reason=AS_ORDERED)
        for one in requests
        if one.priority
    )
    urgent = most_urgent(*stated)
    request = OrderRequest(
        reference=None,
        priority=urgent.level.value if urgent else None,
        identifiers=tuple(dict.fromkeys(i for one in requests for i in one.identifiers)),
    )
    return replace(order, request=request, request_note=None, message_orders=tuple(found))

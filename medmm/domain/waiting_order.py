"""An imaging order that a hospital's order system sent, and that waits for its study."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import ISSUER_URI, OrderIdentifier, OrderRequest
from medmm.domain.record import Coding

RESTATED = frozenset({"NW", "XO", "RO", "RU"})  # table 0119: the order stands in the message whole
ORDER_FACT = "HL7Order/"  # the id of a fact of a record that is an order's, before its key


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOrder:
    """One order of an ORM^O01 or OMI^O23 message, as the newest message states it.

    Attributes:
        control: ORC-1 of that message.
        cancelled: then it joins no study.
        sent_at: when that message was made (MSH-7).
        said_at: when its words were entered: ORC-9 of the first message that stated procedure and
            reasons as they stand, else its MSH-7.
        study_uid, accession: of the study that is to be made for it.
        placer, filler: its numbers (kinds PLAC and FILL of HL7 table 0203), with whose they are.
        place: which of the orders of a message with the same number it is, from 0.
        procedure: in the sender's words; its codes are `codings`.
        reasons: in the sender's words, verbatim.
        priority: in the words of FHIR R4 request-priority; None if none is stated or known.
        message_sha256: of the message.
    """

    identity: PatientIdentity
    control: str
    cancelled: bool
    sent_at: datetime
    said_at: datetime
    study_uid: str | None = None
    accession: str | None = None
    placer: OrderIdentifier | None = None
    filler: OrderIdentifier | None = None
    place: int = 0
    procedure: str
    codings: tuple[Coding, ...] = ()
    reasons: tuple[str, ...] = ()
    priority: str | None = None
    message_sha256: str

    def number(self) -> tuple[str, ...]:
        """Give what it is known by from message to message: placer's number, filler's, accession.

        The first that it has counts.
        """
        for one in (self.placer, self.filler):
            if one is not None:
                return (one.kind or "", one.system or "", one.value)
        return ("ACSN", "", self.accession or "")

    def key(self, secret: bytes) -> str:
        """Compute a keyed pseudonym of the order, with 128 bits in hex: it may stand in a log."""
        text = "\x1f".join((*self.number(), str(self.place)))
        return "order-" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    def says_as(self, other: WaitingOrder) -> bool:
        """Tell whether procedure and reasons are those of another state of it."""
        return (self.procedure, self.codings, self.reasons) == (
            other.procedure,
            other.codings,
            other.reasons,
        )

    def is_of(self, other: WaitingOrder) -> bool:
        """Tell whether another message's order is this one: no number differs, and one is shared.

        Of numbers whose owner one message doesn't name, the values count.
        """
        if self.place != other.place:
            return False
        pairs = ((self.placer, other.placer), (self.filler, other.filler))
        same = [_alike(one, two) for one, two in pairs if one is not None and two is not None]
        if not same and None not in (self.accession, other.accession):
            bare = None in (self.placer or self.filler, other.placer or other.filler)
            return bare and self.accession == other.accession
        return bool(same) and all(same)

    def after(self, before: WaitingOrder) -> WaitingOrder:
        """Give this order as it stands after an earlier message: numbers that it leaves out stay.

        Reasons and priority stay too, unless the order itself was sent anew or changed.
        """
        whole = self.control in RESTATED and not self.cancelled
        now = replace(
            self,
            study_uid=self.study_uid or before.study_uid,
            accession=self.accession or before.accession,
            placer=_best(self.placer, before.placer),
            filler=_best(self.filler, before.filler),
            reasons=self.reasons if whole else self.reasons or before.reasons,
            priority=self.priority if whole else self.priority or before.priority,
        )
        return (
            replace(now, said_at=min(now.said_at, before.said_at)) if now.says_as(before) else now
        )

    def request(self) -> OrderRequest:
        """Give what a study refers to it by."""
        accession = self.accession and OrderIdentifier(value=self.accession, kind="ACSN")
        numbers = (one for one in (self.placer, self.filler, accession) if one)
        return OrderRequest(
            reference=None, priority=self.priority, identifiers=tuple(map(_with_uri, numbers))
        )


def _alike(one: OrderIdentifier, two: OrderIdentifier) -> bool:
    return one.value == two.value and (None in (one.system, two.system) or one.system == two.system)


def _best(now: OrderIdentifier | None, before: OrderIdentifier | None) -> OrderIdentifier | None:
    """Keep a number whose owner an earlier message names and this one doesn't."""
    if now is None or (now.system is None and before is not None and now.value == before.value):
        return before
    return now


def _with_uri(number: OrderIdentifier) -> OrderIdentifier:
    """Leave out an owner that is a local name, which no identifier of FHIR may have."""
    known = number.system is not None and ISSUER_URI.fullmatch(number.system)
    return number if known else replace(number, system=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTaken:
    """What became of an order of a message.

    Attributes:
        key: keyed pseudonym of the order.
        outcome: `new`, `changed`, `cancelled`, `again` (the same message), or `older` (a newer
            message came before); of the last two nothing was changed.
    """

    key: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersTaken:
    """What became of the orders of one message."""

    orders: tuple[OrderTaken, ...]

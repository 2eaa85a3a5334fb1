"""Messages to one receiver over MLLP, and what its acknowledgements mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medmm.delivery.hl7.mllp import MllpReceiver, Receipt, Sent, send
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission

OUTCOMES = {
    Sent.ACCEPTED: Outcome.ARRIVED,
    Sent.FAULTY: Outcome.REFUSED,
    Sent.REJECTED: Outcome.POSTPONED,
    Sent.UNANSWERED: Outcome.POSTPONED,
    Sent.UNREACHABLE: Outcome.POSTPONED,
}
# A code of table 0357 and a place in the message; whatever else an ERR holds may name a patient
FAULT = re.compile(r"\d{1,4}( at [A-Z][A-Z0-9]{2}(-\d{1,3})*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSender:
    """Sends messages to one receiver.

    Attributes:
        refuses: whether AR means that the message is never taken; else that it isn't now.
    """

    receiver: MllpReceiver
    refuses: bool = False

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Send each message on a connection of its own, until one is not accepted."""
        last = Transmission(outcome=Outcome.ARRIVED, code="no message")
        for one in objects:
            last = self._transmission(send(one.content, self.receiver))
            if last.outcome is not Outcome.ARRIVED:
                break
        return last

    def _transmission(self, receipt: Receipt) -> Transmission:
        outcome = OUTCOMES[receipt.outcome]
        if receipt.outcome is Sent.REJECTED and self.refuses:
            outcome = Outcome.REFUSED
        return Transmission(
            outcome=outcome,
            code=_code(receipt),
            reason="; ".join(filter(None, (receipt.reason, receipt.fault))),
        )


def _code(receipt: Receipt) -> str:
    """Say by MSA-1 and ERR what was answered, in words that hold nothing of a patient."""
    if receipt.outcome in (Sent.UNANSWERED, Sent.UNREACHABLE):
        return receipt.outcome.value
    faults = [one for one in receipt.fault.split("; ") if FAULT.fullmatch(one)]
    return " ".join((f"MSA {receipt.code}", ", ".join(faults))).strip()

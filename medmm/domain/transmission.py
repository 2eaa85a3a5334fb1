"""What is sent to another system, and what became of it, whatever the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What became of a transmission, and so what to do next."""

    ARRIVED = "arrived"  # the receiver said that it has all of it, now or from before
    REFUSED = "refused"  # at fault itself: sent again unchanged it is refused again
    POSTPONED = "postponed"  # not taken, or nobody knows: sent again it must do no harm


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingObject:
    """One object as it goes out.

    Attributes:
        name: of the file that it would be.
        key: what the receiver knows it by: SOP Instance UID, identifier of a FHIR resource, or
            control id; equal for each time the same version is sent.
    """

    name: str
    key: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmission:
    """What became of objects that were sent together.

    Attributes:
        code: in the protocol's own terms, such as "A700", "HTTP 503" or "MSA AE"; fit for a log.
        reason: in words, the receiver's own among them: they may name a patient, and so stand
            beside the delivery, never in a log.
        retry_after_s: what the receiver asks to wait (seconds); None if it said nothing.
    """

    outcome: Outcome
    code: str
    reason: str = ""
    retry_after_s: float | None = None

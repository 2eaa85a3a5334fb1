"""A version of a signed report on its way to a destination, and what is next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from medmm.domain.errors import StateError
from medmm.domain.transmission import Outcome, Transmission

FIRST_WAIT_S = 30.0  # after the first attempt that was postponed; then twice as long each time
LONGEST_WAIT_S = 900.0
LONGEST_ASKED_S = 86_400.0  # a receiver may ask for a day at most
PAUSE_S = 30.0  # of a destination that took nothing, so that one that is down is tried seldom


class DeliveryState(Enum):
    """Where a delivery stands."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"  # given up: a person mends what is at fault, and has it tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One version of a signed report for one destination.

    Attributes:
        number: by which it is named; given when it is kept, 0 before.
        version: of the report, from 1.
        urgent: whether it goes before others: its report tells of a critical finding, and the
            destination wants such reports first.
        since: from when on it has been tried; before the first attempt, when it was addressed or
            put back.
        attempts: since it was addressed or put back.
        due: when it is tried next; None if it is not.
        tried_at: when it was tried last.
        code: of the last attempt, as `Transmission.code`.
        reason: of the last attempt, which may name a patient; "" for who may not see identities.
    """

    number: int = 0
    report_id: str
    case_id: str
    version: int
    destination: str
    urgent: bool = False
    state: DeliveryState = DeliveryState.WAITING
    since: datetime
    attempts: int = 0
    due: datetime | None
    tried_at: datetime | None = None
    code: str = ""
    reason: str = ""

    @classmethod
    def of(
        cls, report_id: str, case_id: str, version: int, to: str, urgent: bool, at: datetime
    ) -> Delivery:
        """Make the delivery of a version that was signed at this time; it is due at once."""
        return cls(
            report_id=report_id,
            case_id=case_id,
            version=version,
            destination=to,
            urgent=urgent,
            since=at,
            due=at,
        )

    def after(self, sent: Transmission, at: datetime, give_up: timedelta) -> Delivery:
        """Say where it stands after an attempt.

        Args:
            give_up: for how long it is tried before it is given up.
        """
        since = self.since if self.attempts else at  # nobody may have sent anything until now
        tried = replace(
            self,
            since=since,
            attempts=self.attempts + 1,
            tried_at=at,
            code=sent.code,
            reason=sent.reason,
            due=None,
        )
        if sent.outcome is Outcome.ARRIVED:
            return replace(tried, state=DeliveryState.SENT)
        if sent.outcome is Outcome.REFUSED or at - since >= give_up:
            return replace(tried, state=DeliveryState.DEAD)
        return replace(tried, due=at + timedelta(seconds=_wait_s(tried.attempts, sent)))

    def again(self, at: datetime) -> Delivery:
        """Put it back, to be tried from this time on as if it had never been.

        Raises: StateError if it was not given up.
        """
        if self.state is not DeliveryState.DEAD:
            raise StateError(
                f"the delivery is {self.state.value}: only one that was given up is tried again",
                remedy="`medmm deliveries --state dead` lists those",
                delivery=str(self.number),
            )
        return replace(self, state=DeliveryState.WAITING, since=at, attempts=0, due=at, reason="")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """What deliveries have in common; None asks for nothing.

    Attributes:
        limit: at most so many, the newest.
    """

    state: DeliveryState | None = None
    destination: str | None = None
    report_id: str | None = None
    case_id: str | None = None
    limit: int = 200


ALL_DELIVERIES = DeliveryFilter()


def _wait_s(attempts: int, sent: Transmission) -> float:
    """Say how long to wait: as the receiver asks, and never less than the back-off."""
    doubled = FIRST_WAIT_S * 2.0 ** min(attempts - 1, 10)
    return max(min(doubled, LONGEST_WAIT_S), min(sent.retry_after_s or 0.0, LONGEST_ASKED_S))

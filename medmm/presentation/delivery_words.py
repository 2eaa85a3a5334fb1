"""Where signed reports went, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from medmm.domain.delivery import Delivery, DeliveryState

STANDS = {
    DeliveryState.WAITING: "waiting",
    DeliveryState.SENT: "arrived",
    DeliveryState.DEAD: "given up",
}


def standing(one: Delivery) -> Iterator[str]:
    """Yield how a delivery stands: what became of it, when it was tried, what was said."""
    yield ", ".join(filter(None, (STANDS[one.state], one.code)))
    if one.tried_at is not None:
        yield f"attempt {one.attempts}, {_moment(one.tried_at)}" if one.attempts else "put back"
    if one.due is not None:
        yield f"due {_moment(one.due)}"
    if one.reason:
        yield one.reason


def delivery_lines(found: Sequence[Delivery]) -> tuple[str, ...]:
    """Say of one report where each of its versions went, the oldest first."""
    return tuple(
        f"Version {one.version} to {one.destination}: {'; '.join(standing(one))}"
        for one in sorted(found, key=lambda one: (one.version, one.destination))
    )


def dead_letter_line(one: Delivery) -> str:
    """Say which delivery was given up, and why."""
    return f"{one.destination}: version {one.version} of {one.case_id}; {'; '.join(standing(one))}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or f'{at:%z}'}"

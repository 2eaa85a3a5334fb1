"""Where a delivery stands after an attempt: how long it waits, and when it is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from medmm.domain.delivery import Delivery, DeliveryState
from medmm.domain.errors import StateError
from medmm.domain.transmission import Outcome, Transmission

NOW = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
NEW = Delivery.of("report-1", "case-1", 1, "ehr", urgent=False, at=NOW)
ARRIVED, REFUSED, POSTPONED = (
    Transmission(outcome=outcome, code="said", reason="why") for outcome in Outcome
)


def waits(*asked: float | None) -> list[float]:
    """For how long it waits after each of so many attempts, each a second after it was due."""
    one, at, found = NEW, NOW, []
    for retry_after_s in asked:
        sent = Transmission(outcome=Outcome.POSTPONED, code="503", retry_after_s=retry_after_s)
        one = one.after(sent, at, timedelta(days=365))
        assert one.due is not None
        found.append((one.due - at).total_seconds())
        at = one.due + timedelta(seconds=1)
    return found


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    assert waits(*[None] * 8) == [30, 60, 120, 240, 480, 900, 900, 900]
    assert waits(*[None] * 3000)[-1] == 900, "however often"


def test_a_receiver_is_asked_no_sooner_than_it_wants_and_within_a_day() -> None:
    assert waits(5, 3600, 10_000_000, float("inf")) == [30, 3600, 86_400, 86_400]


def test_arrived_and_refused_are_not_tried_again() -> None:
    for sent, state in ((ARRIVED, DeliveryState.SENT), (REFUSED, DeliveryState.DEAD)):
        after = NEW.after(sent, NOW, WEEK)
        assert (after.state, after.due, after.attempts) == (state, None, 1)
        assert (after.code, after.reason, after.tried_at) == ("said", "why", NOW)


def test_given_up_after_so_many_days_of_trying() -> None:
    begun = NEW.after(POSTPONED, NOW + 3 * WEEK, WEEK)
    assert begun.state is DeliveryState.WAITING, "nobody had sent anything until then"
    end = NOW + 4 * WEEK
    assert begun.after(POSTPONED, end - timedelta(seconds=1), WEEK).due is not None
    assert begun.after(POSTPONED, end, WEEK).state is DeliveryState.DEAD
    assert begun.after(ARRIVED, end, WEEK).state is DeliveryState.SENT


def test_put_back_it_has_all_its_days_again() -> None:
    dead = NEW.after(REFUSED, NOW, WEEK)
    later = NOW + timedelta(days=30)
    again = dead.again(later)
    assert (again.state, again.due, again.attempts, again.reason) == (
        DeliveryState.WAITING,
        later,
        0,
        "",
    )
    assert again.after(POSTPONED, later, WEEK).state is DeliveryState.WAITING
    for one in (NEW, NEW.after(ARRIVED, NOW, WEEK)):
        with pytest.raises(StateError, match="only one that was given up"):
            one.again(later)

"""Rows of the outbox: in which order they are due, and that two who work at once change none twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medmm.domain.delivery import Delivery, DeliveryFilter, DeliveryState
from medmm.domain.errors import InputError, StateError, Unavailable
from medmm.domain.report import Accept
from medmm.domain.transmission import Outcome, Transmission
from medmm.store import Store, leases
from tests.databases import raw
from tests.factories import (
    make_amended_report,
    make_case,
    make_checked_draft,
    make_reading,
    make_signed_report,
)
from tests.unit.store.test_store_nouns import EVENT

NOW = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
DECISIONS = (Accept("s1"), Accept("s2"), Accept("s3"))
FIRST = make_signed_report()
SECOND = make_amended_report(FIRST)
TO = ("a", "b")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two versions of one report, each on its way to two destinations."""
    with Store.open(tmp_path / "data") as store:
        with store.step() as work:
            work.save_study(make_case().study)
            work.open_case(make_case(), NOW)
            work.save_reading("case-1", make_reading())
            work.save_draft("case-1", make_checked_draft())
            work.save_decisions("case-1", DECISIONS, expected=())
            work.save_report(FIRST, decisions=DECISIONS)
            work.save_report(SECOND, decisions=DECISIONS)
            for report in (FIRST, SECOND):
                for to in TO:
                    work.make_delivery(
                        Delivery.of(report.id, "case-1", report.version, to, to == "b", NOW)
                    )
            work.record(EVENT)
        yield store


def due(store: Store, at: datetime = NOW, to: tuple[str, ...] = TO, passed: tuple[int, ...] = ()):  # type: ignore[no-untyped-def]
    found = store.next_delivery(to, at, passed)
    return None if found is None else (found.destination, found.version)


def save(store: Store, before: Delivery, after: Delivery) -> None:
    with store.step() as work:
        work.save_delivery(before, after)
        work.record(EVENT)


def went(store: Store, outcome: Outcome, at: datetime = NOW) -> Delivery:
    """What is due next, after an attempt."""
    found = store.next_delivery(TO, at)
    assert found is not None
    after = found.after(Transmission(outcome=outcome, code="said", reason="why"), at, WEEK)
    save(store, found, after)
    return after


def test_what_is_kept_comes_back(store: Store) -> None:
    after = went(store, Outcome.POSTPONED)
    assert store.deliveries(DeliveryFilter(destination="b", report_id=FIRST.id)) == (after,)
    assert [one.number for one in store.deliveries(DeliveryFilter())] == [4, 3, 2, 1]


def test_urgent_ones_come_first_and_versions_in_their_order(store: Store) -> None:
    order = []
    while store.next_delivery(TO, NOW) is not None:
        sent = went(store, Outcome.ARRIVED)
        order.append((sent.destination, sent.version))
    assert order == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]
    assert store.versions_arrived("case-1", "a") == {FIRST.id, SECOND.id}


def test_one_that_waits_holds_back_the_next_version_and_no_other_destination(store: Store) -> None:
    went(store, Outcome.POSTPONED)
    assert due(store) == ("a", 1)
    assert due(store, passed=(1,)) is None
    assert due(store, to=("b",)) is None
    soon = NOW + timedelta(seconds=30)
    assert due(store, soon) == ("b", 1)
    went(store, Outcome.REFUSED, soon)
    assert due(store, soon) == ("b", 2), "what is dead holds nothing back"


def test_a_destination_that_took_nothing_rests_for_every_report(store: Store) -> None:
    with raw(store) as database:  # as of another report
        database.execute("UPDATE delivery SET case_id = 'case-2' WHERE version = 2")
    went(store, Outcome.POSTPONED)
    assert due(store, to=("b",)) is None
    assert due(store, NOW + timedelta(seconds=29), to=("b",)) is None
    assert due(store, NOW - timedelta(seconds=1), to=("a",)) is None, "nothing is due by then"
    assert due(store, NOW + timedelta(seconds=30), to=("b",)) == ("b", 1)


def test_two_who_send_the_same_record_it_once(store: Store) -> None:
    found = store.next_delivery(TO, NOW)
    assert found is not None
    sent = Transmission(outcome=Outcome.ARRIVED, code="said")
    save(store, found, found.after(sent, NOW, WEEK))
    with pytest.raises(StateError, match="was changed meanwhile"):
        save(store, found, found.after(replace(sent, outcome=Outcome.REFUSED), NOW, WEEK))
    assert store.deliveries(DeliveryFilter(destination="b"))[-1].state is DeliveryState.SENT


def test_of_two_one_has_it_in_hand(store: Store) -> None:
    def clock() -> datetime:
        return NOW

    with store.delivering("case-1", "a", "one", clock) as held:
        assert held is not None
        with store.delivering("case-1", "a", "two", clock) as other:
            assert other is None
        with store.delivering("case-1", "b", "two", clock) as another:
            assert another is not None
        with store.step() as work:
            work.record(EVENT)
            one = work.delivery(1)
            with pytest.raises(Unavailable, match="being sent there"):
                work.refuse_overtaken(one, NOW)
    with store.delivering("case-1", "a", "two", clock) as free:
        assert free is not None
    after = NOW + timedelta(seconds=leases.WORK_S)
    store._write(lambda c: leases.of_delivery("case-1", "a", "dead").take(c, NOW, None))
    with store.delivering("case-1", "a", "two", lambda: after) as taken_over:
        assert taken_over is not None, "who had it died"


def test_a_number_names_a_delivery_or_nothing(store: Store) -> None:
    with store.step() as work:
        work.record(EVENT)
        assert work.delivery(1).destination == "a"
        with pytest.raises(InputError, match="no such delivery"):
            work.delivery(5)
        assert work.addressed("case-1") == {"a", "b"}
        assert work.addressed("case-2") == frozenset()

"""Leases of processes: renewed while one works, taken over where its holder died, refused to who lost it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import InputError, StateError
from medmm.domain.lease import Lease
from medmm.store import DRAFT, Store, Work, leases
from tests.databases import raw

NOW = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)


def event() -> AuditEvent:
    return AuditEvent(
        at=NOW, verb="draft", outcome="done", actor="a", role="service", subject="case-1"
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def rows(store: Store) -> list[tuple[str, ...]]:
    with raw(store) as database:
        query = "SELECT subject, holder, token, until FROM lease"
        return [tuple(row) for row in database.execute(query).fetchall()]


def dead(store: Store, at: datetime) -> None:
    """The lease of a process that died while it worked."""
    assert store._write(lambda c: Work("case-1", DRAFT, "dead").take(c, at, None))


def kept_with(store: Store, work: Work) -> None:
    """Take a step that ends a lease."""
    with store.step() as step:
        step.record(event())
        step.end(work)


def test_a_lease_is_renewed_while_one_works(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "WORK_S", 0.06)
    with store.working("case-1", DRAFT, "service", lambda: datetime.now(UTC)):
        seen: dict[str, str] = {}  # until when it counts, by renewal
        while len(seen) < 4:  # the limit of a test ends it where nothing is renewed
            _, _, token, until = rows(store)[0]
            seen[token] = until
            time.sleep(0.01)
        assert list(seen.values()) == sorted(set(seen.values()))
    assert rows(store) == []


def test_a_dead_process_s_lease_expires_and_nobody_removes_it(store: Store) -> None:
    dead(store, NOW)
    later = NOW + timedelta(seconds=leases.WORK_S)
    with store.working("case-1", DRAFT, "service", lambda: later) as work:
        assert rows(store)[0][1] == "service"
        with store.step() as step:
            step.end(work)
            step.record(event())
    assert rows(store) == []


def test_a_dead_process_is_noticed_though_the_clock_stands_still(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(store, NOW)
    monkeypatch.setattr(leases, "WORK_S", 0.2)
    start = time.monotonic()
    with store.working("case-1", DRAFT, "service", lambda: NOW):
        assert 0.2 < time.monotonic() - start < 10


def test_who_lost_a_lease_keeps_nothing(store: Store) -> None:
    with store.working("case-1", DRAFT, "first", lambda: NOW) as work:
        later = NOW + timedelta(seconds=leases.WORK_S)
        assert store._write(lambda c: Work("case-1", DRAFT, "second").take(c, later, None))
        with pytest.raises(StateError, match="took this work over"):
            kept_with(store, work)
        assert store.events() == ()
    assert [row[1] for row in rows(store)] == ["second"]  # whose it is now


def test_a_lease_that_was_only_late_is_still_its_holder_s(store: Store) -> None:
    with store.working("case-1", DRAFT, "first", lambda: NOW) as work:
        kept_with(store, work)
    assert len(store.events()) == 1


def test_work_on_one_case_does_not_hold_another(store: Store) -> None:
    with (
        store.working("case-1", DRAFT, "a", lambda: NOW),
        store.working("case-2", DRAFT, "a", lambda: NOW),
    ):
        assert len(rows(store)) == 2


@given(st.integers(-200, 200))
def test_a_lease_counts_from_one_length_before_to_its_end(minutes: int) -> None:
    lease = Lease(
        case_id="c", holder="r", since=NOW, renewed=NOW, until=NOW + timedelta(minutes=30)
    )
    assert lease.holds(NOW + timedelta(minutes=minutes)) == (-30 <= minutes < 30)


def test_a_lease_names_its_zone_and_ends_after_it_begins() -> None:
    with pytest.raises(InputError, match="time zone"):
        Lease(
            case_id="c",
            holder="r",
            since=NOW,
            renewed=NOW,
            until=NOW.replace(tzinfo=None) + timedelta(minutes=1),
        )
    with pytest.raises(InputError, match="ends before"):
        Lease(case_id="c", holder="r", since=NOW, renewed=NOW, until=NOW)

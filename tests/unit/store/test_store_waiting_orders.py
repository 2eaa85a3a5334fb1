"""Orders that wait are found by what images state, by the most telling number first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import IntegrityError
from medmm.domain.imaging_order import OrderIdentifier, StudyOrder
from medmm.domain.waiting_order import WaitingOrder
from medmm.records import read_orders
from medmm.store import Store
from tests.databases import raw
from tests.orders import order_message
from tests.unit.store.test_store_nouns import EVENT

(BASE,) = read_orders(order_message(placer="P0", accession="").encode())
NUMBERS = {
    "uid": {"study_uid": "1.2.3.1"},
    "accession": {"accession": "A"},
    "placer": {"placer": OrderIdentifier(value="P", kind="PLAC")},
    "filler": {"filler": OrderIdentifier(value="F", kind="FILL")},
    "other study": {"study_uid": "1.2.3.9", "accession": "A"},
}
STUDY = StudyOrder(accession="A", placer_order="P", filler_order="F")


def keep(store: Store, key: str, order: WaitingOrder) -> None:
    event = AuditEvent(at=datetime.now(UTC), verb="take_order", outcome="done", actor="a", role="service", subject=key)  # fmt: skip
    with store.step() as step:
        step.save_waiting_order(key, order)
        step.record(event)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as found:
        for name, numbers in NUMBERS.items():
            keep(found, name, replace(BASE, **numbers))  # type: ignore[arg-type]
        yield found


def test_the_most_telling_number_counts(store: Store) -> None:
    assert list(store.waiting_orders("1.2.3.1", STUDY)) == ["uid"]
    assert list(store.waiting_orders("1.2.3.5", STUDY)) == ["accession"]
    assert list(store.waiting_orders("1.2.3.5", replace(STUDY, accession="B"))) == ["placer"]
    assert list(store.waiting_orders("1.2.3.5", StudyOrder(filler_order="F"))) == ["filler"]
    assert store.waiting_orders("1.2.3.5", StudyOrder()) == {}
    assert store.waiting_orders("1.2.3.1", StudyOrder())["uid"] == replace(
        BASE, study_uid="1.2.3.1"
    )
    assert store.verify().ok


def test_a_newer_state_takes_the_place_of_the_one_before(store: Store) -> None:
    keep(store, "uid", replace(BASE, study_uid="1.2.3.1", cancelled=True))
    assert store.waiting_orders("1.2.3.1", STUDY)["uid"].cancelled
    assert store.verify().ok


def test_an_altered_row_is_used_for_nothing(store: Store) -> None:
    with raw(store) as database:
        database.execute("UPDATE waiting_order SET body = replace(body, 'no fever', 'fever')")
        database.commit()
    with pytest.raises(IntegrityError, match="waiting order"):
        store.waiting_orders("1.2.3.1", STUDY)


def test_an_order_keeps_its_key_by_any_of_its_numbers(store: Store) -> None:
    def known(order: WaitingOrder) -> str:
        with store.step() as step:
            found = step.known_as(order)
            step.record(EVENT)
        return found

    both = replace(BASE, placer=NUMBERS["placer"]["placer"], filler=NUMBERS["filler"]["filler"])
    assert known(both) == "placer", "another order has the filler's number and another placer's"
    second = replace(both, place=1)
    assert known(second) == second.key(store.secret("patient"))
    foreign = OrderIdentifier(value="P", system="ELSEWHERE", kind="PLAC")
    assert known(replace(BASE, placer=foreign)) == "placer"

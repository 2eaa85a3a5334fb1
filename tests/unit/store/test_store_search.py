"""What cases are searched by, on every database: derived with the rows, and of an earlier release when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.worklist import CaseFilter, Page
from medmm.store import Store, search
from tests.databases import raw
from tests.factories import make_case, make_study

AT = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
NAMES = ("Zzmüller", "Zzmueller", "Zzmullen", "Zz\U0001f600x", "ZZ山田")


def event(subject: str, verb: str = "open_case") -> AuditEvent:
    return AuditEvent(at=AT, verb=verb, outcome="done", actor="a", role="service", subject=subject)


def add(store: Store, number: int, name: str) -> None:
    study = make_study(uid=f"1.2.{number}", patient_key=f"pk-{number}")
    identity = PatientIdentity(
        patient_id=f"ID {number}", family_name=name, birth_date=date(1960, 1, 1)
    )
    with store.step() as step:
        step.save_identity(study.patient_key, identity)
        step.save_study(study)
        step.save_order(study.uid, StudyOrder(accession=f"A{number}", placer_order=f"P{number}"))
        step.record(event(study.uid, "admit"))
        case = replace(make_case(study=study, context=None), id=f"case-{number}")
        step.open_case(case, AT + timedelta(minutes=number))
        step.record(event(case.id))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        for number, name in enumerate(NAMES):
            add(store, number, name)
        yield store


def found(store: Store, words: str) -> list[int]:
    page = store.worklist(store.asked(CaseFilter(), AT, words), Page(limit=50), named=True)
    assert page.total == len(page.rows)
    return sorted(int(row.case.case_id.removeprefix("case-")) for row in page.rows)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("ZZMULLER", [0, 1]),
        ("zzmull", [0, 1, 2]),
        ("zz", [0, 1, 2, 3, 4]),
        ("山田", []),
        ("zz山", [4]),
        ("id 3", [3]),
        ("p2", [2]),
        ("A1", [1]),
        ("1.2.4", [4]),
    ],
)
def test_a_search_finds_the_same_on_every_database(
    store: Store, words: str, numbers: list[int]
) -> None:
    assert found(store, words) == numbers


def test_rows_name_who_is_kept_now_and_counts_and_news_go_with_them(store: Store) -> None:
    asked = store.asked(CaseFilter(), AT)
    page = store.worklist(asked, Page(limit=2), named=True)
    assert [row.patient and row.patient.family_name for row in page.rows] == ["ZZ山田", NAMES[3]]
    counts = {(one.of, one.value): one.cases for one in page.counts}
    assert (counts["state", "opened"], counts["critical", "no"], page.total) == (5, 5, 5)
    add(store, 9, "Zznew")
    assert store.arrived(asked, page.entry) == 1
    assert store.following(asked, Page(limit=1), "reader-1") is None, "nothing is drafted"


def test_what_an_earlier_release_kept_is_searched_once_it_is_opened(store: Store) -> None:
    before = store._read(lambda c: set(c.execute(search.TERMS.select()).all()))
    with store._database.write() as connection:
        connection.execute(search.TERMS.delete())
    assert not store.verify().ok
    with store._database.write() as connection:
        search.fill(connection, store.secret("patient"))
    assert store._read(lambda c: set(c.execute(search.TERMS.select()).all())) == before
    assert store.verify().ok


def test_an_identity_that_was_altered_is_named_once(store: Store) -> None:
    with raw(store) as database:
        database.execute(
            "UPDATE identity SET body = replace(CAST(body AS TEXT), 'Zzmullen', 'Zzother')"
            if store.dialect.shared is False
            else "UPDATE identity SET body = replace(body::text, 'Zzmullen', 'Zzother')::json"
        )
        database.commit()
    assert [p.place for p in store.verify().problems] == ["identity of patient pk-2"]

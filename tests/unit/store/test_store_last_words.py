"""A case is opened by the log's last words on it, however often it was looked at; they are held against the log."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from medmm.audit import log
from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import IntegrityError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Accept
from medmm.store import Store, last_words
from tests.databases import only_sqlite, raw
from tests.factories import SIGNED_AT, make_case, make_checked_draft, make_reading

EARLIER = Path(__file__).with_name("earlier_release") / "store.tar.xz"
KEY = make_case().study.patient_key
UID = make_case().study.uid


def event(verb: str, subject: str = "case-1", **details: str) -> AuditEvent:
    return AuditEvent(
        at=SIGNED_AT,
        verb=verb,
        outcome="done",
        actor="reader-1",
        role="reader",
        subject=subject,
        details=details,
    )


def draft(store: Store, *, failed: tuple[str, ...] = ()) -> None:
    with store.step() as work:
        work.save_reading("case-1", make_reading())
        work.save_draft("case-1", make_checked_draft(failed=failed))
        work.record(event("draft", drafted_from="settings"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A case that was drafted twice and decided on: entries 1 to 5."""
    with Store.open(tmp_path / "data") as store:
        with store.step() as work:
            work.save_identity(KEY, PatientIdentity(patient_id="ZZ-1"))
            work.save_study(make_case().study)
            work.record(event("admit", UID))
        with store.step() as work:
            work.open_case(make_case(), SIGNED_AT)
            work.record(event("open_case"))
        draft(store)
        draft(store, failed=("s2",))
        with store.step() as work:
            work.save_decisions("case-1", (Accept("s1"),), expected=())
            work.record(event("decide"))
        yield store


def look_at_all(store: Store) -> int:
    """Open case, study and identity. Returns: how many statements that took."""
    asked: list[str] = []

    def count(*call: object) -> None:
        asked.append(str(call[2]))

    sa.event.listen(store._database._engine, "before_cursor_execute", count)
    store.case_file("case-1")
    store.study(UID)
    store.identity(KEY)
    assert store.drafted_from("case-1") == "settings"
    sa.event.remove(store._database._engine, "before_cursor_execute", count)
    return len(asked)


def test_opening_costs_the_same_after_many_looks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look_at_all(store)
    with store.step() as work:
        for _ in range(300):
            work.record(event("case"))

    def all_entries(*_: object) -> None:
        raise AssertionError("the whole history was read")

    with monkeypatch.context() as patched:
        patched.setattr(log, "numbered", all_entries)
        assert look_at_all(store) == before
    assert store.verify().ok


def tamper(store: Store, *statements: str) -> None:
    with raw(store) as database:
        for statement in statements:
            database.execute(statement)


ROW = "UPDATE last_word SET {} WHERE kind = 'draft' AND owner = 'case-1'"
TAMPERINGS = {
    "another digest": ROW.format(f"value = '{'0' * 64}'"),
    "an earlier form": ROW.format("value = NULL"),
    "an entry that says nothing of it": ROW.format("entry = 5"),
    "an entry that is not there": ROW.format("entry = 99"),
    "no number": ROW.format("entry = x'ff'"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_row_that_its_entry_contradicts_is_refused_and_found(store: Store, name: str) -> None:
    tamper(store, TAMPERINGS[name])
    with pytest.raises(IntegrityError, match="draft case-1"):
        store.case_file("case-1")
    problems = store.verify().problems
    assert [(p.kind, p.place) for p in problems] == [
        ("altered", "row of the last digest of draft case-1")
    ]
    assert "entry 4" in problems[0].text


def test_a_row_of_an_earlier_entry_is_found(store: Store) -> None:
    """Rolled back with what it covers, it agrees with an entry; the log as a whole tells."""
    earlier = sa.select(last_words.WORDS)
    with store._database._engine.connect() as connection:
        words: last_words.Words = {}
        for number, said in last_words.said(connection):
            if number == 3:
                last_words.add(words, number, said)
        assert len(connection.execute(earlier).all()) > len(words)
    word = words["draft", "case-1"]
    tamper(store, ROW.format(f"entry = 3, value = '{word.value}'"))
    found = [(p.kind, p.place) for p in store.verify().problems]
    assert found == [("altered", "row of the last digest of draft case-1")]


@pytest.mark.parametrize("kind", ["case", "draft", "decisions", "state", "identity", "study"])
def test_a_missing_row_is_found(store: Store, kind: str) -> None:
    tamper(store, f"DELETE FROM last_word WHERE kind = '{kind}'")
    owner = {"identity": KEY, "study": UID}.get(kind, "case-1")
    found = [(p.kind, p.place) for p in store.verify().problems]
    assert found == [("missing", f"row of the last digest of {kind} {owner}")]
    if kind in last_words.PARTS:
        with pytest.raises(IntegrityError, match="no entry says"):
            store.case_file("case-1")


def test_a_row_too_many_is_found(store: Store) -> None:
    tamper(store, "INSERT INTO last_word VALUES ('draft', 'case-2', 'case-2', 4, 'x')")
    assert [p.kind for p in store.verify().problems] == ["not in the log"]


@only_sqlite
def test_rows_of_an_earlier_release_are_those_of_its_log(tmp_path: Path) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    with Store.open(tmp_path / "data") as store:
        with store._database._engine.connect() as connection:
            words = last_words.collected(connection)
            rows = {
                last_words.Word(**row._mapping)
                for row in connection.execute(sa.select(last_words.WORDS))
            }
        assert rows == set(words.values())
        parts = {"case", "reading", "draft", "decisions", *last_words.VERSIONS.values()}
        assert {word.kind for word in rows} >= parts | {"report"}
        assert store.verify().ok
        assert store.case_file("case-1").report is not None
        with store.step() as work:
            work.save_decisions("case-1", (), expected=store.case_file("case-1").decisions)
            work.record(event("decide"))
        assert store.verify().problems == ()


def test_an_entry_of_an_earlier_form_takes_the_place_of_no_digest(store: Store) -> None:
    with store.step() as work:
        work.record(event("decide"))
        work.record(replace(event("draft", drafted_from="settings"), outcome="failed"))
    assert look_at_all(store)
    assert store.verify().ok

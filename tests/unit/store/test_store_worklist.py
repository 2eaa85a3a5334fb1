"""The worklist: by page, filtered by columns, derived from the cases and held against the log."""

from __future__ import annotations

import tarfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import InputError, IntegrityError, StateError
from medmm.domain.priority import CasePriority, Order, Priority
from medmm.domain.report import CaseState, CaseSummary, Reject
from medmm.domain.study import Modality, StudyTime
from medmm.domain.worklist import CaseFilter, Page
from medmm.store import Store
from medmm.store import worklist as lines
from tests.databases import only_sqlite, raw
from tests.factories import make_case, make_checked_draft, make_finding, make_reading, make_study

EARLIER = Path(__file__).with_name("earlier_release") / "store.tar.xz"
AT = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)


def event(case_id: str, verb: str = "open_case") -> AuditEvent:
    return AuditEvent(
        at=AT, verb=verb, outcome="done", actor="reader-1", role="attending", subject=case_id
    )


def add(store: Store, *cases: tuple[str, datetime], **study: object) -> None:
    """Open cases of one study at these times, in one step."""
    with store.step() as work:
        case = make_case(study=make_study(**study))
        work.save_study(case.study)
        for case_id, at in cases:
            work.open_case(replace(case, id=case_id), at)
            work.record(event(case_id))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def ids(found: tuple[CaseSummary, ...]) -> list[str]:
    return [one.case_id for one in found]


def tamper(store: Store, statement: str) -> None:
    with raw(store) as database:
        database.execute(statement)


def test_pages_are_the_whole_list_in_its_order(store: Store) -> None:
    add(
        store, *((f"case-{n:02}", AT + timedelta(minutes=n // 3)) for n in range(20))
    )  # three of each time
    whole = ids(store.cases())
    assert whole == [
        f"case-{n:02}" for n in sorted(range(20), key=lambda n: (n // 3, n), reverse=True)
    ]
    for size in (1, 3, 7, 20, 50):
        seen: list[str] = []
        while page := store.cases(part=Page(limit=size, after=seen[-1] if seen else None)):
            assert len(page) <= size
            seen += ids(page)
        assert seen == whole


def test_cases_that_come_meanwhile_move_no_page(store: Store) -> None:
    add(store, *((f"case-{n}", AT + timedelta(minutes=n)) for n in range(6)))
    first = ids(store.cases(part=Page(limit=3)))
    add(store, ("case-new", AT + timedelta(hours=1)))
    assert ids(store.cases(part=Page(limit=3, after=first[-1]))) == ["case-2", "case-1", "case-0"]
    assert ids(store.cases(part=Page(limit=1))) == ["case-new"]


def test_newest_is_by_the_moment_whatever_the_zone(store: Store) -> None:
    east = timezone(timedelta(hours=9))
    add(store, ("earlier", datetime(2026, 1, 2, 17, 0, tzinfo=east)), ("later", AT))
    assert ids(store.cases()) == ["later", "earlier"]
    assert store.cases()[1].opened_at.isoformat() == "2026-01-02T17:00:00+09:00"


def test_a_page_after_no_case_and_a_page_of_none_are_refused(store: Store) -> None:
    with pytest.raises(InputError, match="no such case"):
        store.cases(part=Page(after="case-none"))
    with pytest.raises(InputError, match="0 cases"):
        Page(limit=0)


def test_filters_find_what_the_lines_say(store: Store) -> None:
    add(store, ("case-a", AT), ("case-b", AT), ("case-c", AT))
    taken = StudyTime(
        moment=datetime(2025, 12, 31, 23, 59, 59, 5, tzinfo=UTC),
        source_tag="AcquisitionDateTime",
        precise=True,
    )
    add(store, ("case-d", AT), uid="1.2.3", acquired=taken, body_part="Chest")
    for case_id, finding in (("case-b", "Pneumothorax"), ("case-c", "Effusion")):
        with store.step() as work:
            work.save_reading(case_id, make_reading(findings=(make_finding(finding, 0.9),)))
            work.set_state(case_id, CaseState.DRAFTED, expected=CaseState.OPENED)
            work.record(event(case_id, "draft"))

    def found(**wanted: object) -> set[str]:
        return set(ids(store.cases(CaseFilter(**wanted))))  # type: ignore[arg-type]

    assert found(state=CaseState.DRAFTED) == {"case-b", "case-c"}
    assert found(critical=True) == {"case-b"}
    assert found(critical=False, suspected=True) == {"case-c"}
    assert found(suspected=False) == {"case-a", "case-d"}
    assert found(modality=make_study().modality) == {"case-a", "case-b", "case-c", "case-d"}
    assert found(modality=Modality.MR) == set()
    assert "case-d" in found(body_part="chest")
    day = date(2025, 12, 31)
    assert found(acquired_from=day, acquired_to=day) == {"case-d"}
    assert "case-d" not in found(acquired_from=day + timedelta(days=1))
    assert "case-d" not in found(acquired_to=day - timedelta(days=1))
    assert [
        one.acquired
        for one in store.cases(CaseFilter(acquired_to=date.max))
        if one.case_id == "case-d"
    ] == [taken.moment]


def test_a_line_follows_its_case(store: Store) -> None:
    add(store, ("case-1", AT))
    assert (store.cases()[0].suspected, store.cases()[0].state) == ((), CaseState.OPENED)
    with store.step() as work:
        work.save_reading("case-1", make_reading())
        work.save_draft("case-1", make_checked_draft())
        work.record(event("case-1", "draft"))
    file = store.case_file("case-1")
    assert store.cases()[0].suspicions == file.flagged != ()
    stated = file.flagged[0].statement_id
    assert stated is not None
    with store.step() as work:
        work.save_decisions("case-1", (Reject(stated, ""),), expected=())
        work.record(event("case-1", "decide"))
    after = store.case_file("case-1").flagged
    assert store.cases()[0].suspicions == after != file.flagged
    assert store.verify().ok


def test_an_altered_priority_or_site_of_a_case_is_found(store: Store) -> None:
    with store.step() as work:
        work.save_study(make_case().study)
        work.open_case(make_case(), AT, "Hospital North")
        work.set_priority("case-1", CasePriority(level=Priority.STAT, reason="as ordered"))
        work.record(event("case-1"))
    assert (store.cases()[0].priority, store.cases()[0].site) == ("stat", "Hospital North")
    assert store.verify().ok
    for part, other in (("priority", "NULL"), ("site", """'"Hospital South"'""")):
        tamper(store, f'UPDATE "case" SET {part} = {other}')
        with pytest.raises(IntegrityError, match="of case case-1 is not what the audit log says"):
            store.case_file("case-1")
    places = {p.place for p in store.verify().problems}
    assert places == {"priority of case case-1", "site of case case-1"}


def test_a_line_says_who_has_claimed_its_case_while_the_claim_lasts(store: Store) -> None:
    add(store, ("case-1", AT), ("case-2", AT))
    until = AT + timedelta(minutes=30)
    with store.step() as work:
        work.claim("case-1", "reader-1", AT, until)
        work.record(event("case-1", "claim"))

    def assigned(at: datetime | None) -> dict[str, tuple[str | None, datetime | None]]:
        return {one.case_id: (one.assigned, one.assigned_until) for one in store.cases(at=at)}

    nobody = {"case-1": (None, None), "case-2": (None, None)}
    assert assigned(AT) == {**nobody, "case-1": ("reader-1", until)}
    assert assigned(until) == assigned(None) == assigned(AT - timedelta(hours=1)) == nobody
    mine = CaseFilter(assigned="reader-1")
    assert (ids(store.cases(mine, at=AT)), ids(store.cases(mine, at=until))) == (["case-1"], [])
    assert store.verify().ok


TAMPERINGS = {
    "hidden": (
        "UPDATE worklist SET critical = false, suspected = false, suspicions = '[]'",
        "altered",
    ),
    "of another state": ("UPDATE worklist SET state = 'signed'", "altered"),
    "as urgent": ("UPDATE worklist SET priority = 'stat'", "altered"),
    "at another turn": ("UPDATE worklist SET turn = '0'", "altered"),
    "of another site": ("UPDATE worklist SET site = 'elsewhere'", "altered"),
    "waiting since long": ("UPDATE worklist SET waiting_since = '2020'", "altered"),
    "of another patient": ("UPDATE worklist SET patient_key = 'pk-2'", "altered"),
    "of no text": ("UPDATE worklist SET patient_key = CAST('\u00ff' AS BLOB)", "altered"),
    "removed": ("DELETE FROM worklist", "missing"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_an_altered_line_is_found(store: Store, name: str) -> None:
    statement, kind = TAMPERINGS[name]
    add(store, ("case-1", AT))
    with store.step() as work:
        work.save_reading("case-1", make_reading(findings=(make_finding("Pneumothorax", 0.9),)))
        work.record(event("case-1"))
    assert store.verify().ok
    tamper(store, statement)
    assert [(p.kind, p.place) for p in store.verify().problems] == [
        (kind, "worklist line of case case-1")
    ]


@only_sqlite
@pytest.mark.parametrize("name", [None, *TAMPERINGS])
def test_the_line_of_a_case_of_an_earlier_release_is_derived_and_held_against_its_case(
    name: str | None, tmp_path: Path
) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    with Store.open(tmp_path / "data") as store:
        file, (line,) = store.case_file("case-1"), store.cases()
        assert (line.state, line.suspicions) == (CaseState.SIGNED, file.flagged)
        assert line.suspicions
        assert store.verify().ok
        if name is not None:
            statement, kind = TAMPERINGS[name]
            tamper(store, statement.replace("'signed'", "'opened'"))
            assert [(p.kind, p.place) for p in store.verify().problems] == [
                (kind, "worklist line of case case-1")
            ]


def test_a_line_without_a_case_is_found(store: Store) -> None:
    add(store, ("case-1", AT))
    names = ", ".join(name for name in lines.NAMES if name != "case_id")
    tamper(store, f"INSERT INTO worklist (case_id, {names}) SELECT 'case-2', {names} FROM worklist")
    assert [(p.kind, p.place) for p in store.verify().problems] == [
        ("not in the log", "worklist line of case case-2")
    ]


@only_sqlite
def test_a_case_that_can_not_be_read_is_not_left_out_silently(tmp_path: Path) -> None:
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    with raw(tmp_path / "data") as database:
        database.execute("UPDATE \"case\" SET body = '{}'")
    with Store.open(tmp_path / "data") as store:
        with pytest.raises(IntegrityError, match="not be whole"):
            store.cases(CaseFilter(state=CaseState.DRAFTED))
        assert "case case-1" in {problem.place for problem in store.verify().problems}


def test_a_step_that_changes_a_case_after_its_event_is_refused(store: Store) -> None:
    add(store, ("case-1", AT))
    with ExitStack() as stack:
        work = stack.enter_context(store.step())
        work.record(event("case-1"))
        work.save_reading("case-1", make_reading())
        with pytest.raises(StateError, match="without an audit entry"):
            stack.close()
    assert store.cases()[0].suspected == ()


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Ten thousand drafted cases: one by the store's own steps, the others as copies of its rows and lines."""
    with Store.open(tmp_path_factory.mktemp("load") / "data") as store:
        add(store, ("case-00000", AT))
        with store.step() as work:
            work.save_reading("case-00000", make_reading())
            work.save_draft("case-00000", make_checked_draft())
            work.record(event("case-00000", "draft"))
        number = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
        case_id, at = (
            "printf('case-%05d', i)",
            "strftime('%Y-%m-%dT%H:%M:%f', '2026-01-02T09:00:00', '+' || i || ' minutes')",
        )
        of_case = {"id": case_id, "opened_at": f"{at} || '+00:00'"}
        of_part = {"case_id": case_id}
        of_line = {
            "case_id": case_id,
            "opened_at": f"{at} || '+00:00'",
            "opened_utc": f"{at} || '000+00:00'",
        }
        changed_of = {'"case"': of_case, "reading": of_part, "draft": of_part, "worklist": of_line}
        for table, changed in changed_of.items():
            with raw(store) as database:
                columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(changed.get(column, column) for column in columns)
                database.execute(f"{number} INSERT INTO {table} SELECT {values} FROM {table}, n")
        yield store


@only_sqlite
def test_a_page_of_ten_thousand_cases_takes_no_longer_than_one_of_few(ten_thousand: Store) -> None:
    ten_thousand.cases(part=Page(limit=50))  # warm
    tracemalloc.start()
    start = time.process_time()
    page = ten_thousand.cases(CaseFilter(suspected=True), Page(limit=50))
    last = ten_thousand.cases(
        CaseFilter(state=CaseState.OPENED), Page(limit=50, after="case-00050")
    )
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (page[0].case_id, len(page), last[-1].case_id, len(last)) == (
        "case-09999",
        50,
        "case-00000",
        50,
    )
    assert seconds < 1
    assert peak < 4 << 20


@only_sqlite
def test_every_filter_and_page_is_answered_from_an_index(ten_thousand: Store) -> None:
    asked: list[str] = []
    engine = ten_thousand._database._engine
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda c, cursor, text, values, *_: asked.append((text, values)),
    )  # type: ignore[arg-type]
    filters = (
        CaseFilter(),
        CaseFilter(state=CaseState.DRAFTED),
        CaseFilter(critical=True),
        CaseFilter(modality=Modality.MR),
        CaseFilter(priority=Priority.STAT),
        CaseFilter(site="Hospital North"),
    )
    for one in filters:
        ten_thousand.cases(one, Page(limit=50, after="case-05000"), AT)
    urgent = Page(limit=50, after="case-05000", order=Order.URGENCY)
    ten_thousand.cases(CaseFilter(waiting=True), urgent, AT)
    ten_thousand.cases(CaseFilter(assigned="reader-1"), Page(limit=50), AT)
    with raw(ten_thousand) as database:
        for text, values in [a for a in asked if "FROM worklist" in a[0]]:  # type: ignore[misc]
            plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", values)]
            assert plan
            if "ix_lease_holder" in plan[0]:  # of one reader's few claims, which are sorted
                plan.remove("USE TEMP B-TREE FOR ORDER BY")
            assert all("INDEX" in step and "TEMP B-TREE" not in step for step in plan), (text, plan)
        assert "ix_lease_holder" in str(plan)

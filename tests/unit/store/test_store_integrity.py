"""What is kept of a case is held against the log: whatever a hand changes in the rows is refused and named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medmm.delivery import report_bundle
from medmm.domain.audit_event import AuditEvent
from medmm.domain.codec import to_json
from medmm.domain.errors import IntegrityError, StateError
from medmm.domain.report import Accept, CaseState
from medmm.domain.report_kind import ReportKind
from medmm.store import Store
from tests.databases import raw
from tests.factories import (
    SIGNED_AT,
    make_amended_report,
    make_case,
    make_checked_draft,
    make_reading,
    make_signed_report,
)

DECISIONS = (Accept("s1"), Accept("s2"), Accept("s3"))


def event(verb: str) -> AuditEvent:
    return AuditEvent(
        at=SIGNED_AT,
        verb=verb,
        outcome="done",
        actor="reader-1",
        role="attending",
        subject="case-1",
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A signed case in five steps, each with its entry, as the assistant keeps it."""
    with Store.open(tmp_path / "data") as store:
        case = make_case()
        with store.step() as work:
            work.save_study(case.study)
            work.open_case(case, SIGNED_AT)
            work.record(event("open_case"))
        with store.step() as work:
            work.save_reading("case-1", make_reading())
            work.save_draft("case-1", make_checked_draft())
            work.record(event("draft"))
        with store.step() as work:
            work.save_decisions("case-1", DECISIONS, expected=())
            work.record(event("decide"))
        with store.step() as work:
            work.set_state("case-1", CaseState.SIGNED, expected=CaseState.OPENED)
            work.save_report(make_signed_report(), decisions=DECISIONS)
            work.record(event("sign"))
        yield store


def tamper(store: Store, *statements: str) -> None:
    with raw(store) as database:
        for statement in statements:
            database.execute(statement)


def test_what_nobody_touched_is_loaded_and_sound(store: Store) -> None:
    assert store.case_file("case-1").decisions == DECISIONS
    assert report_bundle(store.report("report-1"), None)
    assert store.verify().ok


OTHER = json.dumps(to_json(replace(make_case(), context=None))).replace("'", "''")
TAMPERINGS = {
    "the case": (f"UPDATE \"case\" SET body = '{OTHER}'", "case case-1", 1),
    "a score": ("UPDATE reading SET body = replace(body, '0.62', '0.26')", "reading of case case-1", 2),
    "a sentence": ("UPDATE draft SET body = replace(body, 'left', 'right')", "draft of case case-1", 2),
    "a verdict": ("UPDATE draft SET body = replace(body, 'passed', 'failed')", "draft of case case-1", 2),
    "a decision": ("UPDATE \"case\" SET decisions = replace(decisions, 'Accept', 'Reject')", "decisions of case case-1", 4),
    "all decisions": ("UPDATE \"case\" SET decisions = '[]'", "decisions of case case-1", 4),
    "no JSON": ("UPDATE \"case\" SET decisions = x'ff'", "decisions of case case-1", 4),
    "the draft taken away": ("DELETE FROM draft", "draft of case case-1", 2),
    "the state": ("UPDATE \"case\" SET state = 'in review'", "case case-1", 4),
    "the report taken away": ('UPDATE "case" SET report_id = NULL', "case case-1", 4),
    "a word of the report": ("UPDATE report SET body = replace(body, 'effusion', 'EFFUSION')", "report report-1", 4),
    "the report's reader": ("UPDATE report SET body = replace(body, 'ZZREADER One', 'ZZREADER Two')", "report report-1", 4),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_an_altered_row_is_refused_and_named_with_its_entry(store: Store, name: str) -> None:
    statement, place, entry = TAMPERINGS[name]
    tamper(store, statement)
    with pytest.raises(IntegrityError, match=f"{place}.*entry {entry} "):
        store.case_file("case-1")
    found = store.verify()
    assert [(p.place, f"entry {entry} " in p.text) for p in found.problems] == [(place, True)]
    if place.startswith("report"):
        with pytest.raises(IntegrityError, match=f"{place}.*entry {entry} "):
            store.report("report-1")


def test_a_report_that_was_removed_is_named(store: Store) -> None:
    tamper(store, "DELETE FROM report")
    problems = store.verify().problems
    assert [(p.kind, p.place) for p in problems] == [("missing", "report report-1")]
    assert "entry 4" in problems[0].text


def test_a_report_without_an_entry_is_refused(store: Store) -> None:
    tamper(
        store,
        "INSERT INTO report SELECT 'report-2', case_id, replace(body, 'report-1', 'report-2') FROM report",
    )
    for load in (lambda: store.report("report-2"), lambda: store.case_file("case-1")):
        with pytest.raises(IntegrityError, match="report-2"):
            load()
    assert [(p.kind, p.place) for p in store.verify().problems] == [
        ("not in the log", "report report-2")
    ]


def test_a_case_that_was_removed_is_named(store: Store) -> None:
    tamper(store, "DELETE FROM report", 'DELETE FROM "case"')
    assert {(p.kind, p.place) for p in store.verify().problems} == {
        ("missing", "case case-1"),
        ("missing", "report report-1"),
    }


def test_a_case_without_an_entry_is_refused(store: Store) -> None:
    tamper(store, "INSERT INTO \"case\" SELECT 'case-2', study_uid, 'opened', opened_at, body, '[]', NULL, NULL, NULL, NULL, NULL"
                  ' FROM "case"')  # fmt: skip
    with pytest.raises(IntegrityError, match="case case-2"):
        store.case_file("case-2")
    assert {p.place for p in store.verify().problems} == {"case case-2", "decisions of case case-2"}


def move_on(store: Store, state: CaseState) -> None:
    """From a signed case to any state that a case can have, each with its entry."""
    with store.step() as work:
        if state is not CaseState.SIGNED:
            work.save_report(NEWER[state], decisions=DECISIONS)
        work.set_state("case-1", state, expected=CaseState.SIGNED)
        work.record(event(f"to {state.value}"))


NEWER = {
    CaseState.AMENDED: make_amended_report(),
    CaseState.WITHDRAWN: make_amended_report(kind=ReportKind.WITHDRAWAL, statements=()),
}
AFTER_SIGNING = {
    CaseState.SIGNED: "report-1",
    CaseState.AMENDED: "report-2",
    CaseState.WITHDRAWN: "report-2",
}


@pytest.mark.parametrize("state", AFTER_SIGNING, ids=lambda state: state.name)
def test_a_case_with_a_report_is_sound_in_every_state_that_it_can_have(
    store: Store, state: CaseState
) -> None:
    move_on(store, state)
    file = store.case_file("case-1")
    assert (file.state, file.report and file.report.id) == (state, AFTER_SIGNING[state])
    assert store.report("report-1").version == 1
    assert [report.version for report in file.versions] == list(range(1, len(file.versions) + 1))
    assert file.versions[-1] == file.report
    assert store.verify().problems == ()


@pytest.mark.parametrize("other", CaseState, ids=lambda state: state.name)
@pytest.mark.parametrize("state", AFTER_SIGNING, ids=lambda state: state.name)
def test_no_state_can_be_put_in_the_place_of_another_after_signing(
    store: Store, state: CaseState, other: CaseState
) -> None:
    move_on(store, state)
    tamper(store, f"UPDATE \"case\" SET state = '{other.value}'")
    if other is state:
        assert store.verify().ok
        return
    with pytest.raises(
        IntegrityError, match=f"entry 5 says that it is {state.value}; the case is {other.value}"
    ):
        store.case_file("case-1")
    assert [(p.kind, p.place) for p in store.verify().problems] == [
        ("state altered", "case case-1")
    ]


def test_a_report_takes_the_place_of_none_but_the_newest(store: Store) -> None:
    """Of two who changed the report that both had read, the second learns it, and nothing of his is kept."""
    move_on(store, CaseState.AMENDED)

    def amend_the_first_again() -> None:
        with store.step() as work:
            work.set_state("case-1", CaseState.AMENDED, expected=CaseState.AMENDED)
            work.save_report(make_amended_report(id="report-other"), decisions=DECISIONS)
            work.record(event("amend"))

    with pytest.raises(StateError, match="somebody else changed this case"):
        amend_the_first_again()
    file = store.case_file("case-1")
    assert [report.id for report in file.versions] == ["report-1", "report-2"]
    assert store.verify().ok


def test_an_earlier_report_in_the_place_of_the_amended_one_is_named(store: Store) -> None:
    move_on(store, CaseState.AMENDED)
    tamper(store, "UPDATE \"case\" SET report_id = 'report-1'")
    (problem,) = store.verify().problems
    assert (problem.kind, "entry 5 signed report report-2" in problem.text) == (
        "state altered",
        True,
    )


@pytest.mark.parametrize("other", CaseState, ids=lambda state: state.name)
def test_no_state_can_be_put_in_the_place_of_another_before_signing(
    tmp_path: Path, other: CaseState
) -> None:
    with Store.open(tmp_path / "data") as store:
        case = make_case()
        with store.step() as work:
            work.save_study(case.study)
            work.open_case(case, SIGNED_AT)
            work.record(event("open_case"))
        tamper(store, f"UPDATE \"case\" SET state = '{other.value}'")
        assert [p.kind for p in store.verify().problems] == ["state altered"] * (
            other is not CaseState.OPENED
        )


def test_a_state_that_changed_after_the_event_is_refused(store: Store) -> None:
    def move_unsaid() -> None:
        with store.step() as work:
            work.record(event("withdraw"))
            work.set_state("case-1", CaseState.WITHDRAWN, expected=CaseState.SIGNED)

    with pytest.raises(StateError, match="without an audit entry"):
        move_unsaid()
    assert store.case_file("case-1").state is CaseState.SIGNED


def test_of_a_log_that_names_no_state_a_report_makes_its_case_signed(tmp_path: Path) -> None:
    """Entries of before the states: the release that wrote them knew no other state of a report."""
    with Store.open(tmp_path / "data") as store:
        case = make_case()
        with store.step() as work:
            work.save_study(case.study)
            work.open_case(case, SIGNED_AT)
            work._moved.clear()
            work.record(event("open_case"))
        with store.step() as work:
            work.set_state("case-1", CaseState.SIGNED, expected=CaseState.OPENED)
            work.save_report(make_signed_report(), decisions=())
            work._moved.clear()
            work.record(event("sign"))
        assert store.verify().ok
        tamper(store, "UPDATE \"case\" SET state = 'withdrawn'")
        assert [p.kind for p in store.verify().problems] == ["state altered"]


def test_opening_again_and_drafting_again_stay_sound(store: Store, tmp_path: Path) -> None:
    other = make_case(id="case-2", context=None)
    with Store.open(tmp_path / "more") as fresh:
        for _ in range(2):
            with fresh.step() as work:
                work.save_study(other.study)
                work.open_case(other, SIGNED_AT)
                work.record(replace(event("open_case"), subject="case-2"))
        for failed in ((), ("s2",)):
            with fresh.step() as work:
                work.save_draft("case-2", make_checked_draft(failed=failed))
                work.record(replace(event("draft"), subject="case-2"))
        assert fresh.case_file("case-2").draft == make_checked_draft(failed=("s2",))
        assert fresh.verify().ok


def test_entries_of_an_earlier_form_hold_their_cases_to_nothing(tmp_path: Path) -> None:
    """Logs of before the digests: what they kept still loads, and a report is held to its own digest."""
    case = make_case()
    with Store.open(tmp_path / "data") as store:
        with store.step() as work:
            work.save_study(case.study)
            work.open_case(case, SIGNED_AT)
            work._kept.clear()
            work.record(event("open_case"))
        with store.step() as work:
            work.save_draft("case-1", make_checked_draft())
            work._kept.clear()
            work.record(event("draft"))
        assert store.case_file("case-1").draft == make_checked_draft()
        assert store.verify().ok

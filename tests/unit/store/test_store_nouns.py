"""Every noun comes back from the store as it went in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Accept, CaseFile, CaseState, Edit, Reject
from medmm.domain.study import NotEvaluable
from medmm.store import Step, Store
from tests.databases import only_sqlite, raw
from tests.factories import (
    make_case,
    make_checked_draft,
    make_context,
    make_finding,
    make_reading,
    make_signed_report,
    make_study,
    make_volume,
)

OPENED_AT = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
IDENTITY = PatientIdentity(
    patient_id="ZZ-0001",
    issuer="ZZ",
    family_name="ZZTEST",
    given_name="Ünïcøde 李",
    birth_date=date(1950, 2, 28),
    sex="F",
    identifiers=(("urn:oid:1.2.3", "42"), (None, "7")),
)
EVENT = AuditEvent(
    at=OPENED_AT, verb="admit", outcome="done", actor="reader-1", role="attending", subject="case-1"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def open_case(work: Step) -> None:
    case = make_case()
    work.save_study(case.study)
    work.open_case(case, OPENED_AT)
    work.record(EVENT)


def test_everything_of_a_case_comes_back(store: Store, tmp_path: Path) -> None:
    decisions = (
        Accept("s1"),
        Edit("s2", "Possible small left pleural effusion."),
        Reject("s4", "seen twice"),
    )
    with store.step() as work:
        open_case(work)
        work.save_identity("pk-1", IDENTITY)
        work.save_context(make_study().uid, make_context())
        work.save_reading("case-1", make_reading())
        work.save_draft("case-1", make_checked_draft(failed=("s2",)))
        work.save_decisions("case-1", decisions, expected=())
        work.save_report(make_signed_report(), decisions=decisions)
        work.set_state("case-1", CaseState.SIGNED, expected=CaseState.OPENED)
        work.record(EVENT)
    expected = CaseFile(
        case=make_case(),
        state=CaseState.SIGNED,
        reading=make_reading(),
        draft=make_checked_draft(failed=("s2",)),
        decisions=decisions,
        report=make_signed_report(),
    )
    store.close()
    with Store.open(tmp_path / "data") as again:
        assert again.case_file("case-1") == expected
        assert again.study(make_study().uid) == make_study()
        assert again.context(make_study().uid) == make_context()
        assert again.identity("pk-1") == IDENTITY
        assert again.report("report-1") == make_signed_report()
        assert [replace(e, details={}) for e in again.events("case-1")] == [EVENT, EVENT]
        (line,) = again.cases()
    assert (line.case_id, line.state, line.suspected) == (
        "case-1",
        CaseState.SIGNED,
        ("Effusion", "Cardiomegaly"),
    )
    assert line.opened_at == OPENED_AT


def test_what_is_not_there_is_none_or_named(store: Store) -> None:
    with store.step() as work:
        open_case(work)
    file = store.case_file("case-1")
    assert (file.reading, file.draft, file.decisions, file.report) == (None, None, (), None)
    assert store.context(make_study().uid) is None
    for look in (store.study, store.case_file, store.identity, store.report):
        with pytest.raises(InputError, match="no such"):
            look("nothing")


def test_the_worklist_names_critical_findings_first(store: Store) -> None:
    with store.step() as work:
        open_case(work)
        seen = (
            make_finding("Effusion", 0.9),
            make_finding("Pneumothorax", 0.4),
            make_finding("Mass", 0.1),
        )
        work.save_reading("case-1", make_reading(findings=seen))
        work.record(replace(EVENT, subject="case-1"))
    assert store.cases()[0].suspected == ("Pneumothorax", "Effusion")


def test_the_worklist_is_newest_first(store: Store) -> None:
    with store.step() as work:
        open_case(work)
        work.open_case(replace(make_case(), id="case-2"), OPENED_AT.replace(hour=10))
        work.record(replace(EVENT, subject="case-2"))
    assert [line.case_id for line in store.cases()] == ["case-2", "case-1"]


def test_refusals_are_kept_in_order(store: Store) -> None:
    refused = [
        NotEvaluable(
            uid=None, reason_code=f"code-{n}", reason="because", sha256=f"{n:064x}", held=n == 1
        )
        for n in range(3)
    ]
    with store.step() as work:
        for one in refused:
            work.save_not_evaluable(one)
        work.record(EVENT)
    assert store.not_evaluable() == tuple(refused)


def test_a_case_opened_twice_stays_as_it_was(store: Store) -> None:
    for state in (CaseState.OPENED, CaseState.DRAFTED):
        with store.step() as work:
            open_case(work)
            if state is CaseState.DRAFTED:
                continue
            work.set_state("case-1", CaseState.DRAFTED, expected=CaseState.OPENED)
            work.record(EVENT)
    assert store.case_file("case-1").state is CaseState.DRAFTED


def test_a_study_grows_and_its_case_keeps_the_images_it_was_opened_with(store: Store) -> None:
    with store.step() as work:
        open_case(work)
    grown = make_study(volumes=(*make_study().volumes, make_volume(sha256="c" * 64)))
    for files in ({"a" * 64: "1.2.3"}, {"a" * 64: "1.2.3", "c" * 64: None}, {"c" * 64: "1.2.4"}):
        with store.step() as work:
            work.save_study(grown, files)
            work.record(EVENT)
        assert store.files_of(grown.uid) == files
    assert store.study(grown.uid) == grown
    assert store.case_file("case-1").case.study == make_study()


@pytest.mark.parametrize("body", ["{not json", '"\\ud800', '{"type": "Study"}', "[]"])
@only_sqlite
def test_an_altered_value_is_a_typed_error(body: str, store: Store) -> None:
    with store.step() as work:
        open_case(work)
    with raw(store) as connection:
        connection.execute("UPDATE study SET body = ?", (body,))
    with pytest.raises((IntegrityError, InputError)):
        store.study(make_study().uid)

"""Rows of what readers made of drafts, and drafts for recall lists, each held against the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medmm import review
from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import IntegrityError, StateError
from medmm.domain.report import Accept, CaseState
from medmm.domain.reviewed_case import ReviewedCase
from medmm.store import Store
from tests.databases import raw
from tests.factories import (
    SIGNED_AT,
    make_case,
    make_case_file,
    make_checked_draft,
    make_draft,
    make_reading,
    make_signed_report,
    make_study,
)

DECIDED = tuple(Accept(one) for one in ("s1", "s2", "s3"))


def entry(verb: str, subject: str) -> AuditEvent:
    return AuditEvent(
        at=SIGNED_AT, verb=verb, outcome="done", actor="reader-1", role="reader", subject=subject
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        yield store


def signed(store: Store, n: int, *, keep: bool = True) -> ReviewedCase:
    """A signed case of one of two patients; with its row if `keep`."""
    name = f"case-{n}"
    study = make_study(uid=f"1.2.{n}", patient_key=f"pk-{n % 2:032}")
    case = make_case(id=name, study=study, context=None)
    draft = make_checked_draft(make_draft(id=f"draft-{n}", case_id=name))
    report = make_signed_report(id=f"report-{n}", case_id=name, patient_key=study.patient_key)
    file = make_case_file(CaseState.SIGNED, draft=draft, decisions=DECIDED)
    found = review.reviewed(replace(file, case=case, report=report), report, (), "here")
    with store.step() as step:
        step.save_study(study)
        step.record(entry("admit", study.uid))
        step.open_case(case, SIGNED_AT)
        step.save_reading(name, make_reading(study_uid=study.uid))
        step.save_draft(name, draft, SIGNED_AT)
        step.set_state(name, CaseState.DRAFTED, expected=CaseState.OPENED)
        step.record(entry("draft", name))
        step.save_decisions(name, DECIDED, expected=())
        step.set_state(name, CaseState.SIGNED, expected=CaseState.DRAFTED)
        step.save_report(report, decisions=DECIDED)
        if keep:
            step.save_reviewed(found)
        step.record(entry("sign", name))
    return found


def test_signed_cases_come_by_patient_each_with_its_row(store: Store) -> None:
    rows = [signed(store, n, keep=n != 3) for n in range(4)]
    found = list(store.signed_cases())
    assert [one.case_id for one in found] == ["case-0", "case-2", "case-1", "case-3"]
    assert [one.reviewed for one in found] == [rows[0], rows[2], rows[1], None]
    assert not any(one.replaced for one in found)
    assert store.unsigned(None, None) == 0
    assert store.verify().ok


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("UPDATE reviewed_case SET body = replace(body, 'accepted', 'rejected')", "altered"),
        ("DELETE FROM reviewed_case", "missing"),
    ],
)
def test_a_row_that_was_altered_or_taken_away_is_refused(
    store: Store, damage: str, kind: str
) -> None:
    signed(store, 0)
    with raw(store) as database:
        database.execute(damage)
    with pytest.raises(IntegrityError, match="review of case case-0"):
        list(store.signed_cases())
    assert kind in {problem.kind for problem in store.verify().problems}


def test_a_row_that_the_log_does_not_know_is_refused(store: Store) -> None:
    signed(store, 0)
    signed(store, 1, keep=False)
    with raw(store) as database:
        database.execute(
            "INSERT INTO reviewed_case SELECT 'case-1', body FROM reviewed_case WHERE case_id = 'case-0'"
        )
    with pytest.raises(IntegrityError, match="review of case case-1"):
        list(store.signed_cases())
    assert "not in the log" in {problem.kind for problem in store.verify().problems}


def test_a_row_without_its_entry_is_not_kept(store: Store) -> None:
    found = signed(store, 0, keep=False)
    with pytest.raises(StateError, match="audit entry"), store.step() as step:
        step.save_reviewed(found)
    assert [one.reviewed for one in store.signed_cases()] == [None]


def test_every_version_of_every_draft_is_read_for_a_recall(store: Store) -> None:
    signed(store, 0)
    assert store.drafted_cases() == ["case-0"]
    (found,) = store.drafts_of_cases(["case-0"])
    assert [*found.bodies] == [1]
    assert found.bodies[1]["draft"]["models"][0]["name"] == "chest-test"
    assert (found.created_at[1] or "").startswith("2026-01-02")


@pytest.mark.parametrize(
    "damage",
    ["UPDATE draft SET body = replace(body, 'chest-test', 'other-test')", "DELETE FROM draft"],
)
def test_no_altered_or_missing_draft_is_left_out_of_a_recall(store: Store, damage: str) -> None:
    signed(store, 0)
    with raw(store) as database:
        database.execute(damage)
    with pytest.raises(IntegrityError, match="draft"):
        store.drafts_of_cases(["case-0"])

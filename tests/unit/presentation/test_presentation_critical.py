"""Critical results in words: the clock, who is to be tried, the order, and who was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.case_state import CaseState
from medmm.domain.critical_result import (
    Communication,
    CriticalRule,
    Route,
    critical_result,
)
from medmm.domain.reading import Side
from medmm.domain.report import Add, CaseSummary, Reject
from medmm.domain.worklist import WorklistRow
from medmm.presentation.case_table import Mark
from medmm.presentation.case_view import case_view
from medmm.presentation.critical_view import (
    CLOSED_COLUMNS,
    NOBODY,
    OPEN_COLUMNS,
    by_due,
    closed_table,
    communication_words,
    contact_words,
    critical_sentences,
    open_table,
)
from medmm.presentation.worklist_view import clock_words
from tests.factories import make_case_file

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RULE = CriticalRule(contacts=("ward 3", "on call", "head"), next_after_minutes=15)
MINUTES = st.integers(-600, 6000)
KINDS = st.sampled_from([("Pneumothorax",), ("Edema",), ("Edema", "Pneumothorax")])


def row(case_id: str, findings: tuple[str, ...], minutes_ago: int | None) -> WorklistRow:
    since = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    case = CaseSummary(
        case_id=case_id,
        study_uid="1.2.3",
        patient_key="pk-1",
        modality="DX",
        body_part="CHEST",
        acquired=NOW,
        state=CaseState.DRAFTED,
        suspected=findings,
        opened_at=NOW,
    )
    return WorklistRow(case=case, critical=critical_result(findings, since, RULE, NOW))


ROWS = st.lists(st.tuples(KINDS, st.none() | MINUTES), max_size=8).map(
    lambda found: [row(f"case-{n}", *one) for n, one in enumerate(found)]
)


@given(ROWS, st.randoms())
def test_what_is_due_first_stands_first_however_it_comes(
    rows: list[WorklistRow], any_: object
) -> None:
    ordered = by_due(rows)
    assert sorted(one.case.case_id for one in ordered) == sorted(one.case.case_id for one in rows)
    dues = [one.critical.due for one in ordered if one.critical]
    known = [due for due in dues if due is not None]
    assert known == sorted(known)
    assert dues[: len(known)] == known, "what begins with the signature comes last"
    mixed = list(rows)
    any_.shuffle(mixed)  # type: ignore[attr-defined]
    assert by_due(mixed) == ordered


def test_a_result_that_was_told_is_not_open() -> None:
    told = WorklistRow(case=row("case-1", ("Edema",), 5).case)
    assert by_due([told]) == ()


@given(KINDS, MINUTES)
def test_the_clock_says_left_until_it_is_over_and_overdue_after(
    findings: tuple[str, ...], minutes_ago: int
) -> None:
    result = row("case-1", findings, minutes_ago).critical
    assert result is not None
    assert clock_words(result, NOW).endswith("overdue" if result.overdue(NOW) else "left")
    (line,) = open_table([row("case-1", findings, minutes_ago)], RULE, {}, NOW)
    assert line.mark is (Mark.OVERDUE if result.overdue(NOW) else Mark.CRITICAL)
    assert len(line.cells) == len(OPEN_COLUMNS)


@given(MINUTES, st.integers(0, 6000))
def test_whom_to_try_is_who_the_rule_names_and_nobody_comes_back(
    minutes_ago: int, later: int
) -> None:
    result = row("case-1", ("Edema",), minutes_ago).critical
    assert result is not None
    assert contact_words(result, RULE, NOW).partition("; ")[0] == result.contact
    after = contact_words(result, RULE, NOW + timedelta(minutes=later)).partition("; ")[0]
    assert RULE.contacts.index(after) >= RULE.contacts.index(str(result.contact))


def test_the_next_one_is_named_with_the_time_until_then() -> None:
    result = row("case-1", ("Edema",), 20).critical
    assert result is not None
    assert contact_words(result, RULE, NOW) == "on call; in 10 min head"
    assert contact_words(result, RULE, NOW + timedelta(minutes=10)) == "head"
    assert contact_words(result, CriticalRule(), NOW) == NOBODY
    unsigned = row("case-1", ("Edema",), None).critical
    assert unsigned is not None
    assert contact_words(unsigned, RULE, NOW) == "once it is signed"
    assert clock_words(unsigned, NOW) == "once signed"


def told(minutes_ago: int, to: str = "ward 3", *, read_back: bool = True) -> Communication:
    return Communication(
        findings=("Pneumothorax",),
        category=1,
        to=to,
        how=Route.PHONE,
        read_back=read_back,
        by="reader-1",
        reader="ZZREADER One",
        at=NOW - timedelta(minutes=minutes_ago),
    )


def test_who_was_told_is_said_the_latest_first() -> None:
    of = row("case-1", ("Pneumothorax",), 90)
    first, second = closed_table([(of, told(60)), (of, told(5, "on call", read_back=False))])
    words = dict(zip((one.name for one in CLOSED_COLUMNS), first.cells, strict=True))
    assert (words["to"], words["read_back"], words["at"]) == ("on call", "no", "2026-01-02 11:55")
    assert second.cells[5:8] == ("ward 3", "phone", "yes")
    assert communication_words(told(60)) == (
        "ward 3 was told of pneumothorax on 2026-01-02 at 11:00 UTC by ZZREADER One, phone, "
        "who repeated it."
    )


def test_sentences_to_tell_are_those_that_stand() -> None:
    from dataclasses import replace

    added = replace(Add.of("Pneumothorax", side=Side.LEFT), statement_id="r1")
    file = make_case_file(CaseState.IN_REVIEW, decisions=(added,))
    assert critical_sentences(case_view(file)) == ("Left pneumothorax.",)
    gone = make_case_file(CaseState.IN_REVIEW, decisions=(Reject("s1"),))
    assert critical_sentences(case_view(gone)) == ()

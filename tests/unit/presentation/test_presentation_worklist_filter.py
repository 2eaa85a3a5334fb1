"""What the worklist is asked for: chips, pages, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.case_state import CaseState
from medmm.domain.critical_result import CriticalRule, critical_result
from medmm.domain.priority import Order, Priority
from medmm.domain.report import CaseSummary
from medmm.domain.study import Modality
from medmm.domain.worklist import ALL_CASES, CaseFilter, Worklist, WorklistCount, WorklistRow
from medmm.presentation.case_table import (
    WORKLIST_COLUMNS,
    Mark,
    mark_of,
    table_data,
    worklist_table,
)
from medmm.presentation.worklist_filter import (
    PAGE,
    WAITING,
    WorklistQuery,
    chips,
    filter_words,
    narrowed,
    news_words,
    nothing_words,
    page_words,
)

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
COUNTS = tuple(
    WorklistCount(of=of, value=value, cases=cases)
    for of, value, cases in (
        ("critical", "no", 8),
        ("critical", "yes", 2),
        ("modality", "DX", 6),
        ("modality", "MR", 4),
        ("priority", "", 7),
        ("priority", "routine", 1),
        ("priority", "stat", 2),
        ("state", "drafted", 9),
        ("state", "in review", 1),
    )
)
FILTERS = st.builds(
    CaseFilter,
    state=st.none() | st.sampled_from(CaseState),
    modality=st.none() | st.sampled_from(Modality),
    critical=st.none() | st.booleans(),
    priority=st.none() | st.sampled_from(Priority),
    waiting=st.none() | st.booleans(),
    site=st.none() | st.just("North"),
)


def page(*rows: WorklistRow) -> Worklist:
    return Worklist(rows=rows, total=10, counts=COUNTS, entry=7)


def row(**changes: object) -> WorklistRow:
    case = CaseSummary(
        case_id="case-1",
        study_uid="1.2.3",
        patient_key="pk-1",
        modality="DX",
        body_part="CHEST",
        acquired=NOW,
        state=CaseState.DRAFTED,
        suspected=(),
        opened_at=NOW,
    )
    return WorklistRow(case=replace(case, **changes))  # type: ignore[arg-type]


def test_chips_stand_in_the_order_of_urgency_with_what_they_hold() -> None:
    found = chips(page(), WAITING)
    assert [one.label for one in found] == [
        "critical 2",
        "stat 2",
        "routine 1",
        "drafted 9",
        "in review 1",
        "DX 6",
        "MR 4",
    ]
    on = chips(page(), CaseFilter(priority=Priority.STAT))
    assert [one.label for one in on if one.on] == ["✓ stat 2"]


@given(FILTERS)
def test_a_chip_changes_its_own_part_alone_and_pressed_twice_nothing(wanted: CaseFilter) -> None:
    for chip in chips(page(), wanted):
        name, _, _ = chip.name.partition(" ")
        assert replace(chip.wanted, **{name: getattr(wanted, name)}) == wanted
        (again,) = (one for one in chips(page(), chip.wanted) if one.name == chip.name)
        assert again.on is not chip.on
        if chip.on or getattr(wanted, name) is None:
            assert again.wanted == wanted


@given(FILTERS)
def test_words_name_every_part_of_a_filter(wanted: CaseFilter) -> None:
    words = filter_words(wanted, {})
    parts = [one for one in (wanted.state, wanted.modality, wanted.priority) if one is not None]
    assert all(one.value in words.split(", ") for one in parts)
    asked = narrowed(wanted) + (wanted.waiting is not None)
    assert len(words.split(", ")) == max(asked, 1)


def test_the_words_of_a_filter() -> None:
    wanted = CaseFilter(
        waiting=True,
        priority=Priority.STAT,
        body_part="chest",
        assigned="reader-1",
        acquired_from=date(2026, 1, 2),
        acquired_to=date(2026, 1, 3),
    )
    assert filter_words(wanted, {"reader-1": "ZZREADER One"}) == (
        "waiting for a reader, stat, CHEST, read by ZZREADER One, from 2026-01-02, to 2026-01-03"
    )
    assert filter_words(ALL_CASES, {}) == "all cases"


def test_another_question_begins_at_its_first_page() -> None:
    asked = WorklistQuery(search="muller").turned("case-5@1,2026").turned("case-9@1,2026")
    assert asked.places == ("case-5@1,2026", "case-9@1,2026")
    assert asked.turned(None).places == ("case-5@1,2026",)
    assert asked.turned(None).turned(None).turned(None).places == ()
    other = asked.asking(order=Order.NEWEST)
    assert (other.places, other.search, other.wanted) == ((), "muller", WAITING)
    assert asked.asking(search="").search == ""


@given(st.integers(0, 200), st.integers(1, PAGE), st.integers(0, 10_000))
def test_pages_are_counted_on_end_to_end(turned: int, shown: int, more: int) -> None:
    asked = WorklistQuery(places=("x",) * turned)
    total = PAGE * turned + shown + more
    numbers, _, of = page_words(asked, shown, total).partition(" of ")
    first, _, last = numbers.partition("–")
    assert (int(first), int(last)) == (PAGE * turned + 1, PAGE * turned + shown)
    assert int(of.split()[0]) == total


def test_an_empty_list_says_what_was_asked_for() -> None:
    problem, remedy = nothing_words(WorklistQuery(search='"zz"'), {})
    assert problem == "No case of “'zz'” among: waiting for a reader."
    assert "beginning of each part" in remedy
    assert nothing_words(WorklistQuery(), {})[0] == "No case waits for a reader."
    stat = WorklistQuery(wanted=CaseFilter(priority=Priority.STAT))
    assert nothing_words(stat, {})[0] == "No case among: stat."
    assert "medmm demo" in nothing_words(WorklistQuery(wanted=ALL_CASES), {})[1]


@pytest.mark.parametrize(("count", "words"), [(0, ""), (1, "1 new case"), (12, "12 new cases")])
def test_news_are_counted(count: int, words: str) -> None:
    assert news_words(count) == words


def test_a_row_stands_out_by_the_weightiest_of_its_reasons() -> None:
    rule = CriticalRule()
    told_late = critical_result(("Pneumothorax",), NOW - timedelta(hours=2), rule, NOW)
    in_time = critical_result(("Pneumothorax",), NOW, rule, NOW)
    marks = [
        mark_of(replace(row(priority="stat"), critical=told_late), NOW),
        mark_of(replace(row(priority="stat"), critical=in_time), NOW),
        mark_of(row(priority="stat"), NOW),
        mark_of(row(priority="routine"), NOW),
        mark_of(row(), NOW),
        mark_of(row(state=CaseState.SIGNED), NOW),
    ]
    assert marks == [
        Mark.OVERDUE, Mark.CRITICAL, Mark.URGENT, Mark.NONE, Mark.NONE, Mark.DONE,
    ]  # fmt: skip


def test_the_table_has_a_cell_for_each_column_and_names_the_case_by_its_id() -> None:
    late = critical_result(("Pneumothorax",), NOW - timedelta(hours=2), CriticalRule(), NOW)
    found = worklist_table(page(replace(row(), critical=late), row(case_id="case-2")), NOW, {})
    assert [one.case_id for one in found] == ["case-1", "case-2"]
    assert {len(one.cells) for one in found} == {len(WORKLIST_COLUMNS)}
    assert found[0].cells[0] == "critical, 1 h overdue: pneumothorax"
    assert "category 1" in found[0].full["urgency"]
    assert sum(one.width for one in WORKLIST_COLUMNS) == pytest.approx(100)
    data = table_data(
        WORKLIST_COLUMNS, found, label="x", around_px=9, current="case-2", takes_keys=True
    )
    assert [(one["id"], one["mark"]) for one in data["rows"]] == [
        ("case-1", "overdue"),
        ("case-2", ""),
    ]
    assert data["current"] == "case-2"
    assert [one["name"] for one in data["columns"] if one["opens"]] == ["name"]

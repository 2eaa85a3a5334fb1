"""Critical findings stand first until a person was told of them; who, how and when is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.critical_result import (
    Clock,
    Communication,
    CriticalRule,
    Route,
    categories,
    category_of,
    critical_result,
)
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.priority import Priority
from medmm.domain.reading import Side
from medmm.domain.report import Add, CaseState, Edit, Reject
from medmm.domain.shown import Shown
from medmm.domain.vocabulary import finding_terms
from medmm.domain.worklist import WorklistRow
from tests.databases import raw
from tests.dicom_files import SAYS_FRONTAL
from tests.kept import kept
from tests.quick_assistant import READS, GivenNetworks
from tests.unit.assistant.test_assistant_claims import START
from tests.unit.assistant.test_assistant_claims import Clock as SetClock
from tests.unit.assistant.test_assistant_reading_room import came

READERS = tuple(
    ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=r)
    for i, r in (("reader-1", "attending"), ("reader-2", "attending"), ("tech-1", "technologist"))
)
PNEUMOTHORAX = Add.of("Pneumothorax", side=Side.LEFT)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    return {"contacts": ["ward 3", "the physician on call"], "next_after_minutes": 15}


def opened_of(folder: Path, clock: SetClock, critical: Any) -> Assistant:
    made = Settings(data_dir=folder / "data", readers=READERS, threads=1, critical=critical)
    networks = GivenNetworks(made, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None)
    return Assistant(made, networks=networks, clock=clock)


@pytest.fixture
def assistant(tmp_path: Path, clock: SetClock, settings: dict[str, object]) -> Iterator[Assistant]:
    with opened_of(tmp_path, clock, settings) as assistant:
        yield assistant


@pytest.fixture
def cases(assistant: Assistant, tmp_path: Path, clock: SetClock) -> list[str]:
    """Two drafted cases; in the second a reader sees a pneumothorax."""
    made = []
    for number in range(2):
        study = came(assistant, tmp_path / "in", number)
        made.append(assistant.open_case(study.uid).id)
        assistant.draft(made[-1])
        clock.after(minutes=1)
    assistant.decide(made[1], [PNEUMOTHORAX], by="reader-1")
    return made


def tell(assistant: Assistant, case_id: str, **how: object) -> Communication:
    given = {"to": "ward 3", "how": Route.PHONE, "read_back": True, "by": "reader-1", **how}
    return assistant.communicate(case_id, **given)  # type: ignore[arg-type]


def sign(assistant: Assistant, case_id: str) -> None:
    file = assistant.case(case_id, pixels=False)
    words = [Edit(s.id, "The reader's own words.") for s in file.asked]
    assistant.decide(case_id, words, by="reader-1")
    assistant.sign(case_id, by="reader-1")


def first(assistant: Assistant) -> WorklistRow:
    return assistant.worklist(by="reader-1").rows[0]


def test_it_stands_before_all_until_somebody_was_told(
    assistant: Assistant, cases: list[str], clock: SetClock
) -> None:
    assistant.prioritise(cases[0], Priority.STAT, reason="asked", by="reader-1")
    row = first(assistant)
    assert row.case.case_id == cases[1]
    assert row.critical is not None
    assert (row.critical.findings, row.critical.category) == (("Pneumothorax",), 1)
    since = START + timedelta(minutes=1)
    assert (row.critical.since, row.critical.due) == (since, since + timedelta(minutes=60))
    told = tell(assistant, cases[1])
    assert (told.to, told.by, told.at, told.findings) == (
        "ward 3",
        "reader-1",
        clock.now,
        ("Pneumothorax",),
    )
    row = first(assistant)
    assert (row.case.case_id, row.critical) == (cases[0], None)
    assert kept(assistant).case_file(cases[1]).communications == (told,)
    assert assistant.verify().ok


def test_a_signed_case_stays_first_until_then_and_is_found_on_its_place(
    assistant: Assistant, cases: list[str]
) -> None:
    sign(assistant, cases[1])
    row = first(assistant)
    assert (row.case.case_id, row.case.state) == (cases[1], CaseState.SIGNED)
    rest = assistant.worklist(by="reader-1", after=row.case.place).rows
    assert [one.case.case_id for one in rest] == [cases[0]]
    tell(assistant, cases[1])
    assert [one.case.case_id for one in assistant.worklist(by="reader-1").rows] == cases


def test_what_was_told_before_stands_in_the_report_and_what_came_after_in_the_next_version(
    assistant: Assistant, cases: list[str]
) -> None:
    sign(assistant, cases[1])
    report = assistant.case(cases[1], pixels=False).report
    assert report is not None
    assert "COMMUNICATION" not in assistant.render(report.id)
    tell(assistant, cases[1], to="ward 3, on call", read_back=False)
    assert "COMMUNICATION" not in assistant.render(report.id), "what is signed stays"
    next_one = assistant.addendum(cases[1], "Told.", reason="Asked.", by="reader-1")
    text = " ".join(assistant.render(next_one.id).split())
    assert (
        "COMMUNICATION OF CRITICAL FINDINGS pneumothorax: ZZREADER-1 told ward 3, on call" in text
    )
    assert "(phone, not read back), 2026-01-02T09:02:00+00:00." in text


def test_a_finding_that_comes_later_is_told_of_again(
    assistant: Assistant, cases: list[str]
) -> None:
    tell(assistant, cases[1])
    assistant.decide(cases[1], [Add.of("Edema")], by="reader-1")
    row = first(assistant)
    assert row.case.case_id == cases[1]
    assert assistant.case(cases[1], pixels=False).uncommunicated == ("Edema",)
    tell(assistant, cases[1])
    assert first(assistant).critical is None
    assert len(assistant.case(cases[1], pixels=False).communications) == 2


def test_a_finding_that_a_reader_takes_away_needs_nobody(
    assistant: Assistant, cases: list[str]
) -> None:
    own = assistant.case(cases[1], pixels=False).added[0]
    assistant.decide(cases[1], [Reject(own.statement_id)], by="reader-1")
    assert first(assistant).critical is None
    with pytest.raises(StateError, match="no critical finding"):
        tell(assistant, cases[1])


def test_the_entry_says_what_and_how_and_names_nobody(
    assistant: Assistant, cases: list[str], tmp_path: Path
) -> None:
    tell(assistant, cases[1], to="ZZNURSE ON CALL", how=Route.IN_PERSON)
    (event,) = [e for e in assistant.history(cases[1]) if e.verb == "communicate"]
    said = {k: event.details[k] for k in ("findings", "category", "how", "read_back")}
    assert said == {
        "findings": "Pneumothorax",
        "category": "1",
        "how": "in person",
        "read_back": "True",
    }
    assert "ZZNURSE" not in str(event)
    with raw(tmp_path / "data") as database:
        database.execute(
            "UPDATE \"case\" SET communications = replace(communications, 'ZZNURSE', 'ZZX')"
        )
        database.commit()
    assert any("communications of case" in p.place for p in assistant.verify().problems)


def test_who_tells_what_is_asked_for(assistant: Assistant, cases: list[str]) -> None:
    for to in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(InputError, match="who was told"):
            tell(assistant, cases[1], to=to)
    with pytest.raises(PermissionDenied):
        tell(assistant, cases[1], by="tech-1")
    shown = Shown.of(assistant.case(cases[0], pixels=False))
    with pytest.raises(StateError, match="another case was shown"):
        tell(assistant, cases[1], shown=shown)
    assert assistant.case(cases[1], pixels=False).communications == ()


@pytest.mark.parametrize("settings", [{"clock": "signature", "minutes": [30, 60, 90]}])
def test_the_clock_may_begin_with_the_signature(
    assistant: Assistant, cases: list[str], clock: SetClock
) -> None:
    row = first(assistant)
    assert row.critical is not None
    assert (row.critical.since, row.critical.due, row.critical.contact) == (None, None, None)
    clock.after(minutes=10)
    sign(assistant, cases[1])
    row = first(assistant)
    assert row.critical is not None
    assert (row.critical.since, row.critical.due) == (clock.now, clock.now + timedelta(minutes=30))


def test_the_next_named_person_is_shown_after_a_set_time() -> None:
    rule = CriticalRule(contacts=("one", "two"), next_after_minutes=15)
    at = [START + timedelta(minutes=m) for m in (-5, 0, 14, 15, 29, 30, 600)]
    shown = [critical_result(("Edema",), START, rule, one).contact for one in at]
    assert shown == ["one", "one", "one", "two", "two", "two", "two"]
    result = critical_result(("Edema",), START, rule, START)
    assert result.due == START + timedelta(minutes=360)
    assert not result.overdue(START + timedelta(minutes=360))
    assert result.overdue(START + timedelta(minutes=361))
    assert (
        critical_result(("Edema",), START, CriticalRule(clock=Clock.DETECTION), START).contact
        is None
    )


def test_every_critical_finding_has_a_category_and_the_most_urgent_counts() -> None:
    critical = {name for name, term in finding_terms().items() if term.critical}
    assert categories().keys() == critical
    assert category_of(["Edema", "Pneumothorax"]) == 1
    assert category_of(["Edema"]) == 2
    assert category_of(["Nodule"]) == 1, "of an unknown one the most urgent"

"""A case that is read twice: two who know nothing of each other, and a third who decides and signs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry
from medmm.domain.codec import to_json
from medmm.domain.errors import InputError, IntegrityError, PermissionDenied, StateError
from medmm.domain.first_read import ReadingMode
from medmm.domain.reading import Side
from medmm.domain.report import Add, Edit
from medmm.domain.shown import Shown
from tests.databases import raw
from tests.dicom_files import film_file, picture
from tests.quick_assistant import opened, quick_assistant

ONE, TWO, THIRD, OTHER = "reader-1", "reader-2", "attending-1", "attending-2"
RESIDENT, ADMIN = "resident-1", "administrator-1"
READERS = tuple(
    ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=i.split("-")[0])
    for i in (ONE, TWO, THIRD, OTHER, RESIDENT, ADMIN, "reader-3")
)
LEFT, RIGHT = Add.of("Effusion", side=Side.LEFT), Add.of("Effusion", side=Side.RIGHT)
MASS = Add.of("Mass")


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", readers=READERS) as assistant:
        yield assistant


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    return case_id


def read_both(assistant: Assistant, case_id: str) -> None:
    assistant.record_first_read(case_id, findings=[LEFT, MASS], by=ONE)
    assistant.record_first_read(case_id, text="Right pleural effusion. No mass.", by=TWO)


def decide(assistant: Assistant, case_id: str, by: str) -> None:
    asked = assistant.case(case_id, pixels=False, by=by).asked
    assistant.decide(case_id, [Edit(s.id, "As I see it.") for s in asked], by=by)


def refused(act: Callable[[], Any], match: str) -> None:
    with pytest.raises(StateError, match=match):
        act()


def test_neither_sees_the_other_s_until_both_have_read(assistant: Assistant, case: str) -> None:
    assistant.order_double_reading(case, by=THIRD)
    assert assistant.reading_mode(case, by=ONE) is ReadingMode.BLIND_FIRST, "whatever the settings"
    assistant.record_first_read(case, findings=[LEFT, MASS], by=ONE)
    for reader in (TWO, THIRD, OTHER):
        hidden = assistant.first_reads(case, by=reader)
        assert ([one.id for one in hidden.readers], hidden.reads) == ([ONE], ())
        assert hidden.agreement == ()
    assert len(assistant.first_reads(case, by=ONE).reads) == 1
    assistant.record_first_read(case, text="Right pleural effusion. No mass.", by=TWO)
    for reader in (ONE, TWO, THIRD):
        found = assistant.first_reads(case, by=reader)
        assert {row.finding: row.agree for row in found.agreement} == {
            "Effusion": False,
            "Mass": False,
        }
    assert assistant.reading_mode(case, by=THIRD) is ReadingMode.DRAFT_FIRST


def test_agreement_goes_by_what_is_claimed_and_by_sides(assistant: Assistant, case: str) -> None:
    assistant.order_double_reading(case, by=THIRD)
    assistant.record_first_read(case, findings=[LEFT], text="No mass.", by=ONE)
    assistant.record_first_read(case, text="Possible left pleural effusion.", by=TWO)
    rows = assistant.first_reads(case, by=THIRD).agreement
    assert {row.finding: row.agree for row in rows} == {"Effusion": True, "Mass": True}


def test_nobody_decides_or_signs_before_and_only_the_third_one_after(
    assistant: Assistant, case: str
) -> None:
    decide(assistant, case, OTHER)
    assistant.order_double_reading(case, by=THIRD)
    seen = Shown.of(assistant.case(case, pixels=False, by=OTHER))

    def acts(by: str) -> tuple[Callable[[], Any], ...]:
        return (
            lambda: assistant.decide(case, [MASS], by=by),
            lambda: assistant.accept_passing(case, by=by),
            lambda: assistant.propose(case, by=by),
            lambda: assistant.sign(case, by=by),
            lambda: assistant.confirm(case, shown=seen, by=by),
        )

    for act in acts(OTHER):
        with pytest.raises(StateError):
            act()
    refused(lambda: assistant.sign(case, by=OTHER), "0 of 2 readers have read it")
    refused(lambda: assistant.undo(case, by=OTHER), "to be read twice")
    assistant.record_first_read(case, findings=[LEFT], by=ONE)
    refused(lambda: assistant.sign(case, by=THIRD), "1 of 2 readers")
    assistant.record_first_read(case, findings=[LEFT], by=TWO)
    for by in (ONE, TWO, "reader-3"):
        refused(lambda by=by: assistant.decide(case, [MASS], by=by), "decides and signs")  # type: ignore[misc]
        refused(lambda by=by: assistant.sign(case, by=by), "decides and signs")  # type: ignore[misc]
    report = assistant.sign(case, by=THIRD)
    assert [(one.by.id, one.at.tzinfo is not None) for one in report.independent_reads] == [
        (ONE, True),
        (TWO, True),
    ]
    text = " ".join(assistant.render(report.id).split())
    assert f"Read independently by ZZREADER-1 ({ONE}, reader) on" in text
    assert f"Read independently by ZZREADER-2 ({TWO}, reader) on" in text
    assert f"Adjudicated and signed by ZZATTENDING-1 ({THIRD}, attending)" in text
    amended = assistant.amend(case, [MASS], reason="Seen again.", by=OTHER)
    assert amended.independent_reads == report.independent_reads
    text = " ".join(assistant.render(amended.id).split())
    assert f"Signed by ZZATTENDING-2 ({OTHER}, attending)" in text
    assert "Adjudicated" not in text
    (event,) = [e for e in assistant.history(case) if (e.verb, e.outcome) == ("sign", "done")]
    assert event.details["read_by"] == f"{ONE} {TWO}"
    assert assistant.verify().ok


def test_a_named_adjudicator_alone_decides_and_reads_none_of_the_two(
    assistant: Assistant, case: str
) -> None:
    order = assistant.order_double_reading(case, adjudicator="reader-3", by=ADMIN)
    assert order.adjudicator is not None
    refused(
        lambda: assistant.record_first_read(case, findings=[LEFT], by="reader-3"), "adjudicates"
    )
    read_both(assistant, case)
    refused(lambda: assistant.decide(case, [MASS], by=THIRD), "reader reader-3 decides")
    decide(assistant, case, "reader-3")
    assert assistant.sign(case, by="reader-3").signed_by.id == "reader-3"


def test_a_third_read_is_refused(assistant: Assistant, case: str) -> None:
    assistant.order_double_reading(case, by=THIRD)
    read_both(assistant, case)
    refused(lambda: assistant.record_first_read(case, findings=[LEFT], by=OTHER), "two readers")


def test_a_read_of_before_the_order_counts_as_one_of_the_two(
    assistant: Assistant, case: str
) -> None:
    assistant.record_first_read(case, findings=[LEFT], by=ONE)
    assistant.order_double_reading(case, by=THIRD)
    refused(lambda: assistant.order_double_reading(case, by=THIRD), "already")
    assistant.record_first_read(case, findings=[LEFT], by=TWO)
    assert assistant.first_reads(case, by=THIRD).complete


def test_who_may_order_and_drop_it(assistant: Assistant, case: str) -> None:
    with pytest.raises(PermissionDenied):
        assistant.order_double_reading(case, by=RESIDENT)
    with pytest.raises(InputError, match="may not sign"):
        assistant.order_double_reading(case, adjudicator=RESIDENT, by=THIRD)
    with pytest.raises(PermissionDenied, match="no such reader"):
        assistant.order_double_reading(case, adjudicator="nobody-9", by=THIRD)
    assistant.record_first_read(case, findings=[LEFT], by=ONE)
    refused(lambda: assistant.order_double_reading(case, adjudicator=ONE, by=THIRD), "third")
    assistant.order_double_reading(case, by=ONE)
    with pytest.raises(PermissionDenied):
        assistant.drop_double_reading(case, reason="I hurry", by=ONE)


def test_a_dropped_order_binds_nobody_and_says_why(assistant: Assistant, case: str) -> None:
    refused(lambda: assistant.drop_double_reading(case, reason="x", by=THIRD), "not to be read")
    assistant.order_double_reading(case, by=THIRD)
    with pytest.raises(InputError, match="without a reason"):
        assistant.drop_double_reading(case, reason=" ", by=THIRD)
    dropped = assistant.drop_double_reading(case, reason="The second is on leave.", by=ADMIN)
    assert (dropped.dropped_by and dropped.dropped_by.id, dropped.counts) == (ADMIN, False)
    refused(lambda: assistant.drop_double_reading(case, reason="x", by=THIRD), "not to be read")
    decide(assistant, case, ONE)
    assert assistant.sign(case, by=ONE).independent_reads == ()
    refused(lambda: assistant.order_double_reading(case, by=THIRD), "signed")
    assert assistant.verify().ok


def test_the_order_goes_on_with_the_case_that_takes_its_place(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    assistant.order_double_reading(case, adjudicator=THIRD, by=THIRD)
    assistant.record_first_read(case, findings=[LEFT], by=ONE)
    more = film_file(tmp_path / "more", "b.dcm", picture() // 2, SOPInstanceUID="1.2.3.3.2")
    later = opened(assistant, more)
    assert later != case
    found = assistant.first_reads(later, by=THIRD)
    assert found.ordered
    assert found.order is not None
    assert found.order.adjudicator is not None
    assert (found.order.adjudicator.id, found.readers) == (THIRD, ()), "of other images"
    assistant.draft(later)
    refused(lambda: assistant.decide(later, [MASS], by=THIRD), "0 of 2")
    assistant.record_first_read(later, findings=[LEFT], by=ONE)
    assert assistant.verify().ok


def test_the_worklist_steers_neither(assistant: Assistant, case: str) -> None:
    assistant.order_double_reading(case, by=THIRD)
    assert assistant.worklist(by=ONE).rows[0].case.withheld
    assert "ffusion" not in json.dumps(to_json(assistant.worklist(by=ONE).rows))
    read = assistant.record_first_read(case, findings=[LEFT], by=ONE)
    assert not read.listed


def test_an_order_that_was_taken_out_by_hand_is_missed(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    decide(assistant, case, OTHER)
    assistant.order_double_reading(case, by=THIRD)
    with raw(tmp_path / "data") as database:
        database.execute("DELETE FROM double_reading")
        database.commit()
    with pytest.raises(IntegrityError):
        assistant.sign(case, by=OTHER)
    assert [p.place for p in assistant.verify().problems] == [f"double reading of case {case}"]

"""Decisions in one act, with a reason by a table, and undone one act after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry
from medmm.domain.errors import InputError, IntegrityError, StateError
from medmm.domain.rejection_reasons import rejection_reasons
from medmm.domain.report import Accept, CaseState, Edit, Reject
from medmm.domain.shown import Shown
from tests.databases import raw
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant

READERS = tuple(
    ReaderEntry(id=f"reader-{n}", name=f"ZZREADER {n}", role="attending") for n in (1, 2)
)


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", readers=READERS) as assistant:
        yield assistant


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    return case_id


def decided(assistant: Assistant, case_id: str) -> dict[str, str]:
    file = assistant.case(case_id, pixels=False)
    return {one.statement_id: type(one).__name__ for one in file.decisions}


def test_all_that_pass_are_accepted_in_one_act(assistant: Assistant, case: str) -> None:
    file = assistant.case(case, pixels=False)
    assert file.draft is not None
    first, *rest = [s.id for s in file.asked if not file.draft.failed(s.id)]
    assert rest
    assistant.decide(case, [Reject(first, code="wrong-side")], by="reader-1")
    assistant.accept_passing(case, by="reader-1")
    stands = decided(assistant, case)
    assert stands[first] == "Reject", "what is decided stays"
    assert {stands[one] for one in rest} == {"Accept"}
    assert not {s.id for s in file.asked if file.draft.failed(s.id)} & stands.keys()
    (event,) = [e for e in assistant.history(case) if e.verb == "accept_passing"]
    assert event.details["decisions"] == str(len(rest))
    with pytest.raises(StateError, match="no undecided statement passed"):
        assistant.accept_passing(case, by="reader-1")


def test_acts_are_undone_one_after_the_other_and_all_of_it_is_in_the_log(
    assistant: Assistant, case: str
) -> None:
    one, two = (s.id for s in assistant.case(case, pixels=False).asked[:2])
    assistant.decide(case, [Accept(one)], by="reader-1")
    assistant.decide(case, [Reject(one), Edit(two, "In other words.")], by="reader-1")
    assistant.undo(case, by="reader-1")
    assert decided(assistant, case) == {one: "Accept"}
    assistant.undo(case, by="reader-1")
    file = assistant.case(case, pixels=False)
    assert (file.decisions, file.state) == ((), CaseState.DRAFTED)
    with pytest.raises(StateError, match="cannot undo"):
        assistant.undo(case, by="reader-1")
    verbs = [e.verb for e in assistant.history(case) if e.outcome == "done"]
    assert [v for v in verbs if v in ("decide", "undo")] == ["decide", "decide", "undo", "undo"]
    assert assistant.verify().ok
    assistant.draft(case)  # nothing is decided any more


def test_an_act_of_another_is_not_undone(assistant: Assistant, case: str) -> None:
    one, two = (s.id for s in assistant.case(case, pixels=False).asked[:2])
    assistant.decide(case, [Accept(one)], by="reader-1")
    assistant.decide(case, [Accept(two)], by="reader-2")
    with pytest.raises(StateError, match="another reader's") as error:
        assistant.undo(case, by="reader-1")
    assert error.value.where["reader"] == "reader-2"
    assert decided(assistant, case) == {one: "Accept", two: "Accept"}


def test_an_undo_meets_only_what_was_shown(assistant: Assistant, case: str) -> None:
    one, two = (s.id for s in assistant.case(case, pixels=False).asked[:2])
    assistant.decide(case, [Accept(one)], by="reader-1")
    shown = Shown.of(assistant.case(case, pixels=False))
    assistant.decide(case, [Accept(two)], by="reader-1")
    with pytest.raises(StateError, match="not as it was shown"):
        assistant.undo(case, by="reader-1", shown=shown)


def test_nothing_is_undone_that_was_signed(assistant: Assistant, case: str) -> None:
    file = assistant.case(case, pixels=False)
    assistant.decide(case, [Edit(s.id, "Other words.") for s in file.asked], by="reader-1")
    assistant.sign(case, by="reader-1")
    with pytest.raises(StateError, match="cannot undo"):
        assistant.undo(case, by="reader-1")


def test_what_a_tampering_hand_put_there_is_not_decided_by_an_undo(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    one = assistant.case(case, pixels=False).asked[0].id
    assistant.decide(case, [Reject(one)], by="reader-1")
    with raw(tmp_path / "data") as database:
        body = f'[{{"type": "Accept", "statement_id": "{one}"}}]'
        database.execute("UPDATE decision_history SET body = ?", (body,))
        database.commit()
    with pytest.raises(IntegrityError, match="stood decided before"):
        assistant.undo(case, by="reader-1")
    assert decided(assistant, case) == {one: "Reject"}


def test_a_reason_is_of_the_table_and_is_kept(assistant: Assistant, case: str) -> None:
    assert list(rejection_reasons())[-1] == "other"
    one = assistant.case(case, pixels=False).asked[0].id
    for code in rejection_reasons():
        assistant.decide(case, [Reject(one, "As I see it.", code=code)], by="reader-1")
        assert kept(assistant).case_file(case).decisions == (Reject(one, "As I see it.", code),)
    with pytest.raises(InputError, match="no such reason"):
        Reject(one, code="dull")

"""A write that carries what was shown is done to that and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry
from medmm.domain.errors import StateError
from medmm.domain.report import Accept, CaseFile, Edit, Impression, Reject
from medmm.domain.shown import Shown
from medmm.store import Store
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant

READERS = tuple(
    ReaderEntry(id=f"reader-{n}", name=f"ZZREADER {n}", role="attending") for n in (1, 2)
)
ME, OTHER = "reader-1", "reader-2"


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", readers=READERS) as assistant:
        yield assistant


def film(folder: Path, number: int) -> Path:
    """A film of another study and another patient each."""
    uids: dict[str, Any] = {
        n: f"1.2.826.{number}.{k}"
        for k, n in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    }
    return film_file(folder, f"{number}.dcm", PatientID=f"ZZ-{number}", **uids)


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    case_id = opened(assistant, film(tmp_path, 1))
    assistant.draft(case_id)
    return case_id


def seen(assistant: Assistant, case_id: str) -> tuple[CaseFile, Shown]:
    file = assistant.case(case_id, pixels=False, by=ME)
    return file, Shown.of(file, assistant.identity(file.case.study.patient_key, by=ME))


def decide_all(assistant: Assistant, case_id: str) -> None:
    file = assistant.case(case_id, pixels=False, by=ME)
    assert file.draft is not None
    words = [
        Edit(s.id, "In other words.") if file.draft.failed(s.id) else Accept(s.id)
        for s in file.asked
    ]
    assistant.decide(case_id, words, by=ME)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(
        StateError, match=r"(as it was shown|meanwhile): .*nothing was done.*look"
    ) as error:
        act()
    return error.value.where["differs"]


def test_nothing_happens_to_another_case_than_was_shown(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    other = opened(assistant, film(tmp_path, 2))
    assistant.draft(other)
    decide_all(assistant, case)
    decide_all(assistant, other)
    _, shown = seen(assistant, other)
    first = assistant.case(case, pixels=False).asked[0]
    before = assistant.case(case, pixels=False)
    acts: list[Callable[[], object]] = [
        lambda: assistant.sign(case, by=ME, shown=shown),
        lambda: assistant.decide(case, [Reject(first.id)], by=ME, shown=shown),
        lambda: assistant.draft(case, by=ME, shown=shown),
    ]
    assert {refused(act) for act in acts} == {"case"}
    assert assistant.case(case, pixels=False) == before
    report = assistant.sign(other, by=ME, shown=shown)
    later: list[Callable[[], object]] = [
        lambda: assistant.withdraw(other, reason="No.", by=ME, shown=seen(assistant, case)[1]),
        lambda: assistant.addendum(other, "Told.", reason="Yes.", by=ME, shown=shown),
        lambda: assistant.amend(other, [Reject(first.id)], reason="So.", by=ME, shown=shown),
    ]
    assert [refused(act) for act in later] == ["case", "state report", "state report"]
    assert assistant.case(other, pixels=False).report == report


def test_a_signature_takes_only_what_was_shown(assistant: Assistant, case: str) -> None:
    decide_all(assistant, case)
    file, shown = seen(assistant, case)
    first = file.asked[0].id
    assistant.decide(case, [Reject(first)], by=OTHER)
    with pytest.raises(StateError, match=f"changed elsewhere: .*{first}"):
        assistant.sign(case, by=ME, shown=shown)
    assert assistant.case(case, pixels=False).report is None
    _, again = seen(assistant, case)
    assert assistant.sign(case, by=ME, shown=again).signed_by.id == ME


def test_a_decision_meets_only_the_draft_that_was_shown(assistant: Assistant, case: str) -> None:
    file, shown = seen(assistant, case)
    assistant.draft(case)
    accept = [Accept(file.asked[0].id)]
    with pytest.raises(StateError, match="draft version 1 was shown, it is 2 now"):
        assistant.decide(case, accept, by=ME, shown=shown)
    assert assistant.case(case, pixels=False).decisions == ()
    assistant.decide(case, accept, by=ME, shown=seen(assistant, case)[1])


def test_who_decides_twice_in_a_row_is_not_held_up_by_the_own_first_click(
    assistant: Assistant, case: str
) -> None:
    file, shown = seen(assistant, case)
    one, two = (s.id for s in file.asked[:2])
    assistant.decide(case, [Reject(one)], by=ME, shown=shown)
    assistant.decide(case, [Reject(two)], by=ME, shown=shown)
    assert refused(
        lambda: assistant.decide(case, [Edit(one, "Other words.")], by=ME, shown=shown)
    ) == ("statements")


def test_an_impression_that_was_not_seen_is_not_written_over(
    assistant: Assistant, case: str
) -> None:
    _, shown = seen(assistant, case)
    assistant.decide(case, [Impression("As seen by the other one.")], by=OTHER)
    mine = [Impression("As I see it.")]
    assert refused(lambda: assistant.decide(case, mine, by=ME, shown=shown)) == "statements"


def test_a_summary_that_another_reworded_falls_with_no_decision_made_unaware(
    assistant: Assistant, case: str
) -> None:
    file, shown = seen(assistant, case)
    assert file.draft is not None
    summary = next(s for s in file.draft.statements if s.summarises)
    assert summary.summarises is not None
    assistant.decide(case, [Edit(summary.id, "In short.")], by=OTHER)
    decision = [Reject(summary.summarises)]
    assert refused(lambda: assistant.decide(case, decision, by=ME, shown=shown)) == "statements"


def test_a_patient_who_was_renamed_is_looked_at_again(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    file, shown = seen(assistant, case)
    decide_all(assistant, case)
    _, shown = seen(assistant, case)
    uids: dict[str, Any] = {
        name: f"1.2.826.1.{9 + k}"
        for k, name in enumerate(("SeriesInstanceUID", "SOPInstanceUID", "StudyInstanceUID"))
    }
    assistant.admit(
        film_file(tmp_path, "again.dcm", PatientID="ZZ-1", PatientName="ZZOTHER^NAME", **uids)
    )
    assert refused(lambda: assistant.sign(case, by=ME, shown=shown)) == "patient"
    nameless = Shown.of(assistant.case(case, pixels=False, by=ME))
    accept = [Reject(file.asked[0].id)]
    assistant.decide(case, accept, by=ME, shown=nameless)


def test_a_blind_look_shows_nothing_to_act_on(assistant: Assistant, case: str) -> None:
    with pytest.raises(StateError, match="blind"):
        Shown.of(assistant.case(case, pixels=False, blind=True, by=ME))


def test_a_repeated_call_gets_the_first_result_whatever_is_shown_by_then(
    assistant: Assistant, case: str
) -> None:
    decide_all(assistant, case)
    report = assistant.sign(case, by=ME, shown=seen(assistant, case)[1], key="once")
    assert assistant.sign(case, by=ME, shown=seen(assistant, case)[1], key="once") == report


@pytest.mark.parametrize("what", ["decision", "draft", "identity"])
def test_what_changes_between_the_look_and_the_step_is_seen_in_the_step(
    assistant: Assistant, case: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process commits after the verb has read the case and before its step begins."""
    if what != "draft":
        decide_all(assistant, case)
    file, shown = seen(assistant, case)
    step_of, done = Store.step, list[str]()

    def other_first(store: Store, **how: bool):  # type: ignore[no-untyped-def]
        if not done:
            done.append(what)
            with quick_assistant(tmp_path / "data", readers=READERS) as other:
                if what == "decision":
                    other.decide(case, [Reject(file.asked[0].id)], by=OTHER)
                elif what == "draft":
                    other.draft(case)
                else:
                    key = file.case.study.patient_key
                    identity = other.identity(key, by=OTHER)
                    with other._house.store.step() as step:
                        step.save_identity(key, replace(identity, family_name="ZZOTHER"))
                        step.record(kept(other).events(case)[-1])
        return step_of(store, **how)

    monkeypatch.setattr(Store, "step", other_first)
    act: Callable[[], object] = lambda: (  # noqa: E731
        assistant.decide(case, [Accept(file.asked[0].id)], by=ME, shown=shown)
        if what == "draft"
        else assistant.sign(case, by=ME, shown=shown)
    )
    expected = {"decision": "statements", "draft": "draft", "identity": "patient"}[what]
    assert refused(act) == expected
    assert assistant.case(case, pixels=False).report is None
    assert assistant.verify().ok


def test_a_draft_made_anew_in_between_is_met_by_no_decision_though_nothing_was_shown(
    assistant: Assistant, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = assistant.case(case, pixels=False).asked[0].id
    step_of, done = Store.step, list[str]()

    def drafted_first(store: Store, **how: bool):  # type: ignore[no-untyped-def]
        if not done:
            done.append(case)
            with quick_assistant(tmp_path / "data", readers=READERS) as other:
                other.draft(case)
        return step_of(store, **how)

    monkeypatch.setattr(Store, "step", drafted_first)
    assert refused(lambda: assistant.decide(case, [Reject(first)], by=ME)) == "draft"


def test_the_digest_of_what_is_shown_follows_all_of_it(assistant: Assistant, case: str) -> None:
    _, shown = seen(assistant, case)
    assert shown.digest == seen(assistant, case)[1].digest
    others = {
        replace(shown, patient=None).digest,
        replace(shown, draft_version=2).digest,
        replace(shown, statements=shown.statements[1:]).digest,
    }
    assert len(others | {shown.digest}) == 4

"""Drafts that are made in the background: what is told of them, to whom, and what nobody may do with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.draft import Assertion
from medmm.domain.draft_progress import DraftProgress, DraftStage
from medmm.domain.errors import InputError, PermissionDenied, StateError, Unavailable
from medmm.domain.instruction import Pictures
from medmm.domain.report import Accept, CaseState, Edit
from medmm.drafting import OutsideWriter
from medmm.language.proposed import proposals_of
from tests.dicom_files import film_file
from tests.factories import make_case, make_reading
from tests.kept import kept
from tests.language_models import make_generation, say
from tests.quick_assistant import opened, quick_assistant
from tests.slow_drafting import Gate, Slow, worded_by

WAIT_S = 20.0
READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="reader-2", name="ZZREADER Two", role="attending"),
    ReaderEntry(id="auditor-1", name="ZZREADER Three", role="auditor"),
)


def reached(assistant: Assistant, case_id: str, stage: DraftStage, by: str = "reader-1") -> Any:
    """The progress once it is so far."""
    return until(lambda: progress_at(assistant, case_id, stage, by))


def progress_at(assistant: Assistant, case_id: str, stage: DraftStage, by: str) -> Any:
    found = assistant.draft_progress(case_id, by=by)
    return found if found is not None and found.stage is stage else None


def until(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + WAIT_S
    while not (answer := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
    return answer


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def slow(gate: Gate) -> Slow:
    return Slow(gate)


@pytest.fixture
def assistant(tmp_path: Path, slow: Slow, gate: Gate) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", reader=slow, readers=READERS) as made:
        yield made
        gate.open(99)  # whatever waits


@pytest.fixture
def case_id(assistant: Assistant, tmp_path: Path) -> str:
    return opened(assistant, film_file(tmp_path / "in"))


def test_nobody_waits_for_a_draft_and_it_is_kept_as_any_other(
    assistant: Assistant, case_id: str, gate: Gate
) -> None:
    assert assistant.draft_progress(case_id, by="reader-1") is None
    began = assistant.begin_draft(case_id, by="reader-1")
    assert (began.by, began.going) == ("reader-1", True)
    assert reached(assistant, case_id, DraftStage.READING).sentences == ()
    again = assistant.begin_draft(case_id, by="reader-2")
    assert again.by == "reader-1", "one that is being made is not begun a second time"
    gate.open()
    assert reached(assistant, case_id, DraftStage.DONE).sentences == ()
    file = assistant.case(case_id, pixels=False)
    assert file.draft is not None
    assert file.state is CaseState.DRAFTED
    (entry,) = [e for e in kept(assistant).events(case_id) if e.verb == "draft"]
    assert (entry.actor, entry.outcome) == ("reader-1", "done")


def test_while_a_draft_is_made_nobody_decides_or_signs(
    assistant: Assistant, case_id: str, gate: Gate
) -> None:
    assistant.begin_draft(case_id, by="reader-1")
    reached(assistant, case_id, DraftStage.READING)
    refusals: tuple[Callable[[], object], ...] = (
        lambda: assistant.decide(case_id, [Accept("s1")], by="reader-1"),
        lambda: assistant.decide(case_id, [Edit("s1", "Other words.")], by="reader-1"),
        lambda: assistant.accept_passing(case_id, by="reader-1"),
        lambda: assistant.sign(case_id, by="reader-1"),
        lambda: assistant.propose(case_id, by="reader-1"),
    )
    for act in refusals:
        with pytest.raises((StateError, Unavailable, InputError)):
            act()
    file = assistant.case(case_id, pixels=False)
    assert (file.draft, file.decisions, file.report) == (None, (), None)


def test_a_failure_is_told_with_its_remedy_and_the_draft_can_be_asked_for_again(
    assistant: Assistant, case_id: str, slow: Slow, gate: Gate
) -> None:
    slow.failure = Unavailable("the network is asleep", remedy="wake it")
    assistant.begin_draft(case_id, by="reader-1")
    gate.open()
    failed = reached(assistant, case_id, DraftStage.FAILED)
    assert (failed.problem, failed.remedy) == ("the network is asleep", "wake it")
    assert reached(assistant, case_id, DraftStage.FAILED, by="reader-2") == failed
    (entry,) = [e for e in kept(assistant).events() if e.verb == "draft"]
    assert (entry.outcome, entry.actor) == ("failed", "reader-1")
    slow.failure = None
    assistant.begin_draft(case_id, by="reader-2")
    gate.open()
    reached(assistant, case_id, DraftStage.DONE)


def test_a_fault_of_the_program_itself_ends_the_progress_too(
    assistant: Assistant, case_id: str, slow: Slow, gate: Gate
) -> None:
    slow.failure = ValueError("a fault")
    assistant.begin_draft(case_id, by="reader-1")
    gate.open()
    failed = reached(assistant, case_id, DraftStage.FAILED)
    assert "look into the log" in failed.remedy
    assert "a fault" not in failed.problem


def test_a_draft_outlives_its_readers_leaving_and_waits_for_who_reads_then(
    assistant: Assistant, case_id: str, gate: Gate
) -> None:
    assistant.claim(case_id, by="reader-1")
    assistant.begin_draft(case_id, by="reader-1")
    reached(assistant, case_id, DraftStage.READING)
    assistant.unclaim(case_id, by="reader-1")
    assistant.claim(case_id, by="reader-2")
    assert assistant.draft_progress(case_id, by="reader-2").by == "reader-1"  # type: ignore[union-attr]
    gate.open()
    reached(assistant, case_id, DraftStage.DONE, by="reader-2")
    draft = assistant.case(case_id, pixels=False).draft
    assert draft is not None
    assistant.begin_draft(case_id, by="reader-1")  # in place of the one that another looks at
    gate.open()
    assert "another reader" in reached(assistant, case_id, DraftStage.FAILED).problem
    assistant.decide(case_id, [Accept(draft.statements[0].id)], by="reader-2")


def test_roles_are_asked_before_anything_begins(assistant: Assistant, case_id: str) -> None:
    for act in (assistant.begin_draft, assistant.draft_progress):
        with pytest.raises(PermissionDenied):
            act(case_id, by="auditor-1")
        with pytest.raises(InputError):
            act("case-of-nobody", by="reader-1")
    assert assistant.draft_progress(case_id, by="reader-1") is None


def test_two_cases_are_drafted_at_a_time_and_a_third_waits(
    assistant: Assistant, tmp_path: Path, gate: Gate
) -> None:
    cases = [
        opened(
            assistant,
            film_file(
                tmp_path / "in",
                f"{n}.dcm",
                StudyInstanceUID=f"1.2.{n}",
                SOPInstanceUID=f"1.2.{n}.1",
            ),
        )
        for n in (7, 8, 9)
    ]
    for one in cases:
        assistant.begin_draft(one, by="reader-1")
    reached(assistant, cases[0], DraftStage.READING)
    reached(assistant, cases[1], DraftStage.READING)
    reached(assistant, cases[2], DraftStage.WAITING)
    gate.open(3)
    for one in cases:
        reached(assistant, one, DraftStage.DONE)


def test_one_that_another_program_makes_is_told_as_that(
    assistant: Assistant, case_id: str, gate: Gate, tmp_path: Path
) -> None:
    with quick_assistant(tmp_path / "data", readers=READERS) as other:
        assistant.begin_draft(case_id, by="reader-1")
        reached(assistant, case_id, DraftStage.READING)
        found = other.draft_progress(case_id, by="reader-2")
        assert found is not None
        assert (found.stage, found.by, found.sentences) == (DraftStage.ELSEWHERE, "reader-1", ())
        gate.open()
        reached(assistant, case_id, DraftStage.DONE)
        assert other.draft_progress(case_id, by="reader-2") is None


@pytest.fixture
def worded(tmp_path: Path, gate: Gate) -> Iterator[Assistant]:
    """A language model says one sentence after the other."""
    with worded_by(gate, tmp_path / "data", readers=READERS) as made:
        yield made
        gate.open(99)


def test_sentences_come_as_they_are_written_to_who_has_seen_the_case_alone(
    worded: Assistant, tmp_path: Path, gate: Gate
) -> None:
    case_id = opened(worded, film_file(tmp_path / "in"))
    worded.case(case_id, by="reader-1")
    worded.case(case_id, blind=True, by="reader-2")
    worded.begin_draft(case_id, by="reader-1")

    def lines(by: str) -> list[str]:
        found: DraftProgress = reached(worded, case_id, DraftStage.WRITING, by)
        return [one.text for one in found.sentences]

    first = until(lambda: lines("reader-1"))
    assert lines("reader-2") == [], "who reads blind is told nothing of it"
    entries = len(kept(worded).events())
    gate.open()
    more = until(lambda: lines("reader-1") if len(lines("reader-1")) > len(first) else [])
    assert set(first) < set(more)
    assert len(kept(worded).events()) == entries, "a page asks all the time"
    gate.open(99)
    reached(worded, case_id, DraftStage.DONE)
    draft = worded.case(case_id, pixels=False).draft
    assert draft is not None
    assert set(more) <= {s.text for s in draft.statements}


def test_of_a_model_from_outside_only_what_the_rules_state_is_shown_while_it_writes() -> None:
    case, reading = make_case(context=None), make_reading()
    suspected = next(f.name for f in reading.findings if f.suspected)
    sound = say(suspected, Assertion.POSSIBLE)
    spoken = ["The patient has three weeks to live.", "There is a large tumour.", sound.text]

    class Speaks:
        name, pictures = "outside", Pictures.ALL

        def propose(self, *asked: Any) -> Iterator[Any]:
            for words in spoken:
                yield from proposals_of(words, make_generation())

    told: list[list[str]] = []
    draft = OutsideWriter(Speaks()).write(
        case, reading, lambda one: told.append([s.text for s in one.statements])
    )
    final = [s.text for s in draft.statements]
    assert told
    assert all("tumour" not in text and "weeks" not in text for one in told for text in one)
    assert [len(one) for one in told] == [len(final)] * len(told), "rules say what is stated"
    assert told[-1] == final

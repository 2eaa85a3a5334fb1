"""A resident reads and an attending signs, both named; a signature is confirmed once, for what was shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.confirmation import Confirmation
from medmm.domain.errors import PermissionDenied, StateError
from medmm.domain.report import CaseState, Edit, Reject
from medmm.domain.shown import Shown
from medmm.domain.worklist import CaseFilter
from tests.databases import raw
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READS, GivenNetworks, opened
from tests.unit.assistant.test_assistant_claims import Clock

RESIDENT, ATTENDING, OTHER = "resident-1", "attending-1", "attending-2"
READERS = tuple(
    ReaderEntry(id=i, name=f"ZZ{i.upper()}", role=i.split("-")[0])
    for i in (RESIDENT, ATTENDING, OTHER)
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def assistant(tmp_path: Path, clock: Clock) -> Iterator[Assistant]:
    settings = Settings(data_dir=tmp_path / "data", readers=READERS, threads=1)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks, clock=clock) as assistant:
        yield assistant


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    return case_id


def decide(assistant: Assistant, case_id: str, by: str) -> None:
    asked = assistant.case(case_id, pixels=False).asked
    assistant.decide(case_id, [Edit(s.id, "As I see it.") for s in asked], by=by)


def shown(assistant: Assistant, case_id: str) -> Shown:
    return Shown.of(assistant.case(case_id, pixels=False, by=ATTENDING))


def state(assistant: Assistant, case_id: str) -> CaseState:
    return assistant.case(case_id, pixels=False).state


def test_a_resident_s_read_is_signed_by_an_attending_and_the_report_names_both(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    assistant.claim(case, by=RESIDENT)
    decide(assistant, case, RESIDENT)
    with pytest.raises(PermissionDenied):
        assistant.sign(case, by=RESIDENT)
    preliminary = assistant.propose(case, by=RESIDENT)
    assert (preliminary.by.id, preliminary.at) == (RESIDENT, clock.now)
    waiting = assistant.worklist(
        CaseFilter(state=CaseState.PRELIMINARY, waiting=True), by=ATTENDING
    )
    assert [row.case.case_id for row in waiting.rows] == [case]
    assert waiting.rows[0].case.assigned is None, "the resident's claim ended"
    clock.after(minutes=5)
    report = assistant.sign(case, by=ATTENDING)
    assert (report.preliminary, report.signed_by.id) == (preliminary, ATTENDING)
    text = " ".join(assistant.render(report.id).split())
    assert f"Preliminary read by ZZRESIDENT-1 ({RESIDENT}, resident) on" in text
    assert f"Signed by ZZATTENDING-1 ({ATTENDING}, attending)" in text
    assert assistant.verify().ok


def test_an_attending_may_decide_otherwise_before_signing(assistant: Assistant, case: str) -> None:
    decide(assistant, case, RESIDENT)
    assistant.propose(case, by=RESIDENT)
    first = assistant.case(case, pixels=False).asked[0].id
    assistant.decide(case, [Edit(first, "As the attending sees it.")], by=ATTENDING)
    assert state(assistant, case) is CaseState.IN_REVIEW
    report = assistant.sign(case, by=ATTENDING)
    assert report.preliminary is not None
    assert report.preliminary.by.id == RESIDENT


def test_nothing_is_left_to_a_signature_that_could_not_be_signed(
    assistant: Assistant, case: str
) -> None:
    with pytest.raises(StateError, match="cannot leave"):
        assistant.propose(case, by=RESIDENT)
    first = assistant.case(case, pixels=False).asked[0].id
    assistant.decide(case, [Reject(first)], by=RESIDENT)
    with pytest.raises(StateError, match="undecided"):
        assistant.propose(case, by=RESIDENT)
    assert state(assistant, case) is CaseState.IN_REVIEW


def test_a_confirmation_is_good_once(assistant: Assistant, case: str) -> None:
    decide(assistant, case, ATTENDING)
    seen = shown(assistant, case)
    given = assistant.confirm(case, shown=seen, by=ATTENDING)
    assistant.sign(case, by=ATTENDING, shown=seen, confirmation=given)
    with pytest.raises(StateError):
        assistant.sign(case, by=ATTENDING, shown=seen, confirmation=given)
    with pytest.raises(StateError):
        assistant.sign(case, by=ATTENDING, confirmation=given)
    signed = [e for e in assistant.history(case) if (e.verb, e.outcome) == ("sign", "done")]
    assert len(signed) == 1


def refused(assistant: Assistant, case: str, given: Confirmation, seen: Shown, by: str) -> None:
    with pytest.raises(StateError, match="not confirmed") as error:
        assistant.sign(case, by=by, shown=seen, confirmation=given)
    assert error.value.where["confirmation"] == "refused"
    assert state(assistant, case) is CaseState.IN_REVIEW


def test_another_window_another_reader_and_a_late_one_are_refused(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    decide(assistant, case, ATTENDING)
    seen = shown(assistant, case)
    first = assistant.confirm(case, shown=seen, by=ATTENDING)
    second = assistant.confirm(case, shown=seen, by=ATTENDING)
    refused(assistant, case, first, seen, ATTENDING)
    refused(assistant, case, second, seen, OTHER)
    clock.after(minutes=10)
    refused(assistant, case, second, seen, ATTENDING)
    third = assistant.confirm(case, shown=seen, by=ATTENDING)
    assert assistant.sign(case, by=ATTENDING, shown=seen, confirmation=third).version == 1


def test_a_confirmation_is_for_what_was_shown(assistant: Assistant, case: str) -> None:
    decide(assistant, case, ATTENDING)
    seen = shown(assistant, case)
    given = assistant.confirm(case, shown=seen, by=ATTENDING)
    first = assistant.case(case, pixels=False).asked[0].id
    assistant.decide(case, [Reject(first)], by=ATTENDING)
    refused(assistant, case, given, shown(assistant, case), ATTENDING)
    with pytest.raises(StateError, match="not as it was shown"):
        assistant.confirm(case, shown=seen, by=ATTENDING)


def test_a_token_is_kept_as_its_digest_alone(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    decide(assistant, case, ATTENDING)
    given = assistant.confirm(case, shown=shown(assistant, case), by=ATTENDING)
    with raw(tmp_path / "data") as database:
        kept = "\n".join(database.iterdump())
    assert given.token not in kept

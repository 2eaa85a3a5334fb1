"""How urgent a case is: as its order or a person says, and since when a person is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.imaging_order import OrderRequest, StudyOrder
from medmm.domain.priority import AS_ORDERED, CasePriority, Order, Priority, most_urgent
from medmm.domain.report import CaseSummary
from medmm.store import Store
from tests.dicom_files import film_file
from tests.kept import kept
from tests.quick_assistant import opened, signed
from tests.unit.assistant.test_assistant_claims import START, Clock, assistant_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def assistant(tmp_path: Path, clock: Clock) -> Iterator[Assistant]:
    with assistant_of(tmp_path, clock) as assistant:
        yield assistant


def film(folder: Path, name: str, **tags: str) -> Path:
    """A film of a study and patient of its own."""
    uid = f"1.2.3.{sum(map(ord, name))}"
    return film_file(
        folder / name,
        StudyInstanceUID=uid,
        SOPInstanceUID=f"{uid}.1",
        PatientID=f"ZZ-{name}",
        **tags,
    )


def line(assistant: Assistant, case_id: str) -> CaseSummary:
    return next(one for one in assistant.cases() if one.case_id == case_id)


@pytest.mark.parametrize(
    ("stated", "level"),
    [("STAT", "stat"), ("HIGH", "urgent"), ("MEDIUM", "routine"), ("sooner", None), ("", None)],
)
def test_the_order_s_priority_is_the_case_s(
    assistant: Assistant, tmp_path: Path, stated: str, level: str | None
) -> None:
    case_id = opened(assistant, film(tmp_path, "a", RequestedProcedurePriority=stated))
    found = line(assistant, case_id)
    assert (found.priority, found.priority_reason) == (level, AS_ORDERED if level else None)
    given = assistant.case(case_id, pixels=False).priority
    assert given == (level and CasePriority(level=Priority(level), reason=AS_ORDERED))
    assert assistant.verify().ok


def test_of_images_and_request_the_more_urgent_counts() -> None:
    asap = OrderRequest(reference=None, priority="asap")
    for images, level in (
        ("stat", Priority.STAT),
        ("routine", Priority.ASAP),
        (None, Priority.ASAP),
    ):
        found = StudyOrder(priority=images, request=asap).stated_priority
        assert found is not None
        assert found.level is level
    assert StudyOrder().stated_priority is None
    assert most_urgent(None, None) is None


def test_a_person_says_how_urgent_a_case_is_and_why(
    assistant: Assistant, tmp_path: Path, clock: Clock
) -> None:
    path = film(tmp_path, "a", RequestedProcedurePriority="ROUTINE")
    case_id = opened(assistant, path)
    given = assistant.prioritise(
        case_id, Priority.STAT, reason="short of breath", by="reader-1", key="p-1"
    )
    assert given == CasePriority(
        level=Priority.STAT, reason="short of breath", by="reader-1", at=START
    )
    clock.after(minutes=1)
    again = assistant.prioritise(
        case_id, Priority.STAT, reason="short of breath", by="reader-1", key="p-1"
    )
    assert again == given
    assert assistant.case(case_id, pixels=False).priority == given
    assert line(assistant, case_id).priority_reason == "short of breath"
    opened(assistant, path)  # what the order says does not take its place
    assert assistant.case(case_id, pixels=False).priority == given
    (entry,) = (e for e in assistant.history(case_id) if e.verb == "prioritise")
    assert entry.details["priority"] == "stat"
    assert "breath" not in str(entry)  # the log holds no words about a patient
    assert assistant.verify().ok


def test_what_a_person_said_goes_on_when_the_study_grows(
    assistant: Assistant, tmp_path: Path
) -> None:
    uid = "1.2.3.9"
    one = film_file(tmp_path / "in", "a.dcm", StudyInstanceUID=uid, SOPInstanceUID=f"{uid}.1")
    two = film_file(tmp_path / "in", "b.dcm", StudyInstanceUID=uid, SOPInstanceUID=f"{uid}.2")
    first = opened(assistant, one)
    given = assistant.prioritise(first, Priority.ASAP, reason="in theatre", by="reader-1")
    second = opened(assistant, two)
    assert second != first
    assert assistant.case(second, pixels=False).priority == given
    with pytest.raises(StateError, match="superseded"):
        assistant.prioritise(first, Priority.STAT, reason="too late", by="reader-1")
    assert assistant.verify().ok


def test_who_may_not_and_what_is_no_priority(assistant: Assistant, tmp_path: Path) -> None:
    case_id = opened(assistant, film(tmp_path, "a"))
    with pytest.raises(PermissionDenied):
        assistant.prioritise(case_id, Priority.STAT, reason="x", by="keeper")
    with pytest.raises(InputError, match="say why"):
        assistant.prioritise(case_id, Priority.STAT, reason=" ", by="reader-1")
    with pytest.raises(InputError, match="Priority"):
        assistant.prioritise(case_id, "stat", reason="x", by="reader-1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no such case"):
        assistant.prioritise("case-none", Priority.STAT, reason="x", by="reader-1")
    signed_id = opened(assistant, film(tmp_path, "b"))
    signed(assistant, signed_id, assistant.reader_named("reader-1"))
    with pytest.raises(StateError, match="signed"):
        assistant.prioritise(signed_id, Priority.STAT, reason="x", by="reader-1")


def test_a_case_that_another_signs_meanwhile_gets_no_priority(
    assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, step = opened(assistant, film(tmp_path, "a")), Store.step

    def just_after_a_signature(store: Store, *, look: bool = False) -> Any:
        monkeypatch.setattr(Store, "step", step)
        signed(assistant, case_id, assistant.reader_named("reader-2"))
        return step(store, look=look)

    monkeypatch.setattr(Store, "step", just_after_a_signature)
    with pytest.raises(StateError, match="a case that is signed waits for nobody"):
        assistant.prioritise(case_id, Priority.STAT, reason="x", by="reader-1")
    assert assistant.case(case_id, pixels=False).priority is None
    assert assistant.verify().ok


def test_a_person_is_waited_for_from_the_first_draft_to_the_signature(
    assistant: Assistant, tmp_path: Path, clock: Clock
) -> None:
    case_id = opened(assistant, film(tmp_path, "a"))
    assert line(assistant, case_id).waiting_since is None
    clock.after(minutes=5)
    assistant.draft(case_id)
    clock.after(minutes=5)
    assistant.draft(case_id)  # another draft makes nobody wait less
    assert line(assistant, case_id).waiting_since == START + timedelta(minutes=5)
    assert [one.case_id for one in assistant.cases(waiting=True)] == [case_id]
    signed(assistant, case_id, assistant.reader_named("reader-1"))
    assert line(assistant, case_id).waiting_since is None
    assert assistant.cases(waiting=True) == ()
    assert assistant.verify().ok


def test_by_urgency_come_the_most_urgent_then_the_longest_waiting_then_what_is_done(
    assistant: Assistant, tmp_path: Path, clock: Clock
) -> None:
    cases = {}
    for name in ("later", "sooner", "stat", "undrafted", "done"):
        tags = {"RequestedProcedurePriority": "STAT"} if name == "stat" else {}
        cases[name] = opened(assistant, film(tmp_path, name, **tags))
    for name in ("sooner", "later", "stat"):
        clock.after(minutes=1)
        assistant.draft(cases[name])
    signed(assistant, cases["done"], assistant.reader_named("reader-1"))
    expected = [cases[name] for name in ("stat", "sooner", "later", "undrafted", "done")]
    whole = assistant.cases(order=Order.URGENCY)
    assert [one.case_id for one in whole] == expected
    for size in (1, 2, 4):
        seen: list[str] = []
        while page := assistant.cases(
            order=Order.URGENCY, limit=size, after=seen[-1] if seen else None
        ):
            seen += [one.case_id for one in page]
        assert seen == expected
    assert [c.case_id for c in assistant.cases(priority=Priority.STAT)] == [cases["stat"]]


@pytest.mark.parametrize("becomes", ["signed", "more urgent"])
def test_who_works_through_the_list_by_urgency_skips_nobody(
    assistant: Assistant, tmp_path: Path, clock: Clock, becomes: str
) -> None:
    """The last case of a page moved meanwhile: the next goes on from where it stood."""
    waiting = [opened(assistant, film(tmp_path, name)) for name in "abcd"]
    for case_id in waiting:
        clock.after(minutes=1)
        assistant.draft(case_id)
    page = assistant.cases(order=Order.URGENCY, limit=2)
    assert [one.case_id for one in page] == waiting[:2]
    if becomes == "signed":
        signed(assistant, waiting[1], assistant.reader_named("reader-1"))
    else:
        assistant.prioritise(waiting[1], Priority.STAT, reason="seen", by="reader-1")
    following = assistant.cases(order=Order.URGENCY, limit=2, after=page[-1].place)
    assert [one.case_id for one in following] == waiting[2:]
    newest = assistant.cases(after=page[-1].place)  # by age a case never moves
    assert newest == assistant.cases(after=waiting[1])
    with pytest.raises(InputError, match="no such case to go on after"):
        assistant.cases(order=Order.URGENCY, after="case-none@0,9999")


def test_cases_name_the_site_of_the_settings(tmp_path: Path, clock: Clock) -> None:
    with assistant_of(tmp_path, clock, site="Hospital North") as assistant:
        north = opened(assistant, film(tmp_path, "a"))
    with assistant_of(tmp_path, clock, site="Hospital South") as assistant:
        south = opened(assistant, film(tmp_path, "b"))
        opened(assistant, film(tmp_path, "a"))  # a case stays where it was opened
        assert [c.case_id for c in assistant.cases(site="Hospital North")] == [north]
        assert [c.case_id for c in assistant.cases(site="Hospital South")] == [south]
        assert assistant.verify().ok
        assert kept(assistant).verify().ok
    with assistant_of(tmp_path, clock) as assistant:
        assert line(assistant, opened(assistant, film(tmp_path, "c"))).site is None

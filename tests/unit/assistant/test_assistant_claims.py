"""Who works on a case: a claim keeps others out until it ends, and an expired one counts for nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import InputError, PermissionDenied, StateError, Unavailable
from medmm.domain.lease import Lease
from medmm.domain.report import Accept, CaseState
from medmm.domain.study import Study
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.kept import kept
from tests.quick_assistant import READS, GivenNetworks, opened, signed

START = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="reader-2", name="ZZREADER Two", role="attending"),
    ReaderEntry(id="keeper", name="ZZKEEPER", role="administrator"),
)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def after(self, **time: float) -> None:
        self.now += timedelta(**time)


def assistant_of(folder: Path, clock: Clock, reader: Any = READS, **how: Any) -> Assistant:
    settings = Settings(data_dir=folder / "data", readers=READERS, threads=1, **how)
    networks = GivenNetworks(
        settings, reader=reader, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    return Assistant(settings, networks=networks, clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def assistant(tmp_path: Path, clock: Clock) -> Iterator[Assistant]:
    with assistant_of(tmp_path, clock) as assistant:
        yield assistant


@pytest.fixture
def case(assistant: Assistant, tmp_path: Path) -> str:
    case_id = opened(assistant, film_file(tmp_path / "in"))
    assistant.draft(case_id)
    return case_id


def first_of(assistant: Assistant, case_id: str) -> Accept:
    draft = assistant.case(case_id, pixels=False).draft
    assert draft is not None
    return Accept(draft.statements[0].id)


def test_a_claim_lasts_as_the_settings_say_or_as_it_asks(assistant: Assistant, case: str) -> None:
    assert assistant.claim(case, by="reader-1") == Lease(
        case_id=case,
        holder="reader-1",
        since=START,
        renewed=START,
        until=START + timedelta(minutes=30),
    )
    renewed = assistant.claim(case, by="reader-1", minutes=120)
    assert renewed.until == START + timedelta(hours=2)


def test_renewing_keeps_the_beginning(assistant: Assistant, case: str, clock: Clock) -> None:
    assistant.claim(case, by="reader-1")
    clock.after(minutes=20)
    lease = assistant.claim(case, by="reader-1")
    assert (lease.since, lease.until) == (START, START + timedelta(minutes=50))


def test_another_can_neither_claim_nor_give_back_nor_decide_nor_draft(
    assistant: Assistant, case: str
) -> None:
    assistant.claim(case, by="reader-1")
    accept = first_of(assistant, case)
    others: dict[str, Callable[[], object]] = {
        "claim": lambda: assistant.claim(case, by="reader-2"),
        "unclaim": lambda: assistant.unclaim(case, by="reader-2"),
        "decide": lambda: assistant.decide(case, [accept], by="reader-2"),
        "draft": lambda: assistant.draft(case),
    }
    before = assistant.case(case, pixels=False)
    for act in others.values():
        with pytest.raises(StateError, match=r"another reader works on this case.*reader-1.*wait"):
            act()
    assert assistant.case(case, pixels=False) == before
    assert [e.verb for e in kept(assistant).events() if e.outcome == "failed"] == list(others)


def test_another_can_not_sign(assistant: Assistant, case: str) -> None:
    assistant.claim(case, by="reader-1")
    asked = assistant.case(case, pixels=False).asked
    assistant.decide(case, [Accept(s.id) for s in asked], by="reader-1")
    with pytest.raises(StateError, match="reader-1"):
        assistant.sign(case, by="reader-2")
    assert assistant.case(case, pixels=False).report is None


def test_the_holder_decides_drafts_and_signs_and_a_signature_ends_the_claim(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    assistant.claim(case, by="reader-1")
    assistant.draft(case, by="reader-1")
    asked = assistant.case(case, pixels=False).asked
    assistant.decide(case, [Accept(s.id) for s in asked], by="reader-1")
    assistant.sign(case, by="reader-1")
    assert kept(assistant).lease(case, clock()) is None


def test_a_free_case_is_open_to_all(assistant: Assistant, case: str) -> None:
    assistant.decide(case, [first_of(assistant, case)], by="reader-2")
    assistant.claim(case, by="reader-1")
    assistant.unclaim(case, by="reader-1")
    assistant.unclaim(case, by="reader-1")  # what nobody has can be given back
    assistant.decide(case, [first_of(assistant, case)], by="reader-2")
    assistant.claim(case, by="reader-2")


def test_an_administrator_frees_what_somebody_left(assistant: Assistant, case: str) -> None:
    assistant.claim(case, by="reader-1")
    with pytest.raises(PermissionDenied):
        assistant.claim(case, by="keeper")
    assistant.unclaim(case, by="keeper")
    assistant.claim(case, by="reader-2")


def test_whose_claim_expired_may_decide_until_another_took_the_case(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    assistant.claim(case, by="reader-1")
    clock.after(minutes=30)
    assistant.decide(case, [first_of(assistant, case)], by="reader-1")
    assistant.claim(case, by="reader-2")
    before, size = assistant.case(case, pixels=False), len(kept(assistant).events())
    for act in (
        lambda: assistant.decide(case, [first_of(assistant, case)], by="reader-1"),
        lambda: assistant.claim(case, by="reader-1"),
    ):
        with pytest.raises(StateError, match="reader-2"):
            act()
    assert assistant.case(case, pixels=False) == before
    assert [e.outcome for e in kept(assistant).events()[size:] if e.outcome == "failed"] == [
        "failed",
        "failed",
    ]


def test_renewal_after_expiry_is_a_claim_anew(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    assistant.claim(case, by="reader-1")
    clock.after(hours=2)
    assert assistant.claim(case, by="reader-1").since == START + timedelta(hours=2)


def test_a_clock_that_goes_back_a_little_takes_no_case_away(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    assistant.claim(case, by="reader-1")
    clock.after(minutes=-10)
    with pytest.raises(StateError, match="reader-1"):
        assistant.claim(case, by="reader-2")
    lease = assistant.claim(case, by="reader-1")  # and renewing it goes by the clock as it is now
    assert (lease.since, lease.until) == (clock.now, clock.now + timedelta(minutes=30))


def test_a_claim_by_a_clock_that_ran_ahead_keeps_nobody_out_for_a_year(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    clock.after(days=365)
    assistant.claim(case, by="reader-1")
    clock.now = START
    assistant.decide(case, [first_of(assistant, case)], by="reader-2")
    assert assistant.claim(case, by="reader-2").until == START + timedelta(minutes=30)


@pytest.mark.parametrize("minutes", [0, -5, 1441])
def test_a_claim_of_no_time_or_of_days_is_refused(
    assistant: Assistant, case: str, minutes: int
) -> None:
    with pytest.raises(InputError, match="minutes"):
        assistant.claim(case, by="reader-1", minutes=minutes)


def test_a_case_on_which_nothing_can_be_done_any_more_is_in_nobody_s_hands(
    assistant: Assistant, case: str, tmp_path: Path
) -> None:
    assistant.claim(case, by="reader-1")
    grown = [film_file(tmp_path / "in"), film_file(tmp_path / "in", "b", SOPInstanceUID="1.2.3.9")]
    newer = opened(assistant, grown)
    assert newer != case
    assert [one.case_id for one in assistant.cases(assigned="reader-1")] == []
    with pytest.raises(StateError, match=r"superseded.*newer case"):
        assistant.claim(case, by="reader-1")
    signed(assistant, newer, assistant.reader_named("reader-1"))
    assistant.claim(newer, by="reader-1")  # to amend its report
    assistant.withdraw(newer, reason="Of another patient.", by="reader-1")
    with pytest.raises(StateError, match=r"withdrawn.*new case"):
        assistant.claim(newer, by="reader-1")
    assert assistant.verify().ok


def test_no_such_case(assistant: Assistant) -> None:
    with pytest.raises(InputError, match="no such case"):
        assistant.claim("case-none", by="reader-1")
    with pytest.raises(InputError, match="no such case"):
        assistant.unclaim("case-none", by="reader-1")


def test_claims_are_in_the_log_and_a_key_gives_the_first_again(
    assistant: Assistant, case: str, clock: Clock
) -> None:
    first = assistant.claim(case, by="reader-1", key="claim-1")
    clock.after(minutes=5)
    assert assistant.claim(case, by="reader-1", key="claim-1") == first
    assistant.unclaim(case, by="reader-1", key="unclaim-1")
    assistant.unclaim(case, by="reader-1", key="unclaim-1")
    said = [(e.verb, e.actor, e.details.get("until")) for e in assistant.history(case)]
    assert said[-2:] == [
        ("claim", "reader-1", "2026-01-02T09:30:00+00:00"),
        ("unclaim", "reader-1", None),
    ]
    assert assistant.verify().ok


def test_of_two_who_claim_at_once_one_gets_it(tmp_path: Path, clock: Clock) -> None:
    with assistant_of(tmp_path, clock) as one, assistant_of(tmp_path, clock) as other:
        case_id = opened(one, film_file(tmp_path / "in"))
        start = threading.Barrier(2)

        def claims(assistant: Assistant, by: str) -> str | None:
            start.wait()
            try:
                return assistant.claim(case_id, by=by).holder
            except StateError:
                return None

        with ThreadPoolExecutor(2) as pool:
            tries = [pool.submit(claims, one, "reader-1"), pool.submit(claims, other, "reader-2")]
        winners = {one.result() for one in tries} - {None}
        lease = kept(one).lease(case_id, clock())
        assert lease is not None
        assert winners == {lease.holder}


class Waits:
    """A reading model that reads when it is let."""

    def __init__(self) -> None:
        self.reading, self.may, self.count = threading.Event(), threading.Event(), 0

    def read(self, study: Study) -> Any:
        self.count += 1
        self.reading.set()
        assert self.may.wait(20)
        return READS.read(study)


def test_while_a_model_runs_nobody_decides_and_another_draft_waits(
    tmp_path: Path, clock: Clock
) -> None:
    slow = Waits()
    slow.may.set()
    with assistant_of(tmp_path, clock, slow) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        assistant.draft(case_id)
        accept = first_of(assistant, case_id)
        slow.may.clear()
        slow.reading.clear()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(assistant.draft, case_id)
            assert slow.reading.wait(20)
            with pytest.raises(Unavailable, match=r"being drafted.*try again"):
                assistant.decide(case_id, [accept], by="reader-1")
            assistant.claim(case_id, by="reader-1")  # for when the draft is there
            assistant.unclaim(case_id, by="reader-1")
            second = pool.submit(assistant.draft, case_id)
            assert slow.count == 2  # it waits
            slow.may.set()
            assert second.result(20).draft.parent == first.result(20).draft.id
        assert [one.version for one in assistant.drafts(case_id)] == [1, 2, 3]
        file = assistant.case(case_id, pixels=False)
        assert (file.state, file.decisions) == (CaseState.DRAFTED, ())
        assistant.decide(case_id, [first_of(assistant, case_id)], by="reader-1")
        assert assistant.verify().ok


def test_who_asks_for_a_draft_while_it_is_made_gets_that_one(tmp_path: Path, clock: Clock) -> None:
    slow = Waits()
    with assistant_of(tmp_path, clock, slow) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(assistant.draft, case_id)
            assert slow.reading.wait(20)
            second = pool.submit(assistant.draft, case_id, again=False)
            slow.may.set()
            assert first.result(20) == second.result(20)
        assert slow.count == 1


def test_a_draft_that_failed_leaves_no_lease(tmp_path: Path, clock: Clock) -> None:
    class Breaks:
        def read(self, study: Study) -> Any:
            raise Unavailable("no memory", remedy="try again")

    with assistant_of(tmp_path, clock, Breaks()) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        for _ in range(2):
            with pytest.raises(Unavailable, match="no memory"):
                assistant.draft(case_id)
    with assistant_of(tmp_path, clock) as assistant:
        assert assistant.draft(case_id)

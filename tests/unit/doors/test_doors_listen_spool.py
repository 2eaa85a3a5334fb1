"""When a study is complete, and what a restart finds of it."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from medmm.doors.dicom.arriving import ArrivingObject, Command
from medmm.doors.dicom.object_uids import ObjectUids
from medmm.doors.dicom.spool import OtherContentError, Sender, Spool, StudyOutcome

QUIET_S, FORCE_S = 60.0, 900.0
CR = "1.2.840.10008.5.1.4.1.1.1"
COMMAND = Command(sop_class=CR, sop_instance="1.2.3.3", syntax=ExplicitVRLittleEndian)
PACS = Sender(id="00ff", calling="PACS", called="MEDMM", host="127.0.0.1")


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reopened(tmp_path: Path, clock: Clock) -> Callable[[], Spool]:
    return lambda: Spool(tmp_path / "received", object_bytes=10**6, free_bytes=0, clock=clock)


def arrived(spool: Spool, content: bytes = b"pixels") -> ArrivingObject:
    made = ArrivingObject(spool.room, lambda: COMMAND)
    made.write(content)
    made.finish()
    assert made.fault is None
    return made


def keep(
    spool: Spool, instance: str = "1.2.3.3", content: bytes = b"pixels", stated: int | None = None
) -> bool:
    uids = ObjectUids(
        sop_class=CR, sop_instance=instance, study="1.2.3.1", instances_in_study=stated
    )
    return spool.keep(arrived(spool, content), uids, PACS)


def due(spool: Spool, instances: int | None = None) -> list[int]:
    """How many files are handed over now."""
    found = spool.due(QUIET_S, FORCE_S, lambda called: instances)
    return [] if found is None else [len(found.files)]


def test_a_study_is_due_after_quiet(reopened: Callable[[], Spool], clock: Clock) -> None:
    spool = reopened()
    keep(spool, "1.2.3.1")
    clock.now += 59
    keep(spool, "1.2.3.2")
    clock.now += 59
    assert due(spool) == []
    clock.now += 1
    assert due(spool) == [2]
    assert due(spool) == []


def test_a_study_that_never_rests_is_due_after_force_time(
    reopened: Callable[[], Spool], clock: Clock
) -> None:
    spool = reopened()
    for number in range(31):
        keep(spool, f"1.2.3.{number}")
        assert due(spool) == ([31] if number == 30 else [])
        clock.now += 30


def test_a_stated_number_makes_it_due_at_once(reopened: Callable[[], Spool]) -> None:
    spool = reopened()
    keep(spool, "1.2.3.1", stated=2)
    assert due(spool) == []
    keep(spool, "1.2.3.2", stated=2)
    assert due(spool) == [2]
    keep(spool, "1.2.3.3", b"other")
    assert due(spool, instances=3) == [3]


def test_the_first_that_came_goes_first(reopened: Callable[[], Spool], clock: Clock) -> None:
    spool = reopened()
    for study in ("1.2.9", "1.2.8"):
        uids = ObjectUids(sop_class=CR, sop_instance=f"{study}.1", study=study)
        spool.keep(arrived(spool), uids, PACS)
        clock.now += 1
    clock.now += QUIET_S
    found = spool.due(QUIET_S, FORCE_S, lambda called: None)
    assert found is not None
    assert (found.study, found.called) == ("1.2.9", "MEDMM")


def test_an_object_is_known_again_after_a_restart(reopened: Callable[[], Spool]) -> None:
    keep(reopened())
    spool = reopened()
    assert not keep(spool)
    with pytest.raises(OtherContentError):
        keep(spool, content=b"others")
    assert spool.waiting() == 1


def test_a_restart_goes_on_with_what_was_spooled_and_drops_what_is_half(
    reopened: Callable[[], Spool], clock: Clock
) -> None:
    spool = reopened()
    keep(spool)
    (file,) = spool.studies.glob("*/*/*.dcm")
    os.utime(file, (clock.now, clock.now))
    half = ArrivingObject(spool.room, lambda: COMMAND)
    half.write(b"half")
    clock.now += QUIET_S - 1
    again = reopened()
    assert not list(again.room.folder.iterdir())
    assert due(again) == []
    clock.now += 1
    assert due(again) == [1]
    half.drop()


def test_what_was_handed_over_and_not_settled_is_due_again(
    reopened: Callable[[], Spool], clock: Clock
) -> None:
    spool = reopened()
    keep(spool)
    clock.now = 4e9
    assert due(spool) == [1]
    assert due(reopened()) == [1]


def test_what_was_settled_leaves_only_what_it_was(
    reopened: Callable[[], Spool], clock: Clock
) -> None:
    spool = reopened()
    keep(spool)
    clock.now = 4e9
    handed = spool.due(QUIET_S, FORCE_S, lambda called: None)
    assert handed is not None
    spool.settle(
        handed, StudyOutcome(outcome="admitted", case="case-1", to_draft=True), remove=True
    )
    assert not list(spool.studies.glob("*/*/*"))
    again = reopened()
    assert again.waiting() == 0
    assert [(key, kept.case) for key, kept in again.to_draft()] == [(handed.key, "case-1")]
    assert not keep(again)  # the assistant has it
    with pytest.raises(OtherContentError):
        keep(again, content=b"other")
    again.drafted(handed.key, "case-0")  # an earlier case, superseded before it was drafted
    assert list(reopened().to_draft())
    again.drafted(handed.key, "case-1")
    assert not list(reopened().to_draft())


def test_a_late_object_of_a_refused_study_brings_all_of_it(
    reopened: Callable[[], Spool], clock: Clock
) -> None:
    spool = reopened()
    keep(spool)
    clock.now = 4e9
    handed = spool.due(QUIET_S, FORCE_S, lambda called: None)
    assert handed is not None
    spool.settle(handed, StudyOutcome(outcome="refused", reason="a lateral film"), remove=False)
    assert reopened().waiting() == 0
    spool = reopened()
    keep(spool, "1.2.3.4")
    clock.now += QUIET_S
    assert due(spool) == [2]


def test_an_object_that_comes_while_its_study_is_admitted_stays(
    reopened: Callable[[], Spool], clock: Clock
) -> None:
    spool = reopened()
    keep(spool)
    clock.now += QUIET_S
    handed = spool.due(QUIET_S, FORCE_S, lambda called: None)
    assert handed is not None
    keep(spool, "1.2.3.4")
    spool.settle(handed, StudyOutcome(outcome="admitted", case="case-1"), remove=True)
    assert spool.waiting() == 1
    clock.now += QUIET_S
    assert due(spool) == [1]
    assert len(list(reopened().studies.glob("*/*/*.dcm"))) == 1


def test_what_can_not_be_handed_over_waits(reopened: Callable[[], Spool], clock: Clock) -> None:
    spool = reopened()
    keep(spool)
    clock.now += QUIET_S
    handed = spool.due(QUIET_S, FORCE_S, lambda called: None)
    assert handed is not None
    spool.give_back(handed, 30)
    clock.now += QUIET_S + 29
    assert due(spool) == []
    clock.now += 1
    assert due(spool) == [1]


def test_old_objects_go_and_held_ones_stay(reopened: Callable[[], Spool], clock: Clock) -> None:
    spool = reopened()
    spool.put_aside(arrived(spool), COMMAND, PACS, "why")
    for outcome, study in (("refused", "1.1"), ("held", "1.2"), ("admitted", "1.3")):
        uids = ObjectUids(sop_class=CR, sop_instance=study, study=study)
        spool.keep(arrived(spool), uids, PACS)
        clock.now += QUIET_S
        handed = spool.due(QUIET_S, FORCE_S, lambda called: None)
        assert handed is not None
        spool.settle(handed, StudyOutcome(outcome=outcome), remove=outcome == "admitted")
    spool.sweep(30)
    assert len(list(spool.studies.iterdir())) == 3
    clock.now = 4e9
    spool.sweep(30)
    assert len(list(spool.studies.iterdir())) == 1
    assert len(list(spool.studies.glob("*/*/*.dcm"))) == 1
    assert not list(spool.aside.iterdir())


def test_an_object_is_never_held_whole_in_memory(reopened: Callable[[], Spool]) -> None:
    spool = reopened()
    room = replace(spool.room, object_bytes=10**9)
    fragment = bytes(131_072)
    made = ArrivingObject(room, lambda: COMMAND)
    tracemalloc.start()
    try:
        for _ in range(256):  # 32 MiB
            made.write(fragment)
        made.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.path.stat().st_size > 2**25
    assert peak < 2**20
    made.drop()

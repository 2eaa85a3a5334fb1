"""Eight writers at once, as threads of several processes: one unbroken log."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medmm.domain.audit_event import AuditVerification
from medmm.domain.errors import InputError
from medmm.store import Store
from tests.databases import url_of
from tests.unit.audit.test_audit_tampering import event

WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from medmm.domain.audit_event import AuditEvent
from medmm.store import Store

folder, process, threads, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with Store.open(folder, url=sys.argv[5] or None) as store, ThreadPoolExecutor(threads) as pool:
    def write(thread):
        for number in range(count):
            with store.step() as work:
                work.record(AuditEvent(at=datetime.now(UTC), verb="admit", outcome="done", actor=f"{process}/{thread}",
                                       role="service", subject=f"{process}/{thread}", details={"n": str(number)}))
    list(pool.map(write, range(threads)))
"""


def run_writers(folder: Path, processes: int, threads: int, count: int) -> None:
    """All processes open the same, still empty folder at the same time."""
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-c",
                WRITER,
                str(folder),
                str(process),
                str(threads),
                str(count),
                url_of(folder),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]
    for process in running:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")


def assert_unbroken(folder: Path, writers: list[str], count: int) -> None:
    with Store.open(folder) as store:
        expected = AuditVerification(size=len(writers) * count, problems=(), uncovered=0)
        assert store.verify() == expected
        for writer in writers:  # each writer's own order is kept
            assert [e.details["n"] for e in store.events(writer)] == [str(n) for n in range(count)]


def test_threads_of_several_processes_leave_one_log(tmp_path: Path) -> None:
    run_writers(tmp_path / "data", processes=2, threads=4, count=40)
    assert_unbroken(tmp_path / "data", [f"{p}/{t}" for p in range(2) for t in range(4)], 40)


@pytest.mark.slow
def test_eight_processes_of_500_events_leave_one_log(tmp_path: Path) -> None:
    run_writers(tmp_path / "data", processes=8, threads=1, count=500)
    assert_unbroken(tmp_path / "data", [f"{p}/0" for p in range(8)], 500)


def test_a_check_during_writing_finds_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store, ThreadPoolExecutor(4) as pool:

        def write(thread: int) -> None:
            for number in range(25):
                with store.step() as work:
                    work.record(event(100 * thread + number))

        writing = [pool.submit(write, thread) for thread in range(4)]
        while not all(future.done() for future in writing):
            assert store.verify().ok
        for future in writing:
            future.result()
        assert store.verify() == AuditVerification(size=100, problems=(), uncovered=0)


def fail_in_a_step(store: Store) -> None:
    with store.step() as work:
        work.record(event(2))
        raise InputError("planned", remedy="none")


def test_a_step_that_fails_leaves_no_entry(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        with store.step() as work:
            work.record(event(1))
        with pytest.raises(InputError, match="planned"):
            fail_in_a_step(store)
        with store.step() as work:
            work.record(event(3))
        assert store.events() == (event(1), event(3))
        assert store.verify() == AuditVerification(size=2, problems=(), uncovered=0)

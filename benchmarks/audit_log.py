"""The audit log at 100,000 entries: what an append costs, and how long a check takes.

`python benchmarks/audit_log.py` appends entries of looks and prints the CPU milliseconds of an
append to a log that just began and to one of 100,000 entries, each in a step of its own as verbs
take them, their ratio (1.00: the log's length costs nothing), and the seconds of `Store.verify`
over the whole log with its heads file. Both logs are appended to in turns, so that what the machine
does beside weighs on both. What fills the long one is appended in larger steps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from medmm.domain.audit_event import AuditEvent
from medmm.store import Store
from tests.factories import SIGNED_AT, make_case, make_checked_draft, make_reading

MOST_RATIO = 1.1  # the noise of a shared machine
TURN = 50  # appends to one log before the other
MOST_VERIFY_S = 60.0
CASES = 100
BATCH = 500  # entries of a step between


def event(verb: str, subject: str) -> AuditEvent:
    """Make an entry as a verb does."""
    details = {"request": "0123456789abcdef"}
    return AuditEvent(
        at=SIGNED_AT,
        verb=verb,
        outcome="done",
        actor="medmm-service",
        role="service",
        subject=subject,
        details=details,
    )


def filled(store: Store) -> None:
    """Keep some drafted cases."""
    case = make_case()
    with store.step() as step:
        step.save_study(case.study)
        step.record(event("admit", case.study.uid))
        for n in range(CASES):
            name = f"case-{n:05}"
            step.open_case(replace(case, id=name), SIGNED_AT)
            step.save_reading(name, make_reading())
            step.save_draft(name, make_checked_draft(), SIGNED_AT)
            step.record(event("draft", name))


def appended(store: Store, steps: int, of: int = 1) -> float:
    """Append looks in so many steps of so many entries. Returns: CPU milliseconds of a step."""
    start = time.process_time()
    for n in range(steps):
        with store.step(look=True) as step:
            for m in range(of):
                step.record(event("case", f"case-{(n + m) % CASES:05}"))
    return 1000 * (time.process_time() - start) / steps


def in_turns(short: Store, long: Store, steps: int) -> tuple[float, float]:
    """Append to both logs in turns. Returns: the median CPU milliseconds of a step of each."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(steps // TURN):
        for store, seen in zip((short, long), taken, strict=True):
            seen.append(appended(store, TURN))
    return statistics.median(taken[0]), statistics.median(taken[1])


def main() -> int:
    """Append, check, print, and say by the exit code whether both are within their bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--measured", type=int, default=2_000, help="of each log")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "short") as short,
        Store.open(Path(folder) / "long") as store,
    ):
        for one in (short, store):
            filled(one)
            appended(one, CASES)  # warm
        appended(store, (options.entries - options.measured) // BATCH, BATCH)
        first, last = in_turns(short, store, options.measured)
        ratio = last / first
        start, cpu = time.perf_counter(), time.process_time()
        found = store.verify()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        if not found.ok:
            raise SystemExit(f"the log is not sound: {found.problems[:3]}")
        print(f"append: {first:.2f} ms short, {last:.2f} ms long, ratio {ratio:.2f}")
        print(f"verify: {found.size} entries in {seconds:.1f} s ({cpu:.1f} s of CPU)")
    return 0 if ratio < MOST_RATIO and seconds < MOST_VERIFY_S else 1


if __name__ == "__main__":
    sys.exit(main())

"""A page of 10,000 cases with who they are, a search, what came since, and the next case.

`python benchmarks/reading_room.py` fills a data folder of that many patients and prints
milliseconds of wall time, the median and the slowest of some calls each, with the entry that every
look leaves. The target is 100 ms a page. Then it runs the dashboard's page of them, script and
table, without a browser; the target is 500 ms for the slowest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.report import CaseState
from medmm.domain.worklist import CaseFilter
from medmm.store import Store
from tests.factories import SIGNED_AT, make_case, make_checked_draft, make_reading, make_study

TARGET_MS, PAGE, CALLS, A_STEP = 100, 50, 9, 250
TARGET_OF_THE_PAGE_MS, RUNS = 500, 20
APP = Path(__file__).resolve().parents[1] / "ui" / "app.py"
FAMILIES = ("Müller", "Nguyen", "Rossi", "O'Brien", "Kowalski", "Şahin", "Andersen", "García")
GIVEN = ("Anna", "Binh", "Carla", "David", "Ewa", "Fatma", "Gustav", "Helena", "Ivan", "Jun")


def fill(settings: Settings, count: int) -> None:
    """Keep as many drafted cases, of a patient each."""
    with Store.open(settings.data_dir, heads_path=settings.heads_path) as store:
        for first in range(0, count, A_STEP):
            with store.step() as step:
                for n in range(first, min(first + A_STEP, count)):
                    add(step, n)


def add(step: object, n: int) -> None:
    key, uid, case_id = f"pk-{n:05}", f"1.2.826.0.{n}", f"case-{n:05}"
    at = SIGNED_AT + timedelta(minutes=n)

    def record(verb: str, subject: str) -> None:
        step.record(  # type: ignore[attr-defined]
            AuditEvent(at=at, verb=verb, outcome="done", actor="a", role="service", subject=subject)
        )

    identity = PatientIdentity(
        patient_id=f"ZZ-{n}",
        family_name=f"{FAMILIES[n % len(FAMILIES)]}{n % 97}",
        given_name=GIVEN[n % len(GIVEN)],
    )
    study = make_study(uid=uid, patient_key=key)
    step.save_identity(key, identity)  # type: ignore[attr-defined]
    step.save_study(study)  # type: ignore[attr-defined]
    step.save_order(uid, StudyOrder(accession=f"ACC-{n}"))  # type: ignore[attr-defined]
    record("admit", uid)
    step.open_case(replace(make_case(study=study, context=None), id=case_id), at)  # type: ignore[attr-defined]
    step.save_reading(case_id, make_reading(study_uid=uid))  # type: ignore[attr-defined]
    step.save_draft(case_id, make_checked_draft(), at)  # type: ignore[attr-defined]
    step.set_state(case_id, CaseState.DRAFTED, expected=CaseState.OPENED)  # type: ignore[attr-defined]
    record("draft", case_id)


def measured(name: str, call: Callable[[], object]) -> float:
    """Print the median and the slowest of some calls. Returns: the median in milliseconds."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    median = statistics.median(times)
    print(f"{name:<34}{median:8.1f} ms   slowest {max(times):8.1f} ms")
    return median


def page_ms(settings: Settings) -> float:
    """Run the dashboard's worklist, the list read anew each time, and print how long it takes.

    Returns: the 95th percentile in milliseconds.
    """
    path = settings.data_dir.with_name("settings.yaml")
    readers = [{"id": one.id, "name": one.name, "role": one.role} for one in settings.readers]
    path.write_text(yaml.safe_dump({"data_dir": str(settings.data_dir), "readers": readers}))
    os.environ["MEDMM_CONFIG"] = str(path)
    page = AppTest.from_file(str(APP), default_timeout=120).run()
    wall, used = [], []
    for _ in range(RUNS):
        started, before = time.perf_counter(), time.process_time()
        page = page.button(key="refresh").click().run()
        wall.append((time.perf_counter() - started) * 1000)
        used.append((time.process_time() - before) * 1000)
    if page.exception or page.error:
        raise SystemExit("the page shows an error")
    slow = statistics.quantiles(wall, n=20)[-1]
    print(
        f"{'the page, read anew':<34}{statistics.median(wall):8.1f} ms   p95 {slow:8.1f} ms   "
        f"processor {statistics.median(used):.1f} ms"
    )
    return slow


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reader = ReaderEntry(id="reader-1", name="Reader", role="attending")
        settings = Settings(data_dir=Path(folder) / "data", readers=(reader,))
        start = time.process_time()
        fill(settings, options.cases)
        print(
            f"{options.cases} cases, filled in {time.process_time() - start:.0f} s of a processor"
        )
        with Assistant(settings) as assistant:
            by, waiting = "reader-1", CaseFilter(waiting=True)
            first = assistant.worklist(waiting, limit=PAGE, by=by)
            place = first.rows[-1].case.place
            found = [
                measured("first page", lambda: assistant.worklist(waiting, limit=PAGE, by=by)),
                measured("next page", lambda: assistant.worklist(limit=PAGE, after=place, by=by)),
                measured(
                    "a name (one in eight)",
                    lambda: assistant.worklist(search="muller", limit=PAGE, by=by),
                ),
                measured(
                    "two parts of a name",
                    lambda: assistant.worklist(search="anna gar", limit=PAGE, by=by),
                ),
                measured(
                    "an accession number",
                    lambda: assistant.worklist(search="ACC-4711", limit=PAGE, by=by),
                ),
                measured("nobody", lambda: assistant.worklist(search="zzz", limit=PAGE, by=by)),
                measured("what came since", lambda: assistant.arrived(first.entry - 9, by=by)),
                measured("the next case", lambda: assistant.next_case(after=place, by=by)),
            ]
        slow = page_ms(settings)
    return 0 if max(found) < TARGET_MS and slow < TARGET_OF_THE_PAGE_MS else 1


if __name__ == "__main__":
    sys.exit(main())

"""Opening a case before and after 50,000 looks at 1,000 cases, beside another checkout.

Both are measured in one run.

`python benchmarks/looks.py OTHER_CHECKOUT` fills a data folder by each checkout's own store and
prints milliseconds of CPU to open a case with its patient's identity, before and after, and their
ratio (1.00: looks cost nothing later).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TARGET = 1.25  # the noise of a shared machine
WORKER = """
import json, statistics, sys, tempfile, time
from dataclasses import replace
from pathlib import Path
from medmm.config import Settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.identity import PatientIdentity
from medmm.store import Store
from tests.factories import SIGNED_AT, make_case, make_checked_draft, make_reading
count, looks = int(sys.argv[1]), int(sys.argv[2])
def event(verb, subject):
    return AuditEvent(
        at=SIGNED_AT, verb=verb, outcome="done", actor="a", role="service", subject=subject
    )
def opening(store):
    taken = []
    for n in range(0, count, max(1, count // 20)):
        start = time.process_time()
        store.case_file(f"case-{n:05}")
        store.identity(case.study.patient_key)
        taken.append(time.process_time() - start)
    return 1000 * statistics.median(taken)
with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "data") as store:
    case = make_case()
    with store.step() as step:
        step.save_study(case.study)
        step.save_identity(case.study.patient_key, PatientIdentity(patient_id="ZZ-1"))
        step.record(event("admit", case.study.uid))
        for n in range(count):
            name = f"case-{n:05}"
            step.open_case(replace(case, id=name), SIGNED_AT)
            step.save_reading(name, make_reading())
            step.save_draft(name, make_checked_draft())
            step.record(event("draft", name))
    opening(store)
    before = opening(store)
    with store.step() as step:
        for n in range(looks):
            step.record(event("case", f"case-{n % count:05}"))
    print(json.dumps({"before": before, "after": opening(store)}))
"""


def measured(checkout: Path, cases: int, looks: int) -> dict[str, float]:
    """Return what the worker of one checkout says."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, str(cases), str(looks)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd=checkout
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--looks", type=int, default=50_000)
    options = parser.parse_args()
    checkouts = {"here": Path(__file__).resolve().parents[1], "there": options.other.resolve()}
    ratios = {}
    for name, checkout in checkouts.items():
        found = measured(checkout, options.cases, options.looks)
        ratios[name] = found["after"] / found["before"]
        print(
            f"{name:<6}{found['before']:8.2f} ms before {found['after']:8.2f} ms after   ratio "
            f"{ratios[name]:.2f}"
        )
    return 0 if ratios["here"] < TARGET else 1


if __name__ == "__main__":
    sys.exit(main())

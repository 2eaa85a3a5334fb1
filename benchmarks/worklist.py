"""The first page of a worklist of 10,000 cases beside another checkout's worklist.

Both are measured in one run.

`python benchmarks/worklist.py OTHER_CHECKOUT` fills a data folder by each checkout's own store and
asks for the worklist: here for its first page and the next, there for all of it, which is all that
it could give. Prints CPU seconds, the memory above that of the open assistant, and the ratio
(0.005: one two-hundredth). An older checkout takes long: `--cases` takes fewer there, whose time a
case is then taken for all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TARGET_RATIO, TARGET_MB, PAGE = 1 / 200, 60, 50
WORKER = """
import inspect, json, resource, sys, tempfile, time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from medmm import Assistant
from medmm.config import Settings
from medmm.domain.audit_event import AuditEvent
from medmm.store import Store
from tests.factories import SIGNED_AT, make_case, make_checked_draft, make_reading
count, page = int(sys.argv[1]), int(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    settings = Settings(data_dir=Path(folder) / "data")
    start = time.process_time()
    store = Store.open(settings.data_dir, heads_path=settings.heads_path)
    with store, store.step() as step:
        case = make_case()
        step.save_study(case.study)
        for n in range(count):
            name = f"case-{n:05}"
            step.open_case(replace(case, id=name), SIGNED_AT + timedelta(minutes=n))
            step.save_reading(name, make_reading())
            step.save_draft(name, make_checked_draft())
            step.record(AuditEvent(at=SIGNED_AT, verb="draft", outcome="done", actor="a",
                                   role="service", subject=name))
    filled = time.process_time() - start
    def memory():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    with Assistant(settings) as assistant:
        paged = "limit" in inspect.signature(Assistant.cases).parameters
        idle, start = memory(), time.process_time()
        first = assistant.cases(limit=page) if paged else assistant.cases()
        seconds, above = time.process_time() - start, memory() - idle
        start = time.process_time()
        again = assistant.cases(limit=page, after=first[-1].case_id) if paged else first
        second = time.process_time() - start
    print(json.dumps({"filled": filled, "seconds": seconds, "second": second, "mb": above,
                      "cases": len(first)}))
"""


def measured(checkout: Path, cases: int) -> dict[str, float]:
    """Return what the worker of one checkout says."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, str(cases), str(PAGE)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd=checkout
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--here", type=int, default=10_000, help="cases here")
    parser.add_argument(
        "--cases", type=int, default=10_000, help="cases there; its time counts in proportion"
    )
    options = parser.parse_args()
    here = measured(Path(__file__).resolve().parents[1], options.here)
    there = measured(options.other.resolve(), options.cases)
    whole, whole_mb = (there[name] * options.here / options.cases for name in ("seconds", "mb"))
    ratio = here["seconds"] / whole
    print(
        f"here   first page of {here['cases']:.0f} of {options.here} cases "
        f"{here['seconds']:.4f} s, next {here['second']:.4f} s"
    )
    print(
        f"here   {here['mb']:.1f} MB above idle (target {TARGET_MB} MB); filled in "
        f"{here['filled']:.0f} s of a processor"
    )
    print(
        f"there  all {options.here} cases {whole:.2f} s, {whole_mb:.0f} MB above idle (measured "
        f"with {options.cases})"
    )
    print(f"ratio  {ratio:.5f} = 1/{1 / ratio:.0f} (target 1/200)")
    return 0 if ratio <= TARGET_RATIO and here["mb"] < TARGET_MB else 1


if __name__ == "__main__":
    sys.exit(main())

"""CPU time of reading and drafting one radiograph beside another checkout of medmm.

Both take turns in one run.

`python benchmarks/read_film_beside.py OTHER_CHECKOUT` prints milliseconds of CPU of both and their
ratio (1.00: as before). Both work in this Python, each in a process of its own, in turns, so that
what the machine does beside weighs on both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

WORKER = """
import sys, tempfile, time
from importlib.resources import files
from pathlib import Path
from medmm import Assistant
from medmm.config import Settings
from medmm.doors.demo import CHEST, films_dir
film = films_dir() / CHEST
with tempfile.TemporaryDirectory() as folder:
    record = Path(folder) / "record.json"
    record.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    settings = Settings(data_dir=Path(folder) / "data", threads=1, writer="language-model")
    with Assistant(settings) as assistant:
        study = assistant.admit(film, record=record)
        case = assistant.open_case(study.uid).id
        works = {
            "read": lambda: list(assistant.read([film])),
            "draft": lambda: assistant.draft(case),
        }
        for line in sys.stdin:
            begin = time.process_time()
            works[line.strip()]()
            print(time.process_time() - begin, flush=True)
"""


def started(checkout: Path) -> subprocess.Popen[str]:
    """Start a worker of one checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout,
    )  # fmt: skip


def seconds(worker: subprocess.Popen[str], work: str) -> float:
    """Measure the CPU seconds of one piece of work."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(work + "\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    workers = {"here": started(here), "other": started(options.other.resolve())}
    for work in ("read", "draft"):
        for worker in workers.values():
            seconds(worker, work)  # warm
        taken: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(options.repeats):
            for name, worker in workers.items():
                taken[name].append(seconds(worker, work))
        median = {name: 1000 * statistics.median(values) for name, values in taken.items()}
        ratio = median["here"] / median["other"]
        sys.stdout.write(
            f"{work:<8}{median['here']:8.0f} ms here {median['other']:8.0f} ms there   ratio "
            f"{ratio:.2f}\n"
        )
    for worker in workers.values():
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a command costs here and in another checkout, measured in one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def environment(checkout: Path) -> dict[str, str]:
    """Return the variables of a process that runs a checkout's code on one thread."""
    return {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}


def cpu_seconds(checkout: Path, words: list[str], folder: Path) -> float:
    """Measure the CPU seconds of one `medmm` command in a process and folder of its own.

    Its data folder lies under `folder`.
    """
    variables = {
        **environment(checkout),
        "MEDMM_DATA_DIR": str(folder / f"data of {checkout.name}"),
    }
    command = [sys.executable, "-m", "medmm.doors", *words]
    process = subprocess.Popen(command, env=variables, cwd=checkout, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"`medmm {' '.join(words)}` ended with {process.returncode} in {checkout}")
    return usage.ru_utime + usage.ru_stime


class Worker:
    """A process that does a checkout's work on command and says what CPU it took.

    Its source reads one piece of work a line and answers each with its CPU seconds.
    """

    def __init__(self, checkout: Path, source: str, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", source, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(checkout),
            cwd=checkout,
        )

    def seconds(self, work: str) -> float:
        """Have one piece of work done; return its CPU seconds."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the worker has no pipes")
        self._process.stdin.write(work + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            raise SystemExit(f"the worker ended over {work!r}")
        return float(said)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def ratios(source: str, other: Path, works: Iterable[str], repeats: int) -> dict[str, float]:
    """Measure works here and in another checkout in turns; print and return their ratios."""
    here = Path(__file__).resolve().parents[1]
    workers = {"here": Worker(here, source), "there": Worker(other.resolve(), source)}
    found = {}
    for work in works:
        for worker in workers.values():
            worker.seconds(work)  # warm
        taken: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(repeats):
            for name, worker in workers.items():
                taken[name].append(worker.seconds(work))
        median = {name: 1000 * statistics.median(values) for name, values in taken.items()}
        found[work] = median["here"] / median["there"]
        print(
            f"{work:<8}{median['here']:8.0f} ms here {median['there']:8.0f} ms there"
            f"   ratio {found[work]:.2f}"
        )
    for worker in workers.values():
        worker.close()
    return found

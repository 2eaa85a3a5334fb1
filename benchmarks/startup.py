"""CPU time of `medmm --help`, `--version` and the worklist's start beside another checkout of medmm, turn by turn in one run.

`python benchmarks/startup.py OTHER_CHECKOUT` prints seconds of CPU of both, as the system counts them for the whole process,
and their ratio: the median of the repeats after a first one that warms up the files.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = {"--help": 1 / 5, "--version": 1 / 5, "read --help": None, "config show": None, "cases": None}


def seconds(checkout: Path, words: list[str], folder: Path) -> float:
    """CPU seconds of one command in a process of its own."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "OMP_NUM_THREADS": "1",
        "MEDMM_DATA_DIR": str(folder / f"data of {checkout.name}"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "medmm.doors", *words], env=variables, cwd=checkout, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"`medmm {' '.join(words)}` ended with {process.returncode} in {checkout}")
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    checkouts = {"here": Path(__file__).resolve().parents[1], "other": options.other.resolve()}
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for command, target in COMMANDS.items():
            taken: dict[str, list[float]] = {name: [] for name in checkouts}
            for n in range(options.repeats + 1):
                for name, checkout in checkouts.items():
                    one = seconds(checkout, command.split(), Path(folder))
                    if n:  # the first is warm-up
                        taken[name].append(one)
            here, other = (statistics.median(taken[name]) for name in ("here", "other"))
            missed |= target is not None and here / other > target
            wanted = f"   target 1/{1 / target:.0f}" if target else ""
            sys.stdout.write(f"{command:<14}{here:7.3f} s here {other:7.3f} s there   1/{other / here:.1f}{wanted}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

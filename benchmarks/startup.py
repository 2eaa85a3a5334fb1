"""CPU time of `medmm --help`, `--version` and the worklist beside another checkout.

Both take turns in one run.

`python benchmarks/startup.py OTHER_CHECKOUT` prints seconds of CPU of both, as the system counts
them for the whole process, and their ratio: the median of the repeats after a first one that warms
up the files.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from beside import cpu_seconds

COMMANDS = {
    "--help": 1 / 5,
    "--version": 1 / 5,
    "read --help": None,
    "config show": None,
    "cases": None,
}


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
                    one = cpu_seconds(checkout, command.split(), Path(folder))
                    if n:  # the first is warm-up
                        taken[name].append(one)
            here, other = (statistics.median(taken[name]) for name in ("here", "other"))
            missed |= target is not None and here / other > target
            wanted = f"   target 1/{1 / target:.0f}" if target else ""
            sys.stdout.write(
                f"{command:<14}{here:7.3f} s here {other:7.3f} s there   "
                f"1/{other / here:.1f}{wanted}\n"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

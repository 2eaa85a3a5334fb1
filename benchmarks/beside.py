"""What a command costs here and in another checkout, measured in one run."""

from __future__ import annotations

import os
import subprocess
import sys
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

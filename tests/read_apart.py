"""Reads DICOM files, each in a process of its own: `python -m tests.read_apart FILE…` prints a line of JSON for each.

The parent imports everything once and forks, so that a line holds what one file alone cost above a process's start. No
network is loaded; one that calls every film frontal stands in for it, so that no file is spared the decoder.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from medmm.domain.errors import MedmmError
from medmm.domain.study import NotEvaluable
from medmm.imaging import read_studies
from tests.dicom_files import SAYS_FRONTAL

LONGEST_S = 30


def outcome_of(path: Path) -> str:
    """One word for what became of the file: the type of its error, the code of its refusal, or `read`."""
    words = []
    for intake in read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL):
        if isinstance(intake.outcome, MedmmError):
            words.append(f"{type(intake.outcome).__name__}: {intake.outcome.problem}")
        elif isinstance(intake.outcome, NotEvaluable):
            words.append(
                f"{'held' if intake.outcome.held else 'refused'}: {intake.outcome.reason_code}"
            )
        else:
            words.append("read")
    return "; ".join(words)


def _report(path: Path) -> dict[str, Any]:
    started_mb, start = _peak_mb(resource.RUSAGE_SELF), time.perf_counter()
    said = outcome_of(path)
    return {
        "outcome": said,
        "seconds": round(time.perf_counter() - start, 3),
        "grown_mb": round(_peak_mb(resource.RUSAGE_SELF) - started_mb, 1),
        "worker_mb": round(_peak_mb(resource.RUSAGE_CHILDREN), 1),
    }


def _peak_mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def apart(path: Path) -> dict[str, Any]:
    """Read one file in a forked process. Returns: what it said of itself, or the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(LONGEST_S)
        with os.fdopen(writing, "w") as out:
            json.dump(_report(path), out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return (
        json.loads(text)
        if code == 0
        else {"outcome": f"crash: exit {code}", "seconds": None, "grown_mb": None}
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps({"file": name, **apart(Path(name))}) + "\n")
        sys.stdout.flush()

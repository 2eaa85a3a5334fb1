"""Programs in processes of their own, forked from one that has imported medmm and started no thread.

A process that dies in mid-step, or two that write at once, are what some tests are about; the seconds in which each of
them imports the same modules are not. What the interpreter itself does at its start (its encodings, `-P`, what a command
imports) needs a real start, and is tested with one.

`python -m tests.warm_parent MODULE…` imports the modules, then answers each line of JSON: with a process id for code to
run, with an exit code for a process id to wait for.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SAFE_THREADS = {"jemalloc_bg_thd"}  # of pyarrow's allocator, which takes care of a fork itself
RESOURCES = (
    "bundle",
    "device",
    "diagnosticreport",
    "imagingstudy",
    "observation",
    "patient",
    "practitioner",
    "provenance",
)
MODULES = (
    "medmm.assistant",
    "medmm.doors.cli",
    "medmm.delivery",
    "medmm.imaging.gate.exposed_field",
    "medmm.store.store",
    "sqlalchemy.dialects.sqlite",
    "tests.factories",
    "tests.quick_assistant",
    *(f"fhir.resources.R4B.{name}" for name in RESOURCES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended and what it printed, errors too."""

    code: int
    said: str


class WarmParent:
    """The parent, asked from a test."""

    def __init__(self, modules: tuple[str, ...] = MODULES) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_parent", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        self._printed: dict[int, Path] = {}

    def start(self, code: str, *words: object, cwd: Path | None = None, **environment: str) -> int:
        """Start Python code with these command line words. Returns: the id of its process."""
        handle, printed = tempfile.mkstemp()
        os.close(handle)
        pid = self._asked(
            code=code,
            words=[str(word) for word in words],
            cwd=str(cwd or ROOT),
            environment={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            printed=printed,
        )
        self._printed[pid] = Path(printed)
        return pid

    def said(self, pid: int) -> str:
        """What a running program has printed so far."""
        return self._printed[pid].read_text(encoding="utf-8", errors="replace")

    def ended(self, pid: int, timeout_s: float = 120) -> Ended:
        """Wait for a program. Raises: TimeoutError if it does not end in time."""
        code = self._asked(timeout_s=timeout_s, pid=pid)
        said = self.said(pid)
        self._printed.pop(pid).unlink()
        return Ended(code=code, said=said)

    def run(self, code: str, *words: object, **how: Any) -> Ended:
        """Start code and wait for its end."""
        return self.ended(self.start(code, *words, **how))

    def close(self) -> None:
        """End the parent."""
        self._process.communicate()

    def _asked(self, timeout_s: float = 120, **job: Any) -> int:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(json.dumps(job) + "\n")
        asked.flush()
        if not select.select([answers], [], [], timeout_s)[0]:
            self._process.kill()
            raise TimeoutError(f"no answer in {timeout_s} s to {job}")
        line = answers.readline()
        assert line, "the warm parent ended"
        return int(line)


def _threads() -> set[str]:
    """Names of the threads beside the main one, also of those that Python does not know; Linux alone tells them."""
    tasks = Path("/proc/self/task")
    others = [task for task in tasks.glob("*") if task.name != str(os.getpid())]
    return {(task / "comm").read_text().strip() for task in others}


def _serve() -> dict[str, Any] | None:
    """Answer until nobody asks any more. Returns: None then, and in a child what it has to run."""
    if found := _threads() - SAFE_THREADS:
        raise RuntimeError(f"threads were started, what is forked now may hang: {sorted(found)}")
    for line in sys.stdin:
        job: dict[str, Any] = json.loads(line)
        if "pid" in job:
            answer = os.waitstatus_to_exitcode(os.waitpid(job["pid"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                return job
        print(answer, flush=True)  # noqa: T201
    return None


def _become(job: dict[str, Any]) -> None:
    """Take the environment, the place and the outputs of a process of its own, then run the code."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["cwd"])
    for number, (path, mode) in enumerate(
        [(os.devnull, os.O_RDONLY), (job["printed"], os.O_WRONLY), (job["printed"], os.O_WRONLY)]
    ):
        opened = os.open(path, mode | (os.O_APPEND if number else 0))
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["-c", *job["words"]]
    exec(compile(job["code"], "<program>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    if (job := _serve()) is not None:
        _become(job)

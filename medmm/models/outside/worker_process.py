"""The side of the reading that starts, feeds, times and ends a worker; see `worker`."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import needed

WORKER = Path(__file__).with_name("worker.py")
START_S = 120  # the libraries are loaded in it, on however busy a machine
MOST_LINE_BYTES = 1 << 20
GB = 2**30
Array = NDArray[Any]
DTYPES = frozenset({"|u1", "<f4", "<i8", "<i4", "|b1", "<i2", "|i1", "<u2"})


class WorkerFailed(Exception):
    """A network ended, took too long or too much memory, or gave what was not declared.

    `why` is in words that can stand in a reading's warning.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker answered: its line and its arrays by name."""

    line: Mapping[str, Any]
    arrays: Mapping[str, Array]


class WorkerProcess:
    """One running worker; every question must be answered within the time that is left."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, memory_gb: float) -> None:
        self._process, self._seconds, self._memory_gb = process, seconds, memory_gb
        self._end = time.monotonic() + seconds

    def ask(self, line: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> Answer:
        """Send a line with arrays, and wait for the answer.

        Raises: WorkerFailed if it ends, is too late, or answers an error or nonsense.
        """
        late = threading.Timer(max(self._end - time.monotonic(), 0.0), self._process.kill)
        late.daemon = True
        late.start()
        try:
            return self._asked(line, arrays or {})
        finally:
            late.cancel()

    def _asked(self, line: Mapping[str, Any], arrays: Mapping[str, Array]) -> Answer:
        stdin = needed(self._process.stdin, "the worker's input")
        described = [{"name": n, "shape": a.shape, "dtype": a.dtype.str} for n, a in arrays.items()]
        with suppress(BrokenPipeError):  # it ended: why, its answer or its exit code says
            stdin.write(json.dumps({**line, "arrays": described}).encode() + b"\n")
            for array in arrays.values():
                stdin.write(np.ascontiguousarray(array).data)
            stdin.flush()
        stdout = needed(self._process.stdout, "the worker's output")
        head = stdout.readline(MOST_LINE_BYTES)
        if not head.endswith(b"\n"):
            raise self._ended()
        try:
            said = json.loads(head)
            if "error" in said:
                raise WorkerFailed(f"it failed ({str(said['error'])[:300]})")
            found = {one["name"]: self._array(one) for one in said["arrays"]}
        except (ValueError, KeyError, TypeError) as error:
            raise WorkerFailed("it gave an answer that can't be understood") from error
        return Answer(line=said, arrays=found)

    def _array(self, described: Mapping[str, Any]) -> Array:
        shape, dtype = tuple(int(n) for n in described["shape"]), str(described["dtype"])
        if dtype not in DTYPES or any(n < 0 for n in shape):
            raise ValueError("an array of another kind")
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > self._memory_gb * GB:
            raise ValueError("an array larger than its memory")
        data = needed(self._process.stdout, "the worker's output").read(size)
        if len(data) < size:
            raise self._ended()
        return np.frombuffer(data, dtype=dtype).reshape(shape)

    def _ended(self) -> WorkerFailed:
        self._process.kill()
        code = self._process.wait()
        if time.monotonic() >= self._end:
            return WorkerFailed(f"it took longer than {self._seconds:g} s and was stopped")
        told = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        return WorkerFailed(f"it ended ({told}), perhaps for more than {self._memory_gb:g} GB")


@contextmanager
def worker(*, seconds: float, memory_gb: float, threads: int | None) -> Iterator[WorkerProcess]:
    """Run a worker for one reading, and end it: nothing of one patient reaches the next.

    Args:
        seconds: until its last answer, its start included.
        memory_gb: what it may use beyond its libraries, in 2**30 bytes.
    """
    command: Sequence[str] = (
        sys.executable, "-I", str(WORKER), str(int(memory_gb * GB)), str(threads or 1),
    )  # fmt: skip
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=2**20,
        cwd="/",
        start_new_session=True,  # a Ctrl-C is for the program, which ends the worker itself
    )
    try:
        yield WorkerProcess(process, seconds, memory_gb)
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        process.wait()

"""The optional decoder for JPEG that the core can't decode (extra `codecs`).

That is lossless JPEG, and JPEG of more than 8 bits.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError, needed

WORKER = Path(__file__).with_name("gdcm_worker.py")
TIMEOUT_S = 60  # until an answer, however busy the machine is
WORK_S, WORK_BYTES_PER_S = 2.0, 10_000_000  # of processor time; some ten times what GDCM takes
MEMORY_BYTES = 3 * 2**30  # of the worker, its libraries included; a decoded file has at most 1 GiB
FILES_PER_WORKER = 200  # a new one now and then, whatever GDCM may have kept
REMEDY = "pip install 'medmm[codecs]'"


def installed() -> bool:
    """Tell whether the extra is installed."""
    return find_spec("gdcm") is not None


def decode(path: Path, shape: tuple[int, int, int]) -> NDArray[np.generic]:
    """Decode a monochrome file to stored values, shape (frames, rows, columns).

    Args:
        shape: what the header states; anything else that comes back is refused.
    Raises: InputError if GDCM can't read the file, dies on it, or takes too long or too much
        memory.
    """
    return _worker.decode(path, shape)


class Worker:
    """One process that decodes file after file.

    It is started when first asked, and anew after a file on which it failed.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.owner, self.files = 0, 0

    def decode(self, path: Path, shape: tuple[int, int, int]) -> NDArray[np.generic]:
        """Decode one file at a time, as `decode` of this module does."""
        with self.lock:
            values, code = self._tried(path, shape)
            if values is None and code == -signal.SIGPROF:
                raise _undecodable(path, "decoding took too much processor time")
            # Killed: perhaps for what it was asked before
            if values is None and code < 0 and self.files > 1:
                values, code = self._tried(path, shape)
            if values is None:
                raise _undecodable(path, f"GDCM can't decode the pixels (exit {code})")
            return values

    def _tried(
        self, path: Path, shape: tuple[int, int, int]
    ) -> tuple[NDArray[np.generic] | None, int]:
        """Ask the worker once; return the values, or None and the exit code if it has ended.

        Raises: InputError if the answer does not fit.
        """
        process = self._running()
        late, start = threading.Timer(TIMEOUT_S, process.kill), time.monotonic()
        late.start()
        try:
            values = _ask(process, path, shape)
        except InputError:
            self._end()
            raise
        finally:
            late.cancel()
        if values is not None:
            return values, 0
        if time.monotonic() - start >= TIMEOUT_S:
            self._end()
            raise _undecodable(path, f"decoding took longer than {TIMEOUT_S} s")
        return None, self._end()

    def close(self) -> None:
        """End the process if this process started it."""
        with self.lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        ours = self.owner == os.getpid()  # after a fork the parent's worker is the parent's
        if (
            self.process is None
            or not ours
            or self.process.poll() is not None
            or self.files >= FILES_PER_WORKER
        ):
            self._end()
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(WORKER), str(MEMORY_BYTES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pipesize=2**20,
                start_new_session=True,  # a Ctrl-C is for the program, which ends the worker itself
            )
            self.owner, self.files = os.getpid(), 0
        self.files += 1
        return self.process

    def _end(self) -> int:
        """Stop the process. Returns: its exit code."""
        process, self.process = self.process, None
        if process is None or self.owner != os.getpid():
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what it was asked and did not take
                    pipe.close()
        try:
            return process.wait(timeout=1)  # it ends by itself when its stdin does
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _ask(
    process: subprocess.Popen[bytes], path: Path, shape: tuple[int, int, int]
) -> NDArray[np.generic] | None:
    """Return what the worker answers; None if it ended instead.

    Raises: InputError if the answer does not fit.
    """
    stdin, stdout = (
        needed(process.stdin, "the worker's input"),
        needed(process.stdout, "the worker's output"),
    )
    try:
        seconds = WORK_S + 2 * int(np.prod(shape)) / WORK_BYTES_PER_S
        stdin.write(json.dumps([str(path.resolve()), seconds]).encode() + b"\n")
        stdin.flush()
    except BrokenPipeError:
        return None
    head = stdout.readline(1000)
    if not head.endswith(b"\n"):
        return None
    try:
        stated = json.loads(head)
        found, dtype, size = tuple(stated["shape"]), np.dtype(stated["dtype"]), int(stated["bytes"])
    except (ValueError, KeyError, TypeError) as error:
        raise _undecodable(path, "the decoder gave no answer that can be understood") from error
    if found != shape or size != int(np.prod(shape)) * dtype.itemsize:
        raise _undecodable(path, "coded pixels are of another size than the header says")
    values = stdout.read(size)
    return np.frombuffer(values, dtype=dtype).reshape(shape) if len(values) == size else None


def _undecodable(path: Path, why: str) -> InputError:
    return InputError(why, remedy="send the file again; it may be damaged", path=str(path))


_worker = Worker()
atexit.register(_worker.close)

"""The optional decoder for JPEG that the core has none for: lossless, and more than 8 bits (extra `codecs`)."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import InputError

WORKER = Path(__file__).with_name("gdcm_worker.py")
TIMEOUT_S = 60
MEMORY_BYTES = 3 * 2**30  # of the worker, its libraries included; a decoded file has at most 1 GiB
REMEDY = "pip install 'medmm[codecs]'"


def installed() -> bool:
    """Whether the extra is here."""
    return find_spec("gdcm") is not None


def decode(path: Path, shape: tuple[int, int, int]) -> NDArray[np.generic]:
    """Stored values (frames, rows, columns) of a monochrome file.

    Args:
        shape: what the header states; anything else that comes back is refused.
    Raises: InputError if GDCM can't read the file, dies on it, or takes too long or too much memory.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(WORKER), str(path.resolve())],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            preexec_fn=_limit,
        )
    except subprocess.TimeoutExpired as error:
        raise _undecodable(path, f"decoding took longer than {TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise _undecodable(path, f"GDCM can't decode the pixels (exit {done.returncode})")
    head, _, values = done.stdout.partition(b"\n")
    try:
        stated = json.loads(head)
        found, dtype = tuple(stated["shape"]), np.dtype(stated["dtype"])
    except (ValueError, KeyError, TypeError) as error:
        raise _undecodable(path, "the decoder gave no answer that can be understood") from error
    if found != shape or len(values) != int(np.prod(shape)) * dtype.itemsize:
        raise _undecodable(path, "coded pixels are of another size than the header says")
    return np.frombuffer(values, dtype=dtype).reshape(shape)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _undecodable(path: Path, why: str) -> InputError:
    return InputError(why, remedy="send the file again; it may be damaged", path=str(path))

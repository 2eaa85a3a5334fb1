"""Parameters of PyTorch networks of others: told apart by content, kept as safetensors.

A file that torch saved is opened in a worker, without its pickle: names of files lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.models.outside.examined import refused
from medmm.models.outside.worker_process import WorkerFailed, worker

KEPT = "model.safetensors"
MOST_BYTES = 8 * 10**9
CONVERT_S, CONVERT_GB = 300, 16.0
ZIP = b"PK\x03\x04"
Tensors = Mapping[str, NDArray[Any]]


def content_of(path: Path) -> str:
    """Say what a file of parameters is by its first bytes.

    Returns: "safetensors", "torch" (a zip), or "" for anything else, older pickles too.
    """
    with path.open("rb") as file:
        head = file.read(16)
    size = int.from_bytes(head[:8], "little")
    if len(head) > 8 and head[8:9] == b"{" and size < path.stat().st_size:
        return "safetensors"
    return "torch" if head.startswith(ZIP) else ""


def tensors_of(path: Path) -> Tensors:
    """Read the tensors of a file, floating ones as float32.

    Raises: InputError for a file that is neither safetensors nor a plain state dict.
    """
    if path.stat().st_size > MOST_BYTES:
        raise refused("the parameters are larger than 8 GB", "give fewer", file=path.name)
    kind = content_of(path)
    if kind == "safetensors":
        return _of_safetensors(path)
    if not kind:
        raise refused(
            "the parameters are neither safetensors nor a zip that torch saved; they may be a "
            "pickle, which can run code",
            "save the state dict as safetensors",
            file=path.name,
        )
    try:
        with worker(seconds=CONVERT_S, memory_gb=CONVERT_GB, threads=1) as running:
            return running.ask({"convert": str(path)}).arrays
    except WorkerFailed as error:
        raise refused(
            f"the parameters are no plain state dict: {error.why}",
            "save the state dict as safetensors",
            file=path.name,
        ) from error


def _of_safetensors(path: Path) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise refused(
            f"the parameters can't be read ({type(error).__name__})",
            "save them again, in float32",
            file=path.name,
        ) from error
    return {
        name: value.astype(np.float32) if value.dtype.kind == "f" else value
        for name, value in tensors.items()
    }


def keep(tensors: Tensors, folder: Path) -> str:
    """Write tensors as safetensors. Returns: the name of the file."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(v) for name, v in tensors.items()}, folder / KEPT)
    return KEPT

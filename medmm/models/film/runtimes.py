"""Libraries beside torch that run the graph of a film network on the processor."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import ConfigError
from medmm.models.film_backends import ONNXRUNTIME, OPENVINO

Array = NDArray[np.float32]
Run = Callable[[Array], Array]  # films (b, 1, h, w) to their map (b, channels, y, x)
QUIET = 3  # ONNX Runtime says errors alone


def onnxruntime_run(graph: bytes, threads: int) -> Run:
    """Open a graph in ONNX Runtime; each calling thread brings its own work.

    Args:
        graph: an ONNX model of one input and one output.
        threads: how many threads one call may use.
    Raises: ConfigError if it does not open; what it returns raises it if a film can't be run.
    """
    with _failures(ONNXRUNTIME, ImportError, OSError):
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

    # Its errors have no class of their own above them
    found = [one for one in vars(state).values() if isinstance(one, type)]
    kinds = [one for one in found if issubclass(one, Exception)]
    with _failures(ONNXRUNTIME, RuntimeError, *kinds):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = QUIET
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

    def run(films: Array) -> Array:
        with _failures(ONNXRUNTIME, RuntimeError, *kinds):
            return np.asarray(session.run(None, {name: films})[0])

    return run


def openvino_run(graph: bytes, threads: int) -> Run:
    """Open a graph in OpenVINO; arguments and errors as `onnxruntime_run`.

    As many calls run beside each other as the processor has room for; others wait.
    """
    with _failures(OPENVINO, ImportError, OSError):
        import openvino

    beside = max(1, (os.cpu_count() or 1) // threads)
    with _failures(OPENVINO, RuntimeError):
        hints = {
            # Left to itself it takes bfloat16 where the processor has it, by its documentation
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": beside * threads,
            "NUM_STREAMS": beside,
        }
        core = openvino.Core()
        network = core.read_model(io.BytesIO(graph))
        # OpenVINO 2026.4 gives the thread that compiles a stack for signals, and frees it with the
        # model: a later signal would end the process. So a thread compiles that ends at once.
        with ThreadPoolExecutor(1) as thread:
            model = thread.submit(core.compile_model, network, "CPU", hints).result()

    def run(films: Array) -> Array:
        with _failures(OPENVINO, RuntimeError):
            # One of its own: what the model itself keeps is busy while another thread reads
            request = model.create_infer_request()
            request.infer([films], share_inputs=True)
            return np.array(request.get_output_tensor(0).data)

    return run


OPENERS: Mapping[str, Callable[[bytes, int], Run]] = {
    ONNXRUNTIME: onnxruntime_run,
    OPENVINO: openvino_run,
}


@contextmanager
def _failures(runtime: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of a library into one that says what to do."""
    try:
        yield
    except kinds as error:
        raise ConfigError(
            f"{runtime} can't run a film network ({type(error).__name__})",
            remedy="set film_backend: torch, or install the library again",
        ) from error

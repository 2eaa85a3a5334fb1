"""The findings network: fp32 as shipped against other layouts and runtimes, on the same films (proof F4).

Prints images a CPU-second as ratios within this run, and the largest difference of a probability. ONNX Runtime and OpenVINO
are measured where they are installed; what is not is said.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from medmm.models.catalogue import open_weights, row_named
from medmm.models.weights import load_network

Run = Callable[[Tensor], Tensor]


def runs(network: torch.nn.Module, films: Tensor, folder: Path) -> dict[str, Run | str]:
    """Each way to run the network, or why it is not run here."""
    last = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found: dict[str, Run | str] = {
        "eager fp32, channels last (as shipped)": lambda x: last(x.contiguous(memory_format=torch.channels_last)),
        "eager fp32, contiguous": lambda x: network.to(memory_format=torch.contiguous_format)(x.contiguous()),  # type: ignore[call-overload]
    }

    def bf16(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return last(x.contiguous(memory_format=torch.channels_last)).float()

    found["bf16 autocast, channels last"] = bf16
    file = folder / "network.onnx"
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        missing = "onnx and onnxscript are not installed"
        return {**found, "ONNX Runtime": missing, "OpenVINO": missing}
    torch.onnx.export(network, (films[:1],), str(file), dynamo=True, dynamic_shapes=({0: torch.export.Dim("films")},))
    if find_spec("onnxruntime") is None:
        found["ONNX Runtime"] = "onnxruntime is not installed"
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        found["ONNX Runtime"] = lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])
    if find_spec("openvino") is None:
        found["OpenVINO"] = "openvino is not installed"
    else:
        import openvino

        compiled = openvino.compile_model(openvino.Core().read_model(str(file)), "CPU")
        found["OpenVINO"] = lambda x: torch.from_numpy(np.asarray(compiled(x.numpy())[0]))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights = open_weights(row_named("chest-findings"))
    if weights is None:
        sys.stderr.write("chest-findings is not installed: nothing to measure\n")
        return 4
    network = load_network(weights, torch.device("cpu"))
    torch.manual_seed(0)
    films = torch.randn(options.films, 1, 288, 288)
    rows: dict[str, dict[str, float] | str] = {}
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        wanted = network(films).sigmoid()
        for name, run in runs(network, films, Path(folder)).items():
            if isinstance(run, str):
                rows[name] = run
                continue
            got = run(films).sigmoid()
            taken = []
            for _ in range(options.repeats):
                start = time.process_time()
                run(films)
                taken.append(time.process_time() - start)
            rows[name] = {
                "films_a_cpu_second": options.films / min(taken),
                "largest_difference": float((got - wanted).abs().max()),
            }
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    base = next(r for r in rows.values() if not isinstance(r, str))["films_a_cpu_second"]
    for name, row in rows.items():
        if isinstance(row, str):
            sys.stdout.write(f"{name:<42}{row}\n")
        else:
            speed = row["films_a_cpu_second"]
            sys.stdout.write(
                f"{name:<42}{speed:7.1f} films a CPU-second{speed / base:6.2f} x   {row['largest_difference']:.5f}\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The findings network as built, as live, in other precisions and runtimes (proof F4).

All read the same films.

    python benchmarks/encoder.py [--data DIR] [--compile SECONDS]

Every way reads the same films in pairs, each film with its mirror image as in live use; a round of
all ways follows another, and the best round counts. Printed are films a CPU-second as ratios to
eager fp32 within this run, and the largest difference of a calibrated probability. ONNX Runtime and
OpenVINO are measured where they are installed; torch.compile, which needs a C++ compiler, only with
`--compile`, in a process of its own that is given up after so many seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medmm.models.film.preprocessing import prepare_film
from medmm.models.film.reading_model import FindingsModel
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.models.weights.loading import load_network
from medmm.training.data.films import NIH_TABLE, chosen, prepared, read_table
from medmm.training.loop.precision import bf16_here

Run = Callable[[Tensor], Tensor]  # films and mirror images (2, 1, h, w) to logits (2, findings)
EAGER, LIVE, BF16, COMPILED = (
    "eager fp32, as built",
    "eager fp32, as live use runs it",
    "bf16 autocast",
    "compiled fp32",
)
# What the core install carries on every machine
CORE = (EAGER, "eager fp32, channels last", LIVE, BF16)
LEAST_SAME = 0.005  # of a probability: what a default may differ from eager fp32
NOISE = 1.1  # a way counts as faster from so many times the live path's speed
CPU = torch.device("cpu")


def demo_greys(count: int) -> list[NDArray[np.float32]]:
    """Cut the demo's one film, from 0 black to 1 white, if no labelled films are named."""
    from pydicom import dcmread

    from medmm.doors.demo import CHEST, films_dir

    grey = dcmread(films_dir() / CHEST).pixel_array.astype(np.float32)
    grey = (grey - grey.min()) / float(np.ptp(grey))
    return [grey[k : len(grey) - k, k : grey.shape[1] - k] for k in range(8, 8 + 8 * count, 8)]


def films_of(data_dir: Path | None, count: int, size_px: int) -> Tensor:
    """Load films as the network takes them, (count, 1, size, size).

    They are NIH test films at even distances, or cuts of the demo's film.
    """
    if data_dir is None:
        cuts = demo_greys(count)
        return torch.from_numpy(np.stack([prepare_film(cut, size_px) for cut in cuts]))
    test = chosen(read_table(data_dir, NIH_TABLE), lambda f: f.split == "test")
    some = test[:: len(test) // count][:count]
    return torch.from_numpy(prepared(data_dir, some, size_px, quiet=True, name="films"))[:, None]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run torch on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


class Ways:
    """Each way to run the network of a weights folder, or why it is not run here."""

    def __init__(self, weights: Any, pair: Tensor, threads: int, folder: Path) -> None:
        self.plain = partial(load_network, weights, CPU)
        self.live, self.pair, self.threads, self.folder = (
            FindingsModel.open(weights, CPU).network,
            pair,
            threads,
            folder,
        )

    def eager(self) -> dict[str, Run | str]:
        """List what torch alone does."""
        built = self.plain().to(memory_format=torch.contiguous_format)
        last = self.plain().to(memory_format=torch.channels_last)
        return {
            EAGER: built,
            CORE[1]: lambda x: last(_last(x)),
            LIVE: lambda x: self.live(_last(x)),
            BF16: self._bf16(),
        }

    def compiled(self) -> dict[str, Run | str]:
        """List what Inductor makes of the live path's network, beside eager fp32."""
        compiled = torch.compile(self.live)
        compiled(_last(self.pair))
        return {EAGER: self.eager()[EAGER], COMPILED: lambda x: compiled(_last(x))}

    def runtimes(self) -> dict[str, Run | str]:
        """List ONNX Runtime and OpenVINO on the network as built, which they fold themselves.

        They choose its layout too.
        """
        if find_spec("onnx") is None or find_spec("onnxscript") is None:
            return dict.fromkeys(
                ("ONNX Runtime", "OpenVINO"), "not run: onnx and onnxscript are not installed"
            )
        file = self.folder / "network.onnx"
        torch.onnx.export(self.plain(), (self.pair,), str(file), dynamo=True, verbose=False)
        return {**self._onnxruntime(file), **self._openvino(file)}

    def _bf16(self) -> Run | str:
        def bf16(x: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return self.live(_last(x)).float()

        if bf16_here():
            return bf16
        start = time.process_time()
        self.live(_last(self.pair))
        middle = time.process_time()
        bf16(self.pair)
        slower = (time.process_time() - middle) / (middle - start)
        return (
            f"not run: this processor has no bf16, one film takes {slower:.0f} times as long as "
            "in fp32"
        )

    def _onnxruntime(self, file: Path) -> dict[str, Run | str]:
        if find_spec("onnxruntime") is None:
            return {"ONNX Runtime fp32": "not run: onnxruntime is not installed"}
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        return {
            "ONNX Runtime fp32": lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])
        }

    def _openvino(self, file: Path) -> dict[str, Run | str]:
        if find_spec("openvino") is None:
            return {"OpenVINO": "not run: openvino is not installed"}
        import openvino

        found: dict[str, Run | str] = {}
        for precision in ("f32", "bf16"):
            if precision == "bf16" and not bf16_here():
                found["OpenVINO bf16"] = "not run: this processor has no bf16"
                continue
            hints = {"INFERENCE_NUM_THREADS": self.threads, "INFERENCE_PRECISION_HINT": precision}
            model = openvino.compile_model(openvino.Core().read_model(str(file)), "CPU", hints)
            found[f"OpenVINO {'fp32' if precision == 'f32' else precision}"] = partial(
                _openvino_run, model
            )
        return found


def _openvino_run(model: Any, x: Tensor) -> Tensor:
    return torch.from_numpy(np.array(model(x.numpy())[0]))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def measured(
    ways: dict[str, Run | str], films: Tensor, scale: tuple[Tensor, Tensor], rounds: int
) -> dict[str, Any]:
    """Measure films a CPU-second of each way, as a ratio to eager.

    Also the largest difference of a calibrated probability.
    """
    pairs = [torch.cat([film, film.flip(2)])[:, None] for film in films]
    slope, intercept = scale
    seconds: dict[str, float] = {}
    found: dict[str, Tensor] = {}
    runs = {name: run for name, run in ways.items() if not isinstance(run, str)}
    for _ in range(rounds):
        for name, run in runs.items():
            run(pairs[0])
            start = time.process_time()
            logits = torch.stack([run(pair).float().mean(0) for pair in pairs])
            seconds[name] = min(seconds.get(name, np.inf), time.process_time() - start)
            found[name] = torch.sigmoid(logits * slope + intercept)
    rows: dict[str, Any] = {name: why for name, why in ways.items() if isinstance(why, str)}
    for name in runs:
        rows[name] = {
            "films_a_cpu_second": len(films) / seconds[name],
            "times_eager": seconds[EAGER] / seconds[name],
            "largest_difference": float((found[name] - found[EAGER]).abs().max()),
        }
    return {name: rows[name] for name in ways}


def compiled_apart(options: argparse.Namespace) -> dict[str, Any] | str:
    """Measure the compiled network's row in a process of its own."""
    same = [
        "--films",
        str(options.films),
        "--rounds",
        str(options.rounds),
        "--threads",
        str(options.threads),
    ]
    data = ["--data", str(options.data)] if options.data else []
    command = [sys.executable, __file__, "--compiled-alone", "--json", *same, *data]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=options.compile, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not run: given up after {options.compile} s"
    if done.returncode:
        return f"not run: {done.stderr.strip().splitlines()[-1][:120]}"
    row: dict[str, Any] = json.loads(done.stdout)[COMPILED]
    return row


def verdict(rows: dict[str, Any]) -> tuple[bool, str]:
    """Judge whether live use runs the core install's fastest way close enough to eager fp32."""
    core = {name: rows[name] for name in CORE if not isinstance(rows[name], str)}
    close = {
        name: row["times_eager"]
        for name, row in core.items()
        if row["largest_difference"] <= LEAST_SAME
    }
    best = max(close, key=lambda name: close[name])
    holds = close[best] <= close.get(LIVE, 0.0) * NOISE
    words = "live use runs the fastest" if holds else f"{best!r} is faster than what live use runs"
    return (
        holds,
        f"{words} of the core install's ways that differ by at most {LEAST_SAME} of a probability",
    )


def main() -> int:
    """Measure and print. Returns: 1 if the default is not what the proof asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="the shared data (default: cuts of the demo's one film)"
    )
    parser.add_argument("--films", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--compile", type=int, metavar="SECONDS", help="also torch.compile, given up after so long"
    )
    parser.add_argument("--compiled-alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    weights = open_weights(row_named("chest-findings"))
    if weights is None:
        sys.stderr.write("chest-findings is not installed: nothing to measure\n")
        return 4
    rows_of = weights.json("calibration.json")
    names, size_px = (
        weights.json("config.json")["findings"],
        weights.json("preprocessing.json")["size_px"],
    )
    slope, intercept = (
        torch.tensor([rows_of[n][key] for n in names]) for key in ("slope", "intercept")
    )
    films = films_of(options.data, options.films, size_px)
    with torch.inference_mode(), threads(options.threads), tempfile.TemporaryDirectory() as folder:
        ways = Ways(
            weights, torch.cat([films[:1], films[:1].flip(3)]), options.threads, Path(folder)
        )
        chosen_ways = (
            ways.compiled() if options.compiled_alone else {**ways.eager(), **ways.runtimes()}
        )
        rows = measured(chosen_ways, films, (slope, intercept), options.rounds)
    if options.compile:
        rows[COMPILED] = compiled_apart(options)
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    for name, row in rows.items():
        said = (
            row
            if isinstance(row, str)
            else (
                "{films_a_cpu_second:6.1f} films a CPU-second {times_eager:5.2f} x   "
                "{largest_difference:.5f}"
            ).format(**row)
        )
        sys.stdout.write(f"{name:<36}{said}\n")
    holds, words = verdict(rows)
    sys.stdout.write(f"{words}\n")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

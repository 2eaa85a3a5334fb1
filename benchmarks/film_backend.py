"""The film networks by torch and by the other libraries of `film_backend` (proof F16).

    python benchmarks/film_backend.py [--data DIR] [--films N] [--batches 1 4 8] [--int8]

Every library runs the networks as live use runs them (findings with the mirror image, outlines in
four looks, the report model's encoder, the kind of picture) on the same films, in turns; printed
are the median CPU and wall time, and torch's CPU time over the library's. Then NIH test films (cuts
of the demo's film without `--data`) are read by each: the largest difference of a probability, and
how many claims, regions, outlines and kinds differ from torch's. `--int8` quantises the findings
network's convolutions on training films, which needs `--data`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from encoder import demo_greys
from numpy.typing import NDArray
from torch import Tensor

from medmm.models.film.chest_anatomy import looks_at
from medmm.models.film.film_kind import FilmKindModel
from medmm.models.film.onnx_graph import onnx_graph
from medmm.models.film.preprocessing import FilmToPrepare, prepare_film
from medmm.models.film.reading_model import AnatomyModel, ChestReader, FindingsModel
from medmm.models.film_backends import EXTRAS, TORCH, lacking
from medmm.models.report_model.finding_heads import ReportHeads
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.training.data.films import NIH_TABLE, chosen, greys, prepared, read_table

CPU = torch.device("cpu")
Grey = NDArray[np.float32]
TARGET, MOST_AWAY = 1.15, 0.001  # times the films of torch, and of a probability
OPENED = """
import sys, time, torch
from pathlib import Path
torch.set_num_threads(int(sys.argv[2]))
from benchmarks.film_backend import Networks, demo_greys
begin = time.process_time()
networks = Networks.open(sys.argv[1])
opened = time.process_time() - begin
for grey in demo_greys(3):
    networks.read(grey)
# of this program alone: ru_maxrss also counts the one that started it
status = Path("/proc/self/status").read_text()
print(opened, int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


@dataclass(frozen=True)
class Networks:
    """The networks that read a film, run by one library."""

    findings: FindingsModel
    anatomy: AnatomyModel
    heads: ReportHeads
    kinds: FilmKindModel

    @classmethod
    def open(cls, backend: str) -> Networks:
        kind = open_weights(row_named("film-kind"))
        reader = ChestReader.open(None, device="cpu", backend=backend)
        findings, anatomy, heads = reader.findings, reader.anatomy, reader.report_heads
        if kind is None or findings is None or anatomy is None or heads is None:
            raise SystemExit("the shipped weights are not installed: nothing to measure")
        return cls(findings, anatomy, heads, FilmKindModel.open(kind, CPU, backend))

    def parts(self, films: list[Grey]) -> dict[str, Callable[[], Tensor]]:
        """Give each network with prepared films, as live use asks it of one."""

        def at(size_px: int) -> Tensor:
            return torch.from_numpy(np.stack([prepare_film(grey, size_px) for grey in films]))

        film = at(self.findings.size_px)
        pair = _last(torch.cat([film, film.flip(3)]))
        looks, encoder = looks_at(at(self.anatomy.size_px)), _last(at(self.heads.size_px))
        kind = _last(at(self.kinds.size_px))
        return {
            "findings": lambda: self.findings.network.encode(pair),
            "outlines": lambda: self.anatomy.network(looks),
            "report encoder": lambda: self.heads.encoder(encoder),
            "film kind": lambda: self.kinds.network(kind),
        }

    def read(self, grey: Grey) -> dict[str, Any]:
        """Read a film that lies as usual, and tell its kind."""
        film = FilmToPrepare(grey)
        chest = self.anatomy.read(film)
        found = self.findings.read(film, "right", chest)
        names = frozenset(finding.name for finding in found)
        heads = self.heads.read(film, chest.midline, chest.cells, names)
        return {
            "findings": {finding.name: finding for finding in (*found, *heads)},
            "kind": self.kinds.probability(grey),
            "said": (self.kinds.kind_of(grey), self.kinds.surely_frontal(grey)),
            "masks": [mask.array() for mask in chest.masks],
            "ratio": [one.value for one in chest.measurements],
        }


def _last(films: Tensor) -> Tensor:
    return films.contiguous(memory_format=torch.channels_last)


def timed(
    networks: dict[str, Networks], films: list[Grey], rounds: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Measure each network by each library, in turns. Returns: median CPU and wall seconds."""
    parts = {backend: one.parts(films) for backend, one in networks.items()}
    taken: dict[str, dict[str, list[tuple[float, float]]]] = {
        part: {backend: [] for backend in parts} for part in parts[TORCH]
    }
    for turn in range(rounds + 1):  # the first warms
        for part, backends in taken.items():
            for backend, times in backends.items():
                wall, cpu = time.perf_counter(), time.process_time()
                parts[backend][part]()
                if turn:
                    times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        part: {
            backend: (
                statistics.median(t[0] for t in times),
                statistics.median(t[1] for t in times),
            )
            for backend, times in backends.items()
        }
        for part, backends in taken.items()
    }


def differences(networks: dict[str, Networks], films: Iterator[Grey]) -> dict[str, dict[str, Any]]:
    """Read films by every library, and count what differs from what torch's networks say."""
    counts: dict[str, dict[str, Any]] = {
        backend: dict.fromkeys(
            ("films", "probability", "claims", "boxes", "sides", "kinds", "mask_share", "ratio"), 0
        )
        for backend in networks
        if backend != TORCH
    }
    for grey in films:
        expected = networks[TORCH].read(grey)
        for backend, row in counts.items():
            _count(row, networks[backend].read(grey), expected)
    return counts


def _count(row: dict[str, Any], found: dict[str, Any], expected: dict[str, Any]) -> None:
    row["films"] += 1
    row["kinds"] += found["said"] != expected["said"]
    away = [abs(found["kind"][kind] - p) for kind, p in expected["kind"].items()]
    for name, one in expected["findings"].items():
        other = found["findings"][name]
        away.append(abs(other.probability - one.probability))
        row["claims"] += (one.suspected, one.withheld) != (other.suspected, other.withheld)
        boxes = [None if f.region is None else f.region.box_xyxy for f in (one, other)]
        sides = [None if f.region is None else f.region.side for f in (one, other)]
        row["boxes"] += boxes[0] != boxes[1]
        row["sides"] += sides[0] != sides[1]
    row["probability"] = max(row["probability"], *away)
    shares = [
        float((a != b).mean()) for a, b in zip(found["masks"], expected["masks"], strict=True)
    ]
    row["mask_share"] = max(row["mask_share"], *shares)
    row["ratio"] += found["ratio"] != expected["ratio"]


def opened(backend: str, threads: int) -> dict[str, float]:
    """Measure opening, and the peak memory of three films, in a process of its own."""
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join((root, str(Path(root) / "benchmarks")))
    done = subprocess.run(
        [sys.executable, "-c", OPENED, backend, str(threads)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, peak_mb = map(float, done.stdout.split())
    return {"open_cpu_s": seconds, "peak_mb": peak_mb}


def int8(networks: Networks, data_dir: Path, films: int) -> dict[str, float]:
    """Quantise the findings network on training films; read test films in both forms."""
    findings = networks.findings
    train, test = (given(data_dir, split, films, findings.size_px) for split in ("train", "test"))
    names, keys = findings.names, ("slope", "intercept", "threshold")
    rows = [[findings.calibration[name][key] for name in names] for key in keys]
    slope, intercept, threshold = map(np.array, rows)
    probability: dict[str, list[Grey]] = {"fp32": [], "int8": []}
    cpu_s: dict[str, list[float]] = {"fp32": [], "int8": []}
    sessions = quantised(onnx_graph(findings.network.trunk), train)
    for film in test:
        pair = np.stack([film, film[..., ::-1]])
        for name, session in sessions.items():
            begin = time.process_time()
            (encoded,) = session.run(None, {"film": pair})
            cpu_s[name].append(time.process_time() - begin)
            maps = findings.network.head(torch.from_numpy(encoded))
            logits = maps.mean((2, 3)).mean(0).numpy()
            probability[name].append(1 / (1 + np.exp(-(logits * slope + intercept))))
    plain, small = (np.array(probability[name]) for name in sessions)
    return {
        "times_fp32": statistics.median(cpu_s["fp32"]) / statistics.median(cpu_s["int8"]),
        "films": len(plain),
        "largest_difference": float(np.abs(plain - small).max()),
        "mean_difference": float(np.abs(plain - small).mean()),
        "operating_points_crossed": int(((plain >= threshold) != (small >= threshold)).sum()),
        "of": plain.size,
    }


def given(data_dir: Path, split: str, count: int, size_px: int) -> Grey:
    """Prepare NIH films of a split at even distances, (films, 1, size, size)."""
    films = chosen(read_table(data_dir, NIH_TABLE), lambda film: film.split == split)
    some = films[:: len(films) // count][:count]
    return prepared(data_dir, some, size_px, quiet=True, name=split)[:, None]


def quantised(graph: bytes, films: Grey) -> dict[str, Any]:
    """Open a graph in ONNX Runtime as it is, and with convolutions of int8."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Films(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._films = iter(films)

        def get_next(self) -> dict[str, Grey] | None:
            film = next(self._films, None)
            return None if film is None else {"film": film[None]}

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        plain.write_bytes(graph)
        quantize_static(
            str(plain),
            str(small),
            Films(),
            per_channel=True,
            reduce_range=True,  # with all eight bits, sums overflow on processors without VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return {
            file.stem: onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            for file in (plain, small)
        }


def test_films(data_dir: Path | None, count: int) -> Iterator[Grey]:
    """Give NIH test films at even distances, or cuts of the demo's film."""
    if data_dir is None:
        return iter(demo_greys(count))
    test = chosen(read_table(data_dir, NIH_TABLE), lambda film: film.split == "test")
    return greys(data_dir, test[:: len(test) // count][:count])


def main() -> int:
    """Measure and print. Returns: 1 if no library that is here holds the proof."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="the shared data")
    parser.add_argument("--films", type=int, default=8, help="how many are compared")
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.int8 and options.data is None:
        parser.error("--int8 learns its ranges from training films: name the shared data (--data)")
    torch.set_num_threads(options.threads)
    there = [TORCH, *(name for name in EXTRAS if not lacking(name))]
    networks = {name: Networks.open(name) for name in there}
    found: dict[str, Any] = {
        "opened": {n: opened(n, options.threads) for n in there},
        "batches": {},
    }
    with torch.inference_mode():
        for batch in options.batches:
            some = list(test_films(options.data, batch))
            found["batches"][batch] = timed(networks, some, options.rounds)
        found["differences"] = differences(networks, test_films(options.data, options.films))
        if options.int8:
            found["int8"] = int8(networks[TORCH], options.data, options.films)
    sys.stdout.write(json.dumps(found) + "\n" if options.json else shown(found))
    return 0 if holds(found) else 1


def times(rows: dict[str, dict[str, tuple[float, float]]], backend: str) -> float:
    """Divide torch's CPU time of all networks by a library's."""
    return sum(row[TORCH][0] for row in rows.values()) / sum(
        row[backend][0] for row in rows.values()
    )


def holds(found: dict[str, Any]) -> bool:
    """Tell whether a library is fast and near enough."""
    rows = next(iter(found["batches"].values()))
    return any(
        times(rows, backend) >= TARGET and row["probability"] <= MOST_AWAY and not row["claims"]
        for backend, row in found["differences"].items()
    )


def shown(found: dict[str, Any]) -> str:
    """Write the figures as lines."""
    lines = [
        f"{name:<14}opens in {row['open_cpu_s']:.2f} s of CPU, peak {row['peak_mb']:.0f} MB"
        for name, row in found["opened"].items()
    ]
    for batch, rows in found["batches"].items():
        for part, row in rows.items():
            lines += [
                f"{batch} film(s)  {part:<16}{backend:<14}{1000 * cpu:8.1f} ms CPU"
                f"{1000 * wall:8.1f} ms wall   {row[TORCH][0] / cpu:5.2f} x"
                for backend, (cpu, wall) in row.items()
            ]
        lines += [
            f"{batch} film(s)  all networks    {backend:<14}{times(rows, backend):5.2f} x torch's"
            for backend in found["differences"]
        ]
    for backend, row in found["differences"].items():
        lines.append(f"{backend} on {row['films']} films: " + ", ".join(
            f"{name} {value:.2g}" for name, value in row.items() if name != "films"
        ))  # fmt: skip
    if "int8" in found:
        lines.append("int8: " + ", ".join(f"{k} {v:.3g}" for k, v in found["int8"].items()))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

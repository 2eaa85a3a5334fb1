"""A network that labels MR volumes: speed in several ways, memory by length of volume.

    python benchmarks/volume_network.py [--weights brain-lesion] [--slices 24] [--json]

The volume is smooth noise of nobody, on the network's own grid. Every way labels the same volume, a
round of all ways follows another, and the best round counts. Printed are voxels a CPU-second as
ratios to fp32 as built within this run, and the share of voxels that get another label. Memory is
the peak of a process of its own above what it held before, for the volume once and four times as
long, in windows as live use looks and as a whole.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from medmm.models.mr.volume_segmenter import Labelled, VolumeSegmenter
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.models.weights.loading import load_network
from medmm.training.loop.precision import bf16_here

CPU, SPACING_ZYX_MM = torch.device("cpu"), (1.0, 1.0, 1.0)
BUILT, LIVE, BF16 = "fp32, as built", "fp32, as live use runs it", "bf16 autocast"
ROUNDS, LONGER = 3, 4
Signals = list[NDArray[np.float32]]


def signals_of(segmenter: VolumeSegmenter, inputs: int, slices: int) -> Signals:
    """Smooth noise, one array (slices, rows, columns) a sequence."""
    side = segmenter.grid.side_px or segmenter.window_zyx[1]
    noise = np.random.default_rng(0).normal(size=(inputs, slices, side, side))
    return [ndimage.gaussian_filter(one, (0, 4, 4)).astype(np.float32) for one in noise]


def ways(name: str) -> dict[str, Callable[[Signals], Labelled] | str]:
    """Build each way to label, or say why it is not run here."""
    weights = open_weights(row_named(name), None)
    assert weights is not None, "the weights ship with the package"
    live = VolumeSegmenter.open(weights, CPU)
    built = replace(
        live, network=load_network(weights, CPU).to(memory_format=torch.contiguous_format)
    )

    def bf16(signals: Signals) -> Labelled:
        with torch.autocast("cpu", torch.bfloat16):
            return live.read(signals, SPACING_ZYX_MM)

    return {
        BUILT: lambda signals: built.read(signals, SPACING_ZYX_MM),
        LIVE: lambda signals: live.read(signals, SPACING_ZYX_MM),
        BF16: bf16 if bf16_here() else "not run: this processor has no bf16",
    }


def speeds(name: str, slices: int) -> dict[str, Any]:
    """Measure ratios of speed to fp32 as built, and the share of voxels labelled otherwise."""
    made = ways(name)
    weights = open_weights(row_named(name), None)
    assert weights is not None
    signals = signals_of(
        VolumeSegmenter.open(weights, CPU), len(weights.json("config.json")["sequences"]), slices
    )
    runs = {way: run for way, run in made.items() if callable(run)}
    labels = {way: run(signals).labels for way, run in runs.items()}
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(ROUNDS):
        for way, run in runs.items():
            start = time.process_time()
            run(signals)
            best[way] = min(best[way], time.process_time() - start)
    return {
        way: {
            "times": round(best[BUILT] / best[way], 2),
            "other_label": round(float((labels[way] != labels[BUILT]).mean()), 6),
        }
        if way in runs
        else run
        for way, run in made.items()
    }


def memory_mb(name: str, slices: int, *, whole: bool) -> float:
    """Measure the peak memory of labelling above what the process held before, in MB.

    The process must do nothing else.
    """
    weights = open_weights(row_named(name), None)
    assert weights is not None
    segmenter = VolumeSegmenter.open(weights, CPU)
    signals = signals_of(segmenter, len(weights.json("config.json")["sequences"]), slices)
    if whole:
        segmenter = replace(segmenter, window_zyx=(slices * 2, *segmenter.window_zyx[1:]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    segmenter.read(signals, SPACING_ZYX_MM)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def apart(name: str, slices: int, *, whole: bool) -> float:
    """Run `memory_mb` in a process of its own."""
    command = [sys.executable, __file__, "--weights", name, "--slices", str(slices), "--memory"]
    found = subprocess.run(
        [*command, *(["--whole"] if whole else [])], check=True, capture_output=True, text=True
    )
    return float(found.stdout)


def measured(name: str, slices: int) -> dict[str, Any]:
    """Compute all figures of one network."""
    longer = slices * LONGER
    memory = {
        f"{kind}, {count} slices": round(apart(name, count, whole=kind == "whole"))
        for kind in ("windows", "whole")
        for count in (slices, longer)
    }
    return {"weights": name, "slices": slices, "speed": speeds(name, slices), "memory_mb": memory}


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--weights", choices=("brain-lesion", "hippocampus", "cardiac"), default="brain-lesion"
    )
    parser.add_argument("--slices", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        print(memory_mb(options.weights, options.slices, whole=options.whole))
        return 0
    found = measured(options.weights, options.slices)
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for way, row in found["speed"].items():
        said = (
            row
            if isinstance(row, str)
            else f"{row['times']} x, {row['other_label']:.2%} of voxels labelled otherwise"
        )
        print(f"{way}: {said}")
    for way, mb in found["memory_mb"].items():
        print(f"memory, {way}: {mb} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One radiograph, file to checked draft, warm, beside the bare networks (proof F7).

`make bench` runs it; the networks read a tensor.

Prints milliseconds, their ratio within this run, and the process's peak memory. Absolute times are
the machine's; quote ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch

from medmm import Assistant
from medmm.config import Settings
from medmm.domain.study import Study
from medmm.doors.demo import CHEST, films_dir
from medmm.models import Adopted, Networks
from medmm.models.film.reading_model import ChestReader


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Measure the wall time of each of `repeats` runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--writer", choices=("language-model", "rules"), default="language-model")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    film = films_dir() / CHEST
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        record.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
        settings = Settings(
            data_dir=Path(folder) / "data", threads=options.threads, writer=options.writer
        )
        networks = Networks(
            None, threads=options.threads, adopted=Adopted(Path(folder) / "data" / "models")
        )
        with Assistant(settings, networks=networks) as assistant:

            def whole_way() -> None:
                study = assistant.admit(film, record=record)
                assert isinstance(study, Study)
                assistant.draft(assistant.open_case(study.uid).id)

            def read_alone() -> None:
                next(assistant.read([film]))

            whole_way()  # warm: networks loaded, code compiled
            reader = networks.reading_models[0].opened()
            assert isinstance(reader, ChestReader)
            findings, anatomy = reader.findings, reader.anatomy
            if findings is None or anatomy is None:
                sys.stderr.write("the shipped weights are not installed: nothing to measure\n")
                return 4
            pair = torch.zeros(2, 1, findings.size_px, findings.size_px)
            one = torch.zeros(1, 1, anatomy.size_px, anatomy.size_px)

            @torch.inference_mode()
            def bare() -> None:
                findings.network(pair)
                anatomy.network(one)

            timed = {
                "file to checked draft": whole_way,
                "medmm read": read_alone,
                "networks alone, on tensors": bare,
            }
            median_ms = {
                name: 1000 * statistics.median(seconds(work, options.repeats))
                for name, work in timed.items()
            }
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    bare_ms = median_ms["networks alone, on tensors"]
    if options.json:
        sys.stdout.write(json.dumps({"median_ms": median_ms, "peak_gb": peak_gb}) + "\n")
        return 0
    for name, value in median_ms.items():
        sys.stdout.write(f"{name:<28}{value:8.0f} ms   {value / bare_ms:5.2f} x the networks\n")
    sys.stdout.write(f"peak memory of the process  {peak_gb:8.2f} GB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

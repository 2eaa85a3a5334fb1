"""Header indexing: what admission reads of a file, beside pydicom and dcmdump.

    python benchmarks/indexing.py --instances 10000

The instances are pydicom's example of an MR image with UIDs of their own. medmm reads each file
whole for its digest, checks its lengths and opens its header (`open_dicom`); `dcmread` gives the
elements undecoded; dcmdump, where it is installed, prints them all. Each takes its turn in every
round, in one process. Prints files a second and the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from medmm.imaging.dicom.files import open_dicom


def write_instances(folder: Path, count: int) -> list[Path]:
    """Write so many instances of one series."""
    made = pydicom.dcmread(str(get_testdata_file("MR_small.dcm")))
    paths = [folder / f"{number}.dcm" for number in range(count)]
    for number, path in enumerate(paths):
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        made.save_as(path)
    return paths


def by_medmm(paths: list[Path]) -> None:
    for path in paths:
        open_dicom(path)


def by_pydicom(paths: list[Path]) -> None:
    for path in paths:
        pydicom.dcmread(path)


def by_dcmdump(paths: list[Path]) -> None:
    command = ["dcmdump", "-q", *map(str, paths)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    readers: dict[str, Callable[[list[Path]], None]] = {"medmm": by_medmm, "pydicom": by_pydicom}
    if shutil.which("dcmdump") is not None:
        readers["dcmdump"] = by_dcmdump
    rates: dict[str, list[float]] = {name: [] for name in readers}
    with tempfile.TemporaryDirectory() as place:
        paths = write_instances(Path(place), options.instances)
        for _ in range(options.repeats):
            for name, read in readers.items():
                begun = time.perf_counter()
                read(paths)
                rates[name].append(len(paths) / (time.perf_counter() - begun))
    ratios = {
        name: round(statistics.median(a / b for a, b in zip(rates["medmm"], found, strict=True)), 2)
        for name, found in rates.items()
        if name != "medmm"
    }
    per_second = {name: [round(rate) for rate in found] for name, found in rates.items()}
    load = [round(one, 1) for one in os.getloadavg()]
    print(json.dumps({"per_second": per_second, "medmm_times": ratios, "load": load}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

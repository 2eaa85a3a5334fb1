"""Decoding each transfer syntax against the fastest decoder at hand (proof F2).

Both decode the same file in the same run.

Every decoder gets the path of a file and gives its stored values, so each opens the file itself.
GDCM decodes in a process of its own, as it must; its time is what that process measured, without
the way to it. Prints milliseconds and our time over the fastest. Files: the folder of DICOM files
given, else pictures of 512 x 512 that pydicom's own encoders compress.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from medmm.domain.errors import InputError
from medmm.imaging.dicom import gdcm as dicom_gdcm
from medmm.imaging.dicom.pixels import stored_values

TARGET = 1.2
RETIRED = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")  # pydicom has no decoder for them
PLUGINS = ("pylibjpeg", "pyjpegls", "pillow", "pydicom")
GDCM_TIMED = """
import gdcm, sys, time
gdcm.Trace.WarningOff(); gdcm.Trace.ErrorOff()
for line in sys.stdin:
    start = time.perf_counter()
    reader = gdcm.ImageReader()
    reader.SetFileName(line.rstrip("\\n"))
    good = reader.Read()
    good = good and len(reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")) > 0
    print(time.perf_counter() - start if good else "none", flush=True)
"""


class Gdcm:
    """GDCM in a process of its own that times itself, started again after it dies on a file."""

    def __init__(self) -> None:
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", GDCM_TIMED]
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def seconds(self, path: Path) -> float | None:
        """Return what one decoding took; None if GDCM can't."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline().strip()
        if not said:
            self.process.kill()
            self.process = self._start()
        return float(said) if said not in ("", "none") else None

    def close(self) -> None:
        """Let the process end."""
        self.process.communicate()


def made_files(folder: Path) -> list[Path]:
    """Write one smooth noisy picture in the syntaxes that pydicom itself can write."""
    rows, columns = np.mgrid[0:512, 0:512]
    noise = np.random.default_rng(1).normal(0, 12, (512, 512))
    pixels = (2000 + 900 * np.sin(rows / 60) * np.cos(columns / 45) + noise).astype(np.uint16)
    paths = []
    for syntax in (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless):
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
        made.Rows, made.Columns, made.SamplesPerPixel, made.PixelRepresentation = 512, 512, 1, 0
        made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
        made.PhotometricInterpretation, made.PixelData = "MONOCHROME2", pixels.tobytes()
        made["PixelData"].VR = "OW"
        if syntax != ExplicitVRLittleEndian:
            made.compress(syntax, generate_instance_uid=False)
        paths.append(folder / f"{syntax.name}.dcm")
        made.save_as(paths[-1], enforce_file_format=True)
    return paths


def plugin(name: str, path: Path) -> Callable[[], object]:
    """Decode with one plugin of pydicom."""

    def work() -> object:
        dataset = pydicom.dcmread(path)
        return get_decoder(dataset.file_meta.TransferSyntaxUID).as_array(
            dataset, raw=True, decoding_plugin=name
        )

    return work


def simpleitk(path: Path) -> Callable[[], object]:
    """Decode with SimpleITK (which carries GDCM)."""
    import SimpleITK

    return lambda: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def rivals(path: Path, syntax: UID) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every decoder of this process that reads the file."""
    available = get_decoder(syntax).available_plugins if syntax not in RETIRED else ()
    for name in PLUGINS if syntax.is_encapsulated else ("",):
        if name in available or not syntax.is_encapsulated:
            yield name or "pydicom", plugin(name, path)
    if find_spec("SimpleITK") is not None:
        yield "SimpleITK", simpleitk(path)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def timed(path: Path, syntax: UID, repeats: int, gdcm: Gdcm | None) -> dict[str, float]:
    """Measure milliseconds of each decoder, the best of runs that take turns.

    A busy machine slows all alike.
    """
    works = {"medmm": lambda: stored_values(path), **dict(rivals(path, syntax))}
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            try:
                taken[name].append(seconds(work))
            except (InputError, RuntimeError, ValueError, NotImplementedError):
                continue  # it does not read this file
        if gdcm is not None and (one := gdcm.seconds(path)) is not None:
            taken.setdefault("gdcm", []).append(one)
    return {
        name: 1000 * statistics.median(times[1:]) for name, times in taken.items() if len(times) > 1
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="?", type=Path, help="folder of DICOM files")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    gdcm = Gdcm() if dicom_gdcm.installed() else None
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        given = (
            sorted(p for p in options.files.rglob("*") if p.is_file()) if options.files else None
        )
        for path in given or made_files(Path(folder)):
            syntax = UID(
                str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
            )
            milliseconds = timed(path, syntax, options.repeats, gdcm)
            ours = milliseconds.pop("medmm", None)
            fastest = min(milliseconds, key=milliseconds.__getitem__, default=None)
            if ours is not None and fastest is not None:
                ratio = ours / milliseconds[fastest]
                rows.append(
                    {
                        "file": path.name,
                        "syntax": str(syntax),
                        "ms": ours,
                        "fastest": fastest,
                        "ratio": ratio,
                        **milliseconds,
                    }
                )
    if gdcm is not None:
        gdcm.close()
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return 0
    sys.stdout.write(f"{'file':<34}{'syntax':<26}{'medmm':>9}  {'fastest other':<24}ratio\n")
    for row in rows:
        other = f"{row[row['fastest']]:7.2f} ms {row['fastest']}"
        mark = "" if row["ratio"] <= TARGET else f"  over {TARGET}"
        sys.stdout.write(
            f"{row['file']:<34}{row['syntax']:<26}{row['ms']:6.2f} ms  "
            f"{other:<24}{row['ratio']:.2f}{mark}\n"
        )
    missing = [
        name for name, there in (("gdcm", gdcm), ("SimpleITK", find_spec("SimpleITK"))) if not there
    ]
    if missing:
        sys.stdout.write(f"not installed and so not compared: {', '.join(missing)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Mutated DICOM files through the door for images: `python -m tests.fuzz_dicom --count N --seed S` prints a JSON summary.

The files are those that pydicom and pydicom-data carry, as they are and relabelled as MR of the brain, so that the decoders
are reached too. A file that takes longer than LONGEST_S ends the process by a signal, as a crash would; the last line of
stderr then says which it was.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import data_store
import pydicom
from pydicom.data import get_testdata_files
from pydicom.uid import MRImageStorage

from medmm.domain.errors import MedmmError
from medmm.domain.study import NotEvaluable
from medmm.imaging import Intake, read_studies
from medmm.imaging.dicom.files import LIBRARY_ERRORS, quiet
from tests.dicom_files import SAYS_FRONTAL

LONGEST_S = 30  # generous: the machine may be busy
LARGEST_SEED_BYTES = 300_000
VRS = (b"SQ", b"UN", b"OB", b"OW", b"UL", b"FD", b"PN", b"DS", b"UI", b"LO", b"AT", b"UT", b"\0\0")


def seeds() -> list[bytes]:
    """Whole files, smallest first, each also as MR of the brain where it can be written again."""
    folder = Path(data_store.__file__).parent / "data"
    paths = {Path(p) for p in get_testdata_files()} | set(folder.rglob("*.dcm"))
    files = (p for p in paths if p.is_file())
    small = sorted(
        (p for p in files if 200 < p.stat().st_size < LARGEST_SEED_BYTES),
        key=lambda p: (p.stat().st_size, p.name),
    )
    found = []
    for path in small:
        found.append(path.read_bytes())
        relabelled = _as_brain(path)
        if relabelled is not None:
            found.append(relabelled)
    return found


def _as_brain(path: Path) -> bytes | None:
    try:
        with quiet:
            made = pydicom.dcmread(path)
            if "PixelData" not in made:
                return None
            made.Modality, made.SOPClassUID, made.BodyPartExamined = "MR", MRImageStorage, "BRAIN"
            buffer = BytesIO()
            made.save_as(buffer, enforce_file_format=False)
            return buffer.getvalue()
    except LIBRARY_ERRORS:
        return None


def flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_in_header(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 5))):
        data[rng.randrange(min(len(data), 2000))] ^= 1 << rng.randrange(8)


def lie_about_a_length(data: bytearray, rng: random.Random) -> None:
    at = 2 * rng.randrange(64, max(65, min(len(data), 4000) // 2)) % len(data)
    size = rng.choice((2, 4))
    lie = rng.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, rng.randrange(2**32)))
    data[at : at + size] = (lie % 256**size).to_bytes(size, "little")


def swap_a_vr(data: bytearray, rng: random.Random) -> None:
    found = [at for vr in VRS[:-1] if (at := data.find(vr, rng.randrange(len(data)))) >= 0]
    if found:
        at = rng.choice(found)
        data[at : at + 2] = rng.choice(VRS)


def cut_the_end(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(1, len(data)) :]


def repeat_a_part(data: bytearray, rng: random.Random) -> None:
    at, size = rng.randrange(len(data)), rng.randrange(1, 2000)
    data[at:at] = data[at : at + size] * rng.randrange(1, 5)


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_bits,
    flip_in_header,
    lie_about_a_length,
    swap_a_vr,
    cut_the_end,
    repeat_a_part,
)


def word(intakes: list[Intake]) -> str:
    """What one file ended as. Raises: AssertionError if it ended as nothing, or as several things."""
    (intake,) = intakes
    if isinstance(intake.outcome, MedmmError):
        assert intake.outcome.remedy
        return "error"
    if isinstance(intake.outcome, NotEvaluable):
        return "held" if intake.outcome.held else "refused"
    return "accepted"


def run(count: int, seed: int) -> dict[str, object]:
    """Mutate and read. Returns: counts of the outcomes, the slowest file, the memory grown."""
    rng, files = random.Random(seed), seeds()
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    start_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.dcm"
        for number in range(count):
            data = bytearray(rng.choice(files))
            for mutate in rng.choices(MUTATIONS, k=rng.choice((1, 1, 2))):
                if len(data) > 1:
                    mutate(data, rng)
            path.write_bytes(data)
            sys.stderr.write(f"\r{number}")
            signal.alarm(LONGEST_S)
            start = time.perf_counter()
            outcomes[word(list(read_studies(path, patient_secret=b"x", kinds=SAYS_FRONTAL)))] += 1
            slowest_s = max(slowest_s, time.perf_counter() - start)
            signal.alarm(0)
    grown_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - start_mb
    return {
        "count": count,
        "seeds": len(files),
        "outcomes": dict(sorted(outcomes.items())),
        "slowest_s": round(slowest_s, 2),
        "grown_mb": round(grown_mb),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(run(options.count, options.seed)) + "\n")

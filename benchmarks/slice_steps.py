"""CPU time of a slice step and of `medmm study show --html` beside another checkout.

Both take turns in one run.

`python benchmarks/slice_steps.py OTHER_CHECKOUT` prints milliseconds of CPU of both and their
ratio. A step is what a viewer does when its reader goes on by one slice: the picture of the next
slice of a kept study. Two studies are made: a series of 200 files and an enhanced image of 200
frames, each 256 x 256 in JPEG 2000. Work ahead of the reader counts as its own.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from beside import Worker, cpu_seconds
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    generate_uid,
)

SIDE = 256
TARGETS = {
    "step series": 1 / 20,
    "step enhanced": 1 / 20,
    "html series": 1 / 4,
    "html enhanced": 1 / 4,
}
WORKER = """
import sys, tempfile, time
from importlib.util import find_spec
from pathlib import Path
room = "medmm.presentation" if find_spec("medmm.presentation") else "medmm.doors"
slice_picture = __import__(room + ".slice_picture", fromlist=["slice_picture"]).slice_picture
from medmm import Assistant
from medmm.config import Settings
with tempfile.TemporaryDirectory() as folder:
    settings = Settings(data_dir=Path(folder) / "data", threads=1, writer="rules")
    with Assistant(settings) as assistant:
        cases = {}
        for name in ("series", "enhanced"):
            study = assistant.admit(Path(sys.argv[1]) / name)
            cases[name] = assistant.open_case(study.uid).id
        volumes, place = {}, {"series": 0, "enhanced": 0}
        for line in sys.stdin:
            what, name = line.split()
            begin = time.process_time()
            if what == "case" or name not in volumes:
                (volumes[name],) = assistant.case(cases[name]).case.study.volumes
            if what == "step":
                begin = time.process_time()
                slice_picture(volumes[name], place[name] % 200)
                place[name] += 1
            print(time.process_time() - begin, flush=True)
"""


def header(sop_class: str, syntax_of: str) -> Dataset:
    """Build what every image says: an axial brain MR of nobody."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = sop_class, generate_uid(), "MR"
    made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.3.{syntax_of}.1", f"1.2.3.{syntax_of}.2"
    made.PatientID, made.PatientAge, made.BodyPartExamined, made.AcquisitionDate = (
        "ZZ-9",
        "050Y",
        "BRAIN",
        "20200304",
    )
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = (
        SIDE,
        SIDE,
        1,
        "MONOCHROME2",
    )
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.WindowCenter, made.WindowWidth = 1200, 2400
    return made


def written(made: Dataset, pixels: NDArray[np.uint16], path: Path) -> None:
    """Compress and save."""
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OW"
    made.compress(JPEG2000Lossless, generate_instance_uid=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)


def make_studies(folder: Path, slices: int) -> None:
    """Write a series and an enhanced image of the same noisy head."""
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    head = np.hypot(rows / 0.9, columns / 0.75) < 1
    noise = np.random.default_rng(1).normal(0, 20, (slices, SIDE, SIDE))
    waves = np.array([np.sin(9 * rows + z / 9) * np.cos(7 * columns) for z in range(slices)])
    pixels = np.clip(60 + head * (1000 + 500 * waves) + noise, 0, 4095).astype(np.uint16)
    for z in range(slices):
        one = header(MRImageStorage, "8")
        one.ImageOrientationPatient, one.ImagePositionPatient = (
            [1, 0, 0, 0, 1, 0],
            [-100, -120, z - 80],
        )
        one.PixelSpacing, one.SliceThickness, one.InstanceNumber = [0.8, 0.8], 1, z + 1
        written(one, pixels[z], folder / "series" / f"{z:03d}.dcm")
    many = header(EnhancedMRImageStorage, "9")
    many.NumberOfFrames = slices
    many.SharedFunctionalGroupsSequence = [group(
        PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        PixelMeasuresSequence={"PixelSpacing": [0.8, 0.8], "SliceThickness": 1},
    )]  # fmt: skip
    many.PerFrameFunctionalGroupsSequence = [
        group(PlanePositionSequence={"ImagePositionPatient": [-100, -120, z - 80]},
              FrameVOILUTSequence={"WindowCenter": 1200, "WindowWidth": 2400},
              PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": 0,
                                                "RescaleType": "US"})
        for z in range(slices)
    ]  # fmt: skip
    written(many, pixels, folder / "enhanced" / "image.dcm")


def group(**sequences: dict[str, object]) -> Dataset:
    """Build functional groups of one item each."""
    item = Dataset()
    for sequence, elements in sequences.items():
        inner = Dataset()
        for keyword, value in elements.items():
            setattr(inner, keyword, value)
        setattr(item, sequence, [inner])
    return item


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of the release to compare with")
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pages", type=int, default=2)
    options = parser.parse_args()
    checkouts = {"here": Path(__file__).resolve().parents[1], "other": options.other.resolve()}
    taken: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_studies(folder, options.slices)
        workers = {n: Worker(at, WORKER, str(folder)) for n, at in checkouts.items()}
        for study in ("series", "enhanced"):
            for what in ("case", "step"):
                for n in range(options.repeats + 1):
                    for name, worker in workers.items():
                        one = worker.seconds(f"{what} {study}")
                        if n:  # the first is warm-up
                            taken.setdefault(f"{what} {study}", {}).setdefault(name, []).append(one)
        for worker in workers.values():
            worker.close()
        for study in ("series", "enhanced"):
            for _ in range(options.pages):
                for name, checkout in checkouts.items():
                    words = [
                        "study",
                        "show",
                        str(folder / study),
                        "--html",
                        str(folder / "page.html"),
                    ]
                    one = cpu_seconds(checkout, words, folder)
                    taken.setdefault(f"html {study}", {}).setdefault(name, []).append(one)
    missed = False
    for work, values in taken.items():
        here, other = (1000 * statistics.mean(values[name]) for name in ("here", "other"))
        target = TARGETS.get(work)
        missed |= target is not None and here / other > target
        wanted = f"   target 1/{1 / target:.0f}" if target else ""
        sys.stdout.write(
            f"{work:<16}{here:9.1f} ms here {other:9.1f} ms there   1/{other / here:.1f}{wanted}\n"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

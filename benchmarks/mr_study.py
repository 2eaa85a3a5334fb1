"""An MR study of 5 series x 200 slices, files to `Study`: index, gate, assemble (F8).

The files are made in a temporary folder: headers of five brain sequences over a smooth head of
nobody. Prints seconds, those of a processor (the machine may be shared), and the peak memory of
this process with its libraries. Absolute times are the machine's.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from medmm.domain.study import Study
from medmm.imaging import read_studies

TARGET_S, TARGET_GB = 15, 4
SPIN, GRADIENT = (
    {"ScanningSequence": "SE", "SequenceVariant": "SK"},
    {"ScanningSequence": "GR", "SequenceVariant": "SP"},
)
SERIES = {  # name: physics, signal of tissue, of fluid
    "T1": (
        {
            **GRADIENT,
            "SequenceVariant": ["SP", "MP"],
            "EchoTime": 3,
            "RepetitionTime": 8,
            "FlipAngle": 10,
        },
        500,
        120,
    ),
    "T1 +C": (
        {
            **SPIN,
            "EchoTime": 9,
            "RepetitionTime": 550,
            "FlipAngle": 90,
            "ContrastBolusAgent": "agent",
        },
        520,
        130,
    ),
    "FLAIR": (
        {
            **SPIN,
            "ScanningSequence": ["SE", "IR"],
            "EchoTime": 120,
            "RepetitionTime": 9000,
            "InversionTime": 2500,
        },
        480,
        60,
    ),
    "T2": ({**SPIN, "EchoTime": 95, "RepetitionTime": 4500, "FlipAngle": 150}, 300, 900),
    "SWI": ({**GRADIENT, "EchoTime": 20, "RepetitionTime": 28, "FlipAngle": 15}, 400, 450),
}


def head(slices: int, size: int, tissue: float, fluid: float, seed: int) -> NDArray[np.uint16]:
    """Build a smooth ellipsoid of tissue with fluid inside, (slices, size, size).

    It lies on a little noise.
    """
    z, y, x = np.meshgrid(
        *[np.linspace(-1, 1, n, dtype=np.float32) for n in (slices, size, size)], indexing="ij"
    )
    inside = (z / 1.1) ** 2 + (y / 0.8) ** 2 + (x / 0.65) ** 2
    middle = (z / 0.4) ** 2 + (y / 0.3) ** 2 + (x / 0.2) ** 2
    signal = np.where(inside < 1, tissue * (1 - 0.2 * inside), 0)
    signal = np.where(middle < 1, fluid, signal)
    noise = np.abs(np.random.default_rng(seed).normal(0, 6, signal.shape))
    return np.asarray(signal + noise, dtype=np.uint16)


def write_study(folder: Path, series: int, slices: int, size: int) -> None:
    """Write the files of the study, named without order."""
    study, frame = generate_uid(), generate_uid()
    for number, (name, (physics, tissue, fluid)) in enumerate(list(SERIES.items())[:series]):
        pixels, uid = head(slices, size, tissue, fluid, number), generate_uid()
        for index, picture in enumerate(pixels):
            made = slice_of(picture, index, study, uid, frame)
            made.SeriesDescription, made.SeriesNumber = name, number + 1
            for keyword, value in physics.items():
                setattr(made, keyword, value)
            made.save_as(
                folder / f"{generate_uid().rsplit('.', 1)[1]}.dcm", enforce_file_format=True
            )


def slice_of(
    picture: NDArray[np.uint16], index: int, study: str, series: str, frame: str
) -> Dataset:
    """Build one axial slice of 1 mm."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = study, series, frame
    made.Modality, made.BodyPartExamined, made.ImageType = (
        "MR",
        "BRAIN",
        ["ORIGINAL", "PRIMARY", "M"],
    )
    made.PatientID, made.PatientAge, made.AcquisitionDate = "ZZ-bench", "050Y", "20200304"
    made.MRAcquisitionType, made.InstanceNumber, made.PatientPosition = "3D", index + 1, "HFS"
    made.PixelSpacing, made.SliceThickness = [1, 1], 1
    made.ImageOrientationPatient, made.ImagePositionPatient = (
        [1, 0, 0, 0, 1, 0],
        [-128, -128, float(index)],
    )
    made.PhotometricInterpretation, made.SamplesPerPixel, made.PixelRepresentation = (
        "MONOCHROME2",
        1,
        0,
    )
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.WindowCenter, made.WindowWidth = 400, 800
    made.Rows, made.Columns = picture.shape
    made.PixelData = picture.tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=5, choices=range(1, 6))
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of a slice")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder), options.series, options.slices, options.size)
        start, busy = time.perf_counter(), time.process_time()
        (intake,) = read_studies(Path(folder), patient_secret=b"benchmark")
        seconds, busy_s = time.perf_counter() - start, time.process_time() - busy
    if not isinstance(intake.outcome, Study):
        sys.stderr.write(f"the study was not accepted: {intake.outcome}\n")
        return 1
    study = intake.outcome
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    roles = {c.role.value: study.volume(c.volume_sha256).shape_zyx for c in study.sequences}  # type: ignore[union-attr]
    found = {
        "seconds": seconds,
        "processor_seconds": busy_s,
        "peak_gb": peak_gb,
        "files": len(intake.files),
        "volumes": len(study.volumes),
    }
    if options.json:
        sys.stdout.write(json.dumps({**found, "roles": roles}) + "\n")
        return 0
    print(
        f"{found['files']} files to {found['volumes']} volumes in {seconds:.1f} s (target "
        f"{TARGET_S} s), {busy_s:.1f} s of a processor"
    )
    print(f"peak memory {peak_gb:.2f} GB (target {TARGET_GB} GB); roles {roles}")
    return 0 if seconds < TARGET_S and peak_gb < TARGET_GB else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the gate does with pictures whose tags all say the same: a PA film of a chest. By pixels alone.

Every picture is written as a DICOM file and goes the way that a file of a hospital goes.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from rich.progress import track
from scipy.stats import binomtest

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable
from medmm.imaging import Intake, read_studies
from medmm.models.catalogue import WeightsFolder, row_named
from medmm.models.film_kind import FilmKindModel
from medmm.training.pictures import Picture, read_pictures

Json = dict[str, Any]
TURNS = {
    "mirrored": lambda grey: grey[:, ::-1],
    "inverted": lambda grey: 1 - grey,
    "upside down": lambda grey: grey[::-1],
    "rotated": lambda grey: np.rot90(grey),
}
MADE_FROM = "frontal, NIH"


def evaluate(weights_dir: Path, data_dir: Path, *, quiet: bool = False) -> Json:
    """Counts by row of the table: accepted, held, refused, and the refusals' reasons, as JSON values."""
    weights = WeightsFolder(row=row_named("film-kind"), folder=weights_dir)
    kinds = FilmKindModel.open(weights, torch.device("cpu"))
    counts: dict[str, Counter[str]] = {}
    kind_of: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.dcm"
        for picture in track(_pictures(data_dir), description="pictures", disable=quiet):
            write_as_chest(picture, path)
            (intake,) = read_studies(path, patient_secret=b"evaluation", kinds=kinds)
            counts.setdefault(picture.row, Counter()).update(verdict(intake))
            kind_of[picture.row] = picture.kind
    adults = [c for row, c in counts.items() if kind_of[row] == "frontal" and "children" not in row]
    strange = [c for row, c in counts.items() if kind_of[row] in ("lateral", "other")]
    turned = [c for row, c in counts.items() if kind_of[row] not in ("frontal", "lateral", "other")]
    return {
        "rows": {row: _row(counter, kind_of[row] == "frontal") for row, counter in sorted(counts.items())},
        "frontal_adults_accepted": _share(adults, "accepted"),
        "strange_refused": _share(strange, "refused"),
        "turned_not_accepted": _share(turned, "held", "refused"),
    }


def _pictures(data_dir: Path) -> Iterator[Picture]:
    for picture in read_pictures(data_dir, frozenset({"test"})):
        yield picture
        if picture.row == MADE_FROM:
            for kind, turn in TURNS.items():
                yield replace(picture, grey=turn(picture.grey), kind=kind, row=f"{kind}, made of NIH films")


def write_as_chest(picture: Picture, path: Path) -> None:
    """Write a picture as a DX file whose tags say chest, PA, adult, upright."""
    pixels = np.ascontiguousarray(np.rint(picture.grey * 255).astype(np.uint8))
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.PatientOrientation, dataset.PatientAge, dataset.PatientID = ["L", "F"], "050Y", "evaluation"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def verdict(intake: Intake) -> list[str]:
    """Accepted, held or refused, and why where it was not accepted."""
    if isinstance(intake.outcome, InputError):
        return ["refused", "why: unreadable"]
    if isinstance(intake.outcome, NotEvaluable):
        return ["held" if intake.outcome.held else "refused", f"why: {intake.outcome.reason_code}"]
    return ["accepted"]


def _row(counter: Counter[str], frontal: bool) -> Json:
    wanted = ("accepted",) if frontal else ("held", "refused")
    return {
        **{word: counter[word] for word in ("accepted", "held", "refused")},
        "reasons": {k.removeprefix("why: "): n for k, n in sorted(counter.items()) if k.startswith("why: ")},
        "frontal": frontal,
        "right": _share([counter], *wanted),
    }


def _share(counters: list[Counter[str]], *words: str) -> Json:
    """The share of these words with its 95 % interval (Wilson, JASA 1927)."""
    count = sum(c[word] for c in counters for word in words)
    total = sum(c[word] for c in counters for word in ("accepted", "held", "refused"))
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return {"value": count / total, "low": float(low), "high": float(high), "count": count, "of": total}

"""What the gate does with pictures whose tags all say the same: by pixels alone.

Once the tags say a PA film of a chest, once they name neither body part nor view, and once chest
films are collimated. Every picture is written as a DICOM file and goes the way that a file of a
hospital goes.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from rich.progress import track
from scipy.stats import binomtest

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable
from medmm.imaging import Intake, read_studies
from medmm.imaging.dicom.pixels import display, stored_values
from medmm.imaging.gate.rules import SMALLEST_FILM_PX
from medmm.models.film.film_kind import FilmKindModel
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.picture_kinds import Picture, read_pictures, windows_of

Json = dict[str, Any]
TURNS = {
    "mirrored": lambda grey: grey[:, ::-1],
    "inverted": lambda grey: 1 - grey,
    "upside down": lambda grey: grey[::-1],
    "rotated": lambda grey: np.rot90(grey),
}
MADE_FROM = "frontal, NIH"
OTHER_PARTS = (  # of dicom/otherxray.tar.xz; the animals there are left out
    "fuji_cr_hip_j2k.dcm",
    "fuji_cr_tibia_mono1_j2k.dcm",
    "cr_teeth_modality_lut_jpegll.dcm",
    "siemens_rf_shoulder.dcm",
    "mg_overlay_out_of_bounds_jpegll.dcm",
)
WINDOW_ROWS = ", cut out of NIH films"
MADE_EVERY = 4  # NIH film, where each is turned into several pictures
BORDERS = ("black", "white", "grey")


def evaluate(weights_dir: Path, data_dir: Path, *, quiet: bool = False) -> Json:
    """Count by row of the table what is accepted, held and refused, and why.

    Returns: JSON values.
    """
    weights = WeightsFolder(row=row_named("film-kind"), folder=weights_dir)
    kinds = FilmKindModel.open(weights, torch.device("cpu"))
    said, kind_of = _counted(_pictures(data_dir), kinds, "pictures", quiet=quiet)
    adults = [c for row, c in said.items() if kind_of[row] == "frontal" and "children" not in row]
    strange = [c for row, c in said.items() if kind_of[row] in ("lateral", "other")]
    turned = [c for row, c in said.items() if kind_of[row] not in ("frontal", "lateral", "other")]
    return {
        "rows": {
            row: _row(counter, kind_of[row] == "frontal") for row, counter in sorted(said.items())
        },
        "frontal_adults_accepted": _share(adults, "accepted"),
        "strange_refused": _share(strange, "refused"),
        "turned_not_accepted": _share(turned, "held", "refused"),
        "silent": _silent(data_dir, kinds, quiet=quiet),
        "collimated": _collimated(data_dir, kinds, quiet=quiet),
    }


def _silent(data_dir: Path, kinds: FilmKindModel, *, quiet: bool) -> Json:
    """Count the same without tags of body part or view, by source and kind.

    That is what a picture alone lets in.
    """
    said, kind_of = _counted(
        _silent_pictures(data_dir), kinds, "silent tags", quiet=quiet, part=None, view=None
    )
    whole = [row for row in said if kind_of[row] == "frontal" and "collimated" not in row]
    films = [said[row] for row in whole if "children" not in row]
    none = [c for row, c in said.items() if kind_of[row] in ("lateral", "other")]
    return {
        "rows": {
            row: {
                **_row(counter, kind_of[row] == "frontal"),
                "passed": _share([counter], "accepted"),
            }
            for row, counter in sorted(said.items())
        },
        "frontal_adults_accepted": _share(films, "accepted"),
        "not_frontal_passed": _share(none, "accepted"),
        "windows_passed": _share(
            [c for row, c in said.items() if row.endswith(WINDOW_ROWS)], "accepted"
        ),
        "mirrored_passed": _share(
            [c for row, c in said.items() if kind_of[row] == "mirrored"], "accepted"
        ),
    }


def _silent_pictures(data_dir: Path) -> Iterator[Picture]:
    """Yield test pictures that are not too small, and what is made of every fourth NIH film."""
    films = 0
    for picture in read_pictures(data_dir, frozenset({"test"})):
        if picture.kind not in ("frontal", "lateral", "other"):
            continue
        yield _enlarged(picture)
        films += picture.row == MADE_FROM
        if picture.row == MADE_FROM and films % MADE_EVERY == 1:
            yield replace(
                picture,
                grey=picture.grey[:, ::-1],
                kind="mirrored",
                row="mirrored, made of NIH films",
            )
            yield from map(_enlarged, windows_of(picture))
            made = collimated(picture)
            yield replace(made, row=f"frontal, collimated{made.row.removeprefix('collimated')}")
    yield from _other_parts(data_dir)


def _other_parts(data_dir: Path) -> Iterator[Picture]:
    with (
        tarfile.open(data_dir / "dicom" / "otherxray.tar.xz") as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name in OTHER_PARTS:
            archive.extract(name, folder, filter="data")
            path = Path(folder) / name
            stored, dataset = stored_values(path)
            grey, row = display(stored, dataset, path)[0], "another body part (DICOM corpus)"
            yield Picture(grey=grey, kind="other", row=row, part="test", person=name)


def _enlarged(picture: Picture) -> Picture:
    """Enlarge a picture to sides that the gate does not call too small."""
    rows, columns = picture.grey.shape
    factor = SMALLEST_FILM_PX / min(rows, columns)
    if factor <= 1:
        return picture
    size = (round(columns * factor), round(rows * factor))
    image = Image.fromarray(np.ascontiguousarray(picture.grey)).resize(
        size, Image.Resampling.BILINEAR
    )
    return replace(picture, grey=np.clip(np.asarray(image, dtype=np.float32), 0, 1))


def _collimated(data_dir: Path, kinds: FilmKindModel, *, quiet: bool) -> Json:
    """Count what becomes of chest films, so tagged, of which nearly half is collimated."""
    films = (p for p in read_pictures(data_dir, frozenset({"test"})) if p.row == MADE_FROM)
    said, _ = _counted(
        map(collimated, islice(films, 0, None, MADE_EVERY)),
        kinds,
        "collimated",
        quiet=quiet,
        view="AP",
    )
    return {
        "rows": {row: _row(counter, True) for row, counter in sorted(said.items())},
        "accepted": _share(list(said.values()), "accepted"),
    }


def collimated(picture: Picture) -> Picture:
    """Collimate a film: the middle 50 to 60 % of its width in a border of one grey.

    It is drawn by its patient.
    """
    random = np.random.default_rng([int(c) for c in picture.person.encode()])
    columns = picture.grey.shape[1]
    width = round(columns * random.uniform(0.5, 0.6))
    left = round((columns - width) / 2 + columns * random.uniform(-0.05, 0.05))
    border = BORDERS[int(random.integers(len(BORDERS)))]
    level = {"black": 0.0, "white": 1.0, "grey": random.uniform(0.1, 0.9)}[border]
    made = np.full_like(picture.grey, level)
    made[:, left : left + width] = picture.grey[:, left : left + width]
    return replace(picture, grey=made, row=f"collimated to 50-60 % of the width, {border}, NIH")


def _counted(
    pictures: Iterable[Picture],
    kinds: FilmKindModel,
    description: str,
    *,
    quiet: bool,
    part: str | None = "CHEST",
    view: str | None = "PA",
) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    """Count verdicts by row, with the kind of each row."""
    counts: dict[str, Counter[str]] = {}
    kind_of: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.dcm"
        for picture in track(pictures, description=description, disable=quiet):
            write_as_chest(picture, path, part=part, view=view)
            (intake,) = read_studies(path, patient_secret=b"evaluation", kinds=kinds)
            counts.setdefault(picture.row, Counter()).update(verdict(intake))
            kind_of[picture.row] = picture.kind
    return counts, kind_of


def _pictures(data_dir: Path) -> Iterator[Picture]:
    for picture in read_pictures(data_dir, frozenset({"test"})):
        yield picture
        if picture.row == MADE_FROM:
            for kind, turn in TURNS.items():
                yield replace(
                    picture, grey=turn(picture.grey), kind=kind, row=f"{kind}, made of NIH films"
                )


def write_as_chest(
    picture: Picture, path: Path, *, part: str | None = "CHEST", view: str | None = "PA"
) -> None:
    """Write a picture as a DX file whose tags say chest, PA, adult, upright.

    None leaves an element out.

    Without a body part no orientation is stated either.
    """
    pixels = np.ascontiguousarray(np.rint(picture.grey * 255).astype(np.uint8))
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        DigitalXRayImageStorageForPresentation
    )
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.PatientAge, dataset.PatientID = "DX", "050Y", "evaluation"
    if part is not None:
        dataset.BodyPartExamined, dataset.PatientOrientation = part, ["L", "F"]
    if view is not None:
        dataset.ViewPosition = view
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def verdict(intake: Intake) -> list[str]:
    """Return accepted, held or refused, and why if it was not accepted."""
    if isinstance(intake.outcome, InputError):
        return ["refused", "why: unreadable"]
    if isinstance(intake.outcome, NotEvaluable):
        return ["held" if intake.outcome.held else "refused", f"why: {intake.outcome.reason_code}"]
    return ["accepted"]


def _row(counter: Counter[str], frontal: bool) -> Json:
    wanted = ("accepted",) if frontal else ("held", "refused")
    return {
        **{word: counter[word] for word in ("accepted", "held", "refused")},
        "reasons": {
            k.removeprefix("why: "): n for k, n in sorted(counter.items()) if k.startswith("why: ")
        },
        "frontal": frontal,
        "right": _share([counter], *wanted),
    }


def _share(counters: list[Counter[str]], *words: str) -> Json:
    """Compute the share of these words with its 95 % interval (Wilson, JASA 1927)."""
    count = sum(c[word] for c in counters for word in words)
    total = sum(c[word] for c in counters for word in ("accepted", "held", "refused"))
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return {
        "value": count / total,
        "low": float(low),
        "high": float(high),
        "count": count,
        "of": total,
    }

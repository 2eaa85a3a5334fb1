"""The MR sets with outlines: subjects, splits and arrays of the shared data's `mri/`."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.domain.errors import InputError
from medmm.domain.study import ChosenSequence, Modality, SequenceRole, Study, Volume
from medmm.domain.study import Sequence as MrSequence

Array = NDArray[np.float32]
Labels = NDArray[np.uint8]
TABLE = "mri/subjects.csv"
SET_OF = {"hippocampus": "hippocampus", "brain-lesion": "lgg", "cardiac": "acdc"}
LGG_SEQUENCES = ("pre", "flair", "post")
FAR_FROM_A_LABEL = 0.05  # what a scaled file of 8 bits leaves between a value and its label is less


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedVolume:
    """One volume of a subject with its outline.

    Attributes:
        part: "" or, of a heart, "ed" or "es".
        sequences: names of `signals` in order; those that the subject lacks are None.
        signals: arrays (slices, rows, columns).
        labels: values (slices, rows, columns).
        spacing_zyx_mm: voxel size; None if the publisher gives none.
    """

    subject: str
    part: str
    split: str
    row: Mapping[str, str]
    sequences: tuple[str, ...]
    signals: tuple[Array | None, ...]
    labels: Labels
    spacing_zyx_mm: tuple[float, float, float] | None


def files_of(data_dir: Path, task: str) -> dict[str, Path]:
    """List the files that a task's set is read from."""
    return {"subjects": data_dir / TABLE, "volumes": data_dir / "mri" / f"{SET_OF[task]}.zip"}


def read_outlined_volumes(data_dir: Path, task: str, *splits: str) -> Iterator[OutlinedVolume]:
    """Yield the volumes of a task's set in these splits, by subject.

    Raises: InputError if the table or an archive is missing or can't be read.
    """
    name = SET_OF[task]
    table, packed = files_of(data_dir, task).values()
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [
                row for row in csv.DictReader(file) if row["set"] == name and row["split"] in splits
            ]
        with zipfile.ZipFile(packed) as archive:
            for row in rows:
                yield from _READERS[name](archive, row)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(
            f"the MR set {name} can't be read: {type(error).__name__}",
            remedy="name the folder that holds mri/",
            path=str(table),
        ) from error


def _strip(archive: zipfile.ZipFile, member: str, width: int) -> Labels:
    """Cut one picture into slices that lie one under the other."""
    image = Image.open(io.BytesIO(archive.read(member)))
    grey = image.convert("L") if image.format == "WEBP" else image
    return np.asarray(grey).astype(np.uint8).reshape(-1, width, width)


def _hippocampus(archive: zipfile.ZipFile, row: Mapping[str, str]) -> Iterator[OutlinedVolume]:
    import nibabel

    image, label = (
        nibabel.Nifti1Image.from_bytes(archive.read(f"{row['subject']}_{kind}.nii"))
        for kind in ("image", "label")
    )
    yield _outlined(
        row,
        "",
        (_zyx(image).astype(np.float32),),
        ("t1",),
        whole_labels(_zyx(label), row["subject"]),
        (1.0, 1.0, 1.0),
    )


def _zyx(image: object) -> Labels:
    return np.ascontiguousarray(np.asanyarray(image.dataobj).T)  # type: ignore[attr-defined]


def whole_labels(values: NDArray[np.generic], subject: str) -> Labels:
    """Round label values to the whole numbers that they stand for.

    A label map that was saved as an array of floats under a header of integers comes back with
    values like 0.988 and 2.988, which truncation would turn into other labels.

    Args:
        values: of any shape, as the file gives them after its scaling.
        subject: whose labels they are, for the error.

    Raises: InputError if a value lies further than 0.05 from every label of 0 to 255.
    """
    rounded = np.rint(values)
    near = np.abs(values - rounded) <= FAR_FROM_A_LABEL  # False of what is no number
    if not near.all() or rounded.min() < 0 or rounded.max() > 255:
        raise InputError(
            "the label map holds values that are not labels",
            remedy="save it as whole numbers of 0 to 255",
            subject=subject,
        )
    return rounded.astype(np.uint8)


def _lgg(archive: zipfile.ZipFile, row: Mapping[str, str]) -> Iterator[OutlinedVolume]:
    there, subject = row["channels"].split("+"), row["subject"]
    signals = tuple(
        _strip(archive, f"{subject}/{name}.webp", 128).astype(np.float32) if name in there else None
        for name in LGG_SEQUENCES
    )
    yield _outlined(
        row, "", signals, LGG_SEQUENCES, _strip(archive, f"{subject}/mask.png", 128), None
    )


def _acdc(archive: zipfile.ZipFile, row: Mapping[str, str]) -> Iterator[OutlinedVolume]:
    z, y, x = (float(v) for v in row["spacing"].split("x"))
    for part in ("ed", "es"):
        signal = _strip(archive, f"{row['subject']}/{part}.webp", 176).astype(np.float32)
        label = _strip(archive, f"{row['subject']}/{part}_label.png", 176)
        yield _outlined(row, part, (signal,), ("cine",), label, (z, y, x))


def _outlined(
    row: Mapping[str, str],
    part: str,
    signals: tuple[Array | None, ...],
    sequences: tuple[str, ...],
    labels: Labels,
    spacing_zyx_mm: tuple[float, float, float] | None,
) -> OutlinedVolume:
    return OutlinedVolume(
        subject=row["subject"],
        part=part,
        split=row["split"],
        row=row,
        sequences=sequences,
        signals=signals,
        labels=labels.astype(np.uint8),
        spacing_zyx_mm=spacing_zyx_mm,
    )


_READERS = {"hippocampus": _hippocampus, "lgg": _lgg, "acdc": _acdc}


ROLES = {
    "t1": SequenceRole.T1,
    "pre": SequenceRole.T1,
    "flair": SequenceRole.FLAIR,
    "post": SequenceRole.T1_CONTRAST,
    "ed": SequenceRole.CINE_ED,
    "es": SequenceRole.CINE_ES,
}
BODY_PARTS = {"hippocampus": "HIPPOCAMPUS", "brain-lesion": "BRAIN", "cardiac": "HEART"}


def study_of(task: str, outlined: Sequence[OutlinedVolume]) -> Study:
    """Build one subject's study as live use gets it from arrays.

    It has no orientation, and the publisher's spacing.
    """
    volumes = [
        _volume(one, one.part or name, signal)
        for one in outlined
        for name, signal in zip(one.sequences, one.signals, strict=True)
        if signal is not None
    ]
    return Study(
        uid=outlined[0].subject,
        patient_key="",
        modality=Modality.MR,
        body_part=BODY_PARTS[task],
        acquired=None,
        volumes=tuple(volumes),
        sequences=tuple(
            ChosenSequence(role=v.sequence.role, volume_sha256=v.sha256, reason="of the set")
            for v in volumes
            if v.sequence
        ),
    )


def _volume(outlined: OutlinedVolume, name: str, signal: Array) -> Volume:
    z, y, x = signal.shape
    spacing = outlined.spacing_zyx_mm
    return Volume(
        series_uid=f"{outlined.subject}/{name}",
        sop_class_uid="",
        sop_uids=(f"{outlined.subject}/{name}",),
        sha256=hashlib.sha256(signal.tobytes() + name.encode()).hexdigest(),
        shape_zyx=(z, y, x),
        spacing_yx_mm=spacing[1:] if spacing else None,
        spacing_z_mm=spacing[0] if spacing else None,
        sequence=MrSequence(role=ROLES[name], reason="of the set"),
        signal_loader=lambda: signal,
    )


def present(outlined: OutlinedVolume) -> list[Array]:
    """List the signals of a subject; a missing sequence is FLAIR again, as in live use.

    Returns: arrays (slices, rows, columns) of one grid, in the order of the sequences.
    """
    named = dict(zip(outlined.sequences, outlined.signals, strict=True))
    filled = [signal if signal is not None else named["flair"] for signal in outlined.signals]
    return [signal for signal in filled if signal is not None]


def subjects(outlined: Iterable[OutlinedVolume]) -> list[list[OutlinedVolume]]:
    """Group volumes by subject, in the order of the table."""
    return [list(group) for _, group in groupby(outlined, key=lambda one: one.subject)]

"""Labelled films of the shared data: tables (CSV) beside tar shards of grey pictures."""

from __future__ import annotations

import csv
import io
import math
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from medmm.domain.errors import InputError
from medmm.models.film.preprocessing import prepare_film

NIH_TABLE, MORE_TABLE, EXTERNAL_TABLE = "cxr/labels.csv", "cxr_more/labels.csv", "cxr/external.csv"
AGE_BANDS = ((0, 40), (40, 60), (60, None))  # in years


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One row of a table; `source`, `view`, `age` and `sex` are never a network's input.

    Those four serve the report.
    """

    folder: str
    shard: str
    file: str
    patient: str
    findings: frozenset[str]
    split: str
    age_years: float | None
    sex: str | None
    view: str | None
    source: str
    official_list: str | None
    row: dict[str, str]

    def labels(self, names: Iterable[str]) -> list[float]:
        """Return 1 if the label is given, else 0, in the order of `names`."""
        return [float(name in self.findings) for name in names]


def read_table(data_dir: Path, table: str) -> list[Film]:
    """Read all films of a table, in its order.

    Raises: InputError if the table is not there.
    """
    path = data_dir / table
    if not path.is_file():
        raise InputError(
            "the training table is not there",
            remedy="name the folder that holds cxr/ and cxr_more/",
            path=str(path),
        )
    with path.open(encoding="utf-8", newline="") as lines:
        return [_film(row, path.parent.name) for row in csv.DictReader(lines)]


def _film(row: dict[str, str], folder: str) -> Film:
    return Film(
        folder=folder,
        shard=row.get("shard") or "external-00.tar",
        file=row["file"],
        patient=row["patient"],
        findings=frozenset(row["labels"].split("|")) - {"No Finding", ""},
        split=row.get("split") or "external",
        age_years=_age_years(row.get("age")),
        sex=row.get("sex") or None,
        view=row.get("view") or None,
        source=row.get("dataset") or row.get("source") or "",
        official_list=row.get("official_list") or None,
        row=row,
    )


def _age_years(text: str | None) -> float | None:
    """Parse an age in years.

    Returns: None for a range or a cohort ("1-5 (cohort)"), which is not one person's age.
    """
    return float(text) if text and text.replace(".", "", 1).isdigit() else None


def member_bytes(shard: tarfile.TarFile, name: str) -> bytes:
    """Read the content of a file of a shard.

    Raises: InputError if there is none of this name.
    """
    try:
        member = shard.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise InputError("a film is not in its shard", remedy="fetch the data again", film=name)
    return member.read()


def greys(data_dir: Path, films: Iterable[Film]) -> Iterator[NDArray[np.float32]]:
    """Yield the films' pixels one at a time: float32 (rows, columns), 0 black to 1 white."""
    with ExitStack() as stack:
        shards: dict[Path, tarfile.TarFile] = {}
        for film in films:
            path = data_dir / film.folder / film.shard
            if path not in shards:
                shards[path] = stack.enter_context(tarfile.open(path))
            with Image.open(io.BytesIO(member_bytes(shards[path], film.file))) as picture:
                yield np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)


def prepared(
    data_dir: Path, films: list[Film], size_px: int, *, quiet: bool, name: str
) -> NDArray[np.float32]:
    """Prepare films as in live use, bit for bit.

    Args:
        size_px: side of the square that each film is stretched to.
        quiet: whether no progress is shown.
        name: what the progress is called.
    Returns: float32 (n, size_px, size_px), in the order of `films`.
    """
    out = np.empty((len(films), size_px, size_px), dtype=np.float32)
    steps = track(
        greys(data_dir, films), total=len(films), description=f"films: {name}", disable=quiet
    )
    for index, grey in enumerate(steps):
        out[index] = prepare_film(grey, size_px)[0]
    return out


def chosen(films: Iterable[Film], keep: Callable[[Film], bool]) -> list[Film]:
    """Keep the films that `keep` says yes to."""
    return [film for film in films if keep(film)]


def patient_groups(films: Sequence[Film]) -> dict[str, NDArray[np.bool_]]:
    """Mask the films of each sex, view and age band, (films,) by the group's name."""
    groups: dict[str, list[bool]] = {}
    for field in ("sex", "view"):
        for value in sorted({getattr(film, field) for film in films} - {None}):
            groups[f"{field} {value}"] = [getattr(film, field) == value for film in films]
    for low, high in AGE_BANDS:
        name = f"age {low} and over" if high is None else f"age {low} to {high - 1}"
        groups[name] = [
            film.age_years is not None and low <= film.age_years < (high or math.inf)
            for film in films
        ]
    return {name: np.asarray(mask, dtype=bool) for name, mask in groups.items()}

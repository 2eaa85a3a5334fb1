"""Pictures with their kind, for the network that looks before the gate believes tags.

Parts: "train" is learned from, "val" sets thresholds, "test" gives figures. Frontal and lateral
films go by the split of their set; whole sources are kept for test where there are several
(Hannover, Guangzhou); the rest goes by a digest of its name, so that a picture that two tables list
is in one part.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.training.data.films import (
    EXTERNAL_TABLE,
    MORE_TABLE,
    NIH_TABLE,
    Film,
    greys,
    member_bytes,
    read_table,
)

ADULT_YEARS = 18
JSRT_TABLE = "cxr_more/other.csv"
Grey = NDArray[np.float32]
# Stand-ins for radiographs of other body parts, of which too few are here: windows of a frontal
# film as shares of its rows and columns (top, bottom, left, right).
WINDOWS = {
    "a shoulder": (0.0, 0.4, 0.0, 0.4),
    "a neck": (0.0, 1 / 3, 0.0, 1.0),
    "a spine": (0.0, 1.0, 1 / 3, 2 / 3),
    "an upper abdomen": (2 / 3, 1.0, 0.0, 1.0),
}
_LGG_WIDTH, _ACDC_WIDTH = 128, 176
_TURNED = {
    "NIH film inverted": "inverted",
    "NIH film upside down": "upside down",
    "chest lateral": "lateral",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture, its kind (one of film_kind.KINDS), and the row of the table (b) it counts in."""

    grey: Grey
    kind: str
    row: str
    part: str
    person: str  # patient, or the picture itself if none is known


def read_pictures(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    """Yield all pictures of these parts."""
    for source in (_nih, _external, _indiana, _out_of_scope, _vqa_rad, _mr_slices):
        yield from source(data_dir, parts)


def windows_of(picture: Picture) -> Iterator[Picture]:
    """Cut WINDOWS out of a frontal film: each shows another body part.

    None of them is a frontal chest film.
    """
    rows, columns = picture.grey.shape
    for part, (top, bottom, left, right) in WINDOWS.items():
        cut = picture.grey[
            round(top * rows) : round(bottom * rows), round(left * columns) : round(right * columns)
        ]
        yield replace(picture, grey=cut, kind="other", row=f"{part}, cut out of NIH films")


def half_of(name: str) -> str:
    """Draw the part of a picture without a split: train or test by its name, val never."""
    digits = "".join(c for c in PurePosixPath(name).stem if c.isdigit()) or name
    return "train" if hashlib.sha256(digits.encode()).digest()[0] % 2 else "test"


def _frontals(data_dir: Path, films: list[Film], row: str, part: str) -> Iterator[Picture]:
    for film, grey in zip(films, greys(data_dir, films), strict=True):
        child = film.age_years is not None and film.age_years < ADULT_YEARS
        where = row.replace("frontal,", "frontal, children,") if child else row
        yield Picture(grey=grey, kind="frontal", row=where, part=part, person=film.patient)


def _nih(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    films = read_table(data_dir, NIH_TABLE)
    for part in sorted(parts):
        yield from _frontals(data_dir, [f for f in films if f.split == part], "frontal, NIH", part)
    if "train" in parts:
        for table, row in ((MORE_TABLE, "frontal, NIH"), (JSRT_TABLE, "frontal, JSRT")):
            yield from _frontals(data_dir, read_table(data_dir, table), row, "train")


def _external(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    if "test" not in parts:
        return
    films = read_table(data_dir, EXTERNAL_TABLE)
    for word, row in (
        ("Hannover", "frontal, Hannover"),
        ("Guangzhou", "frontal, children, Guangzhou"),
    ):
        yield from _frontals(data_dir, [f for f in films if f.source.startswith(word)], row, "test")


def _indiana(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    folder = data_dir / "reports"
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["split"] in parts and not r["note"]]
    for shard in sorted({r["shard"] for r in rows}):
        with zipfile.ZipFile(folder / shard) as archive:
            for r in (r for r in rows if r["shard"] == shard):
                yield Picture(
                    grey=_grey(archive.read(r["file"])),
                    kind=r["projection"],
                    row=f"{r['projection']}, Indiana",
                    part=r["split"],
                    person=f"iu-{r['uid']}",
                )


def _out_of_scope(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    with (data_dir / "cxr" / "outofscope.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    with tarfile.open(data_dir / "cxr" / "outofscope-00.tar") as archive:
        for r in rows:
            kind = _TURNED.get(r["kind"], "other")
            if "brijk143" in r["source"]:
                continue  # Indiana's laterals again: they come with their split from `_indiana`
            part = "test" if kind != "other" else half_of(r["file"])
            if part in parts:
                yield Picture(
                    grey=_grey(member_bytes(archive, r["file"])),
                    kind=kind,
                    row=r["kind"],
                    part=part,
                    person=r["file"],
                )


def _vqa_rad(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    """Yield abdomen and head; chest pictures are films and CT slices alike, untold by a table."""
    folder = data_dir / "reports" / "vqa_rad"
    with (folder / "images.csv").open(encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["organ"] in ("ABD", "HEAD")]
    words = {"ABD": "abdomen CT slice or film", "HEAD": "head CT or MR slice"}
    with zipfile.ZipFile(folder / "vqa_rad_images.zip") as archive:
        for r in rows:
            if (part := half_of(r["file"])) in parts:
                yield Picture(
                    grey=_grey(archive.read(r["file"])),
                    kind="other",
                    row=words[r["organ"]],
                    part=part,
                    person=r["file"],
                )


def _mr_slices(data_dir: Path, parts: frozenset[str]) -> Iterator[Picture]:
    """Yield middle slices of brain (LGG) and heart (ACDC) by the split of their subject."""
    folder = data_dir / "mri"
    with (folder / "subjects.csv").open(encoding="utf-8", newline="") as lines:
        rows = [
            r for r in csv.DictReader(lines) if r["set"] in ("lgg", "acdc") and r["split"] in parts
        ]
    for name, member, width, row in (
        ("lgg", "flair.webp", _LGG_WIDTH, "brain MR slice"),
        ("acdc", "ed.webp", _ACDC_WIDTH, "heart MR slice"),
    ):
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            for r in (r for r in rows if r["set"] == name):
                slices = _grey(archive.read(f"{r['subject']}/{member}")).reshape(-1, width, width)
                yield Picture(
                    grey=slices[len(slices) // 2],
                    kind="other",
                    row=row,
                    part=r["split"],
                    person=r["subject"],
                )


def _grey(data: bytes) -> Grey:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)

"""Films with drawn lungs and hearts: JSRT with SCR outlines, and COVID-19 films.

The latter are published films with lung outlines.
"""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.models.film.preprocessing import prepare_film
from medmm.training.data.films import member_bytes

LEARNED_LUNG_SOURCES = ("abzargar/COVID-Classifier", "muhammedtalo/COVID-19")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedFilm:
    """One film with its masks on the film's own grid; `heart` is None if none was drawn."""

    name: str
    source: str
    split: str
    grey: NDArray[np.float32]
    lungs: NDArray[np.bool_]
    heart: NDArray[np.bool_] | None
    ratio: float | None


def read_outlined_films(data_dir: Path) -> list[OutlinedFilm]:
    """Read all outlined films with their split.

    JSRT (a film a patient): 150 train, 30 val, 60 test, drawn with a fixed seed. Of the lung-only
    films the two collections that may share films are learned from; the third, of another hospital
    with up to three films a patient, is kept for reporting.
    """
    return _jsrt(data_dir / "cxr_more") + _lung_only(data_dir / "cxr" / "masks")


def _jsrt(folder: Path) -> list[OutlinedFilm]:
    rows = sorted(_rows(folder / "masks" / "masks.csv"), key=lambda row: row["file"])
    order = np.random.default_rng(2024).permutation(len(rows))
    splits = dict(
        zip(
            order.tolist(),
            ["train"] * 150 + ["val"] * 30 + ["test"] * (len(rows) - 180),
            strict=True,
        )
    )
    with (
        tarfile.open(folder / "jsrt-00.tar") as films,
        tarfile.open(folder / "masks" / rows[0]["shard"]) as masks,
    ):
        return [
            OutlinedFilm(
                name=row["file"],
                source="JSRT",
                split=splits[i],
                grey=_grey(films, row["file"]),
                lungs=_member(masks, row["lungs"]) > 127,
                heart=_member(masks, row["heart"]) > 127,
                ratio=float(row["cardiothoracic_ratio"]),
            )
            for i, row in enumerate(rows)
        ]


def _lung_only(folder: Path) -> list[OutlinedFilm]:
    rows = _rows(folder / "masks.csv")
    with tarfile.open(folder / "lungs-00.tar") as shard:
        return [
            OutlinedFilm(
                name=row["image"],
                source=row["image_source"],
                split="train" if row["image_source"] in LEARNED_LUNG_SOURCES else "test",
                grey=_grey(shard, f"images/{row['image']}"),
                # 127 is lung hidden behind the heart
                lungs=_member(shard, f"masks/{row['mask']}") == 255,
                heart=None,
                ratio=None,
            )
            for row in rows
        ]


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _member(shard: tarfile.TarFile, name: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(member_bytes(shard, name))) as picture:
        return np.asarray(picture.convert("L"))


def _grey(shard: tarfile.TarFile, name: str) -> NDArray[np.float32]:
    return _member(shard, name).astype(np.float32) / np.float32(255)


def prepared_pair(
    film: OutlinedFilm, size_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Prepare a film as the network takes it (1, s, s), and its masks (2, s, s) alike.

    A heart that was not drawn is NaN.
    """
    lungs = _resized(film.lungs, size_px)
    heart = np.full_like(lungs, np.nan) if film.heart is None else _resized(film.heart, size_px)
    return prepare_film(film.grey, size_px), np.stack([lungs, heart])


def _resized(mask: NDArray[np.bool_], size_px: int) -> NDArray[np.float32]:
    image = Image.fromarray(mask.astype(np.float32))
    return np.asarray(image.resize((size_px, size_px), Image.Resampling.BILINEAR), dtype=np.float32)

"""Labelled films of a site for tests: how bright a film is says what the tests' network sees in it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.dicom_files import film_file

SIDE = 128  # pixels: fewer are no film to the gate
HEAD = ("path", "patient", "split", "Effusion", "Pneumothorax")


def bright_film(folder: Path, number: int, share: float, **tags: Any) -> Path:
    """A film of a study and a patient of its own, of which a share of the pixels is bright."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 200, (SIDE, SIDE)).astype(np.uint16)
    pixels[: round(SIDE * share)] += 3800
    ids = {
        "StudyInstanceUID": f"1.2.9.1.{number}",
        "SeriesInstanceUID": f"1.2.9.2.{number}",
        "SOPInstanceUID": f"1.2.9.3.{number}",
        "PatientID": f"ZZ-{number}",
    }
    folder.mkdir(exist_ok=True)
    return film_file(folder, f"{number}.dcm", pixels, **{**ids, **tags})


def labelled_films(folder: Path, calibrate: int = 36, measure: int = 10) -> Path:
    """A label table with its films: every sixth shows an effusion and is bright, the others nothing."""
    rows: list[Sequence[object]] = []
    for number in range(calibrate + measure):
        effusion = number % 6 == 0
        share = (0.7 if effusion else 0.2) + 0.2 * ((number * 7) % 10) / 10
        film = bright_film(folder / "films", number, share)
        half = "calibrate" if number < calibrate else "measure"
        rows.append((film.relative_to(folder), f"P{number}", half, int(effusion), 0))
    table = folder / "films.csv"
    with table.open("w", newline="") as out:
        csv.writer(out).writerows([HEAD, *rows])
    return table

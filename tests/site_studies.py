"""Labelled films of a site for tests: how bright a film is says what the tests' network sees in it."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.dicom_files import film_file, picture

HEAD = ("path", "patient", "split", "Effusion", "Pneumothorax")


def bright_film(folder: Path, number: int, brightness: float, **tags: Any) -> Path:
    """A film of a study and a patient of its own, as bright as that on the whole, from 0 to 1."""
    grey = picture(256, 260).astype(np.float64)
    darkness = math.log(brightness) / math.log((grey / grey.max()).mean())
    pixels = (grey.max() * (grey / grey.max()) ** darkness).astype(np.uint16)
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
        brightness = (0.55 if effusion else 0.2) + 0.2 * ((number * 7) % 10) / 10
        film = bright_film(folder / "films", number, brightness)
        half = "calibrate" if number < calibrate else "measure"
        rows.append((film.relative_to(folder), f"P{number}", half, int(effusion), 0))
    table = folder / "films.csv"
    with table.open("w", newline="") as out:
        csv.writer(out).writerows([HEAD, *rows])
    return table

"""A site for tests: its readers, its assistant, and films whose brightness says what the tests' network sees."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.doors.draft_page import draft_page
from tests.dicom_files import SAYS_FRONTAL, film_file, picture
from tests.quick_assistant import READS, GivenNetworks

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
READERS = (
    ReaderEntry(id="admin-1", name="ZZADMIN One", role="administrator"),
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="resident-1", name="ZZRESIDENT One", role="resident"),
)


def assistant_of(data: Path, *, speaks: bool = True, **settings: Any) -> Assistant:
    """An assistant that opens added models; its own, if it has one, says the same of every film."""
    made = Settings(
        data_dir=data,
        weights_dir=data / "none",
        threads=1,
        device="cpu",
        writer="rules",
        readers=READERS,
        **settings,
    )
    own = READS if speaks else None
    networks = GivenNetworks(made, reader=own, picture_kinds=SAYS_FRONTAL, language_model=None)
    return Assistant(made, networks=networks, clock=lambda: NOW)


def manifest_of(assistant: Assistant, name: str = "film-net") -> str:
    return next(row.manifest_sha256 for row in assistant.models() if row.name == name)


def terminal(assistant: Assistant, case_id: str) -> str:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=200, record=True, file=nowhere)
        draft_page(assistant.case(case_id), console)
    return console.export_text()


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

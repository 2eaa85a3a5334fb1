"""How often a cardiothoracic ratio is stated, doubted and wrong, by source.

Also what it is worth on marked NIH films.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from medmm.acceptance import metrics
from medmm.domain.errors import needed
from medmm.models.film.chest_anatomy import outlines
from medmm.models.film.reading_model import AnatomyModel
from medmm.training.data.films import EXTERNAL_TABLE, Film, greys, read_table
from medmm.training.data.ratio_marks import MarkedFilm, read_marks

Json = dict[str, Any]
SMALL, LARGE = 0.33, 0.75  # stated ratios beyond are listed and looked at one by one
COUNTED = (0.35, 0.70)  # as they were counted for the network before
LABEL = "Cardiomegaly"
OPENI = "Open-i"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRow:
    """What became of one film: a ratio with half of its interval, or why there is none."""

    film: Film
    ratio: float | None
    half_width: float | None
    reason: str | None

    @property
    def measured(self) -> bool:
        """Whether a ratio is stated."""
        return self.ratio is not None


def read_films(
    model: AnatomyModel, data_dir: Path, films: list[Film], *, quiet: bool, name: str
) -> list[FilmRow]:
    """Read these films as live use does."""
    steps = track(greys(data_dir, films), total=len(films), description=name, disable=quiet)
    return [_row(model, film, grey) for film, grey in zip(films, steps, strict=True)]


def _row(model: AnatomyModel, film: Film, grey: NDArray[np.float32]) -> FilmRow:
    found = model.ratio(outlines(model.network, grey, model.size_px))
    if isinstance(found, str):
        return FilmRow(
            film=film, ratio=None, half_width=None, reason=re.sub(r"\d[\d.]*", "…", found)
        )
    half = (found.interval[1] - found.interval[0]) / 2
    return FilmRow(film=film, ratio=found.value, half_width=round(half, 4), reason=None)


def nih(rows: list[FilmRow]) -> Json:
    """Compute the figures on NIH films of val and test.

    Marks, counts and extremes are those of test alone.
    """
    test = [row for row in rows if row.film.split == "test"]
    stated = [row.ratio for row in test if row.ratio is not None]
    pa = [row for row in rows if row.film.view == "PA"]
    return {
        "test": {
            "measured": _share(test),
            f"below_{COUNTED[0]}": sum(r < COUNTED[0] for r in stated),
            f"above_{COUNTED[1]}": sum(r > COUNTED[1] for r in stated),
            "least": min(stated, default=None),
            "greatest": max(stated, default=None),
        },
        "measured": {
            name: _share([row for row in rows if keep(row.film)]) for name, keep in GROUPS.items()
        },
        "reasons": dict(Counter(row.reason for row in test if row.reason).most_common()),
        "marks": {name: _marks(test, keep) for name, keep in MARKED.items()},
        "auroc": _auroc(pa),
        "extremes": [
            _extreme(row)
            for row in test
            if row.ratio is not None and not SMALL <= row.ratio <= LARGE
        ],
    }


Keep = Callable[[Film], bool]
GROUPS: dict[str, Keep] = {
    "test PA": lambda f: f.split == "test" and f.view == "PA",
    "test AP": lambda f: f.split == "test" and f.view == "AP",
    "test PA, women": lambda f: f.split == "test" and f.view == "PA" and f.sex == "F",
    "test PA, men": lambda f: f.split == "test" and f.view == "PA" and f.sex == "M",
    "test PA, labelled Cardiomegaly": lambda f: (
        f.split == "test" and f.view == "PA" and LABEL in f.findings
    ),
    "val and test PA, labelled Cardiomegaly": lambda f: f.view == "PA" and LABEL in f.findings,
    "test PA, part of RSNA 2018": lambda f: (
        f.split == "test" and f.view == "PA" and bool(f.row.get("rsna_id"))
    ),
    "test PA, not of RSNA 2018": lambda f: (
        f.split == "test" and f.view == "PA" and not f.row.get("rsna_id")
    ),
}
MARKED: dict[str, Keep] = {
    "all": lambda f: True,
    "PA": lambda f: f.view == "PA",
    "AP": lambda f: f.view == "AP",
}


def _share(rows: Sequence[FilmRow]) -> Json:
    return metrics.share(
        np.asarray([row.measured for row in rows], dtype=bool), [row.film.patient for row in rows]
    )


def _marks(test: list[FilmRow], keep: Keep) -> Json:
    """Compute errors against the marks.

    Films whose two readings are apart are counted apart.
    """
    marks = {mark.file: mark for mark in read_marks("test")}
    marked = [
        (row, marks[row.film.file]) for row in test if row.film.file in marks and keep(row.film)
    ]
    found = [(row, mark) for row, mark in marked if row.measured and not mark.apart]
    held = np.asarray([_holds(row, mark) for row, mark in found], dtype=bool)
    errors = np.asarray([_error(row, mark) for row, mark in found])
    patients = [row.film.patient for row, _ in found]
    draws = metrics.patient_draws(patients)
    return {
        "marked": len(marked),
        "measured": len(found),
        "interval_holds": metrics.share(held, patients),
        "median_error": metrics.interval(
            lambda i: float(np.median(np.abs(errors[i]))), len(errors), draws
        ).json(),
        "mean_error": metrics.interval(
            lambda i: float(errors[i].mean()), len(errors), draws
        ).json(),
        "half_width_median": float(np.median([row.half_width for row, _ in found])),
        "missed": [_missed(row, mark) for row, mark in found if not _holds(row, mark)],
        "readings_apart": [_missed(row, mark) for row, mark in marked if mark.apart],
    }


def _error(row: FilmRow, mark: MarkedFilm) -> float:
    return needed(row.ratio, "the ratio of a marked film", film=row.film.file) - mark.ratio


def _holds(row: FilmRow, mark: MarkedFilm) -> bool:
    return abs(_error(row, mark)) <= needed(
        row.half_width, "the interval of a marked film", film=row.film.file
    )


def _missed(row: FilmRow, mark: MarkedFilm) -> Json:
    return {
        "file": row.film.file,
        "view": row.film.view,
        "marked": mark.ratio,
        "repeat_difference": mark.repeat_difference,
        "stated": row.ratio,
        "half_width": row.half_width,
    }


def _auroc(rows: list[FilmRow]) -> Json:
    """Compute how the ratio tells PA films labelled Cardiomegaly from the rest.

    One figure is of measured films, one of all, with the rest at the median.
    """
    measured = [row for row in rows if row.measured]
    middle = float(np.median([row.ratio for row in measured]))
    return {
        "measured_films": _one_auroc(measured, middle),
        "unmeasured_at_the_median": _one_auroc(rows, middle),
    }


def _one_auroc(rows: list[FilmRow], middle: float) -> Json:
    truth = np.asarray([float(LABEL in row.film.findings) for row in rows])
    score = np.asarray([middle if row.ratio is None else row.ratio for row in rows])
    draws = metrics.patient_draws([row.film.patient for row in rows])
    value = metrics.interval(lambda i: metrics.auroc(truth[i], score[i]), len(rows), draws).json()
    return {"films": len(rows), "labelled": int(truth.sum()), **value}


def _extreme(row: FilmRow) -> Json:
    verdict = verdicts().get(row.film.file, "not looked at")
    return {
        "file": row.film.file,
        "view": row.film.view,
        "ratio": row.ratio,
        "half_width": row.half_width,
        "verdict": verdict,
    }


def verdicts() -> dict[str, str]:
    """Read what a look at film and outlines said of stated extremes, by file."""
    lines = (
        files("medmm.evaluation")
        .joinpath("data/ratio_extremes.csv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return {row["file"]: row["verdict"] for row in csv.DictReader(lines)}


def sources(
    model: AnatomyModel, data_dir: Path, nih_rows: Iterable[FilmRow], *, quiet: bool
) -> Json:
    """Count by source films, measured, doubted, and wrong if a truth is known.

    RSNA 2018 films are NIH films: part of them.
    """
    test = [row for row in nih_rows if row.film.split == "test"]
    parts = {
        "NIH test": test,
        "NIH test, PA": [row for row in test if row.film.view == "PA"],
        "NIH test, AP": [row for row in test if row.film.view == "AP"],
        "of NIH test, part of RSNA 2018": [row for row in test if row.film.row.get("rsna_id")],
    }
    openi = [film for film in read_table(data_dir, EXTERNAL_TABLE) if film.source.startswith(OPENI)]
    parts[OPENI] = read_films(model, data_dir, openi, quiet=quiet, name=OPENI)
    return {name: {**_source(rows), "wrong": None} for name, rows in parts.items()}


def _source(rows: Sequence[FilmRow]) -> Json:
    return {
        "films": len(rows),
        "measured": _share(rows),
        "doubted": sum(not row.measured for row in rows),
    }

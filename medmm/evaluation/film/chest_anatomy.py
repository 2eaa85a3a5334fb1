"""What the lung and heart segmenter is worth, on films it never learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from medmm.acceptance import metrics
from medmm.acceptance.metrics import interval
from medmm.domain.reading import Measurement
from medmm.evaluation.film import cardiothoracic_ratio as film_cardiothoracic_ratio
from medmm.models.film.cardiothoracic_ratio import cardiothoracic_ratio
from medmm.models.film.chest_anatomy import outlines
from medmm.models.film.reading_model import AnatomyModel
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.films import NIH_TABLE, read_table
from medmm.training.data.segmentation_masks import OutlinedFilm, read_outlined_films
from medmm.training.film.chest_anatomy import dice

Json = dict[str, Any]


def evaluate(weights_dir: Path, data_dir: Path, *, quiet: bool = False) -> Json:
    """Evaluate outlines and ratio by source and on NIH films, as JSON values.

    These are Dice, the ratio's error and how often its intervals hold.
    """
    weights = WeightsFolder(row=row_named("chest-anatomy"), folder=weights_dir)
    model = AnatomyModel.open(weights, torch.device("cpu"))
    films = [film for film in read_outlined_films(data_dir) if film.split == "test"]
    rows = [_row(film, model) for film in track(films, description="drawn films", disable=quiet)]
    jsrt = [row for row in rows if row["source"] == "JSRT"]
    table = read_table(data_dir, NIH_TABLE)
    held_back = [
        film
        for film in table
        if film.split == "test" or (film.split == "val" and film.view == "PA")
    ]
    of_nih = film_cardiothoracic_ratio.read_films(
        model, data_dir, held_back, quiet=quiet, name="NIH films"
    )
    found = {
        "jsrt": _jsrt(jsrt),
        "other_sources": {
            source: {
                "films": len(part),
                "lung_dice": _mean([row["lungs"] for row in part]),
                "ratio_refused": sum(row["refused"] for row in part),
            }
            for source in sorted({row["source"] for row in rows} - {"JSRT"})
            if (part := [row for row in rows if row["source"] == source])
        },
        "nih": film_cardiothoracic_ratio.nih(of_nih),
        "sources": film_cardiothoracic_ratio.sources(model, data_dir, of_nih, quiet=quiet),
    }
    return _with_wrong(found)


def _jsrt(rows: list[Json]) -> Json:
    stated = [row for row in rows if "error" in row]
    errors = np.asarray([row["error"] for row in stated])
    return {
        "films": len(rows),
        "lung_dice": _mean([row["lungs"] for row in rows]),
        "heart_dice": _mean([row["heart"] for row in rows]),
        "ratio_stated": len(stated),
        "ratio_mean_absolute_error": _mean(list(np.abs(errors))),
        "ratio_mean_absolute_error_of_all": _mean(
            [abs(row["unrounded"] - row["truth"]) for row in rows]
        ),
        "ratio_mean_error": _mean(list(errors)),
        "ratio_constant_guess_error": _mean(_guess_errors(stated)),
        "ratio_interval_holds": _mean([float(row["holds"]) for row in stated]),
        "interval_missed": sum(not row["holds"] for row in stated),
    }


def _row(film: OutlinedFilm, model: AnatomyModel) -> Json:
    seen = outlines(model.network, film.grey, model.size_px)
    measured = model.ratio(seen)
    row: Json = {
        "source": film.source,
        "lungs": dice(seen.lungs, film.lungs),
        "refused": isinstance(measured, str),
    }
    if film.heart is not None and film.ratio is not None:
        row["heart"], row["truth"] = dice(seen.heart, film.heart), film.ratio
        row["unrounded"] = 0.0 if not seen.shapes else cardiothoracic_ratio(seen.lungs, seen.heart)
        if isinstance(measured, Measurement):
            row["error"] = row["unrounded"] - film.ratio
            row["holds"] = measured.interval[0] <= film.ratio <= measured.interval[1]
    return row


def _with_wrong(found: Json) -> Json:
    """Put JSRT beside the others by source, and count stated intervals that miss a truth."""
    jsrt, marks = found["jsrt"], found["nih"]["marks"]
    held = np.asarray(
        [True] * jsrt["ratio_stated"] + [False] * (jsrt["films"] - jsrt["ratio_stated"])
    )
    share = metrics.share(held, [str(n) for n in range(jsrt["films"])])
    sources = found["sources"]
    sources["JSRT test"] = {
        "films": jsrt["films"],
        "measured": share,
        "doubted": jsrt["films"] - jsrt["ratio_stated"],
        "wrong": {"count": jsrt["interval_missed"], "of": jsrt["ratio_stated"]},
    }
    for name, part in (("NIH test", "all"), ("NIH test, PA", "PA"), ("NIH test, AP", "AP")):
        sources[name]["wrong"] = {
            "count": len(marks[part]["missed"]),
            "of": marks[part]["measured"],
        }
    return found


def _guess_errors(rows: list[Json]) -> list[float]:
    """Compute errors of the trivial baseline: the same ratio (the median) for everyone."""
    median = float(np.median([row["truth"] for row in rows]))
    return [abs(row["truth"] - median) for row in rows]


def _mean(values: list[float]) -> Json:
    """Compute a mean with its 95 % bootstrap interval over films, each of another patient."""
    array = np.asarray(values)
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(array), len(array)) for _ in range(500)]
    return interval(lambda i: float(array[i].mean()), len(array), draws).json()

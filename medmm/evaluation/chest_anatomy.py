"""What the lung and heart segmenter is worth, on films it never learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from medmm.evaluation.metrics import interval
from medmm.models.catalogue import WeightsFolder, row_named
from medmm.models.chest_anatomy import outline
from medmm.models.measure import cardiothoracic_ratio, implausible
from medmm.models.weights import load_network
from medmm.training.chest_anatomy import dice
from medmm.training.outlines import Outlined, read_outlined

Json = dict[str, Any]


def evaluate(weights_dir: Path, data_dir: Path, *, quiet: bool = False) -> Json:
    """Dice, cardiothoracic ratio error and the share of its intervals that hold, as JSON values."""
    weights = WeightsFolder(row=row_named("chest-anatomy"), folder=weights_dir)
    network = load_network(weights, torch.device("cpu"))
    size = weights.json("preprocessing.json")["size_px"]
    calibration = weights.json("calibration.json")
    films = [film for film in read_outlined(data_dir) if film.split == "test"]
    rows = [
        _row(film, *outline(network, film.grey, size), calibration)
        for film in track(films, description="films", disable=quiet)
    ]
    jsrt = [row for row in rows if row["source"] == "JSRT"]
    stated = [row for row in jsrt if "error" in row]
    errors = np.asarray([row["error"] for row in stated])
    return {
        "jsrt": {
            "films": len(jsrt),
            "lung_dice": _mean([row["lungs"] for row in jsrt]),
            "heart_dice": _mean([row["heart"] for row in jsrt]),
            "ratio_stated": len(stated),
            "ratio_mean_absolute_error": _mean(list(np.abs(errors))),
            "ratio_mean_error": _mean(list(errors)),
            "ratio_constant_guess_error": _mean(_guess_errors(stated)),
            "ratio_interval_holds": _mean([float(abs(e) <= calibration["ratio_half_width"]) for e in errors]),
        },
        "other_sources": {
            source: {
                "films": len(part),
                "lung_dice": _mean([row["lungs"] for row in part]),
                "ratio_refused": sum(row["refused"] for row in part),
            }
            for source in sorted({row["source"] for row in rows} - {"JSRT"})
            if (part := [row for row in rows if row["source"] == source])
        },
    }


def _row(film: Outlined, lungs: Any, heart: Any, calibration: Json) -> Json:
    row: Json = {"source": film.source, "lungs": dice(lungs, film.lungs)}
    row["refused"] = implausible(lungs, heart, calibration["bounds"]) is not None
    if film.heart is not None and film.ratio is not None:
        row["heart"], row["truth"] = dice(heart, film.heart), film.ratio
        if not row["refused"]:
            row["error"] = cardiothoracic_ratio(lungs, heart) - film.ratio
    return row


def _guess_errors(rows: list[Json]) -> list[float]:
    """Errors of the trivial baseline: the same ratio (the median) for everyone."""
    median = float(np.median([row["truth"] for row in rows]))
    return [abs(row["truth"] - median) for row in rows]


def _mean(values: list[float]) -> Json:
    """Mean with a 95 % bootstrap interval over films (here each film is another patient)."""
    array = np.asarray(values)
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(array), len(array)) for _ in range(500)]
    return interval(lambda i: float(array[i].mean()), len(array), draws).json()

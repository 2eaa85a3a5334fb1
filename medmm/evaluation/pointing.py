"""The pointing game: does the strongest place of a finding's map lie in the box that a reader drew?"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from medmm.models.catalogue import WeightsFolder, open_weights, row_named
from medmm.models.chest_reader import AnatomyModel, FindingsModel
from medmm.models.regions import chest_cells, within_chest
from medmm.training.films import Film, greys

Box = tuple[float, float, float, float]
UNION = ("Pneumonia", "Consolidation", "Infiltration")
OPACITY = "Lung_Opacity"
LUNG_CENTRES = ((0.27, 0.45), (0.73, 0.45))  # of the film, right and left lung of an average upright film


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """One film and finding: its boxes and the place that the map points to, as fractions of the film."""

    finding: str
    boxes: tuple[Box, ...]
    peak_xy: tuple[float, float]

    def hit(self, place: tuple[float, float]) -> bool:
        """Whether a place lies in one of the boxes."""
        return any(x0 <= place[0] <= x1 and y0 <= place[1] <= y1 for x0, y0, x1, y1 in self.boxes)


def pointing_game(weights_dir: Path, data_dir: Path, films: list[Film], *, quiet: bool = True) -> dict[str, Any]:
    """Hit rates on the boxes of these films, beside the mean of the two lung centres.

    NIH boxes count for their own finding; the RSNA `Lung_Opacity` boxes for the union (greatest value) of the maps of
    pneumonia, consolidation and infiltration, on films that carry one of these labels.
    """
    boxes = _boxes(data_dir)
    asked = [film for film in films if film.file in boxes]
    cpu = torch.device("cpu")
    findings = FindingsModel.open(WeightsFolder(row=row_named("chest-findings"), folder=weights_dir), cpu)
    outlines = open_weights(row_named("chest-anatomy"), None)
    anatomy = AnatomyModel.open(outlines, cpu) if outlines else None
    pointed: list[Pointed] = []
    steps = track(
        zip(asked, greys(data_dir, asked), strict=True), total=len(asked), description="pointing", disable=quiet
    )
    for film, grey in steps:
        chest = anatomy.read(grey).cells if anatomy else None
        maps = findings.logits_and_maps(grey)[1]
        pointed += _pointed(film, boxes[film.file], maps, findings.names, chest_cells(chest, maps.shape[1:]))
    nih = [p for p in pointed if p.finding != OPACITY]
    opacity = [p for p in pointed if p.finding == OPACITY]
    by_finding = {name: _rates([p for p in nih if p.finding == name]) for name in sorted({p.finding for p in nih})}
    return {
        "nih_boxes": {**_rates(nih), "by_finding": by_finding},
        "lung_opacity": {**_rates(opacity), "boxes": sum(len(p.boxes) for p in opacity)},
    }


def _boxes(data_dir: Path) -> dict[str, list[tuple[str, Box]]]:
    found: dict[str, list[tuple[str, Box]]] = {}
    with (data_dir / "cxr" / "boxes.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
            found.setdefault(row["file"], []).append((row["finding"], box))
    return found


def _pointed(
    film: Film,
    boxes: list[tuple[str, Box]],
    maps: NDArray[np.float32],
    names: tuple[str, ...],
    cells: NDArray[np.bool_],
) -> Iterable[Pointed]:
    for finding in sorted({name for name, _ in boxes}):
        its = tuple(box for name, box in boxes if name == finding)
        if finding in names:
            yield Pointed(finding=finding, boxes=its, peak_xy=_peak(maps[names.index(finding)], cells))
        elif finding == OPACITY and film.findings & set(UNION):
            union = maps[[names.index(n) for n in UNION]].max(0)
            yield Pointed(finding=finding, boxes=its, peak_xy=_peak(union, cells))


def _peak(heat: NDArray[np.float32], cells: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = heat.shape
    row, column = np.unravel_index(int(within_chest(heat, cells).argmax()), heat.shape)
    return float((column + 0.5) / columns), float((row + 0.5) / rows)


def _rates(pointed: list[Pointed]) -> dict[str, Any]:
    """Hit rate of the maps with a 95 % Wilson interval, and of the lung centres (mean of the two)."""
    count = len(pointed)
    if count == 0:
        return {"count": 0}
    hits = sum(p.hit(p.peak_xy) for p in pointed)
    centre = sum(p.hit(place) for p in pointed for place in LUNG_CENTRES) / (2 * count)
    z = 1.96
    middle = (hits / count + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(hits / count * (1 - hits / count) / count + z**2 / (4 * count**2))
    return {
        "count": count,
        "hits": hits,
        "rate": round(hits / count, 4),
        "low": round(float(middle - half), 4),
        "high": round(float(middle + half), 4),
        "centre_of_lung": round(centre, 4),
    }

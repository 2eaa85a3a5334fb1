"""Boxes that readers drew, and what maps say of the same films: places and sides."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from medmm.domain.reading import Side
from medmm.models.calibration import calibrated_probability
from medmm.models.film.preprocessing import FilmToPrepare
from medmm.models.film.reading_model import AnatomyModel, Chest, FindingsModel
from medmm.models.film.regions import chest_cells, region_of, within_chest
from medmm.training.data.films import Film, greys

Box = tuple[float, float, float, float]
Maps = NDArray[np.float32]
OPACITY = "Lung_Opacity"
# The labels whose films carry boxes of opacities
UNION = ("Pneumonia", "Consolidation", "Infiltration")
SIDE_AGREEMENT = 0.85  # of the films on which a side is named
LEAST_SIDED = 15  # films, else no side is ever named


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxed:
    """One finding on one film: what a reader drew, and what its map says.

    The map speaks before calibration has a word on sides.

    Places are fractions of the film. `own` is whether the boxes were drawn for this finding itself;
    else they are those of a lung opacity on a film that carries it. `drawn` is the patient's side
    of the boxes, `said` the map's.
    """

    finding: str
    patient: str
    boxes: tuple[Box, ...]
    own: bool
    peak_xy: tuple[float, float]
    drawn: Side
    said: Side | None
    suspected: bool

    def hit(self, place: tuple[float, float]) -> bool:
        """Tell whether a place lies in one of the boxes."""
        return any(x0 <= place[0] <= x1 and y0 <= place[1] <= y1 for x0, y0, x1, y1 in self.boxes)


def read_boxes(data_dir: Path) -> dict[str, list[tuple[str, Box]]]:
    """Read finding and box (fractions of the film) by file."""
    found: dict[str, list[tuple[str, Box]]] = {}
    with (data_dir / "cxr" / "boxes.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
            found.setdefault(row["file"], []).append((row["finding"], box))
    return found


def boxed(
    findings: FindingsModel,
    anatomy: AnatomyModel | None,
    data_dir: Path,
    films: list[Film],
    *,
    quiet: bool,
) -> list[Boxed]:
    """List the findings with boxes on these films.

    All films show the patient's left on the right edge.

    Args:
        anatomy: outlines lungs and heart; None if nothing does.
        films: those without a box are passed over.
        quiet: whether no progress is shown.
    """
    boxes = read_boxes(data_dir)
    asked = [film for film in films if film.file in boxes]
    steps = track(
        zip(asked, greys(data_dir, asked), strict=True),
        total=len(asked),
        description="boxes",
        disable=quiet,
    )
    out: list[Boxed] = []
    for film, grey in steps:
        chest = anatomy.read(FilmToPrepare(grey)) if anatomy else Chest()
        logits, maps = findings.logits_and_maps(grey)
        out += _of_film(film, boxes[film.file], logits, maps, findings, chest)
    return out


def _of_film(
    film: Film,
    boxes: list[tuple[str, Box]],
    logits: Maps,
    maps: Maps,
    findings: FindingsModel,
    chest: Chest,
) -> Iterator[Boxed]:
    cells = chest_cells(chest.cells, (maps.shape[1], maps.shape[2]))
    for drawn_for in sorted({name for name, _ in boxes}):
        its = tuple(box for name, box in boxes if name == drawn_for)
        asked = [drawn_for] if drawn_for in findings.names else sorted(film.findings & set(UNION))
        for name in asked:
            j, row = findings.names.index(name), findings.calibration[name]
            region = region_of(maps[j], "right", chest.midline, cells)
            yield Boxed(
                finding=name,
                patient=film.patient,
                boxes=its,
                own=name == drawn_for,
                peak_xy=_peak(maps[j], cells),
                drawn=drawn_side(its, chest.midline),
                said=region.side if region else None,
                suspected=calibrated_probability(row, float(logits[j])) >= row["threshold"],
            )
        if drawn_for == OPACITY and asked:
            union = maps[[findings.names.index(n) for n in UNION]].max(0)
            yield Boxed(
                finding=OPACITY,
                patient=film.patient,
                boxes=its,
                own=True,
                peak_xy=_peak(union, cells),
                drawn=drawn_side(its, chest.midline),
                said=None,
                suspected=False,
            )


def drawn_side(boxes: tuple[Box, ...], midline: float) -> Side:
    """Find the patient's side of boxes by their middles.

    The film shows the patient's left on the right.
    """
    sides = {Side.RIGHT if (x0 + x1) / 2 < midline else Side.LEFT for x0, _, x1, _ in boxes}
    return Side.BILATERAL if len(sides) == 2 else sides.pop()


def _peak(heat: Maps, cells: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = heat.shape
    row, column = np.unravel_index(int(within_chest(heat, cells).argmax()), heat.shape)
    return float((column + 0.5) / columns), float((row + 0.5) / rows)


def sides_that_hold(found: list[Boxed]) -> dict[str, bool]:
    """Decide for each finding whether its side may be named.

    It must agree with the boxes often enough, on enough films.

    Counted are films at or above the operating point on which the map names a side; naming one of
    two sides is no agreement.
    """
    out = {}
    for name in {b.finding for b in found}:
        named = [b for b in found if b.finding == name and b.suspected and b.said is not None]
        agree = sum(b.said is b.drawn for b in named)
        out[name] = len(named) >= LEAST_SIDED and agree / len(named) >= SIDE_AGREEMENT
    return out

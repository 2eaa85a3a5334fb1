"""Learn on val films when a cardiothoracic ratio is stated and how wide its interval is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch.nn import functional

from medmm.models.film.cardiothoracic_ratio import cardiothoracic_ratio
from medmm.models.film.chest_anatomy import for_outlines, outlines
from medmm.models.film.ratio_uncertainty import Agreement, DoubtRule, Outlines, shapes_of
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.models.weights.loading import load_network
from medmm.training.data.films import NIH_TABLE, greys, read_table
from medmm.training.data.ratio_marks import read_marks
from medmm.training.data.segmentation_masks import OutlinedFilm, prepared_pair, read_outlined_films
from medmm.training.film.strong_views import warp
from medmm.training.weights_export import write_json

COVERAGE = 0.95
RATIO = (0.30, 0.75)  # looks at a film whose ratio lies outside are not believed
# Of the upright val films whose outlines look like a chest: on the rest the looks are too far apart
STATED = 0.85
GEOMETRY = {  # of the views whose shapes are what a chest may look like
    "rotation_degrees": 8.0,
    "log_zoom": 0.2,
    "log_aspect": 0.1,
    "shear": 0.05,
    "shift": 0.05,
    "bend": 0.03,
    "heart_width": 0.3,
}
VIEWS = 12  # of each drawn film
OUTSIDE = 0.1  # per cent of the views beyond each bound
MARGIN = 1.1  # by which bounds are wider still
EVEN = {
    "balance": (None, 1.0),
    "tops": (0.0, None),
    "bottoms": (0.0, None),
    "middle": (0.0, None),
    "margin": (None, 1.0),
}
SLOPES = (0.0, 0.25, 0.5, 1.0, 1.5)  # a steeper one would state intervals that say nothing
FLOORS = (0.004, 0.006, 0.008, 0.010, 0.013, 0.016, 0.020)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One film of a source with a known ratio and what was found on it."""

    source: str
    truth: float
    ratio: float
    looks: Agreement

    @property
    def error(self) -> float:
        """Found less true."""
        return self.ratio - self.truth


def calibrate(folder: Path, data_dir: Path, *, quiet: bool = False) -> None:
    """Write calibration.json of a weights folder: shapes, spread of looks, interval width.

    The bounds come from drawn outlines of train films, the spread from all upright NIH val films,
    the interval from the marked NIH val films and JSRT's val films. Cost: about a minute of one CPU
    core.
    """
    weights = WeightsFolder(row=row_named("chest-anatomy"), folder=folder)
    network = for_outlines(load_network(weights, torch.device("cpu")))
    size = weights.json("preprocessing.json")["size_px"]
    outlined = read_outlined_films(data_dir)
    shapes = plausible_shapes(
        [f for f in outlined if f.split == "train" and f.heart is not None], size
    )
    val = [film for film in read_table(data_dir, NIH_TABLE) if film.split == "val"]
    marks = {mark.file: mark for mark in read_marks("val") if not mark.apart}
    wanted = [film for film in val if film.view == "PA" or film.file in marks]
    steps = track(
        greys(data_dir, wanted), total=len(wanted), description="val films", disable=quiet
    )
    seen = {
        film.file: outlines(network, grey, size) for film, grey in zip(wanted, steps, strict=True)
    }
    upright = [seen[film.file] for film in wanted if film.view == "PA"]
    rule = DoubtRule(
        shapes=shapes, ratio=RATIO, floor=1.0, slope=0.0, scale=0.0, most_spread=math.inf
    )
    rule = replace(rule, most_spread=most_spread(upright, rule))
    known = [("NIH", marks[file].ratio, seen[file]) for file in marks]
    drawn = [film for film in outlined if film.split == "val" and film.ratio is not None]
    known += [("JSRT", film.ratio or 0.0, outlines(network, film.grey, size)) for film in drawn]
    found = [m for source, truth, one in known if (m := _measured(source, truth, one, rule))]
    floor, slope = error_model(found)
    write_json(
        folder / "calibration.json",
        {
            "shapes": {name: list(bounds) for name, bounds in shapes.items()},
            "ratio": RATIO,
            "floor": floor,
            "slope": slope,
            "scale": round(interval_scale(found, floor, slope), 4),
            "most_spread": rule.most_spread,
        },
    )


def most_spread(upright: Iterable[Outlines], rule: DoubtRule) -> float:
    """Choose the spread within which a share STATED of the upright films lies.

    Only films whose outlines look like a chest count.
    """
    spreads = [
        seen.looks.spread
        for seen in upright
        if seen.looks is not None and rule.objection(seen) is None
    ]
    return round(float(np.quantile(spreads, STATED)), 4)


def _measured(source: str, truth: float, seen: Outlines, rule: DoubtRule) -> Measured | None:
    if rule.objection(seen) is not None or seen.looks is None:
        return None
    return Measured(
        source=source,
        truth=truth,
        ratio=cardiothoracic_ratio(seen.lungs, seen.heart),
        looks=seen.looks,
    )


def plausible_shapes(films: list[OutlinedFilm], size_px: int) -> dict[str, tuple[float, float]]:
    """Find bounds of the shapes of drawn outlines under turns, zooms, bends and widenings.

    The latter stand for hearts of other widths.

    Outlines that a view cuts off do not count, so the margin's bound is that of whole lungs.
    """
    random = torch.Generator().manual_seed(0)
    seen: dict[str, list[float]] = {}
    for film in films:
        masks = torch.from_numpy(prepared_pair(film, size_px)[1])[None].expand(VIEWS, -1, -1, -1)
        views = (
            functional.grid_sample(
                masks, warp(VIEWS, size_px, GEOMETRY, random), align_corners=False
            )
            > 0.5
        )
        for lungs, heart in [film_masks(masks[0]), *map(film_masks, views)]:
            if not lungs.any() or not heart.any() or _cut(lungs) or _cut(heart):
                continue
            for name, value in shapes_of(lungs, heart).items():
                seen.setdefault(name, []).append(value)
    return {name: _bounds(name, values) for name, values in seen.items()}


def _bounds(name: str, values: list[float]) -> tuple[float, float]:
    """Return percentiles, without a bound on the side on which a shape can't be too even."""
    low, high = np.percentile(values, [OUTSIDE, 100 - OUTSIDE])
    least, most = EVEN.get(name, (None, None))
    return (
        round(float(low) / MARGIN, 4) if least is None else least,
        round(float(high) * MARGIN, 4) if most is None else most,
    )


def film_masks(masks: torch.Tensor) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Split masks (2, rows, columns) into lungs and heart."""
    lungs, heart = (masks > 0.5).numpy()
    return lungs, heart


def _cut(mask: NDArray[np.bool_]) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def error_model(found: list[Measured]) -> tuple[float, float]:
    """Fit floor and slope of the error's scale hypot(floor, slope * spread).

    They make the errors likeliest (Laplace).
    """

    def surprise(floor: float, slope: float) -> float:
        scales = np.asarray([math.hypot(floor, slope * m.looks.spread) for m in found])
        return float(np.sum(np.log(2 * scales) + np.abs([m.error for m in found]) / scales))

    return min(
        ((floor, slope) for floor in FLOORS for slope in SLOPES), key=lambda pair: surprise(*pair)
    )


def interval_scale(found: list[Measured], floor: float, slope: float) -> float:
    """Scale the error to half of a 95 % interval: the greatest of the sources' own.

    As in split conformal prediction with a local scale (Lei et al., JASA 2018), by source, so that
    films of the easier one do not narrow the other's: of n films the (n + 1)-corrected rank, which
    with some 30 is the worst film.
    """
    scores: dict[str, list[float]] = {}
    for m in found:
        scores.setdefault(m.source, []).append(
            abs(m.error) / math.hypot(floor, slope * m.looks.spread)
        )
    return max(sorted(of_source)[_rank(len(of_source)) - 1] for of_source in scores.values())


def _rank(count: int) -> int:
    """Return the rank, of so many scores, that the next one does not exceed in COVERAGE."""
    return min(count, math.ceil((count + 1) * COVERAGE))

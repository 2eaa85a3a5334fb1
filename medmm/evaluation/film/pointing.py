"""The pointing game and the sides: whether map and side agree with the drawn box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from medmm.acceptance import metrics
from medmm.domain.reading import Side
from medmm.models.film.reading_model import AnatomyModel, FindingsModel
from medmm.models.weights.catalogue import WeightsFolder, open_weights, row_named
from medmm.training.data.bounding_boxes import (
    LEAST_SIDED,
    OPACITY,
    SIDE_AGREEMENT,
    UNION,
    Boxed,
    boxed,
)
from medmm.training.data.films import Film

Json = dict[str, Any]
# Of the film, right and left lung of an average upright film
LUNG_CENTRES = ((0.27, 0.45), (0.73, 0.45))
POINTED_OFTEN = ("Pneumonia", "Infiltration")


def looks(
    weights_dir: Path, data_dir: Path, films: list[Film], *, quiet: bool = True
) -> tuple[Json, Json]:
    """Compute hit rates and sides on the boxes of these films.

    NIH boxes count for their own finding. The RSNA `Lung_Opacity` boxes count for the union
    (greatest value) of the maps of pneumonia, consolidation and infiltration, on films that carry
    one of these labels, and for the sides of these three.
    """
    cpu = torch.device("cpu")
    findings = FindingsModel.open(
        WeightsFolder(row=row_named("chest-findings"), folder=weights_dir), cpu
    )
    outlines = open_weights(row_named("chest-anatomy"), None)
    anatomy = AnatomyModel.open(outlines, cpu) if outlines else None
    found = boxed(findings, anatomy, data_dir, films, quiet=quiet)
    named = {name: bool(findings.calibration[name]["side"]) for name in findings.names}
    return pointing(found), sides(found, named)


def pointing(found: list[Boxed]) -> Json:
    """Compute hit rates beside the mean of the two lung centres."""
    nih = [b for b in found if b.own and b.finding != OPACITY]
    opacity = [b for b in found if b.finding == OPACITY]
    rare = [b for b in nih if b.finding not in POINTED_OFTEN]
    by_finding = {
        name: _rates([b for b in nih if b.finding == name])
        for name in sorted({b.finding for b in nih})
    }
    return {
        "nih_boxes": {**_rates(nih), "by_finding": by_finding},
        "nih_boxes_of_the_rest": {**_rates(rare), "findings": len({b.finding for b in rare})},
        "lung_opacity": {**_rates(opacity), "boxes": sum(len(b.boxes) for b in opacity)},
    }


def _rates(found: list[Boxed]) -> Json:
    """Compute the maps' hit rate with its 95 % interval by patient, and the lung centres'.

    The latter is the mean of the two.
    """
    if not found:
        return {"count": 0}
    rate = metrics.share(np.asarray([b.hit(b.peak_xy) for b in found]), [b.patient for b in found])
    centre = sum(b.hit(place) for b in found for place in LUNG_CENTRES) / (2 * len(found))
    return {**rate, "centre_of_lung": round(centre, 4)}


def sides(found: list[Boxed], named: dict[str, bool]) -> Json:
    """Compute how the sides of the maps agree with the boxes.

    That is done at or above the operating point, and on all boxes.
    """
    by_finding = {
        name: {
            "named_in_drafts": named.get(name, False),
            **_sided([b for b in found if b.finding == name]),
        }
        for name in sorted({b.finding for b in found} - {OPACITY})
    }
    return {
        "rule": {"least_agreement": SIDE_AGREEMENT, "least_films": LEAST_SIDED},
        "findings_with_a_side": sorted(name for name, side in named.items() if side),
        "nih_boxes": _sided([b for b in found if b.own and b.finding != OPACITY]),
        "opacity_boxes": _sided([b for b in found if not b.own and b.finding in UNION]),
        "by_finding": by_finding,
    }


def _sided(found: list[Boxed]) -> Json:
    return {"all": _agreement(found), "suspected": _agreement([b for b in found if b.suspected])}


def _agreement(found: list[Boxed]) -> Json:
    named = [b for b in found if b.said is not None]
    agree = metrics.share(
        np.asarray([b.said is b.drawn for b in named], dtype=bool), [b.patient for b in named]
    )
    opposite = sum(b.said is not b.drawn and b.drawn is not Side.BILATERAL for b in named)
    return {
        "boxes": len(found),
        "agree": agree,
        "opposite": opposite,
        "no_side": len(found) - len(named),
    }

"""Films that nobody outlined, with the network's own outlines where its looks agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from medmm.domain.errors import InputError
from medmm.models.film.chest_anatomy import looks_at, on_the_film, without_islands
from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD, prepare_film
from medmm.models.film.ratio_uncertainty import EDGE, Bounds, agreement, shapes_of
from medmm.training.data.films import MORE_TABLE, NIH_TABLE, chosen, greys, read_table
from medmm.training.data.holdout import HELD, refuse_held_back

PARTS = (2, 1)  # of lungs, of heart


def own_outlines(
    network: nn.Module, shapes: Bounds, config: Mapping[str, Any], data_dir: Path, *, quiet: bool
) -> tuple[Tensor, Tensor]:
    """Outline NIH train films with the network itself.

    Kept are films on which the looks agree within `most_edge_spread` and whose outlines have the
    shapes of a chest: what a network is sure of on a plain view teaches it the strong ones (Xie et
    al., CVPR 2020).

    Returns: films (n, 1, s, s) of 0 to 1 and the probabilities on them (n, 2, s, s).
    Raises: InputError if there is no such film, or a film of train is of a patient of val or test.
    """
    known = [*read_table(data_dir, NIH_TABLE), *read_table(data_dir, MORE_TABLE)]
    films = chosen(known, lambda film: film.split == "train")
    refuse_held_back({f.patient for f in films}, {f.patient for f in known if f.split in HELD})
    size, kept = int(config["size_px"]), list[tuple[Tensor, NDArray[np.float32]]]()
    for grey in track(
        greys(data_dir, films), total=len(films), description="own outlines", disable=quiet
    ):
        film = torch.from_numpy(prepare_film(grey, size))
        if (sure := _sure(network, film, shapes, config["own"]["most_edge_spread"])) is not None:
            kept.append(((film * GREY_SPREAD + GREY_MEAN).clamp(0, 1), sure))
    if not kept:
        raise InputError(
            "the network is sure of no film's outlines",
            remedy="train it longer, or raise most_edge_spread",
            films=str(len(films)),
        )
    return torch.stack([film for film, _ in kept]), torch.from_numpy(
        np.stack([maps for _, maps in kept])
    )


@torch.inference_mode()
def _sure(
    network: nn.Module, film: Tensor, shapes: Bounds, most_edge_spread: float
) -> NDArray[np.float32] | None:
    """Average probabilities (2, s, s) of the looks at a film, without islands.

    Returns: None if they are far apart or not a chest's.
    """
    maps = on_the_film(network(looks_at(film[None])).sigmoid())[:, 0].numpy()
    looks = agreement(maps)
    found = np.stack(
        [without_islands(mean, parts) for mean, parts in zip(maps.mean(0), PARTS, strict=True)]
    )
    lungs, heart = found > EDGE
    if looks is None or looks.edge_spread > most_edge_spread or not lungs.any() or not heart.any():
        return None
    seen = shapes_of(lungs, heart)
    return (
        found
        if all(name in seen and low <= seen[name] <= high for name, (low, high) in shapes.items())
        else None
    )

"""Train the lung and heart segmenter, and learn how far its ratio can be trusted.

The latter is learned on val films.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional

from medmm.domain.errors import needed
from medmm.models.film import chest_anatomy
from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD, TONE_PERCENTILES
from medmm.training.data.segmentation_masks import OutlinedFilm, prepared_pair, read_outlined_films
from medmm.training.film.augmentation import random_views
from medmm.training.film.chest_findings import as_input, descend, follow, learning_rate
from medmm.training.film.own_outlines import own_outlines
from medmm.training.film.ratio_calibration import calibrate, plausible_shapes
from medmm.training.film.wider_outlines import Log, Shelf, drawn_shelves, widened
from medmm.training.loop import precision
from medmm.training.weights_export import write_json, write_weights_folder

Mask = NDArray[np.bool_]
__all__ = ["calibrate", "dice", "fitted", "outline_loss", "train"]


def train(config: Mapping[str, Any], data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir`. Cost: see the recipe.

    First on plain views of drawn films, then on strong views, then also on films that nobody
    outlined; see `widened`.
    """
    learned = [film for film in read_outlined_films(data_dir) if film.split == "train"]
    network, log = fitted(config, *_tensors(learned, int(config["size_px"]), quiet), quiet)
    wider = config["wider"]
    films, masks = _tensors(learned, int(wider["size_px"]), quiet)
    greys = (films * GREY_SPREAD + GREY_MEAN).clamp(0, 1)
    network, further = widened(
        network, wider, drawn_shelves(greys, masks), outline_loss, quiet=quiet
    )
    network, own = _with_own_outlines(network, wider, learned, (greys, masks), data_dir, quiet)
    write_weights_folder(
        out_dir,
        network,
        config={
            "build": "medmm.models.film.chest_anatomy:build",
            "channels": config["channels"],
            "residual_units": config["residual_units"],
            "structures": chest_anatomy.STRUCTURES,
        },
        preprocessing={
            "size_px": wider["size_px"],
            "tone_percentiles": TONE_PERCENTILES,
            "grey_mean": GREY_MEAN,
            "grey_spread": GREY_SPREAD,
        },
        calibration={},
    )
    calibrate(out_dir, data_dir, quiet=quiet)
    write_json(
        out_dir / "training.json",
        {"config": dict(config), "films": len(learned), "log": [*log, *further, *own]},
    )
    return out_dir


def _with_own_outlines(
    network: nn.Module,
    wider: Mapping[str, Any],
    learned: Sequence[OutlinedFilm],
    drawn: tuple[Tensor, Tensor],
    data_dir: Path,
    quiet: bool,
) -> tuple[nn.Module, Log]:
    """Train on, with a share of each step from films with the network's own outlines.

    Returns: the network and the losses.
    """
    shapes = plausible_shapes(
        [film for film in learned if film.heart is not None], int(wider["size_px"])
    )
    films, masks = own_outlines(network, shapes, wider, data_dir, quiet=quiet)
    own = wider["own"]["share_of_step"]
    shelves = [Shelf(films, masks, own), *drawn_shelves(*drawn, 1 - own)]
    network, log = widened(network, {**wider, **wider["own"]}, shelves, outline_loss, quiet=quiet)
    return network, [{"own_outlines": len(films)}, *log]


def _tensors(films: Sequence[OutlinedFilm], size: int, quiet: bool) -> tuple[Tensor, Tensor]:
    """Prepare films (n, 1, size, size) and their masks (n, 2, size, size)."""
    pairs = [prepared_pair(film, size) for film in track(films, description="films", disable=quiet)]
    return torch.from_numpy(np.stack([pair[0] for pair in pairs])), torch.from_numpy(
        np.stack([p[1] for p in pairs])
    )


def fitted(
    config: Mapping[str, Any], films: Tensor, masks: Tensor, quiet: bool
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Train the network; return it with averaged weights, and its losses."""
    torch.manual_seed(config["seed"])
    random = torch.Generator().manual_seed(config["seed"])
    network = chest_anatomy.build(config).train()
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config["learning_rate"], weight_decay=1e-4
    )
    batch, per_epoch = config["batch"], len(films) // config["batch"]
    steps, step, log = config["epochs"] * per_epoch, 0, []
    for epoch in track(range(config["epochs"]), description="epochs", disable=quiet):
        order, total = torch.randperm(len(films), generator=random), 0.0
        for i in range(per_epoch):
            index = order[i * batch : (i + 1) * batch]
            view, outlines = random_views(
                films[index], config["size_px"], config["augmentation"], random, masks[index]
            )
            with precision.quick():
                logits = network(as_input(view))
            loss = outline_loss(logits.float(), needed(outlines, "the outlines of the views"))
            descend(optimizer, loss, learning_rate(step, steps, config["learning_rate"]))
            step, total = step + 1, total + loss.item()
            follow(average, network, min(config["average"], (step + 1) / (step + 10)))
        log.append({"epoch": epoch + 1, "loss": total / per_epoch})
    for kept, moving in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(moving)  # running statistics of the batch norms
    return average.eval(), log


def outline_loss(logits: Tensor, outlines: Tensor) -> Tensor:
    """Compute cross-entropy and soft Dice a structure (b, 2, h, w); NaN is left out."""
    drawn = ~outlines.isnan().flatten(2).any(2)
    truth = outlines.nan_to_num()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(
        (2, 3)
    )
    probability = logits.sigmoid()
    overlap = 2 * (probability * truth).sum((2, 3)) + 1
    dice = 1 - overlap / (probability.sum((2, 3)) + truth.sum((2, 3)) + 1)
    return (entropy + dice)[drawn].mean()


def dice(found: Mask, drawn: Mask) -> float:
    """Compute the overlap of two masks (Dice 1945)."""
    return float(2 * (found & drawn).sum() / max(found.sum() + drawn.sum(), 1))

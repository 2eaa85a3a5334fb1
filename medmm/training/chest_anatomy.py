"""Train the lung and heart segmenter and learn, on val films, how far its cardiothoracic ratio can be trusted."""

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

from medmm.models import chest_anatomy
from medmm.models.chest_anatomy import outline
from medmm.models.measure import cardiothoracic_ratio, columns_of
from medmm.models.prepare import GREY_MEAN, GREY_SPREAD, TONE_PERCENTILES
from medmm.training import precision
from medmm.training.augment import random_views
from medmm.training.chest_findings import as_input, descend, follow, learning_rate
from medmm.training.outlines import Outlined, prepared_pair, read_outlined
from medmm.training.package import write_json, write_weights_folder

Mask = NDArray[np.bool_]
RATIO_COVERAGE = 0.95


def train(config: Mapping[str, Any], data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir`. Cost: some 15 minutes on two CPU cores."""
    outlined = read_outlined(data_dir)
    size = int(config["size_px"])
    learned = [film for film in outlined if film.split == "train"]
    pairs = [prepared_pair(film, size) for film in track(learned, description="films", disable=quiet)]
    films = torch.from_numpy(np.stack([pair[0] for pair in pairs]))
    masks = torch.from_numpy(np.stack([pair[1] for pair in pairs]))
    network, log = fitted(config, films, masks, quiet)

    val = [film for film in outlined if film.split == "val"]
    found = [outline(network, film.grey, size) for film in val]
    errors = [abs(cardiothoracic_ratio(*pair) - (film.ratio or 0)) for pair, film in zip(found, val, strict=True)]
    write_weights_folder(
        out_dir,
        network,
        config={
            "build": "medmm.models.chest_anatomy:build",
            "channels": config["channels"],
            "residual_units": config["residual_units"],
            "structures": chest_anatomy.STRUCTURES,
        },
        preprocessing={
            "size_px": size,
            "tone_percentiles": TONE_PERCENTILES,
            "grey_mean": GREY_MEAN,
            "grey_spread": GREY_SPREAD,
        },
        calibration={
            "ratio_half_width": round(float(np.quantile(errors, RATIO_COVERAGE)), 4),
            "bounds": plausible_bounds([film for film in learned if film.heart is not None]),
        },
    )
    log.append({"val_ratio_mean_absolute_error": float(np.mean(errors)), "val_dice": mean_dice(found, val)})
    write_json(out_dir / "training.json", {"config": dict(config), "films": len(learned), "log": log})
    return out_dir


def fitted(
    config: Mapping[str, Any], films: Tensor, masks: Tensor, quiet: bool
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """The network after training, with averaged weights, and its losses."""
    torch.manual_seed(config["seed"])
    random = torch.Generator().manual_seed(config["seed"])
    network = chest_anatomy.build(config).train()
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=1e-4)
    batch, per_epoch = config["batch"], len(films) // config["batch"]
    steps, step, log = config["epochs"] * per_epoch, 0, []
    for epoch in track(range(config["epochs"]), description="epochs", disable=quiet):
        order, total = torch.randperm(len(films), generator=random), 0.0
        for i in range(per_epoch):
            index = order[i * batch : (i + 1) * batch]
            view, outlines = random_views(films[index], config["size_px"], config["augmentation"], random, masks[index])
            assert outlines is not None
            with precision.quick():
                logits = network(as_input(view))
            loss = outline_loss(logits.float(), outlines)
            descend(optimizer, loss, learning_rate(step, steps, config["learning_rate"]))
            step, total = step + 1, total + loss.item()
            follow(average, network, min(config["average"], (step + 1) / (step + 10)))
        log.append({"epoch": epoch + 1, "loss": total / per_epoch})
    for kept, moving in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(moving)  # running statistics of the batch norms
    return average.eval(), log


def outline_loss(logits: Tensor, outlines: Tensor) -> Tensor:
    """Cross-entropy and soft Dice a structure (b, 2, h, w); a structure that was not drawn (NaN) is left out."""
    drawn = ~outlines.isnan().flatten(2).any(2)
    truth = outlines.nan_to_num()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((2, 3))
    probability = logits.sigmoid()
    overlap = 2 * (probability * truth).sum((2, 3)) + 1
    dice = 1 - overlap / (probability.sum((2, 3)) + truth.sum((2, 3)) + 1)
    return (entropy + dice)[drawn].mean()


def dice(found: Mask, drawn: Mask) -> float:
    """Overlap of two masks (Dice 1945)."""
    return float(2 * (found & drawn).sum() / max(found.sum() + drawn.sum(), 1))


def mean_dice(found: Sequence[tuple[Mask, Mask]], films: Sequence[Outlined]) -> dict[str, float]:
    """Mean Dice of lungs and heart over films with both drawn."""
    lungs = [dice(pair[0], film.lungs) for pair, film in zip(found, films, strict=True)]
    hearts = [dice(pair[1], film.heart) for pair, film in zip(found, films, strict=True) if film.heart is not None]
    return {"lungs": float(np.mean(lungs)), "heart": float(np.mean(hearts))}


def plausible_bounds(films: Sequence[Outlined]) -> dict[str, list[float]]:
    """Widest shares seen on drawn masks, with a margin of a third: outside, no ratio is measured."""
    shares: dict[str, list[float]] = {"lungs": [], "heart": [], "balance": []}
    for film in films:
        assert film.heart is not None
        middle = int(sum(columns_of(film.lungs)) / 2)
        halves = film.lungs[:, :middle].sum(), film.lungs[:, middle:].sum()
        shares["lungs"].append(film.lungs.mean())
        shares["heart"].append(film.heart.mean())
        shares["balance"].append(min(halves) / max(halves))
    bounds = {name: [round(min(v) / 1.33, 4), round(max(v) * 1.33, 4)] for name, v in shares.items()}
    bounds["balance"][1] = 1.0
    return bounds

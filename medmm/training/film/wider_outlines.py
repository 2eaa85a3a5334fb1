"""Learn outlines wider, from strong views and from films the network outlined itself."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from medmm.training.film.chest_findings import as_input, descend, follow
from medmm.training.film.strong_views import strong_views
from medmm.training.loop import precision

Log = list[dict[str, Any]]
Loss = Callable[[Tensor, Tensor], Tensor]
HALVES = 2  # of a step, each with batch statistics of its own
HEART_SHARE = 2 / 3  # of the films of a step: those with a drawn heart
LOGGED = 25  # steps


@dataclass(frozen=True, slots=True)
class Shelf:
    """Films of one kind of outline, and how many of a step's films are theirs.

    Attributes:
        films: (n, 1, s, s) of 0 to 1.
        masks: (n, 2, s, s), drawn or the probabilities of a network; NaN if no heart was drawn.
    """

    films: Tensor
    masks: Tensor
    share: float


def widened(
    first: nn.Module,
    config: Mapping[str, Any],
    shelves: Sequence[Shelf],
    loss_of: Loss,
    *,
    quiet: bool,
) -> tuple[nn.Module, Log]:
    """Return a network between the first and what strong views make of it, and the losses.

    The weights are those of the line between both, `share` of the way (Wortsman et al., CVPR 2022):
    the strong views make the outlines robust, the first network keeps them exact.
    """
    wide, log = _learned(copy.deepcopy(first), config, shelves, loss_of, quiet)
    return between(first, wide, config["share"]), log


def drawn_shelves(films: Tensor, masks: Tensor, share: float = 1.0) -> list[Shelf]:
    """Group films with a drawn heart and films without, which are shown less often."""
    undrawn = masks[:, 1].isnan().flatten(1).any(1)
    parts = (
        [(~undrawn, HEART_SHARE), (undrawn, 1 - HEART_SHARE)]
        if undrawn.any()
        else [(~undrawn, 1.0)]
    )
    return [Shelf(films[which], masks[which], share * of_step) for which, of_step in parts]


@torch.no_grad()
def between(first: nn.Module, other: nn.Module, share: float) -> nn.Module:
    """Return the network on the line between two of the same shape, statistics included."""
    mixed = copy.deepcopy(first)
    states = zip(mixed.state_dict().values(), other.state_dict().values(), strict=True)
    for value, aim in states:
        if value.is_floating_point():
            value.lerp_(aim, share)
    return mixed.eval()


def rate_of(step: int, config: Mapping[str, Any]) -> float:
    """Compute a learning rate: a short rise, then half a cosine toward a twentieth."""
    rise = min(1.0, (step + 1) / int(config["rise_steps"]))
    fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / int(config["steps"])))
    return float(config["learning_rate"]) * rise * fall


def _learned(
    network: nn.Module,
    config: Mapping[str, Any],
    shelves: Sequence[Shelf],
    loss_of: Loss,
    quiet: bool,
) -> tuple[nn.Module, Log]:
    """Train the network on strong views; return it with averaged weights."""
    random, tones = (
        np.random.default_rng(config["seed"]),
        torch.Generator().manual_seed(config["seed"]),
    )
    network = network.train().requires_grad_(True)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config["learning_rate"], weight_decay=1e-4
    )
    log, losses = Log(), list[float]()
    for step in track(range(config["steps"]), description="strong views", disable=quiet):
        parts = []
        for _ in range(HALVES):
            films, masks = taken(shelves, int(config["batch"]) // HALVES, random)
            view, seen = strong_views(
                films, masks, config["views_px"], config["strong_views"], tones
            )
            with precision.quick():
                logits = network(as_input(view))
            parts.append(loss_of(logits.float(), seen))
        loss = torch.stack(parts).mean()
        descend(optimizer, loss, rate_of(step, config))
        follow(average, network, min(config["average"], (step + 1) / (step + 10)))
        losses.append(loss.item())
        if (step + 1) % LOGGED == 0:
            log.append({"wider_step": step + 1, "loss": float(np.mean(losses[-LOGGED:]))})
    for kept, moving in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(moving)  # running statistics of the batch norms
    return average.eval(), log


def taken(
    shelves: Sequence[Shelf], count: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Take films and masks for half a step from every shelf by its share.

    The last shelf fills up.
    """
    counts = [round(count * shelf.share) for shelf in shelves[:-1]]
    counts.append(count - sum(counts))
    chosen = [
        torch.from_numpy(random.choice(len(shelf.films), n))
        for shelf, n in zip(shelves, counts, strict=True)
    ]
    films = torch.cat([shelf.films[index] for shelf, index in zip(shelves, chosen, strict=True)])
    return films, torch.cat(
        [shelf.masks[index] for shelf, index in zip(shelves, chosen, strict=True)]
    )

"""Learn outlines wider: from strong views of drawn films, as bedside films and other hospitals' tones need."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from medmm.training import precision
from medmm.training.chest_findings import as_input, descend, follow
from medmm.training.strong_views import strong_views

Log = list[dict[str, Any]]
Loss = Callable[[Tensor, Tensor], Tensor]
HALVES = 2  # of a step, each with batch statistics of its own
HEART_SHARE = 2 / 3  # of the films of a step: those with a drawn heart
LOGGED = 25  # steps


def widened(
    first: nn.Module, config: Mapping[str, Any], drawn: tuple[Tensor, Tensor], loss_of: Loss, *, quiet: bool
) -> tuple[nn.Module, Log]:
    """The network between the first one and what it becomes on strong views, and the losses.

    The weights are those of the line between both, `share` of the way (Wortsman et al., CVPR 2022): the strong views make
    the outlines robust, the first network keeps them exact.

    Args:
        drawn: films (n, 1, s, s) of 0 to 1 and their masks (n, 2, s, s), NaN where no heart was drawn.
    """
    wide, log = _learned(copy.deepcopy(first), config, drawn, loss_of, quiet)
    return between(first, wide, config["share"]), log


@torch.no_grad()
def between(first: nn.Module, other: nn.Module, share: float) -> nn.Module:
    """The network on the line from one to another of the same shape, with its running statistics."""
    mixed = copy.deepcopy(first)
    states = zip(mixed.state_dict().values(), other.state_dict().values(), strict=True)
    for value, aim in states:
        if value.is_floating_point():
            value.lerp_(aim, share)
    return mixed.eval()


def rate_of(step: int, config: Mapping[str, Any]) -> float:
    """A short rise, then half a cosine toward a twentieth, which a run that stops early does not reach."""
    rise = min(1.0, (step + 1) / int(config["rise_steps"]))
    fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / int(config["fall_steps"])))
    return float(config["learning_rate"]) * rise * fall


def _learned(
    network: nn.Module, config: Mapping[str, Any], drawn: tuple[Tensor, Tensor], loss_of: Loss, quiet: bool
) -> tuple[nn.Module, Log]:
    """The network after its steps on strong views, with averaged weights."""
    random, tones = np.random.default_rng(config["seed"]), torch.Generator().manual_seed(config["seed"])
    network = network.train().requires_grad_(True)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=1e-4)
    hearts, lungs = drawn_places(drawn[1])
    log, losses = Log(), list[float]()
    for step in track(range(config["steps"]), description="strong views", disable=quiet):
        parts = []
        for _ in range(HALVES):
            half = int(config["batch"]) // HALVES
            with_heart = round(half * HEART_SHARE) if len(lungs) else half
            index = [
                *random.choice(hearts, with_heart),
                *(random.choice(lungs, half - with_heart) if len(lungs) else ()),
            ]
            view, seen = strong_views(
                drawn[0][index], drawn[1][index], config["views_px"], config["strong_views"], tones
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


def drawn_places(masks: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Films with a drawn heart, and films without."""
    undrawn = masks[:, 1].isnan().flatten(1).any(1).numpy()
    return np.flatnonzero(~undrawn), np.flatnonzero(undrawn)

"""The mean of a run's weights over its steps, which its last weights swing around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from medmm.training.loop.state import put


class Average:
    """Exponential moving average of what moves: learned parameters and running statistics.

    Its first steps weigh less (Polyak and Juditsky, SIAM J. Control Optim. 1992; the start as in
    TensorFlow's ExponentialMovingAverage): the decay is at most (1 + n) / (10 + n) after n steps.
    """

    def __init__(self, moving: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.kept = {
            name: value.detach().clone()
            for name, value in moving.items()
            if value.is_floating_point()
        }

    @torch.no_grad()
    def follow(self, moving: Mapping[str, Tensor], steps: int) -> None:
        """Take a step toward what moves, after so many steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        for name, kept in self.kept.items():
            kept.lerp_(moving[name].detach(), 1 - decay)

    @contextmanager
    def shown(self, moving: Mapping[str, Tensor]) -> Iterator[None]:
        """Put the average in the model's place, for a look at it."""
        before = {name: moving[name].detach().clone() for name in self.kept}
        put(moving, self.kept)
        try:
            yield
        finally:
            put(moving, before)

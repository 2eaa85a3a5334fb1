"""Random views of prepared films: turned, zoomed, shifted, mirrored, of other tone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional


def random_views(films: Tensor, size_px: int, ranges: Mapping[str, float], random: torch.Generator) -> Tensor:
    """One random view a film: (b, 1, s, s) prepared films to (b, 1, size_px, size_px).

    Mirroring is right here because the labels name no side.
    """
    count = len(films)

    def uniform(spread: float) -> Tensor:
        return (torch.rand(count, generator=random) * 2 - 1) * spread

    angle = uniform(math.radians(ranges["rotation_degrees"]))
    zoom = torch.exp(uniform(ranges["log_zoom"]))
    mirror = torch.sign(uniform(1.0))
    mirror[mirror == 0] = 1.0
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    rows = [
        torch.stack([mirror * cos, -sin, uniform(ranges["shift"])], 1),
        torch.stack([mirror * sin, cos, uniform(ranges["shift"])], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, size_px, size_px], align_corners=False)
    black = films.amin(dim=(1, 2, 3), keepdim=True)
    turned = functional.grid_sample(films - black, grid, align_corners=False) + black  # outside is black, not grey
    return _other_tone(turned, ranges, uniform)


def _other_tone(films: Tensor, ranges: Mapping[str, float], uniform: object) -> Tensor:
    draw = uniform
    assert callable(draw)
    low, high = films.amin(dim=(1, 2, 3), keepdim=True), films.amax(dim=(1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(1e-3)
    gamma = torch.exp(draw(ranges["log_gamma"]))[:, None, None, None]
    contrast = torch.exp(draw(ranges["log_contrast"]))[:, None, None, None]
    brightness = draw(ranges["brightness"])[:, None, None, None]
    return (low + span * ((films - low) / span).clamp(0, 1) ** gamma) * contrast + brightness

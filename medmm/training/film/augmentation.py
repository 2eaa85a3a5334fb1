"""Random views of prepared films: turned, zoomed, shifted, mirrored, of other tone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional


def random_views(
    films: Tensor,
    size_px: int,
    ranges: Mapping[str, float],
    random: torch.Generator,
    masks: Tensor | None = None,
    *,
    mirror_too: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Draw one random view of each film, and of its masks.

    Films (b, 1, s, s) become (b, 1, size_px, size_px), masks (b, m, s, s) alike.

    Mirroring is right if neither the labels nor the structures name a side; elsewhere
    `mirror_too` is False.
    """
    count = len(films)

    def uniform(spread: float) -> Tensor:
        return (torch.rand(count, generator=random) * 2 - 1) * spread

    angle = uniform(math.radians(ranges["rotation_degrees"]))
    zoom = torch.exp(uniform(ranges["log_zoom"]))
    mirror = torch.sign(uniform(1.0))
    mirror[(mirror == 0) | (not mirror_too)] = 1.0
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    rows = [
        torch.stack([mirror * cos, -sin, uniform(ranges["shift"])], 1),
        torch.stack([mirror * sin, cos, uniform(ranges["shift"])], 1),
    ]
    grid = functional.affine_grid(
        torch.stack(rows, 1), [count, 1, size_px, size_px], align_corners=False
    )
    black = films.amin(dim=(1, 2, 3), keepdim=True)
    # Outside is black
    turned = functional.grid_sample(films - black, grid, align_corners=False) + black
    tones = {
        name: uniform(ranges[name])[:, None, None, None]
        for name in ("log_gamma", "log_contrast", "brightness")
    }
    outlines = None if masks is None else functional.grid_sample(masks, grid, align_corners=False)
    return other_tone(turned, tones), outlines


def other_tone(films: Tensor, tones: Mapping[str, Tensor]) -> Tensor:
    """Give each film (b, 1, h, w) another gamma, contrast and brightness."""
    low, high = films.amin(dim=(1, 2, 3), keepdim=True), films.amax(dim=(1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(1e-3)
    bent = low + span * ((films - low) / span).clamp(0, 1) ** torch.exp(tones["log_gamma"])
    return bent * torch.exp(tones["log_contrast"]) + tones["brightness"]

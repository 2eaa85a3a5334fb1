"""From an encoder's map to tokens of the language model's width, in any dimensions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medmm.domain.errors import ConfigError

HEADS = 4


class PooledConnector(nn.Module):
    """The map's mean and a grid of means, each projected: 1 + size ** dims tokens."""

    def __init__(self, channels: int, width: int, size: int, spatial_dims: int) -> None:
        super().__init__()
        pool = nn.AdaptiveAvgPool2d if spatial_dims == 2 else nn.AdaptiveAvgPool3d
        self.pool = pool(size)
        self.project = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width)
        )
        self.places = nn.Parameter(torch.zeros(1 + size**spatial_dims, width))

    def forward(self, encoded: Tensor) -> Tensor:
        """Connect (b, channels, *spatial) to (b, tokens, width)."""
        cells = self.pool(encoded).flatten(2)
        tokens = torch.cat([encoded.flatten(2).mean(2, keepdim=True), cells], 2).transpose(1, 2)
        return self.project(tokens) + self.places


class PerceiverConnector(nn.Module):
    """Learned queries, `size` tokens, that attend to every cell of the map.

    Source: Jaegle et al., ICML 2021.
    """

    def __init__(self, channels: int, width: int, size: int, heads: int = HEADS) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(size, width) * 0.02)
        self.normalise, self.project = nn.LayerNorm(channels), nn.Linear(channels, width)
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, encoded: Tensor) -> Tensor:
        """Connect (b, channels, *spatial) to (b, tokens, width)."""
        cells = self.project(self.normalise(encoded.flatten(2).transpose(1, 2)))
        queries = self.queries.expand(len(cells), -1, -1)
        tokens = queries + self.attend(queries, cells, cells, need_weights=False)[0]
        return tokens + self.think(tokens)


def connector(kind: str, channels: int, width: int, size: int, spatial_dims: int) -> nn.Module:
    """Build the connector of this kind.

    Raises: ConfigError if the width does not divide into the perceiver's heads.
    """
    if kind == "perceiver":
        if width % HEADS:
            raise ConfigError(
                f"a language model {width} wide does not divide into {HEADS} heads of attention",
                remedy="use the pooled connector, or a width that does",
            )
        return PerceiverConnector(channels, width, size)
    return PooledConnector(channels, width, size, spatial_dims)

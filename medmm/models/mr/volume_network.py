"""The networks that label voxels of MR volumes: one trunk, and a head for each question.

The trunk is of MONAI blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetUpBlock
from torch import Tensor, nn


class VolumeNetwork(nn.Module):
    """A U-Net over volumes whose heads share the trunk: voxel labels, presence in a slice.

    The latter is there only if it is asked for.

    Kernels and strides may differ by axis, so that thick slices are not mixed before their planes
    are understood.
    Source: Ronneberger et al., MICCAI 2015; kernels by spacing after Isensee et al., Nature Methods
    2021 (MONAI's DynUNet blocks).

    Args:
        labels: number of labels without background.
        channels: of the levels of the trunk, first to deepest.
        kernels: (z, y, x) of each level.
        strides: (z, y, x) of each level; the first is (1, 1, 1).
        presence: whether a second head says for each slice whether a label is in it; then no stride
            along z.
    """

    def __init__(
        self,
        *,
        inputs: int,
        labels: int,
        channels: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        norm: str,
        presence: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = trunk_of(
            inputs=inputs, channels=channels, kernels=kernels, strides=strides, norm=norm
        )
        self.up = nn.ModuleList(
            UnetUpBlock(
                3, channels[n], channels[n - 1], tuple(kernels[n - 1]), 1, tuple(strides[n]), norm
            )
            for n in range(len(channels) - 1, 0, -1)
        )
        self.segmentation = UnetOutBlock(3, channels[0], labels + 1)
        self.presence = nn.Linear(2 * channels[-1], 1) if presence else None

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute logits of labels (b, labels + 1, z, y, x) and of presence in a slice (b, z).

        The latter is None without that head.

        `volume` is prepared, (b, inputs, z, y, x), each axis a multiple of the product of its
        strides.
        """
        kept: list[Tensor] = []
        for block in self.trunk:
            volume = block(volume)
            kept.append(volume)
        deepest = kept.pop()
        for block in self.up:
            volume = block(volume, kept.pop())
        return self.segmentation(volume), None if self.presence is None else presence_logits(
            self.presence, deepest
        )


def trunk_of(
    *,
    inputs: int,
    channels: Sequence[int],
    kernels: Sequence[Sequence[int]],
    strides: Sequence[Sequence[int]],
    norm: str,
) -> nn.ModuleList:
    """Build the levels of a trunk, first to deepest; see `VolumeNetwork`."""
    into = (inputs, *channels[:-1])
    return nn.ModuleList(
        UnetBasicBlock(3, i, o, tuple(kernel), tuple(stride), norm)
        for i, o, kernel, stride in zip(into, channels, kernels, strides, strict=True)
    )


def presence_logits(head: nn.Module, deepest: Tensor) -> Tensor:
    """Compute logits (b, z) of presence in a slice, from the deepest map (b, c, z, y, x)."""
    pooled = torch.cat([deepest.mean((3, 4)), deepest.amax((3, 4))], 1)  # (b, 2 c, z)
    logits: Tensor = head(pooled.transpose(1, 2)).squeeze(2)
    return logits


def build(config: Mapping[str, Any]) -> VolumeNetwork:
    """Build the network of a folder's `config.json`, with random weights."""
    return VolumeNetwork(
        inputs=len(config["sequences"]),
        labels=len(config["labels"]),
        channels=config["channels"],
        kernels=config["kernels"],
        strides=config["strides"],
        norm=config["norm"],
        presence=config["presence"],
    ).eval()

"""The network that reads findings off a frontal chest radiograph, with a map for each.

Its trunk is a MONAI ResNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from medmm.models.image_encoder import Trunk

TRUNK_CHANNELS = 256


class ChestFindingsNetwork(nn.Module):
    """ResNet-18 up to its third stage, with a map and a logit for each finding.

    Source: He et al., CVPR 2016; the MONAI class.

    A finding's map is `head`, a 1 x 1 convolution, of the trunk's last map (stride 16); its logit
    is the map's mean, so the map is the class-activation map of Zhou et al. (CVPR 2016) exactly.
    """

    def __init__(self, findings: int) -> None:
        super().__init__()
        trunk = Trunk(
            "basic",
            [2, 2, 2, 2],
            [64, 128, 256, 512],
            spatial_dims=2,
            n_input_channels=1,
            conv1_t_size=7,
            conv1_t_stride=2,
            bias_downsample=False,
            feed_forward=False,
        )
        trunk.layer4 = nn.Identity()
        self.trunk = trunk
        self.head = nn.Conv2d(TRUNK_CHANNELS, findings, 1)

    def stem(self, film: Tensor) -> Tensor:
        """Compute the first layers up to stage 1: (b, 1, h, w) to (b, 64, h/4, w/4)."""
        trunk = self.trunk
        return trunk.layer1(trunk.maxpool(trunk.act(trunk.bn1(trunk.conv1(film)))))

    def upper(self, stem: Tensor) -> Tensor:
        """Compute stages 2 and 3: (b, 64, h/4, w/4) to (b, 256, h/16, w/16)."""
        return self.trunk.layer3(self.trunk.layer2(stem))

    def encode(self, film: Tensor) -> Tensor:
        """Encode prepared films (b, 1, h, w) as (b, 256, h/16, w/16)."""
        encoded: Tensor = self.trunk(film)
        return encoded

    def forward(self, film: Tensor) -> Tensor:
        """Compute logits (b, findings) of prepared films (b, 1, h, w)."""
        logits: Tensor = self.head(self.encode(film)).mean((2, 3))
        return logits


def build(config: Mapping[str, Any]) -> ChestFindingsNetwork:
    """Build the network of a folder's `config.json`, with random weights."""
    network = ChestFindingsNetwork(len(config["findings"])).eval()
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

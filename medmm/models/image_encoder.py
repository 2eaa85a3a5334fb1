"""Image encoders of the multimodal model: MONAI ResNets with a map for each finding.

They take films and volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from monai.networks.nets import ResNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE = {1: 4, 2: 8, 3: 16, 4: 32}  # of the last map, by the number of stages
Network = TypeVar("Network", bound=nn.Module)


class Trunk(ResNet):
    """MONAI's ResNet without its last layers: it gives the map of the last stage that is kept."""

    def forward(self, image: Tensor) -> Tensor:
        """Compute the last map (b, channels, *spatial / stride) of images (b, 1, *spatial)."""
        x = self.maxpool(self.act(self.bn1(self.conv1(image))))
        encoded: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return encoded


class ImageEncoder(nn.Module):
    """A ResNet cut after some stages, with a map and a logit for each finding.

    Source: He et al., CVPR 2016; the MONAI class.

    2D and 3D alike: (b, 1, *spatial) to a map (b, channels, *spatial / stride). A finding's map is
    a 1 x 1 convolution of it and the logit that map's mean (Zhou et al., CVPR 2016), as in the
    findings network.
    """

    def __init__(self, config: Mapping[str, Any], findings: int) -> None:
        super().__init__()
        self.spatial_dims, self.stages = int(config["spatial_dims"]), int(config["stages"])
        trunk = Trunk(
            "basic",
            list(config["layers"]),
            list(config["widths"]),
            spatial_dims=self.spatial_dims,
            n_input_channels=1,
            conv1_t_size=7,
            conv1_t_stride=2,
            bias_downsample=False,
            feed_forward=False,
        )
        for stage in range(self.stages + 1, 5):
            setattr(trunk, f"layer{stage}", nn.Identity())
        self.trunk = trunk
        self.channels = int(config["widths"][self.stages - 1])
        convolution = nn.Conv2d if self.spatial_dims == 2 else nn.Conv3d
        self.findings, self.inputs = findings, 1
        self.head = convolution(self.channels, max(findings, 1), 1)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the last map of prepared images (b, 1, *spatial).

        Returns: (b, channels, *spatial / stride).
        """
        encoded: Tensor = self.trunk(image)
        return encoded

    def parts(self, encoded: Tensor) -> list[Tensor]:
        """Return encoded images as batches of one shape: all have the same one."""
        return [encoded]

    def finding_logits(self, encoded: Tensor) -> Tensor:
        """Compute logits (b, findings) of encoded images."""
        return self.head(encoded).flatten(2).mean(2)[:, : self.findings]


def for_reading(network: Network) -> Network:
    """Prepare a 2D network with MONAI ResNet blocks for live use, in place.

    It can't learn any more.

    Each batch norm is folded into the convolution before it, and the parameters lie channels last:
    1.8 times the films a second of the same network as built, on a CPU, and its logits but for
    rounding (proof F4).
    """
    for block in list(network.eval().modules()):
        pairs = (
            [("0", "1")]
            if isinstance(block, nn.Sequential)
            else [("conv1", "bn1"), ("conv2", "bn2")]
        )
        parts = dict(block.named_children())
        for before, after in pairs:
            convolution, norm = parts.get(before), parts.get(after)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(block, before, fuse_conv_bn_eval(convolution, norm))
                setattr(block, after, nn.Identity())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

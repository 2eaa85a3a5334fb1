"""The network that outlines lungs and heart on a frontal chest radiograph: a MONAI U-Net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from medmm.models.measure import largest_parts
from medmm.models.prepare import prepare_film

STRUCTURES = ("lungs", "heart")
Mask = NDArray[np.bool_]


def build(config: Mapping[str, Any]) -> nn.Module:
    """The network that `config.json` describes: (b, 1, h, w) prepared films to logits (b, 2, h, w), lungs and heart.

    Source: Ronneberger et al., MICCAI 2015, with residual units (Kerfoot et al., STACOM 2018), as in MONAI.
    """
    network = UNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=len(STRUCTURES),
        channels=tuple(config["channels"]),
        strides=(2,) * (len(config["channels"]) - 1),
        num_res_units=config["residual_units"],
        norm="batch",
    ).eval()
    return network.to(memory_format=torch.channels_last)


@torch.inference_mode()
def outline(network: nn.Module, grey: NDArray[np.float32], size_px: int) -> tuple[Mask, Mask]:
    """Lungs and heart of a display-ready film, as masks on the film's own grid (rows, columns)."""
    film = torch.from_numpy(prepare_film(grey, size_px))[None].contiguous(memory_format=torch.channels_last)
    probability = network(film.to(next(network.parameters()).device)).sigmoid()[0].cpu().numpy()
    rows, columns = grey.shape
    lungs, heart = (
        np.asarray(Image.fromarray(p).resize((columns, rows), Image.Resampling.BILINEAR)) > 0.5 for p in probability
    )
    return largest_parts(lungs, 2), largest_parts(heart, 1)

"""The network that outlines lungs and heart on a frontal chest radiograph: a MONAI U-Net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from monai.networks.nets import UNet
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from medmm.models.film.cardiothoracic_ratio import largest_parts
from medmm.models.film.preprocessing import prepare_film
from medmm.models.film.ratio_uncertainty import EDGE, Outlines, agreement, shapes_of

STRUCTURES = ("lungs", "heart")
Mask = NDArray[np.bool_]
# Looks at one film: (mirrored, zoomed out by, shifted right and down by, in halves of the film).
LOOKS = ((1, 1.0, 0.0, 0.0), (-1, 1.0, 0.0, 0.0), (1, 0.93, 0.04, -0.03), (-1, 1.12, -0.05, 0.04))


def build(config: Mapping[str, Any]) -> nn.Module:
    """Build the network of `config.json`, which outlines lungs and heart.

    Prepared films (b, 1, h, w) become logits (b, 2, h, w), lungs and heart.

    Source: Ronneberger et al., MICCAI 2015, with residual units (Kerfoot et al., STACOM 2018), as
    in MONAI.
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


def looks_at(films: Tensor) -> Tensor:
    """Stack all looks at prepared films in one batch, look by look.

    (b, 1, s, s) becomes (looks x b, 1, s, s).
    """
    black = films.amin(dim=(1, 2, 3), keepdim=True)  # beyond the film there is nothing
    views = [
        films if look == LOOKS[0] else _sampled(films - black, _there(look)) + black
        for look in LOOKS
    ]
    return torch.cat(views).contiguous(memory_format=torch.channels_last)


def on_the_film(maps: Tensor) -> Tensor:
    """Bring maps of all looks back onto the films' own grid.

    (looks x b, m, s, s) becomes (looks, b, m, s, s).
    """
    by_look = maps.unflatten(0, (len(LOOKS), -1))
    back = [
        m if look == LOOKS[0] else _sampled(m, _back(look))
        for look, m in zip(LOOKS, by_look, strict=True)
    ]
    return torch.stack(back)


Look = tuple[int, float, float, float]


def _there(look: Look) -> list[list[float]]:
    mirrored, zoom, right, down = look
    return [[mirrored * zoom, 0.0, right], [0.0, zoom, down]]


def _back(look: Look) -> list[list[float]]:
    mirrored, zoom, right, down = look
    return [[mirrored / zoom, 0.0, -mirrored * right / zoom], [0.0, 1 / zoom, -down / zoom]]


def _sampled(images: Tensor, rows: list[list[float]]) -> Tensor:
    theta = torch.tensor(rows, device=images.device, dtype=images.dtype).expand(len(images), 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def for_outlines(network: nn.Module) -> nn.Module:
    """Prepare a network for live use, in place: batch norms folded into convolutions.

    The logits are the same but for rounding; it can't learn any more.
    """
    for block in list(network.eval().modules()):
        parts = dict(block.named_children())
        convolution, behind = parts.get("conv"), parts.get("adn")
        norm = getattr(behind, "N", None)
        if isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d) and isinstance(
            norm, nn.BatchNorm2d
        ):
            folded = fuse_conv_bn_eval(
                convolution, norm, transpose=isinstance(convolution, nn.ConvTranspose2d)
            )
            block.conv = folded
            setattr(behind, "N", nn.Identity())  # noqa: B010 - the name is MONAI's, the type says only Module
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def outlines(network: nn.Module, grey: NDArray[np.float32], size_px: int) -> Outlines:
    """Outline lungs and heart of a display-ready film by several looks at it in one batch.

    An outline runs where the mean probability of the looks is one half. Islands and holes are
    judged on the network's grid.

    Args:
        network: (b, 1, size_px, size_px) to logits (b, 2, size_px, size_px), on any device.
        grey: (rows, columns), 0 black to 1 white.
        size_px: side of the square that the network reads.
    Raises: InputError as `prepare_film`.
    """
    return outlined(network, prepare_film(grey, size_px), (grey.shape[0], grey.shape[1]))


@torch.inference_mode()
def outlined(
    network: nn.Module, prepared: NDArray[np.float32], shape_yx: tuple[int, int]
) -> Outlines:
    """Outline a film that is prepared already, on its own grid; see `outlines`."""
    film = torch.from_numpy(prepared)[None]
    logits = network(looks_at(film).to(next(network.parameters()).device))
    maps = on_the_film(logits.sigmoid().float().cpu())[:, 0].numpy()
    found = [
        without_islands(probability, parts)
        for probability, parts in zip(maps.mean(0), (2, 1), strict=True)
    ]
    lungs, heart = (probability > EDGE for probability in found)
    shapes = shapes_of(lungs, heart) if lungs.any() and heart.any() else {}
    on_film = [_resized(probability, shape_yx) for probability in found]
    return Outlines(lungs=on_film[0], heart=on_film[1], shapes=shapes, looks=agreement(maps))


def without_islands(probability: NDArray[np.float32], parts: int) -> NDArray[np.float32]:
    """Remove islands and holes from a map.

    Args:
        probability: (rows, columns) of 0 to 1.
        parts: how many connected parts the structure has: 2 lungs, 1 heart.
    """
    there = probability > EDGE
    kept = largest_parts(there, parts)
    return np.where(kept, np.where(there, probability, 1), np.where(there, 0, probability)).astype(
        np.float32
    )


def _resized(probability: NDArray[np.float32], shape: tuple[int, ...]) -> Mask:
    picture = Image.fromarray(probability).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(picture) > EDGE

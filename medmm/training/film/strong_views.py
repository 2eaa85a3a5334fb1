"""Strong random views of outlined films: bedside, other hospitals, sick lungs.

Nothing here inverts tones, and every shape moves with its outline, so a view's outlines are as true
as the film's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD, TONE_PERCENTILES

Ranges = Mapping[str, float]


def strong_views(
    films: Tensor, masks: Tensor, size_px: int, ranges: Ranges, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw one strong view of each film and its masks.

    Films (b, 1, s, s) of 0 to 1 become (b, 1, p, p), prepared; masks (b, m, s, s) become (b, m, p,
    p).
    """
    grid = warp(len(films), size_px, ranges, random)
    outlines = functional.grid_sample(masks, grid, align_corners=False)
    view = functional.grid_sample(films, grid, align_corners=False)
    view = toned(view, ranges, random)
    view = occluded(view, ranges, random)
    view = blurred(view, ranges, random)
    view, outlines = collimated(view, outlines, ranges, random)
    return stretched(view), outlines


def _uniform(count: int, spread: float, random: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=random) * 2 - 1) * spread


def warp(count: int, size_px: int, ranges: Ranges, random: torch.Generator) -> Tensor:
    """Draw sampling grids (b, p, p, 2): turned, zoomed, sheared, mirrored, bent, widened.

    The aspect changes too.

    The middle of the film, where the heart lies, is widened or narrowed against the flanks: hearts
    of all sizes, which 150 films do not show.
    """
    angle = _uniform(count, math.radians(ranges["rotation_degrees"]), random)
    zoom_x = torch.exp(
        _uniform(count, ranges["log_zoom"], random) + _uniform(count, ranges["log_aspect"], random)
    )
    zoom_y = torch.exp(
        _uniform(count, ranges["log_zoom"], random) + _uniform(count, ranges["log_aspect"], random)
    )
    mirror = torch.sign(torch.rand(count, generator=random) - 0.5)
    shear = _uniform(count, ranges["shear"], random)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack(
            [
                mirror * zoom_x * cos,
                -zoom_x * sin + shear,
                _uniform(count, ranges["shift"], random),
            ],
            1,
        ),
        torch.stack(
            [mirror * zoom_y * sin, zoom_y * cos, _uniform(count, ranges["shift"], random)], 1
        ),
    ]
    grid = functional.affine_grid(
        torch.stack(rows, 1), [count, 1, size_px, size_px], align_corners=False
    )
    coarse = (torch.rand(count, 2, 5, 5, generator=random) * 2 - 1) * ranges["bend"]
    bend = functional.interpolate(coarse, (size_px, size_px), mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    x, y = grid[..., 0], grid[..., 1]
    middle = _uniform(count, 0.12, random)[:, None, None]
    amount = _uniform(count, ranges["heart_width"], random)[:, None, None]
    along = ((x - middle) / 0.9).clamp(-1, 1)
    x = x + amount * torch.sin(math.pi * along) / math.pi * torch.exp(-(((y - 0.2) / 0.7) ** 2))
    return torch.stack([x, y], -1)


def toned(films: Tensor, ranges: Ranges, random: torch.Generator) -> Tensor:
    """Give films another monotone tone curve, and brightness that changes smoothly."""
    count, size = len(films), films.shape[-1]
    gamma = torch.exp(_uniform(count, ranges["log_gamma"], random))[:, None, None, None]
    bent = films.clamp(0, 1) ** gamma
    middle = 0.5 + _uniform(count, 0.2, random)[:, None, None, None]
    steep = (
        torch.exp(_uniform(count, ranges["log_contrast"], random)).clamp_min(0.2)[
            :, None, None, None
        ]
        * 4
    )
    curve = torch.sigmoid(steep * (bent - middle))
    mix = torch.rand(count, generator=random)[:, None, None, None]
    low, high = curve.amin((1, 2, 3), keepdim=True), curve.amax((1, 2, 3), keepdim=True)
    bent = mix * (curve - low) / (high - low).clamp_min(1e-3) + (1 - mix) * bent
    field = (torch.rand(count, 1, 3, 3, generator=random) * 2 - 1) * ranges["uneven"]
    return bent + functional.interpolate(field, (size, size), mode="bicubic", align_corners=True)


def occluded(films: Tensor, ranges: Ranges, random: torch.Generator) -> Tensor:
    """Draw opacities with soft edges, white bases, bright lines and discs into films.

    They stand for effusions, consolidations and devices.
    """
    count, size = len(films), films.shape[-1]
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = axis[None, :, None], axis[None, None, :]
    out = films[:, 0]

    def column(spread: float) -> Tensor:
        return _uniform(count, spread, random)[:, None, None]

    def happens(share: float) -> Tensor:
        return (torch.rand(count, generator=random) < share).float()[:, None, None]

    for _ in range(3):
        wide, tall = 0.12 + 0.3 * column(1).abs(), 0.12 + 0.3 * column(1).abs()
        blob = torch.exp(-(((x - column(0.8)) / wide) ** 2 + ((y - column(0.7)) / tall) ** 2))
        rough = torch.rand(count, 1, 12, 12, generator=random)
        blob = (
            blob
            * functional.interpolate(rough, (size, size), mode="bilinear", align_corners=False)[
                :, 0
            ]
        )
        out = out + happens(ranges["opacities"]) * 1.2 * column(1).abs() * blob * (
            0.9 - out
        ).clamp_min(0)
    level, tilt = 0.35 + column(0.4), column(0.6)
    side = torch.sigmoid((x * torch.sign(column(1)) - column(0.1)) * 40)
    base = torch.sigmoid((y - level - tilt * x) * 14) * side
    tone = 0.6 + 0.3 * column(1).abs()
    out = torch.lerp(
        out,
        tone.expand_as(out),
        happens(ranges["white_bases"]) * base * (0.5 + 0.5 * column(1).abs()),
    )
    for _ in range(3):
        turn, off, bow = column(math.pi), column(0.7), column(0.5)
        along, across = x * turn.cos() + y * turn.sin(), -x * turn.sin() + y * turn.cos()
        line = torch.exp(
            -(((across - off - bow * along**2) / (0.008 + 0.012 * column(1).abs())) ** 2)
        )
        part = (along > column(1)).float()
        out = out + happens(ranges["devices"]) * line * part * 0.5 * column(1).abs()
    near = torch.sqrt((x - column(0.8)) ** 2 + (y - column(0.8)) ** 2)
    disc = (near < 0.03 + 0.07 * column(1).abs()).float()
    out = torch.lerp(
        out, (0.8 + 0.2 * column(1)).expand_as(out), happens(ranges["devices"]) * disc * 0.8
    )
    return out[:, None]


def blurred(films: Tensor, ranges: Ranges, random: torch.Generator) -> Tensor:
    """Blur a random part of the films and add noise."""
    soft = functional.avg_pool2d(functional.pad(films, (2, 2, 2, 2), mode="replicate"), 5, 1)
    # Below 0: sharpened
    share = (torch.rand(len(films), generator=random) * 1.6 - 0.8)[:, None, None, None]
    noise = (
        torch.randn(films.shape, generator=random)
        * torch.rand(len(films), generator=random)[:, None, None, None]
    )
    return torch.lerp(films, soft, share) + noise * ranges["noise"]


def collimated(
    films: Tensor, masks: Tensor, ranges: Ranges, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw uniform borders of some tone about a random part of the films.

    An outline ends where the picture does.
    """
    count, size = len(films), films.shape[-1]
    axis = (torch.arange(size) + 0.5) / size
    wide = torch.rand(count, 4, generator=random) ** 2 * ranges["border"]
    there = (torch.rand(count, 4, generator=random) < 0.5).float() * (
        torch.rand(count, 1, generator=random) < 0.4
    )
    left, right, top, bottom = (wide * there).unbind(1)
    inside = ((axis > left[:, None]) & (axis < 1 - right[:, None]))[:, None, None, :] & (
        (axis > top[:, None]) & (axis < 1 - bottom[:, None])
    )[:, None, :, None]
    tone = (torch.rand(count, generator=random) < 0.25).float() * torch.rand(
        count, generator=random
    )
    return torch.where(inside, films, tone[:, None, None, None]), masks * inside


def stretched(films: Tensor) -> Tensor:
    """Stretch tones between the percentiles of live use, and normalise as there."""
    flat = films.flatten(1)
    low = torch.quantile(flat, TONE_PERCENTILES[0] / 100, dim=1)[:, None, None, None]
    high = torch.quantile(flat, TONE_PERCENTILES[1] / 100, dim=1)[:, None, None, None]
    return (((films - low) / (high - low).clamp_min(1e-3)).clamp(0, 1) - GREY_MEAN) / GREY_SPREAD

"""Stand-ins for the networks of MR volumes: tiny random ones, one that looks at single voxels, and planted answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from monai.networks.blocks.dynunet_block import UnetOutBlock
from numpy.typing import NDArray
from torch import Tensor, nn

from medmm.domain.study import Affine, Volume
from medmm.models.mr.volume_network import VolumeNetwork, build
from medmm.models.mr.volume_segmenter import Labelled

TINY = {
    "build": "medmm.models.mr.volume_network:build",
    "sequences": ["T1"],
    "labels": ["one", "two"],
    "channels": [4, 8],
    "kernels": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 2]],
    "norm": "instance",
    "presence": False,
}
SPREAD = {"kind": "relative", "half_width": 0.2}


def tiny(seed: int = 0, **changes: Any) -> VolumeNetwork:
    """A tiny network with random weights."""
    torch.manual_seed(seed)
    return build({**TINY, **changes})


class VoxelNetwork(nn.Module):
    """Label 1 where a prepared voxel is above 0, whatever lies around it; presence is the mean of the slice."""

    def __init__(self, *, presence: bool = False) -> None:
        super().__init__()
        self.segmentation = UnetOutBlock(3, 1, 2)
        self.presence = nn.Identity() if presence else None
        with torch.no_grad():
            self.segmentation.conv.conv.weight.copy_(
                torch.tensor([-10.0, 10.0]).reshape(2, 1, 1, 1, 1)
            )
            self.segmentation.conv.conv.bias.zero_()

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.segmentation(volume), None if self.presence is None else volume[:, 0].mean(
            (2, 3)
        )


@dataclass
class Planted:
    """A segmenter that answers by a rule over the signals, and keeps what it was asked."""

    rule: Callable[[NDArray[np.float32]], NDArray[np.integer]]
    of: int = 0  # which signal the rule looks at
    labels: int = 1
    sure: float = 0.98
    asked: list[tuple[list[NDArray[np.float32]], Any]] = field(default_factory=list)

    def read(self, signals: Sequence[NDArray[np.float32]], spacing_zyx_mm: Any) -> Labelled:
        self.asked.append((list(signals), spacing_zyx_mm))
        values = self.rule(signals[self.of])
        rest = (1 - self.sure) / self.labels
        probabilities = np.stack(
            [np.where(values == n, self.sure, rest) for n in range(self.labels + 1)]
        )
        presence = np.where((values > 0).any((1, 2)), self.sure, 1 - self.sure)
        return Labelled(
            probabilities=probabilities.astype(np.float32), presence=presence.astype(np.float32)
        )


def mirrored(volume: Volume, *, with_affine: bool) -> Volume:
    """The volume with its columns in reverse; with its affine it is the same patient, without it the mirror image."""
    signal = np.ascontiguousarray(volume.signal()[:, :, ::-1])
    affine = volume.affine_lps_mm
    if with_affine and affine is not None:
        last = volume.shape_zyx[2] - 1
        affine = (*((-a, b, c, d + last * a) for a, b, c, d in affine[:3]), affine[3])
    return replace(volume, affine_lps_mm=affine, signal_loader=lambda: signal)


def reordered(volume: Volume, order: Sequence[int], reversed_axes: Sequence[int] = ()) -> Volume:
    """The same patient with the axes (slices, rows, columns) of the array in another order, some of them reversed."""
    assert volume.affine_lps_mm is not None
    assert volume.spacing_yx_mm is not None
    assert volume.spacing_z_mm is not None
    signal = np.flip(volume.signal().transpose(order), reversed_axes).copy()
    affine = np.array(volume.affine_lps_mm)
    steps, first = affine[:3, 2::-1].T[list(order)], affine[:3, 3]
    for axis in reversed_axes:
        first, steps[axis] = first + steps[axis] * (signal.shape[axis] - 1), -steps[axis]
    affine = np.column_stack([*steps[::-1], first])
    sizes = np.array([volume.spacing_z_mm, *volume.spacing_yx_mm])[list(order)]
    return replace(
        volume,
        shape_zyx=signal.shape,
        affine_lps_mm=(*(tuple(float(v) for v in row) for row in affine), (0.0, 0.0, 0.0, 1.0)),  # type: ignore[arg-type]
        spacing_z_mm=float(sizes[0]),
        spacing_yx_mm=(float(sizes[1]), float(sizes[2])),
        signal_loader=lambda: signal,
    )


def volume_of(signal: NDArray[np.float32], affine: Affine | None = None, **changes: Any) -> Volume:
    """An MR volume of this signal."""
    made = Volume(
        series_uid="1.2.3",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        sop_uids=("1.2.3.4",),
        sha256="a" * 64,
        shape_zyx=signal.shape,
        affine_lps_mm=affine,
        signal_loader=lambda: signal,
    )
    return replace(made, **changes)

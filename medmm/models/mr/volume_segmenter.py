"""A volume network in use: from signals on the source's grid to probabilities on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor

from medmm.domain.reading import ModelIdentity
from medmm.domain.reading_model import Declaration
from medmm.models.mr.out_of_distribution import Signs, disagreement_of, image_signs, outline_signs
from medmm.models.mr.preprocessing import (
    Grid,
    Placement,
    Signal,
    padded_to_multiple,
    prepare_sequences,
)
from medmm.models.mr.resampling import largest_part
from medmm.models.mr.volume_network import VolumeNetwork
from medmm.models.weights.catalogue import WeightsFolder, declarations
from medmm.models.weights.loading import load_network

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What a network says of one volume.

    Attributes:
        probabilities: (labels + 1, slices, rows, columns) on the source's grid, background first.
        presence: probability of a label in each slice by the head for it; None without that head.
        disagreement: of the passes over mirror images, see `disagreement_of`; None of one pass.
        looks: signs of each sequence as the network was shown it, see `image_signs`; empty if
            they were not taken.
    """

    probabilities: Probabilities
    presence: NDArray[np.float32] | None
    disagreement: float | None = None
    looks: tuple[Mapping[str, float], ...] = ()

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The most probable label of each voxel, (slices, rows, columns)."""
        return self.probabilities.argmax(0).astype(np.uint8)

    def signs(self, sequence: int = 0) -> Signs:
        """Compute signs that this volume is unlike the set: of outline and one sequence's look."""
        marked = self.labels > 0
        loose = (
            1 - float(largest_part(marked).sum()) / max(int(marked.sum()), 1)
            if marked.any()
            else 0.0
        )
        look = self.looks[sequence] if self.looks else {}
        return {**outline_signs(self.probabilities, self.disagreement, loose), **look}


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSegmenter:
    """The network, its grid and the largest window in which it looks; thread-safe.

    `flips` are axes (0 slices, 1 rows, 2 columns) over whose mirror images the mean is taken.
    """

    network: VolumeNetwork
    device: torch.device
    grid: Grid
    window_zyx: tuple[int, int, int]
    multiple_zyx: tuple[int, int, int]
    flips: tuple[int, ...] = ()
    overlap: float = 0.25

    @classmethod
    def open(cls, weights: WeightsFolder, device: torch.device) -> VolumeSegmenter:
        """Load a weights folder. Raises: IntegrityError if one of its files was altered."""
        return cls.of(load_network(weights, device), weights.json("preprocessing.json"), device)

    @classmethod
    def of(
        cls, network: VolumeNetwork, preprocessing: Mapping[str, Any], device: torch.device
    ) -> VolumeSegmenter:
        """Build it of a network with what `preprocessing.json` says."""
        spacing = preprocessing["spacing_zyx_mm"]
        return cls(
            network=network.to(memory_format=torch.channels_last_3d),  # type: ignore[call-overload]  # quicker, same numbers
            device=device,
            grid=Grid(spacing_zyx_mm=tuple(spacing), side_px=preprocessing["side_px"]),
            window_zyx=tuple(preprocessing["window_zyx"]),
            multiple_zyx=tuple(preprocessing["multiple_zyx"]),
            flips=tuple(preprocessing["flips"]),
        )

    @torch.inference_mode()
    def read(self, signals: Sequence[Signal], spacing_zyx_mm: Sequence[float] | None) -> Labelled:
        """Label a volume, in memory bounded by the window whatever the volume's size.

        Args:
            signals: one array (slices, rows, columns) a sequence of the network, in its order.
            spacing_zyx_mm: voxel size; None if unknown.
        Raises: InputError for volumes that can't be prepared; see `prepare_sequences`.
        """
        volume, placement = prepare_sequences(signals, self.grid, spacing_zyx_mm)
        return self.labelled(volume, placement)

    @torch.inference_mode()
    def labelled(self, volume: Tensor, placement: Placement) -> Labelled:
        """Label a prepared volume (sequences, z, y, x)."""
        views = [(), *((axis,) for axis in self.flips)]
        found = [self._view(volume, axes) for axes in views]
        labels = self.network.segmentation.conv.conv.out_channels
        probabilities = [f[:labels].softmax(0) for f in found]
        probability = torch.stack(probabilities).mean(0)
        presence = torch.stack([f[labels:].sigmoid().mean((2, 3)) for f in found]).mean(0)
        return Labelled(
            probabilities=placement.back(probability).numpy(),
            presence=presence[0].numpy() if self.network.presence is not None else None,
            disagreement=disagreement_of([p.argmax(0) for p in probabilities]),
            looks=tuple(image_signs(sequence) for sequence in volume),
        )

    def _view(self, volume: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Compute logits of one mirror image, turned back.

        These are labels, then presence spread over its slice.
        """
        turned = volume.flip([axis + 1 for axis in axes]) if axes else volume
        shape, padded = turned.shape[1:], padded_to_multiple(turned[None], self.multiple_zyx)
        logits = sliding_window_inference(
            padded.to(self.device),
            roi_size=[min(n, w) for n, w in zip(padded.shape[2:], self.window_zyx, strict=True)],
            sw_batch_size=1,
            predictor=self._logits,
            overlap=self.overlap,
            mode="gaussian",
            device=torch.device("cpu"),
        )
        whole = cast(Tensor, logits)[0, :, : shape[0], : shape[1], : shape[2]]
        return whole.flip([axis + 1 for axis in axes]) if axes else whole

    def _logits(self, window: Tensor) -> Tensor:
        labels, presence = self.network(window)
        if presence is None:
            return labels.float()
        spread = presence[:, None, :, None, None].expand(-1, 1, *labels.shape[2:])
        return torch.cat([labels, spread], 1).float()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabellingModel:
    """A weights folder that labels volumes: segmenter, names of labels, what it learned.

    The latter was learned on validation subjects.
    """

    weights: WeightsFolder
    segmenter: VolumeSegmenter
    labels: tuple[str, ...]
    calibration: Mapping[str, Any]

    @classmethod
    def open(cls, weights: WeightsFolder, device: torch.device) -> Self:
        """Load a weights folder. Raises: IntegrityError if one of its files was altered."""
        return cls(
            weights=weights,
            segmenter=VolumeSegmenter.open(weights, device),
            labels=tuple(weights.json("config.json")["labels"]),
            calibration=weights.json("calibration.json"),
        )

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """The network that it reads with."""
        return (self.weights.identity,)

    @property
    def declares(self) -> Declaration:
        """What the catalogue says of the network."""
        return declarations()[self.weights.row.name]

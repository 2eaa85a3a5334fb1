"""What networks for MR volumes learn from random views: outlines, and slices with one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from monai.data import CacheDataset
from monai.losses import DiceCELoss
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    SpatialPadd,
    ToTensord,
)
from torch import Tensor
from torch.nn import functional

from medmm.training.loop.objective import Batch, Costs

Config = Mapping[str, Any]
IMAGE, LABEL = "image", "label"
DECIDING = (
    "task", "sequences", "labels", "spacing_zyx_mm", "side_px", "patch_zyx", "channels", "kernels",
    "strides", "norm", "presence", "presence_weight", "patches",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeObjective:
    """Cross-entropy and soft Dice over labels, and binary cross-entropy of presence in slices.

    The latter weighs `presence_weight`.

    An example is a volume's place in `volumes`, counted on for each of the `patches` of an epoch.
    """

    parts: ClassVar = ("outline_loss", "presence_loss")
    still: ClassVar[tuple[str, ...]] = ()

    config: Config
    volumes: CacheDataset

    @classmethod
    def of(cls, config: Config, learned: Sequence[dict[str, Tensor]]) -> VolumeObjective:
        """Build it of prepared volumes: image (sequences, z, y, x) and label (1, z, y, x)."""
        return cls(
            config=config, volumes=CacheDataset(list(learned), views(config), progress=False)
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipe's keys that decide about network, views and loss."""
        drawn = {f"augmentation.{key}": value for key, value in self.config["augmentation"].items()}
        return {key: self.config[key] for key in DECIDING} | drawn

    def batch(self, examples: Sequence[int]) -> Batch:
        """Draw random views: images (b, sequences, z, y, x) and labels (b, 1, z, y, x).

        They have channels-last memory format.

        Every draw hangs on one number from torch's generator, so that a run that goes on draws the
        same.
        """
        random = torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))
        drawn = [self._view(place % len(self.volumes), random) for place in examples]
        images, labels = (torch.stack([one[key] for one in drawn]) for key in (IMAGE, LABEL))
        images = without_some(images, self.config, random)
        return {IMAGE: images.contiguous(memory_format=torch.channels_last_3d), LABEL: labels}

    def _view(self, place: int, random: torch.Generator) -> dict[str, Tensor]:
        self.volumes.transform.set_random_state(int(torch.randint(2**31, (1,), generator=random)))
        view: dict[str, Tensor] = self.volumes[place][0]
        return view

    def counts(self, batch: Batch) -> tuple[int, int]:
        """Count the views of a batch: both parts are means over them."""
        views = len(batch[IMAGE])
        return views, views if self.config["presence"] else 0

    def costs(self, model: Any, batch: Batch) -> Costs:
        """Compute both losses of the network's answer, in fp32."""
        labels = batch[LABEL]
        logits, presence = model(batch[IMAGE])
        overlap = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
        there = None
        if presence is not None:
            truth = (labels[:, 0] > 0).flatten(2).any(2).float()
            there = functional.binary_cross_entropy_with_logits(presence.float(), truth)
        return Costs(
            parts=(overlap(logits.float(), labels), there),
            weights=(1.0, float(self.config["presence_weight"])),
            output=logits[0, 0, 0, 0, 0],
        )


def views(config: Config) -> Compose:
    """Build random views: cut, turned, scaled, mirrored, of other tone and noise."""
    a, patch, keys = config["augmentation"], config["patch_zyx"], (IMAGE, LABEL)
    turn = [math.radians(degrees) for degrees in a["rotation_degrees_zyx"]]
    return Compose(
        [
            SpatialPadd(keys, patch, mode="edge"),
            RandCropByPosNegLabeld(
                keys, LABEL, patch, pos=a["outlined_share"], neg=1 - a["outlined_share"]
            ),
            RandAffined(
                keys,
                prob=0.9,
                rotate_range=turn,
                scale_range=a["scale_zyx"],
                shear_range=None,
                translate_range=a["shift_zyx"],
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
            *(RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in a["mirrored_axes"]),
            RandScaleIntensityd(IMAGE, factors=a["contrast"], prob=0.5, channel_wise=True),
            RandShiftIntensityd(IMAGE, offsets=a["brightness"], prob=0.5, channel_wise=True),
            RandAdjustContrastd(IMAGE, gamma=tuple(a["gamma"]), prob=0.3, retain_stats=True),
            RandGaussianNoised(IMAGE, std=a["noise"], prob=0.3),
            RandGaussianSmoothd(
                IMAGE,
                sigma_x=(0.1, 0.1),
                sigma_y=(0.3, a["blur"]),
                sigma_z=(0.3, a["blur"]),
                prob=0.2,
            ),
            ToTensord(keys, track_meta=False),
        ]
    )


def without_some(images: Tensor, config: Config, random: torch.Generator) -> Tensor:
    """Take a sequence from some of the images (b, sequences, z, y, x).

    It is then FLAIR again, as in live use.
    """
    share, sequences = float(config["augmentation"]["missing_share"]), list(config["sequences"])
    if not share:
        return images
    flair = sequences.index("FLAIR")
    for number in range(len(sequences)):
        gone = torch.rand(len(images), generator=random) < share
        if number != flair:
            images[gone, number] = images[gone, flair]
    return images

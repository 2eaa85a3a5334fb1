"""Train a network of the volume family on outlined MR volumes: brain lesion, hippocampus, heart."""

from __future__ import annotations

import copy
import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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
from monai.utils import set_determinism
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from medmm.models.prepare_volumes import Grid, Placement, prepare_sequences, scaled
from medmm.models.volume_network import VolumeNetwork, build
from medmm.models.volume_segmenter import VolumeSegmenter
from medmm.training import precision, volume_calibration
from medmm.training.mr_sets import Outlined, present, read_outlined
from medmm.training.package import write_json, write_weights_folder
from medmm.training.score import dice

Config = Mapping[str, Any]
Log = list[dict[str, Any]]
IMAGE, LABEL = "image", "label"
logger = logging.getLogger(__name__)


def train(config: Config, data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir` (card and manifest are the evaluation's)."""
    task, grid = config["task"], grid_of(config)
    learned = [prepared(o, grid) for o in read_outlined(data_dir, task, "train")]
    held_back = list(read_outlined(data_dir, task, "val"))
    network, log = fitted(config, learned, held_back, quiet)
    write_weights_folder(
        out_dir,
        network,
        config={
            "build": "medmm.models.volume_network:build",
            **{
                key: config[key]
                for key in ("sequences", "labels", "channels", "kernels", "strides", "norm", "presence")
            },
        },
        preprocessing=preprocessing_of(config),
        calibration={},
    )
    write_json(
        out_dir / "training.json",
        {"config": dict(config), "volumes": len(learned), "log": log, "precision": precision.name()},
    )
    calibrate(out_dir, data_dir, quiet=quiet)
    return out_dir


def calibrate(folder: Path, data_dir: Path, *, quiet: bool = False) -> None:
    """Write calibration.json of a trained folder anew; see `volume_calibration.calibrate`."""
    volume_calibration.calibrate(read_task(folder), folder, data_dir, quiet=quiet)


def read_task(folder: Path) -> str:
    """The task of a trained folder."""
    return str(json.loads((folder / "training.json").read_text(encoding="utf-8"))["config"]["task"])


def grid_of(config: Config) -> Grid:
    """The grid that a recipe names."""
    return Grid(spacing_zyx_mm=tuple(config["spacing_zyx_mm"]), side_px=config["side_px"])


def preprocessing_of(config: Config) -> dict[str, Any]:
    """What live use must know: grid, window and mirror images."""
    return {
        "function": "medmm.models.prepare_volumes.prepare_sequences",
        **{key: config[key] for key in ("spacing_zyx_mm", "side_px", "window_zyx", "flips")},
        "multiple_zyx": [math.prod(stride[axis] for stride in config["strides"]) for axis in range(3)],
    }


def prepared(outlined: Outlined, grid: Grid) -> dict[str, Tensor]:
    """A volume and its outline on the network's grid: image (sequences, z, y, x), label (1, z, y, x)."""
    image, placement = prepare_sequences(present(outlined), grid, outlined.spacing_zyx_mm)
    return {
        IMAGE: image,
        LABEL: outline_on(torch.from_numpy(outlined.labels.astype(np.int64)), placement)[None].float(),
    }


def outline_on(labels: Tensor, placement: Placement) -> Tensor:
    """Labels (z, y, x) of the source on the prepared grid: the label with the greatest share of each voxel."""
    row, column = placement.corner
    rows, columns = placement.padded[1] - labels.shape[1] - row, placement.padded[2] - labels.shape[2] - column
    padded = functional.pad(labels, (column, columns, row, rows))
    shares = functional.one_hot(padded).movedim(3, 0).float()
    return scaled(shares, placement.prepared).argmax(0)


def views(config: Config) -> Compose:
    """Random views: cut, turned, scaled, mirrored, of other tone and noise."""
    a, patch, keys = config["augmentation"], config["patch_zyx"], (IMAGE, LABEL)
    turn = [math.radians(degrees) for degrees in a["rotation_degrees_zyx"]]
    return Compose(
        [
            SpatialPadd(keys, patch, mode="edge"),
            RandCropByPosNegLabeld(keys, LABEL, patch, pos=a["outlined_share"], neg=1 - a["outlined_share"]),
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
                IMAGE, sigma_x=(0.1, 0.1), sigma_y=(0.3, a["blur"]), sigma_z=(0.3, a["blur"]), prob=0.2
            ),
            ToTensord(keys, track_meta=False),
        ]
    )


def fitted(
    config: Config, learned: Sequence[dict[str, Tensor]], held_back: Sequence[Outlined], quiet: bool
) -> tuple[VolumeNetwork, Log]:
    """The network after training, with averaged weights, and its losses and val figures."""
    set_determinism(int(config["seed"]))
    network = build(config).train()
    average = copy.deepcopy(network)
    dataset = CacheDataset(list(learned), views(config), progress=False)
    dataset.transform.set_random_state(int(config["seed"]))
    random, log = torch.Generator().manual_seed(int(config["seed"])), Log()
    for number, epochs in enumerate(config["cycles"]):
        network.load_state_dict(average.state_dict())
        learn(
            network.train(), average, dataset, config, int(epochs), random, held_back, log, f"cycle {number + 1}", quiet
        )
    return average.eval(), log


def learn(
    network: VolumeNetwork,
    average: VolumeNetwork,
    dataset: CacheDataset,
    config: Config,
    epochs: int,
    random: torch.Generator,
    held_back: Sequence[Outlined],
    log: Log,
    name: str,
    quiet: bool,
) -> None:
    """One cycle of the learning rate, from its peak to its end (Loshchilov and Hutter, ICLR 2017); moves both networks."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=config["weight_decay"])
    batch = int(config["batch"])
    per_epoch = max(1, len(dataset) * int(config["patches"]) // batch)
    step = 0
    for epoch in track(range(epochs), description=name, disable=quiet):
        total = 0.0
        order = torch.cat([torch.randperm(len(dataset), generator=random) for _ in range(int(config["patches"]))])
        for i in range(per_epoch):
            drawn = [dataset[int(n)][0] for n in order[i * batch : (i + 1) * batch]]
            images, labels = (torch.stack([one[key] for one in drawn]) for key in (IMAGE, LABEL))
            for group in optimizer.param_groups:
                group["lr"] = rate(step, epochs * per_epoch, config["learning_rate"])
            loss = loss_of(network, without_some(images, config, random), labels, config)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimizer.step()
            step, total = step + 1, total + loss.item()
            follow(average, network, min(config["average"], (step + 1) / (step + 10)))
        row: dict[str, Any] = {"name": name, "epoch": epoch + 1, "loss": round(total / per_epoch, 5)}
        if (epoch + 1) % int(config["look_every"]) == 0 or epoch + 1 == epochs:
            row["val_dice"] = val_dice(average.eval(), config, held_back)
        log.append(row)
        logger.info("%s", ", ".join(f"{key} {value}" for key, value in row.items()))


def rate(step: int, steps: int, peak: float) -> float:
    """A short rise, then half a cosine down to a hundredth."""
    return peak * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


@torch.no_grad()
def follow(average: VolumeNetwork, network: VolumeNetwork, decay: float) -> None:
    """Move averaged weights and running statistics a step toward the network's."""
    for kept, moving in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(moving, 1 - decay)


def without_some(images: Tensor, config: Config, random: torch.Generator) -> Tensor:
    """Images (b, sequences, z, y, x) of which some lack a sequence: it is then FLAIR again, as in live use."""
    share, sequences = float(config["augmentation"]["missing_share"]), list(config["sequences"])
    if not share:
        return images
    flair = sequences.index("FLAIR")
    for number in range(len(sequences)):
        gone = torch.rand(len(images), generator=random) < share
        if number != flair:
            images[gone, number] = images[gone, flair]
    return images


def loss_of(network: VolumeNetwork, images: Tensor, labels: Tensor, config: Config) -> Tensor:
    """Cross-entropy and soft Dice over the labels, and binary cross-entropy of presence in each slice."""
    with precision.quick():
        logits, presence = network(images)
    overlap = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    loss: Tensor = overlap(logits.float(), labels)
    if presence is not None:
        there = (labels[:, 0] > 0).flatten(2).any(2).float()
        loss = loss + float(config["presence_weight"]) * functional.binary_cross_entropy_with_logits(
            presence.float(), there
        )
    return loss


def val_dice(network: VolumeNetwork, config: Config, held_back: Sequence[Outlined]) -> dict[str, float]:
    """Mean Dice of each label over the val volumes, by the live path; bf16 where it pays."""
    segmenter = VolumeSegmenter.of(network, {**preprocessing_of(config), "flips": []}, torch.device("cpu"))
    rows = []
    for outlined in held_back:
        with precision.quick():
            found = segmenter.read(present(outlined), outlined.spacing_zyx_mm).labels
        rows.append([dice(found == n + 1, outlined.labels == n + 1) for n in range(len(config["labels"]))])
    means = np.nanmean(np.asarray(rows), axis=0)
    return {name: round(float(mean), 4) for name, mean in zip(config["labels"], means, strict=True)}

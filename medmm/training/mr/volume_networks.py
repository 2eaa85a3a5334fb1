"""Train a network of the volume family on MR outlines: brain lesion, hippocampus, heart."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medmm.domain.errors import InputError
from medmm.models.mr.preprocessing import Grid, Placement, prepare_sequences, scaled
from medmm.models.mr.volume_network import VolumeNetwork, build
from medmm.models.mr.volume_segmenter import VolumeSegmenter
from medmm.models.weights.loading import torch_device
from medmm.training.data.mr_sets import OutlinedVolume, files_of, present, read_outlined_volumes
from medmm.training.loop import precision
from medmm.training.loop.fitting import fit
from medmm.training.mr import calibration
from medmm.training.mr.objective import IMAGE, LABEL, Config, VolumeObjective
from medmm.training.recipes import VolumeRecipe, recipe_as
from medmm.training.validation_metrics import dice
from medmm.training.weights_export import run_folder, write_json, write_weights_folder

__all__ = ["calibrate", "run_folder", "train"]
Log = list[dict[str, Any]]


def train(config: Config, data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir`, without card and manifest.

    Those are the evaluation's.

    A run that was stopped goes on where it stood. Returns: `out_dir`.
    """
    recipe = _volume_recipe(config)
    learned = [
        prepared(o, grid_of(config)) for o in read_outlined_volumes(data_dir, recipe.task, "train")
    ]
    held_back = list(read_outlined_volumes(data_dir, recipe.task, "val"))
    inputs = files_of(data_dir, recipe.task)
    network, log = fitted(
        recipe, learned, held_back, run_folder(out_dir), inputs=inputs, quiet=quiet
    )
    write_weights_folder(
        out_dir,
        network,
        config={
            "build": "medmm.models.mr.volume_network:build",
            **{
                key: config[key]
                for key in (
                    "sequences",
                    "labels",
                    "channels",
                    "kernels",
                    "strides",
                    "norm",
                    "presence",
                )
            },
        },
        preprocessing=preprocessing_of(config),
        calibration={},
    )
    computed = precision.chosen(recipe.precision, torch_device(recipe.device))
    write_json(
        out_dir / "training.json",
        {
            "config": dict(config),
            "volumes": len(learned),
            "log": log,
            "precision": computed,
            "device": recipe.device,
        },
    )
    calibrate(out_dir, data_dir, quiet=quiet)
    return out_dir


def calibrate(folder: Path, data_dir: Path, *, quiet: bool = False) -> None:
    """Write calibration.json of a trained folder anew, on the recipe's device if it is here.

    See `volume_calibration`.
    """
    recipe = _volume_recipe(
        json.loads((folder / "training.json").read_text(encoding="utf-8"))["config"]
    )
    device = torch.device(recipe.device if torch.cuda.is_available() else "cpu")
    calibration.calibrate(recipe.task, folder, data_dir, device=device, quiet=quiet)


def _volume_recipe(config: Config) -> VolumeRecipe:
    return recipe_as(VolumeRecipe, config)


def grid_of(config: Config) -> Grid:
    """Build the grid that a recipe names."""
    return Grid(spacing_zyx_mm=tuple(config["spacing_zyx_mm"]), side_px=config["side_px"])


def preprocessing_of(config: Config) -> dict[str, Any]:
    """Return what live use must know: grid, window and mirror images."""
    return {
        "function": "medmm.models.mr.preprocessing.prepare_sequences",
        **{key: config[key] for key in ("spacing_zyx_mm", "side_px", "window_zyx", "flips")},
        "multiple_zyx": [
            math.prod(stride[axis] for stride in config["strides"]) for axis in range(3)
        ],
    }


def prepared(outlined: OutlinedVolume, grid: Grid) -> dict[str, Tensor]:
    """Bring a volume and its outline onto the network's grid.

    Returns: image (sequences, z, y, x) and label (1, z, y, x).
    """
    image, placement = prepare_sequences(present(outlined), grid, outlined.spacing_zyx_mm)
    return {
        IMAGE: image,
        LABEL: outline_on(torch.from_numpy(outlined.labels.astype(np.int64)), placement)[
            None
        ].float(),
    }


def outline_on(labels: Tensor, placement: Placement) -> Tensor:
    """Bring labels (z, y, x) of the source onto the prepared grid.

    Each voxel takes the label with the greatest share of it.
    """
    row, column = placement.corner
    rows, columns = (
        placement.padded[1] - labels.shape[1] - row,
        placement.padded[2] - labels.shape[2] - column,
    )
    padded = functional.pad(labels, (column, columns, row, rows))
    shares = functional.one_hot(padded).movedim(3, 0).float()
    return scaled(shares, placement.prepared).argmax(0)


def fitted(
    recipe: VolumeRecipe,
    learned: Sequence[dict[str, Tensor]],
    held_back: Sequence[OutlinedVolume],
    run_dir: Path,
    *,
    inputs: Mapping[str, Path] | None = None,
    quiet: bool = False,
) -> tuple[VolumeNetwork, Log]:
    """Train the network; return it with averaged weights on the CPU, and its log.

    The log holds losses and val figures, epoch by epoch.

    Each cycle of the learning rate (Loshchilov and Hutter, ICLR 2017) is a run of the loop, from
    the averaged weights of the one before. Raises: InputError if a signal stopped it; the same call
    goes on.
    """
    config = recipe.model_dump(mode="json")
    torch.manual_seed(recipe.seed)
    network = build(config).to(torch_device(recipe.device))
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    objective, log = VolumeObjective.of(config, learned), Log()
    for number in range(len(recipe.cycles)):
        name = f"cycle {number + 1}"
        result = fit(
            network,
            range(len(learned) * recipe.patches),
            objective,
            recipe.options(number),
            run_dir / name.replace(" ", "-"),
            validate=lambda network: val_dice(network, config, held_back),
            quiet=quiet,
            name=name,
            inputs=inputs,
        )
        if result.stopped:
            raise InputError(
                "the training was stopped",
                remedy="give the same command again: it goes on",
                cycle=str(number + 1),
            )
        log += [_of_epoch(name, row) for row in result.log if row["kind"] == "epoch"]
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return network.cpu(), log


def _of_epoch(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    looked = {"val_dice": row["validation"]} if "validation" in row else {}
    return {"name": name, "epoch": row["epoch"], "loss": round(row["loss"], 5), **looked}


def val_dice(
    network: VolumeNetwork, config: Config, held_back: Sequence[OutlinedVolume]
) -> dict[str, float]:
    """Compute the mean Dice of each label over the val volumes by the live path.

    It is done without mirror images, in the precision of training.
    """
    device = next(network.parameters()).device
    segmenter = VolumeSegmenter.of(network, {**preprocessing_of(config), "flips": []}, device)
    rows = []
    for outlined in held_back:
        with precision.autocast(device, precision.chosen(config["precision"], device)):
            found = segmenter.read(present(outlined), outlined.spacing_zyx_mm).labels
        rows.append(
            [dice(found == n + 1, outlined.labels == n + 1) for n in range(len(config["labels"]))]
        )
    means = np.nanmean(np.asarray(rows), axis=0)
    return {name: round(float(mean), 4) for name, mean in zip(config["labels"], means, strict=True)}

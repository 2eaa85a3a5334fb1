"""Train the chest findings network: head, then upper stages on random views, then a mean.

The mean is that of the runs' weights.
"""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from medmm.acceptance.calibration import calibration
from medmm.acceptance.metrics import macro_auroc
from medmm.domain.errors import InputError, needed
from medmm.models.film import chest_findings
from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.film.familiarity import FAMILIARITY
from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD, TONE_PERCENTILES
from medmm.models.film.reading_model import AnatomyModel, FindingsModel
from medmm.models.report_model.multimodal.modeling import masked_finding_loss
from medmm.models.weights.catalogue import WeightsFolder, open_weights, row_named
from medmm.models.weights.loading import load_network
from medmm.training.data.bounding_boxes import boxed, sides_that_hold
from medmm.training.data.films import (
    MORE_TABLE,
    NIH_TABLE,
    Film,
    chosen,
    patient_groups,
    prepared,
    read_table,
)
from medmm.training.data.holdout import refuse_held_back
from medmm.training.data.label_counts import check_labels
from medmm.training.data.layouts import ReportedFilm
from medmm.training.data.public_sets import MoreFilms
from medmm.training.film.augmentation import random_views
from medmm.training.film.familiarity import features_of, learn
from medmm.training.loop import precision
from medmm.training.weights_export import write_json, write_weights_folder

Log = list[dict[str, Any]]
Films = NDArray[np.float32]  # (n, size, size), prepared
Array = NDArray[np.float64]
CALIBRATED_ON = "NIH ChestX-ray14 films"
TRAINED = ("trunk.layer2", "trunk.layer3", "head")


def train(config: Mapping[str, Any], data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir`, without card and manifest.

    Those are the evaluation's.

    Cost: about 250 s an epoch of 3,229 films on two CPU cores with bf16, several times that
    without.
    Returns: `out_dir`.
    """
    films = training_films(data_dir)
    held_back = chosen(read_table(data_dir, NIH_TABLE), lambda f: f.split == "val")
    names, size = list(config["findings"]), int(config["size_px"])
    more = MoreFilms.of(config, data_dir)
    truth, val_truth = label_matrix([*films, *more.films], names), label_matrix(held_back, names)
    check_labels(names, truth)
    kept = (
        out_dir.with_name(f"{out_dir.name}-run") / "kept" if config.get("kept") == "disk" else None
    )
    stored = prepared(data_dir, films, int(config["stored_px"]), quiet=quiet, name="train")
    stored = more.behind(stored, quiet=quiet, file=kept and kept / "stored.npy")
    plain = prepared(data_dir, films, size, quiet=quiet, name="train, as read")
    plain = more.behind(plain, quiet=quiet, file=kept and kept / "plain.npy")
    val = prepared(data_dir, held_back, size, quiet=quiet, name="val")

    log: Log = []
    start = head_first(
        initial_network(config, data_dir), plain, truth, val, val_truth, config, log, quiet
    )
    runs = []
    for run in config["runs"]:
        runs.append(fine_tuned(start, stored, truth, val, val_truth, config, run, log, quiet))
    network = mean_of_weights(runs)
    scores = predict(network, val, quiet=quiet)
    log.append({"network": "mean of the runs", "val_macro_auroc": macro_auroc(val_truth, scores)})
    write_weights_folder(
        out_dir,
        network,
        config={"build": "medmm.models.film.chest_findings:build", "findings": names},
        preprocessing={
            "size_px": size,
            "tone_percentiles": TONE_PERCENTILES,
            "grey_mean": GREY_MEAN,
            "grey_spread": GREY_SPREAD,
            "mirror_average": True,
        },
        calibration={},
    )
    write_json(
        out_dir / "training.json",
        {
            "config": dict(config),
            "films": len(films),
            "log": log,
            "precision": precision.name(),
            **more.as_json(),
        },
    )
    if kept is not None:
        shutil.rmtree(kept)
    calibrate(out_dir, data_dir, quiet=quiet)
    return out_dir


def calibrate(folder: Path, data_dir: Path, *, quiet: bool = False) -> None:
    """Write calibration.json of a weights folder, and the features that are familiar to it.

    Scale, points and promises come from the val films, sides from train and val boxes, familiar
    features from NIH's train split.

    Cost: some ten minutes of one CPU core.
    """
    cpu = torch.device("cpu")
    weights = WeightsFolder(row=row_named("chest-findings"), folder=folder)
    names, size = (
        tuple(weights.json("config.json")["findings"]),
        weights.json("preprocessing.json")["size_px"],
    )
    network = load_network(weights, cpu)
    table = read_table(data_dir, NIH_TABLE)
    train, val = (chosen(table, partial(_of_split, name)) for name in ("train", "val"))
    films = prepared(data_dir, val, size, quiet=quiet, name="val")
    scores = predict(network, films, quiet=quiet)
    truth = label_matrix(val, list(names))
    bare, groups = np.asarray([not film.findings for film in val]), patient_groups(val)
    rows = calibration(
        list(names), scores, truth, {}, bare=bare, groups=groups, films=CALIBRATED_ON
    )
    model = FindingsModel(
        weights=weights, network=network, device=cpu, names=names, calibration=rows, size_px=size
    )
    outlines = open_weights(row_named("chest-anatomy"), None)
    anatomy = AnatomyModel.open(outlines, cpu) if outlines else None
    sides = sides_that_hold(boxed(model, anatomy, data_dir, [*train, *val], quiet=quiet))
    rows |= {name: rows[name] | {"side": sides.get(name, False)} for name in names}
    held_back = features_of(network, films, quiet=quiet, name="val")
    films = prepared(data_dir, train, size, quiet=quiet, name="train")
    learned = features_of(network, films, quiet=quiet, name="train")
    rows[FAMILIARITY] = learn(folder, learned, held_back)
    write_json(folder / "calibration.json", rows)


def _of_split(name: str, film: Film) -> bool:
    return film.split == name


def training_films(data_dir: Path) -> list[Film]:
    """List the films to learn from: NIH's train split and the further NIH films.

    Raises: InputError if a patient is of val or test.
    """
    nih = read_table(data_dir, NIH_TABLE)
    films = chosen(nih, lambda f: f.split == "train") + read_table(data_dir, MORE_TABLE)
    refuse_held_back(
        {f.patient for f in films}, {f.patient for f in nih if f.split in ("val", "test")}
    )
    return films


def label_matrix(films: Sequence[Film | ReportedFilm], names: list[str]) -> Array:
    """Build labels as (films, findings) of 0 and 1, NaN if nobody said."""
    return np.asarray([film.labels(names) for film in films])


def initial_network(config: Mapping[str, Any], data_dir: Path) -> ChestFindingsNetwork:
    """Build the network with the ImageNet trunk of `config["init"]` and a head of zeros.

    Raises: InputError if they don't fit.
    """
    network = chest_findings.build(config)
    state = {f"trunk.{k}": v.float() for k, v in load_file(data_dir / config["init"]).items()}
    missing, extra = network.load_state_dict(state, strict=False)
    new = [k for k in missing if not k.startswith("head") and "num_batches" not in k]
    if extra or new:
        raise InputError(
            "the weights to begin with are of another network",
            remedy="name those of the recipe's trunk under `init`",
            file=str(config["init"]),
            tensors=", ".join([*new, *extra][:3]),
        )
    return network


def batches(films: Films, size: int = 32) -> list[Tensor]:
    """Split an array (n, h, w) into views of (b, 1, h, w)."""
    return [torch.from_numpy(films[i : i + size])[:, None] for i in range(0, len(films), size)]


def as_input(films: Tensor) -> Tensor:
    """Convert films to float32, channels last, which a CPU computes fastest."""
    return films.float().contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(
    network: ChestFindingsNetwork, films: Films, *, quick: bool = False, quiet: bool = True
) -> Array:
    """Predict logits (n, findings): the mean over a film and its mirror image.

    Live use does the same.

    Args:
        films: prepared films (n, rows, columns).
        quick: whether bf16 is taken, for a look between epochs; live use, calibration and figures
            take fp32.
        quiet: whether no progress is shown.
    """
    out = []
    for batch in track(batches(films), description="predict", disable=quiet):
        film = as_input(batch)
        with precision.quick(quick):
            out.append((network(film).float() + network(film.flip(3)).float()) / 2)
    return torch.cat(out).double().numpy()


@torch.inference_mode()
def pooled_features(network: ChestFindingsNetwork, films: Films, quiet: bool) -> Array:
    """Compute the trunk's mean features (n, 256)."""
    out = []
    for batch in track(batches(films), description="features", disable=quiet):
        with precision.quick():
            out.append(network.upper(network.stem(as_input(batch))).mean((2, 3)).float())
    return torch.cat(out).double().numpy()


def head_first(
    network: ChestFindingsNetwork,
    films: Films,
    truth: Array,
    val: Films,
    val_truth: Array,
    config: Mapping[str, Any],
    log: Log,
    quiet: bool,
) -> ChestFindingsNetwork:
    """Put the logistic solution on frozen features into the head; val chooses the penalty."""
    features, val_features = (
        pooled_features(network, films, quiet),
        pooled_features(network, val, quiet),
    )
    mean, spread = features.mean(0), features.std(0) + 1e-6
    best: tuple[float, Array, Array] | None = None
    for penalty in config["penalty"]:
        weight, bias = logistic_head((features - mean) / spread, truth, float(penalty))
        weight, bias = weight / spread, bias - (weight / spread) @ mean
        score = macro_auroc(val_truth, val_features @ weight.T + bias) or 0.0
        log.append(
            {"network": "frozen features, logistic", "penalty": penalty, "val_macro_auroc": score}
        )
        if best is None or score > best[0]:
            best = score, weight, bias
    _, weight, bias = needed(best, "a penalty to choose from")
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight).float()[:, :, None, None])
        needed(network.head.bias, "the bias of the head").copy_(torch.from_numpy(bias).float())
    return network


def logistic_head(features: Array, truth: Array, penalty: float) -> tuple[Array, Array]:
    """Fit one logistic regression a finding on the labels that are known.

    Returns: weights (findings, features) and biases (findings,).
    Raises: InputError for a finding that no film has, or that all have.
    """
    models = []
    for number, column in enumerate(truth.T):
        known = ~np.isnan(column)
        if len(np.unique(column[known])) < 2:
            raise InputError(
                "a finding is present in none of the training films or in all of them",
                remedy="leave it out of the recipe's findings, or give more films",
                finding=f"number {number + 1}",
            )
        given = (features, column) if known.all() else (features[known], column[known])
        models.append(LogisticRegression(C=penalty, max_iter=500).fit(*given))
    return np.stack([m.coef_[0] for m in models]), np.asarray([m.intercept_[0] for m in models])


def fine_tuned(
    start: ChestFindingsNetwork,
    films: Films,
    truth: Array,
    val: Films,
    val_truth: Array,
    config: Mapping[str, Any],
    run: Mapping[str, Any],
    log: Log,
    quiet: bool,
) -> ChestFindingsNetwork:
    """Train stages 2 and 3 and the head on random views; return the averaged weights.

    Batch norms are frozen.
    """
    torch.manual_seed(run["seed"])
    random = torch.Generator().manual_seed(run["seed"])
    network, average = copy.deepcopy(start), copy.deepcopy(start)
    trained = [p for n, p in network.named_parameters() if n.startswith(TRAINED)]
    optimizer = torch.optim.AdamW(
        trained, lr=config["learning_rate"], weight_decay=config["weight_decay"]
    )
    batch, per_epoch = int(config["batch"]), len(films) // int(config["batch"])
    labels, steps, step = torch.from_numpy(truth).float(), run["epochs"] * per_epoch, 0
    loss_of = (
        masked_finding_loss
        if np.isnan(truth).any()
        else functional.binary_cross_entropy_with_logits
    )
    for epoch in range(run["epochs"]):
        order = torch.randperm(len(films), generator=random)
        total = 0.0
        name = f"run {run['seed']}, epoch {epoch + 1} of {run['epochs']}"
        for i in track(range(per_epoch), description=name, disable=quiet):
            chosen_films = order[i * batch : (i + 1) * batch]
            views = torch.from_numpy(films[chosen_films.numpy()])[:, None].float()
            views, _ = random_views(views, int(config["size_px"]), config["augmentation"], random)
            with torch.no_grad(), precision.quick():
                stem = network.stem(as_input(views))
            with precision.quick():
                logits = network.head(network.upper(stem)).mean((2, 3))
            loss = loss_of(logits.float(), labels[chosen_films])
            descend(optimizer, loss, learning_rate(step, steps, config["learning_rate"]))
            step += 1
            total += loss.item()
            follow(average, network, min(config["average"], (step + 1) / (step + 10)))
        score = macro_auroc(val_truth, predict(average, val, quick=True))
        log.append({"network": name, "loss": total / per_epoch, "val_macro_auroc": score})
    return average


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Compute the learning rate: a short rise, then half a cosine down to a twentieth."""
    return (
        peak
        * min(1.0, (step + 1) / 60)
        * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
    )


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    """Take one step down a loss at a learning rate."""
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights a step toward the network's."""
    for kept, moving in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(moving, 1 - decay)


@torch.no_grad()
def mean_of_weights(networks: list[ChestFindingsNetwork]) -> ChestFindingsNetwork:
    """Average the weights of networks that share a start.

    Source: Wortsman et al., ICML 2022.
    """
    mean = copy.deepcopy(networks[0])
    for parameters in zip(mean.parameters(), *(n.parameters() for n in networks), strict=True):
        parameters[0].copy_(torch.stack(list(parameters[1:])).mean(0))
    return mean

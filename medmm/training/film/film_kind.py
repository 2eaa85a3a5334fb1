"""Train the network for kinds of pictures, and choose the gate's thresholds on val films."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional

from medmm.models.film.film_kind import KINDS
from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD, TONE_PERCENTILES, prepare_film
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.models.weights.loading import load_network
from medmm.training.data.picture_kinds import Picture, read_pictures, windows_of
from medmm.training.film.augmentation import random_views
from medmm.training.film.chest_findings import (
    as_input,
    descend,
    follow,
    initial_network,
    learning_rate,
)
from medmm.training.loop import precision
from medmm.training.weights_export import write_json, write_weights_folder

TRAINED = ("trunk.layer2", "trunk.layer3", "head")
# Of any kind of val picture that is not a frontal chest film, at most this share may be taken for
# one without a tag's word.
NOT_FRONTAL_PASSED = 0.002
LEAST_SURE = 0.9
NEGATIVE = (1 - 2 * GREY_MEAN) / GREY_SPREAD  # a prepared film z shows its negative at NEGATIVE - z
Log = list[dict[str, Any]]


def train(config: Mapping[str, Any], data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir`.

    Cost: some 15 minutes on two CPU cores.
    """
    stored = _stored(data_dir, "train", int(config["stored_px"]), quiet)
    network, log = fitted(
        initial_network({**config, "findings": KINDS}, data_dir), stored, config, quiet
    )
    size = int(config["size_px"])
    calibration = _calibration(network, data_dir, size, config, quiet)
    write_weights_folder(
        out_dir,
        network,
        config={"build": "medmm.models.film.film_kind:build", "kinds": KINDS},
        preprocessing={
            "size_px": size,
            "tone_percentiles": TONE_PERCENTILES,
            "grey_mean": GREY_MEAN,
            "grey_spread": GREY_SPREAD,
        },
        calibration=calibration,
    )
    counts = {kind: len(films) for kind, films in stored.items()}
    write_json(out_dir / "training.json", {"config": dict(config), "pictures": counts, "log": log})
    return out_dir


def calibrate(folder: Path, data_dir: Path, *, quiet: bool = False) -> None:
    """Write calibration.json of a weights folder from the val pictures.

    Cost: some three minutes of one CPU core.
    """
    weights = WeightsFolder(row=row_named("film-kind"), folder=folder)
    size, config = (
        weights.json("preprocessing.json")["size_px"],
        weights.json("training.json")["config"],
    )
    network = load_network(weights, torch.device("cpu")).eval()
    write_json(folder / "calibration.json", _calibration(network, data_dir, size, config, quiet))


def _calibration(
    network: nn.Module, data_dir: Path, size_px: int, config: Mapping[str, Any], quiet: bool
) -> dict[str, float]:
    val = _stored(data_dir, "val", size_px, quiet)
    frontal = probabilities(network, val["frontal"], quiet)
    strange = {kind: films for kind, films in val.items() if kind != "frontal"} | _windows(
        data_dir, size_px, quiet
    )
    apart = {
        kind: probabilities(network, films, quiet)[:, KINDS.index("frontal")]
        for kind, films in strange.items()
    }
    # Of mirrored films, more look alike: they are counted apart
    for kind in ("inverted", "upside down", "rotated"):
        films = np.stack([_turned(film, kind) for film in val["frontal"]])
        apart[kind] = probabilities(network, films, quiet)[:, KINDS.index("frontal")]
    return {**thresholds(frontal, config), "sure": sure_threshold(apart)}


def _turned(film: NDArray[np.float16], kind: str) -> NDArray[np.float16]:
    made = as_kind(torch.from_numpy(film)[None].float(), kind, True, False)[0]
    return np.asarray(made.numpy(), dtype=np.float16)


def _windows(data_dir: Path, size_px: int, quiet: bool) -> dict[str, NDArray[np.float16]]:
    """Cut stand-ins for other body parts out of the frontal NIH films of val, by kind."""
    found: dict[str, list[NDArray[np.float16]]] = {}
    for picture in track(
        read_pictures(data_dir, frozenset({"val"})), description="windows: val", disable=quiet
    ):
        if picture.kind == "frontal" and "NIH" in picture.row:
            for window in windows_of(picture):
                found.setdefault(window.row, []).append(
                    prepare_film(window.grey, size_px)[0].astype(np.float16)
                )
    return {row: np.stack(films) for row, films in found.items()}


def sure_threshold(apart: Mapping[str, NDArray[np.float32]]) -> float:
    """Choose the probability of frontal that few pictures of other kinds reach.

    At most NOT_FRONTAL_PASSED of each kind do.

    Args:
        apart: by kind, the probabilities (n,) of being an upright frontal film.
    """
    reached = max(
        float(np.quantile(p, 1 - NOT_FRONTAL_PASSED, method="higher")) for p in apart.values()
    )
    return round(min(1.0, max(LEAST_SURE, reached + 0.0001)), 4)


def _stored(data_dir: Path, part: str, size_px: int, quiet: bool) -> dict[str, NDArray[np.float16]]:
    """Prepare the pictures of a part by kind, (n, size_px, size_px)."""
    found: dict[str, list[NDArray[np.float16]]] = {}
    pictures: Iterable[Picture] = read_pictures(data_dir, frozenset({part}))
    for picture in track(pictures, description=f"pictures: {part}", disable=quiet):
        found.setdefault(picture.kind, []).append(
            prepare_film(picture.grey, size_px)[0].astype(np.float16)
        )
    return {kind: np.stack(films) for kind, films in found.items()}


def fitted(
    network: nn.Module,
    stored: Mapping[str, NDArray[np.float16]],
    config: Mapping[str, Any],
    quiet: bool,
) -> tuple[nn.Module, Log]:
    """Train the network on drawn pictures; return it with averaged weights, and its losses."""
    torch.manual_seed(config["seed"])
    draw = Draw({kind: torch.from_numpy(films)[:, None] for kind, films in stored.items()}, config)
    average = copy.deepcopy(network)
    trained = [p for n, p in network.named_parameters() if n.startswith(TRAINED)]
    optimizer = torch.optim.AdamW(
        trained, lr=config["learning_rate"], weight_decay=config["weight_decay"]
    )
    per_epoch = int(config["draws"]) // int(config["batch"])
    steps, step, log = config["epochs"] * per_epoch, 0, []
    for epoch in range(config["epochs"]):
        total = 0.0
        name = f"epoch {epoch + 1} of {config['epochs']}"
        for _ in track(range(per_epoch), description=name, disable=quiet):
            films, kinds = draw.batch()
            with precision.quick():
                logits = network(as_input(films))
            loss = functional.cross_entropy(logits.float(), kinds, label_smoothing=0.01)
            descend(optimizer, loss, learning_rate(step, steps, config["learning_rate"]))
            step, total = step + 1, total + loss.item()
            follow(average, network, min(config["average"], (step + 1) / (step + 10)))
        log.append({"epoch": epoch + 1, "loss": total / per_epoch})
    return average.eval(), log


class Draw:
    """Draws batches in which every kind has its share, made from frontal films if it can be."""

    def __init__(self, stored: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        self.stored, self.config = stored, config
        self.random = torch.Generator().manual_seed(config["seed"])
        self.shares = torch.tensor([float(config["shares"][kind]) for kind in KINDS])

    def batch(self) -> tuple[Tensor, Tensor]:
        """Draw prepared views (b, 1, size, size) and the index of each one's kind."""
        kinds = torch.multinomial(
            self.shares, int(self.config["batch"]), replacement=True, generator=self.random
        )
        films = torch.stack([self._picture(KINDS[i]) for i in kinds])
        size = int(self.config["size_px"])
        views, _ = random_views(
            films, size, self.config["augmentation"], self.random, mirror_too=False
        )
        return views, kinds

    def _picture(self, kind: str) -> Tensor:
        if kind == "other":
            return self._other()
        film = self._one("lateral" if kind == "lateral" else "frontal")
        return as_kind(film, kind, self._coin(), self._coin())

    def _other(self) -> Tensor:
        """Draw a picture that is not a chest film, or a film cut or joined to another."""
        choice = float(torch.rand((), generator=self.random))
        if choice < self.config["made_of_films"]:
            made = self._part_of_film() if self._coin() else self._two_films()
        else:
            made = self._one("other")
        for dims in ((1,), (2,)):
            made = made.flip(dims) if self._coin() else made
        made = made.rot90(int(self._coin()), (1, 2))
        return NEGATIVE - made if self._coin() and self._coin() else made

    def _part_of_film(self) -> Tensor:
        """Stretch a window of a tenth to a fifth of a film's area over the whole picture."""
        film = self._one("frontal")
        side = film.shape[-1]
        height, width = (
            int(side * (0.2 + 0.25 * float(torch.rand((), generator=self.random))))
            for _ in range(2)
        )
        top, left = (
            int(float(torch.rand((), generator=self.random)) * (side - n)) for n in (height, width)
        )
        window = film[None, :, top : top + height, left : left + width]
        return functional.interpolate(window, (side, side), mode="bilinear")[0]

    def _two_films(self) -> Tensor:
        films = torch.stack([self._one("frontal"), self._one("frontal")])
        side = films.shape[-1]
        narrow = functional.interpolate(films, (side, side // 2), mode="bilinear")
        return torch.cat([narrow[0], narrow[1]], dim=2)

    def _one(self, kind: str) -> Tensor:
        films = self.stored[kind]
        return films[int(torch.randint(len(films), (), generator=self.random))].float()

    def _coin(self) -> bool:
        return bool(torch.rand((), generator=self.random) < 0.5)


def as_kind(film: Tensor, kind: str, one: bool, other: bool) -> Tensor:
    """Turn a prepared film (1, s, s) into a picture of a kind.

    `one` and `other` choose among the ways there are.
    """
    if kind == "mirrored":
        return film.flip(2)
    if kind == "inverted":
        return NEGATIVE - film
    if kind == "upside down":
        return film.flip((1, 2)) if one else film.flip(1)
    if kind == "rotated":
        return (film.flip(2) if other else film).rot90(1 if one else -1, (1, 2))
    return film.flip(2) if kind == "lateral" and one else film


@torch.inference_mode()
def probabilities(
    network: nn.Module, films: NDArray[np.float16], quiet: bool = True
) -> NDArray[np.float32]:
    """Predict probabilities (n, kinds) of prepared films (n, s, s)."""
    out = []
    for start in track(range(0, len(films), 32), description="predict", disable=quiet):
        out.append(
            network(as_input(torch.from_numpy(films[start : start + 32])[:, None]))
            .float()
            .softmax(1)
        )
    return torch.cat(out).numpy()


def thresholds(frontal: NDArray[np.float32], config: Mapping[str, Any]) -> dict[str, float]:
    """Choose what passes the stated share of frontal val films, from (n, kinds).

    `accept` is the least sum of frontal and mirrored, `mirrored` the probability from which a film
    is called mirrored.
    """
    upright = frontal[:, KINDS.index("frontal")] + frontal[:, KINDS.index("mirrored")]
    mirrored = frontal[:, KINDS.index("mirrored")]
    return {
        "accept": round(float(min(0.5, np.quantile(upright, config["frontal_refused"]))), 4),
        "mirrored": round(float(max(0.5, np.quantile(mirrored, 1 - config["frontal_held"]))), 4),
    }

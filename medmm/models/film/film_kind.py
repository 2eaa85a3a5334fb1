"""The network for kinds of radiographs' pictures: the gate's second witness beside tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.film.chest_findings import build as build_trunk
from medmm.models.film.compiled import run_by
from medmm.models.film.preprocessing import prepare_film
from medmm.models.film_backends import TORCH
from medmm.models.image_encoder import for_reading
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.loading import load_network

KINDS = ("frontal", "mirrored", "inverted", "upside down", "rotated", "lateral", "other")


def build(config: Mapping[str, Any]) -> ChestFindingsNetwork:
    """Build the network of `config["kinds"]`: films (b, 1, h, w) to logits (b, kinds).

    Films are prepared; one of the kinds is true.
    """
    return build_trunk({"findings": config["kinds"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmKindModel:
    """The network with the thresholds that were chosen on films it did not learn from."""

    weights: WeightsFolder
    network: Any
    size_px: int
    kinds: tuple[str, ...]
    accept: float
    mirrored: float
    # Of an upright frontal film, at least; None: no picture is sure (weights of an earlier form)
    sure: float | None

    @classmethod
    def open(
        cls, weights: WeightsFolder, device: torch.device, backend: str = TORCH
    ) -> FilmKindModel:
        """Load a weights folder; `backend` is the setting `film_backend`.

        Raises: IntegrityError if one of its files was altered, ConfigError as `run_by`.
        """
        calibration = weights.json("calibration.json")
        return cls(
            weights=weights,
            network=run_by(backend, for_reading(load_network(weights, device)), "trunk", device),
            size_px=weights.json("preprocessing.json")["size_px"],
            kinds=tuple(weights.json("config.json")["kinds"]),
            accept=calibration["accept"],
            mirrored=calibration["mirrored"],
            sure=calibration.get("sure"),
        )

    def kind_of(self, grey: NDArray[np.float32]) -> str:
        """Return one of KINDS for a display-ready picture (rows, columns).

        Raises: InputError if it shows a single tone.
        """
        return decided(self.probability(grey), self.accept, self.mirrored)

    def surely_frontal(self, grey: NDArray[np.float32]) -> bool:
        """Tell whether a picture (rows, columns) alone may stand for an untold body part.

        That is stricter than its kind.
        """
        return self.sure is not None and self.probability(grey)["frontal"] >= self.sure

    @torch.inference_mode()
    def probability(self, grey: NDArray[np.float32]) -> dict[str, float]:
        """Return the probability of each kind for a picture (rows, columns).

        Raises: InputError if it shows a single tone.
        """
        film = torch.from_numpy(prepare_film(grey, self.size_px))[None].contiguous(
            memory_format=torch.channels_last
        )
        logits = self.network(film.to(next(self.network.parameters()).device))
        return dict(zip(self.kinds, logits.float().softmax(1)[0].tolist(), strict=True))


def decided(probability: Mapping[str, float], accept: float, mirrored: float) -> str:
    """Choose the kind by the thresholds: frontal in either handedness, then the likeliest."""
    upright = probability["frontal"] + probability["mirrored"]
    if upright >= accept:
        return "mirrored" if probability["mirrored"] >= mirrored else "frontal"
    return max(KINDS[2:], key=lambda kind: probability[kind])

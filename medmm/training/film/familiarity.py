"""Learn which films are familiar to the findings network: the Gaussian of their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from safetensors.numpy import save_file
from sklearn.covariance import LedoitWolf

from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.film.familiarity import FEATURES, Familiarity

Array = NDArray[np.float64]
Films = NDArray[np.float32]  # (films, rows, columns), prepared
UNFAMILIAR = 0.01  # of the calibration films: so many are left to a person as unfamiliar


@torch.inference_mode()
def features_of(network: ChestFindingsNetwork, films: Films, *, quiet: bool, name: str) -> Array:
    """Compute the trunk's mean features as live use does, (films, features).

    They are means over a film and its mirror image.
    """
    out = []
    for film in track(films, description=f"features: {name}", disable=quiet):
        one = torch.from_numpy(film)[None, None]
        pair = torch.cat([one, one.flip(3)]).contiguous(memory_format=torch.channels_last)
        out.append(network.encode(pair).float().mean((0, 2, 3)).numpy())
    return np.asarray(out, dtype=np.float64)


def learn(folder: Path, learned: Array, held_back: Array) -> dict[str, Any]:
    """Write the Gaussian of training films; return its row of calibration.json.

    Args:
        learned: features of films that the network learned from, (films, features).
        held_back: of calibration films, which set the point.
    Source: covariance shrunk as by Ledoit and Wolf, J. Multivariate Anal. 2004;88:365-411.
    """
    fit = LedoitWolf().fit(learned)
    mean = learned.mean(0).astype(np.float32)
    precision = np.linalg.inv(fit.covariance_).astype(np.float32)
    save_file({"mean": mean, "precision": precision}, folder / FEATURES)
    free = Familiarity(mean=mean, precision=precision, point=np.inf)
    away = np.sort([free.distance(one.astype(np.float32)) for one in held_back])
    rank = int(np.ceil((1 - UNFAMILIAR) * (len(away) + 1))) - 1
    point = float(away[min(rank, len(away) - 1)])
    return {"point": point, "share": UNFAMILIAR, "films": len(learned), "held_back": len(away)}

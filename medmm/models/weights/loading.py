"""From a checked weights folder to a network: safetensors only, strictly, never pickle."""

from __future__ import annotations

import importlib
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from medmm.domain.errors import ConfigError, IntegrityError
from medmm.models.weights.catalogue import REMEDY, WeightsFolder

Network = TypeVar("Network", bound=nn.Module)
BUILDERS = {
    "findings": "medmm.models.film.chest_findings",
    "anatomy": "medmm.models.film.chest_anatomy",
    "film-kind": "medmm.models.film.film_kind",
    "volume-labels": "medmm.models.mr.volume_network",
}


def torch_device(device: str) -> torch.device:
    """Return the device that `auto`, `cpu` or `cuda` means here.

    Raises: ConfigError for a cuda that is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device is here", remedy="set device: auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def reading_device(device: str, threads: int | None) -> torch.device:
    """Give the process so many threads (None leaves those it has); return the device."""
    where = torch_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return where


def load_network(weights: WeightsFolder, device: torch.device) -> Any:
    """Load the network of a weights folder, on `device`, ready to read.

    Raises: IntegrityError if the parameters are not safetensors or do not fit the configuration.
    """
    builder = importlib.import_module(BUILDERS[weights.row.task])
    network: nn.Module = builder.build(weights.json("config.json"))
    return fill(network, weights).to(device).eval()


def fill(network: Network, weights: WeightsFolder, prefix: str = "") -> Network:
    """Put parameters of a weights folder into a network, in float32.

    They are those whose names start with `prefix`.

    Raises: IntegrityError if they are not safetensors, or not those of the network.
    """
    try:
        parameters = load_file(weights.folder / "model.safetensors")
        state = {
            k.removeprefix(prefix): v.float() for k, v in parameters.items() if k.startswith(prefix)
        }
        missing, extra = network.load_state_dict(state, strict=False)
    except (SafetensorError, RuntimeError) as error:
        raise _unfit(weights, str(error)) from error
    if extra or [name for name in missing if not name.endswith("num_batches_tracked")]:
        raise _unfit(weights, "parameters are missing or too many")
    return network


def _unfit(weights: WeightsFolder, why: str) -> IntegrityError:
    return IntegrityError(
        f"the parameters do not fit the network: {why}",
        remedy=REMEDY,
        weights=weights.row.name,
        file="model.safetensors",
    )

"""The trunk of a film network, run by ONNX Runtime or OpenVINO in place of torch."""

from __future__ import annotations

import logging
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from medmm.domain.errors import ConfigError
from medmm.models.film.runtimes import OPENERS, Run
from medmm.models.film_backends import AUTO, TORCH, film_backend

log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)
PROBE_PX = 96
# From torch, of the map's largest value: float32 is 0.000003 away, bfloat16 more than 0.001
MOST_AWAY = 1e-4


class CompiledTrunk(nn.Module):
    """The trunk of a film network, run by another library; safe from several threads.

    It is handed over in memory, from parameters that were checked and loaded: no file is written.
    """

    def __init__(self, trunk: nn.Module, wanted: str, runtime: str) -> None:
        """Hand a trunk over, and compare what comes back with torch on a picture of noise.

        Args:
            trunk: from films to a map, on the processor, ready to read.
            wanted: the setting `film_backend`.
            runtime: the library that it led to.
        Raises: ConfigError if the library does not open, or gives another map than torch.
        """
        from medmm.models.film.onnx_graph import onnx_graph

        super().__init__()
        self.trunk, self.wanted, self.runtime = trunk, wanted, runtime
        self._run: Run | None = OPENERS[runtime](onnx_graph(trunk), torch.get_num_threads())
        self._prove(self._run)

    @torch.inference_mode()
    def _prove(self, run: Run) -> None:
        random = torch.Generator().manual_seed(0)
        noise = torch.randn(1, 1, PROBE_PX, PROBE_PX, generator=random)
        expected = self.trunk(noise).numpy()
        away = float(np.abs(run(noise.numpy()) - expected).max() / np.abs(expected).max())
        if not away <= MOST_AWAY:  # nor is what is no number
            raise ConfigError(
                f"{self.runtime} gives other maps than torch, {away:.1g} of the largest value away",
                remedy="set film_backend: torch",
            )

    def forward(self, films: Tensor) -> Tensor:
        """Compute the map (b, channels, y, x) of prepared films (b, 1, h, w).

        Raises: ConfigError if the library fails, unless the setting is auto: then torch goes on.
        """
        if self._run is not None:
            try:
                return torch.from_numpy(self._run(films.contiguous().numpy()))
            except ConfigError as error:
                if self.wanted != AUTO:
                    raise
                _say_once(error.problem)
                self._run = None
        read: Tensor = self.trunk(films)
        return read


def run_by(wanted: str, network: Network, part: str, device: torch.device) -> Network:
    """Let the library of the setting `film_backend` run a part of a film network, in place.

    What `auto` finds and can't use is said once in the log; torch then runs the network.

    Args:
        wanted: auto, torch, onnxruntime or openvino.
        network: ready to read, on `device`.
        part: the name of its module from films to a map.
    Raises: ConfigError if a named library is missing, does not open, or gives other maps.
    """
    runtime = film_backend(wanted, device.type)
    if runtime == TORCH:
        return network
    try:
        compiled = CompiledTrunk(getattr(network, part), wanted, runtime)
    except ConfigError as error:
        if wanted != AUTO:
            raise
        _say_once(error.problem)
    else:
        setattr(network, part, compiled)
    return network


@cache
def _say_once(problem: str) -> None:
    log.warning("%s; torch runs the film networks (film_backend: auto)", problem)

"""The network for kinds of pictures, opened at the first film: most studies have none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmm.models.film_backends import TORCH
from medmm.models.weights.catalogue import WeightsFolder

if TYPE_CHECKING:
    from medmm.models.film.film_kind import FilmKindModel


class KindsWhenAsked:
    """Says what kind of picture a film is, by a verified network loaded when it is asked."""

    def __init__(self, weights: WeightsFolder, device: str, backend: str = TORCH) -> None:
        self._weights, self._device, self._backend = weights, device, backend
        self._model: FilmKindModel | None = None
        self._loading = threading.Lock()

    def kind_of(self, grey: NDArray[np.float32]) -> str:
        """Return one of KINDS as `FilmKindModel.kind_of` does."""
        return self._opened().kind_of(grey)

    def surely_frontal(self, grey: NDArray[np.float32]) -> bool:
        """Tell whether a picture may stand alone, as `FilmKindModel.surely_frontal` does."""
        return self._opened().surely_frontal(grey)

    def _opened(self) -> FilmKindModel:
        with self._loading:
            if self._model is None:
                from medmm.models.film.film_kind import FilmKindModel
                from medmm.models.weights.loading import torch_device

                self._model = FilmKindModel.open(
                    self._weights, torch_device(self._device), self._backend
                )
            return self._model

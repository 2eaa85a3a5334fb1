"""Films with their labels and a network's calibrated probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance import metrics
from medmm.acceptance.metrics import Interval, interval, patient_draws
from medmm.training.data.films import Film
from medmm.training.film.chest_findings import label_matrix

Array = NDArray[np.float64]
Json = dict[str, Any]
LEAST_CASES = 10


class Scored:
    """Films with labels and calibrated probabilities, both (films, findings)."""

    def __init__(self, films: list[Film], names: list[str], probability: Array) -> None:
        self.films, self.names, self.probability = films, names, probability
        self.truth = label_matrix(films, names)
        self.patients = [film.patient for film in films]

    def part(self, keep: Callable[[Film], bool]) -> Scored:
        """Keep the films that `keep` says yes to."""
        index = [i for i, film in enumerate(self.films) if keep(film)]
        return Scored([self.films[i] for i in index], self.names, self.probability[index])

    def macro(self, draws: int = metrics.BOOTSTRAPS, without: str | None = None) -> Interval:
        """Compute the macro AUROC over the labels with enough cases here."""
        cases = self.truth.sum(0)
        columns = [
            j
            for j, name in enumerate(self.names)
            if name != without and LEAST_CASES <= cases[j] <= len(self.films) - LEAST_CASES
        ]
        if not columns:
            return Interval(value=None, low=None, high=None)
        return interval(
            lambda i: metrics.macro_auroc(self.truth[i], self.probability[i], columns),
            len(self.films),
            patient_draws(self.patients, draws),
        )

    def share(self, hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Json:
        """Compute the share of hits among some films or cells; see `metrics.share`.

        Cells are those of (films, findings).
        """
        patients = np.asarray(self.patients)
        named = patients if of.ndim == 1 else np.broadcast_to(patients[:, np.newaxis], of.shape)
        return metrics.share(hits[of], list(named[of]))

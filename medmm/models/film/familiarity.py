"""How unlike a film is from those that the findings network learned from, by its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.errors import IntegrityError
from medmm.models.weights.catalogue import WeightsFolder

FAMILIARITY = "familiarity"  # the key of the point in calibration.json
FEATURES = "features.safetensors"
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Familiarity:
    """The distance of a film's features from those of the training films.

    It is Mahalanobis' (Lee et al., NeurIPS 2018), with one Gaussian for all films.

    Attributes:
        mean: of the training films' features, (features,).
        precision: inverse of their covariance, (features, features).
        point: from this distance on a film is unfamiliar.
    """

    mean: Features
    precision: Features
    point: float

    @classmethod
    def of(cls, weights: WeightsFolder, calibration: Mapping[str, Any]) -> Familiarity | None:
        """Open that of a weights folder; None if it has none.

        Raises: IntegrityError if its features and its point do not belong together.
        """
        row = calibration.get(FAMILIARITY)
        if row is None:
            return None
        from safetensors.numpy import load_file

        path = weights.folder / FEATURES
        if not path.is_file():
            raise IntegrityError(
                "the features of the training films are missing",
                remedy="restore the weights folder from a copy",
                file=FEATURES,
            )
        kept = load_file(path)
        return cls(mean=kept["mean"], precision=kept["precision"], point=row["point"])

    def distance(self, features: Features) -> float:
        """Compute the distance of one film's features (features,), to three digits."""
        away = (features - self.mean).astype(np.float64)
        return round(float(np.sqrt(away @ self.precision.astype(np.float64) @ away)), 3)

    def unfamiliar(self, features: Features) -> bool:
        """Tell whether a film is unlike those learned from."""
        return self.distance(features) >= self.point

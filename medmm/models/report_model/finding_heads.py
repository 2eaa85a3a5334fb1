"""The finding heads of the chest film language model: what no other network reads.

Loads without transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medmm.domain.reading import Finding
from medmm.models.calibration import calibrated_finding
from medmm.models.film.compiled import run_by
from medmm.models.film.preprocessing import FilmToPrepare, prepare_film
from medmm.models.film.regions import chest_cells, region_of
from medmm.models.film_backends import TORCH
from medmm.models.image_encoder import ImageEncoder, for_reading
from medmm.models.report_model.encoded_films import EncodedFilms
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.loading import fill

Grey = NDArray[np.float32]
FILM = "film"  # the encoder's name in the configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHeads:
    """The film encoder of a multimodal weights folder with its heads and their calibration."""

    weights: WeightsFolder
    encoder: ImageEncoder
    device: torch.device
    names: tuple[str, ...]
    calibration: Mapping[str, Mapping[str, Any]]
    size_px: int
    films: EncodedFilms = field(default_factory=EncodedFilms)

    @classmethod
    def open(
        cls,
        weights: WeightsFolder,
        device: torch.device,
        films: EncodedFilms | None = None,
        backend: str = TORCH,
    ) -> ReportHeads:
        """Load the encoder alone; `films` is what other readers of the same weights share with it.

        `backend` is the setting `film_backend`.

        Raises: IntegrityError if its parameters do not fit the configuration, ConfigError as
            `run_by`.
        """
        config = weights.json("config.json")
        encoder = ImageEncoder(config["encoders"][FILM], len(config["findings"]))
        filled = for_reading(fill(encoder, weights, f"encoders.{FILM}.").to(device))
        return cls(
            weights=weights,
            encoder=run_by(backend, filled, "trunk", device),
            device=device,
            names=tuple(config["findings"]),
            calibration=weights.json("calibration.json")["heads"],
            size_px=weights.json("preprocessing.json")["size_px"],
            films=films or EncodedFilms(),
        )

    def logits_and_maps(self, grey: Grey) -> tuple[Grey, Grey]:
        """Compute logits (findings,) and maps (findings, rows, columns) of a film."""
        return self._seen(prepare_film(grey, self.size_px))

    @torch.inference_mode()
    def _seen(self, prepared: Grey) -> tuple[Grey, Grey]:
        film = torch.from_numpy(prepared)[None].to(self.device)
        film = film.contiguous(memory_format=torch.channels_last)
        maps = self.encoder.head(
            self.films.encoded(self.weights.row.manifest_sha256, film, self.encoder)
        )[0]
        return maps.mean((1, 2)).cpu().numpy(), maps.cpu().numpy()

    def read(
        self,
        film: FilmToPrepare,
        midline: float,
        chest: NDArray[np.bool_] | None,
        others: frozenset[str],
    ) -> Iterator[Finding]:
        """Yield the calibrated findings that no other network reads, each with its region.

        No side is named: the reports that the heads learned from bear none out.
        """
        logits, maps = self._seen(film.at(self.size_px))
        cells = chest_cells(chest, (maps.shape[1], maps.shape[2]))
        for name, logit, heat in zip(self.names, logits, maps, strict=True):
            if name in self.calibration and name not in others:
                region = region_of(heat, None, midline, cells)
                yield calibrated_finding(
                    name, self.calibration[name], float(logit), region, self.weights.row.name
                )

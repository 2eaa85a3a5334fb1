"""Labelled films of public sets, beside the shared data's, for the findings network."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from medmm.models.film.preprocessing import prepare_film
from medmm.training.data.array_cache import room
from medmm.training.data.holdout import Holdout
from medmm.training.data.layouts import ReportedFilm, counted
from medmm.training.recipes import ChestFindingsRecipe, recipe_as

log = logging.getLogger(__name__)
Films = NDArray[np.float32]  # (n, size, size), prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreFilms:
    """Films of the "train" split of the recipe's folders with at least one known label.

    Films and patients that the shared data keep for val and test are left out, and films that they
    learn from already; `left_out` counts by folder and reason.
    """

    films: tuple[ReportedFilm, ...]
    left_out: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, config: Mapping[str, Any], data_dir: Path) -> MoreFilms:
        """Read those that a recipe names; none without the key `layouts`."""
        if not config.get("layouts"):
            return cls(films=(), left_out={})
        recipe = recipe_as(ChestFindingsRecipe, config)
        held_back, films, left_out = Holdout.of(data_dir), list[ReportedFilm](), {}
        for named in recipe.layouts:
            layout = named.read()
            kept, why = held_back.without(
                layout, (film for film in layout.films if film.split == "train")
            )
            labelled = [film for film in kept if not np.isnan(film.labels(recipe.findings)).all()]
            why += Counter({"no label is known": len(kept) - len(labelled)}) + Counter(
                layout.left_out
            )
            left_out[str(named.folder)] = dict(+why)
            log.info("%s: %d films; left out: %s", layout.name, len(labelled), counted(+why))
            films += labelled
        return cls(films=tuple(films), left_out=left_out)

    def behind(self, first: Films, *, quiet: bool, file: Path | None) -> Films:
        """Put these films behind `first`, prepared alike, in memory or in `file`.

        Without films it is `first` itself.
        """
        if not self.films:
            return first
        size_px = first.shape[1]
        out = room((len(first) + len(self.films), size_px, size_px), np.float32, file)
        out[: len(first)] = first
        for place, film in enumerate(
            track(self.films, description="more films", disable=quiet), start=len(first)
        ):
            out[place] = prepare_film(film.film.grey(), size_px)[0]
        return out

    def as_json(self) -> dict[str, Any]:
        """Return counts for training.json; nothing if there are no films."""
        return (
            {"more_films": {"films": len(self.films), "left_out": self.left_out}}
            if self.films
            else {}
        )

"""How often a number is left unmeasured: own subjects, other sets, damaged forms.

Images of the other sets stand in place of the own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from medmm.acceptance.metrics import share
from medmm.domain.errors import InputError
from medmm.domain.reading_model import read_by
from medmm.domain.study import Study
from medmm.evaluation.mr.unsuitable_inputs import Volumes, damaged, foreign
from medmm.models.mr.brain_lesion import BrainLesionModel
from medmm.models.mr.cardiac import CardiacModel
from medmm.models.mr.hippocampus import HippocampusModel
from medmm.models.mr.out_of_distribution import beyond, bounds_in
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.mr_sets import read_outlined_volumes, study_of, subjects
from medmm.training.mr.calibration import look_of

Json = dict[str, Any]
Model = HippocampusModel | BrainLesionModel | CardiacModel
MODELS: dict[str, type[HippocampusModel] | type[BrainLesionModel] | type[CardiacModel]] = {
    "hippocampus": HippocampusModel,
    "brain-lesion": BrainLesionModel,
    "cardiac": CardiacModel,
}
OWN, FOREIGN, DAMAGED = "own", "another set's", "own, damaged"


def unmeasured(
    task: str,
    folder: Path,
    data_dir: Path,
    *,
    looks_alone: bool = False,
    at_most: int | None = None,
    quiet: bool = False,
) -> list[Json]:
    """Compute what became of the numbers of a network, a row a set.

    The bounds of doubt were learned on training and validation subjects; the other rows are of test
    subjects.

    Args:
        looks_alone: only by the look of the images, which asks no network and takes a minute: what
            nothing but the outline or a bound of size, shape or coverage would notice counts as not
            noticed.
        at_most: of how many subjects a row is made, the first of the table; None is all.
    """
    model = MODELS[task].open(
        WeightsFolder(row=row_named(task), folder=folder), torch.device("cpu")
    )
    rows: dict[tuple[str, str], SetRow] = {}
    for kind, name, volumes in track(
        _inputs(task, data_dir, at_most), description="unmeasured", disable=quiet
    ):
        row = rows.setdefault((kind, name), SetRow())
        row.persons.append(volumes[0].row.get("person") or volumes[0].subject)
        row.unlike.append(_looks_unlike(model, task, volumes))
        if not looks_alone:
            stated = not row.unlike[-1] and _stated(model, study_of(task, volumes))
            row.stated.append(stated)
    return [{"kind": kind, "name": name, **row.json()} for (kind, name), row in rows.items()]


@dataclass(frozen=True, slots=True)
class SetRow:
    """Whose images looked unlike the set, and of whose a number was stated.

    The latter is empty if no network was asked.
    """

    persons: list[str] = field(default_factory=list)
    unlike: list[bool] = field(default_factory=list)
    stated: list[bool] = field(default_factory=list)

    def json(self) -> Json:
        """Return shares with their intervals by person."""
        stated = share(np.asarray(self.stated), self.persons) if self.stated else None
        return {"unlike": share(np.asarray(self.unlike), self.persons), "stated": stated}


def _inputs(task: str, data_dir: Path, at_most: int | None) -> Iterator[tuple[str, str, Volumes]]:
    """Yield every input with its kind and what it is called."""
    for split, name in (("val", "validation"), ("test", "test")):
        for subject in islice(subjects(read_outlined_volumes(data_dir, task, split)), at_most):
            yield OWN, name, subject
    yield from (
        (FOREIGN, name, volumes)
        for name, volumes in _first(foreign(task, data_dir, "test"), at_most)
    )
    for subject in islice(subjects(read_outlined_volumes(data_dir, task, "test")), at_most):
        yield from ((DAMAGED, name, volumes) for name, volumes in damaged(subject))


def _first(
    named: Iterable[tuple[str, Volumes]], at_most: int | None
) -> Iterator[tuple[str, Volumes]]:
    """Yield the first of each name."""
    seen: dict[str, int] = {}
    for name, volumes in named:
        seen[name] = seen.get(name, 0) + 1
        if at_most is None or seen[name] <= at_most:
            yield name, volumes


def _looks_unlike(model: Model, task: str, volumes: Volumes) -> bool:
    """Tell whether the look of the images alone leaves everything unmeasured.

    Then no network need be asked.
    """
    bounds, grid = bounds_in(model.calibration), model.segmenter.grid
    try:
        return any(beyond(look_of(task, one, grid), bounds) for one in volumes)
    except InputError:
        return False  # the reading refuses it


def _stated(model: Model, study: Study) -> bool:
    """Tell whether a number is stated; input that can't be prepared is not measured."""
    try:
        return bool(read_by([model], study).measurements)
    except InputError:
        return False

"""The reading models of one folder of weights, each opened when it is first to read.

Loads without torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.reading_model import Declaration, ReadingModel, no_reading_model
from medmm.domain.study import Modality, NotEvaluable, Study
from medmm.models.weights.catalogue import CatalogueRow, WeightsFolder

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
# Of a folder whose declaration can't be read: it covers no study, and `models list` says why
NOTHING_DECLARED = Declaration(modality=Modality.MR, body_parts=())


class Once(Generic[T]):
    """Something that is made when it is first asked for, and once, whichever threads ask."""

    def __init__(self, make: Callable[[], T], making: threading.RLock) -> None:
        self._make, self._making = make, making
        self._made: tuple[T] | None = None

    def __call__(self) -> T:
        """Give it, and make it first if nobody asked yet.

        What fails to be made is tried again at the next call.
        """
        with self._making:
            if self._made is None:
                self._made = (self._make(),)
            return self._made[0]


class OpenedWhenAsked:
    """A reading model whose networks are opened when the first study comes.

    What it declares needs none.
    """

    def __init__(
        self,
        rows: tuple[CatalogueRow, ...],
        declares: Declaration,
        opened: Callable[[], ReadingModel | None],
    ) -> None:
        self._rows, self._declares, self.opened = rows, declares, opened

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """The networks that it reads with."""
        return tuple(row.identity for row in self._rows)

    @property
    def declares(self) -> Declaration:
        """What these networks read and state."""
        return self._declares

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Read a study; see `ReadingModel.read`.

        The first call opens the networks, and verifies their files.
        """
        model = self.opened()
        return no_reading_model(study) if model is None else model.read(study)


def of_films(declared: Iterable[Declaration]) -> Declaration:
    """Join what the networks of chest films declare, each name once."""
    all_of_them = list(declared)
    return Declaration(
        modality=Modality.RADIOGRAPH,
        body_parts=("CHEST",),
        findings=tuple(dict.fromkeys(n for one in all_of_them for n in one.findings)),
        quantities=tuple(dict.fromkeys(n for one in all_of_them for n in one.quantities)),
    )


def _brain_lesion(weights: WeightsFolder, device: torch.device) -> ReadingModel:
    from medmm.models.mr.brain_lesion import BrainLesionModel

    return BrainLesionModel.open(weights, device)


def _hippocampus(weights: WeightsFolder, device: torch.device) -> ReadingModel:
    from medmm.models.mr.hippocampus import HippocampusModel

    return HippocampusModel.open(weights, device)


def _cardiac(weights: WeightsFolder, device: torch.device) -> ReadingModel:
    from medmm.models.mr.cardiac import CardiacModel

    return CardiacModel.open(weights, device)


Opener = Callable[[WeightsFolder, "torch.device"], ReadingModel]
# Beside the heads of the report model in use.
OF_FILMS = ("chest-findings", "chest-anatomy")
# By name in the catalogue, which says what each reads; a network of one folder is a row.
OF_ONE_FOLDER: Mapping[str, Opener] = {
    "brain-lesion": _brain_lesion,
    "hippocampus": _hippocampus,
    "cardiac": _cardiac,
}

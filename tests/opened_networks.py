"""The packaged networks, opened once for all tests of a process, with what they read of a study kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmm.domain.draft import Case
from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.reading_model import Declaration, ReadingModel
from medmm.domain.study import NotEvaluable, Study
from medmm.drafting import LanguageModel
from medmm.models import Adopted, Networks
from medmm.models.reading_models import Once
from medmm.models.weights.catalogue import DEFAULT_REPORT

if TYPE_CHECKING:
    from medmm.models.film.kinds_when_asked import KindsWhenAsked

NONE_ADDED = Adopted(Path("/nonexistent"))  # the packaged networks ask for no added one


class RemembersStudies:
    """A reading model that reads a study once: a study names the digests of its pixels, a reading is a value.

    That a model gives the same for the same study is proved where networks read for themselves:
    in `tests/unit/models`, and in `test_eight_threads_share_one_assistant`.
    """

    def __init__(self, model: ReadingModel) -> None:
        self.model = model
        self._read: dict[str, Reading | NotEvaluable] = {}
        self._reading = threading.Lock()

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        return self.model.identities

    @property
    def declares(self) -> Declaration:
        return self.model.declares

    def read(self, study: Study) -> Reading | NotEvaluable:
        with self._reading:
            key = repr(study)
            if key not in self._read:
                self._read[key] = self.model.read(study)
            return self._read[key]


class RemembersPictures:
    """Says what kind of picture a film is, once of each film's pixels."""

    def __init__(self, kinds: KindsWhenAsked) -> None:
        self._kinds = kinds
        self._said: dict[tuple[str, tuple[int, ...], bytes], Any] = {}
        self._asking = threading.Lock()

    def kind_of(self, grey: NDArray[np.float32]) -> str:
        kind: str = self._once("kind_of", grey)
        return kind

    def surely_frontal(self, grey: NDArray[np.float32]) -> bool:
        sure: bool = self._once("surely_frontal", grey)
        return sure

    def _once(self, asked: str, grey: NDArray[np.float32]) -> Any:
        key = (asked, grey.shape, hashlib.sha256(grey.tobytes()).digest())
        with self._asking:
            if key not in self._said:
                self._said[key] = getattr(self._kinds, asked)(grey)
            return self._said[key]


class RemembersOpinions:
    """A language model that is asked of a case once: what it says depends on what it is given and on no case's id."""

    def __init__(self, model: LanguageModel) -> None:
        self.name, self.facts_read = model.name, model.facts_read
        self._model = model
        self._said: dict[str, Any] = {}
        self._asking = threading.Lock()

    def opinions(self, cases: Sequence[Case], *asked: Any, said: Any = None) -> Any:
        with self._asking:
            key = repr(([replace(case, id="") for case in cases], asked))
            if key not in self._said:
                self._said[key] = self._model.opinions(cases, *asked)
            return copy(self._said[key])


def _remembering(opened: Callable[[], ReadingModel | None]) -> ReadingModel | None:
    """Open a reading model, whose networks then compute once for each prepared input."""
    from tests.remembered_inputs import remembering

    model = opened()
    return None if model is None else remembering(model)


class _Opened:
    """The packaged networks of one device, number of threads and film backend."""

    def __init__(self, device: str, threads: int | None, film_backend: str) -> None:
        self.networks = Networks(
            None, device=device, threads=threads, adopted=NONE_ADDED, film_backend=film_backend
        )
        for model in self.networks.reading_models:
            model.opened = Once(partial(_remembering, model.opened), threading.RLock())
        self.reading_models = tuple(map(RemembersStudies, self.networks.reading_models))

    @cached_property
    def picture_kinds(self) -> RemembersPictures | None:
        kinds = self.networks.picture_kinds
        return None if kinds is None else RemembersPictures(kinds)

    @cached_property
    def language_model(self) -> RemembersOpinions | None:
        model = self.networks.language_model
        return None if model is None else RemembersOpinions(model)


_OPENED: dict[tuple[str, int | None, str], _Opened] = {}


class OpenedNetworks(Networks):
    """Networks as settings name them: the packaged ones those of the process, all others opened anew."""

    @property
    def reading_models(self) -> Any:
        packaged = self._packaged()
        if packaged is None:
            return super().reading_models
        return (*packaged.reading_models, *self.outside_models)

    @property
    def picture_kinds(self) -> Any:
        packaged = self._packaged()
        return super().picture_kinds if packaged is None else packaged.picture_kinds

    @property
    def language_model(self) -> Any:
        packaged = self._packaged()
        return super().language_model if packaged is None else packaged.language_model

    def _packaged(self) -> _Opened | None:
        if self.weights_dir is not None or self.report != DEFAULT_REPORT:
            return None
        key = (self.device, self.threads, self.film_backend)
        if key not in _OPENED:
            _OPENED[key] = _Opened(*key)
        return _OPENED[key]

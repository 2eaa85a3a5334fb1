"""The packaged networks, opened once for all tests of a process, with what they read of a study kept."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.reading_model import Declaration, ReadingModel
from medmm.domain.study import NotEvaluable, Study
from medmm.models import Adopted, Networks
from medmm.models.weights.catalogue import DEFAULT_REPORT

NONE_ADDED = Adopted(Path("/nonexistent"))  # the packaged networks ask for no added one


@dataclass(frozen=True, slots=True)
class RemembersStudies:
    """Reads a study once: a study names the digests of its pixels, and a reading is a value.

    That one study gives one reading is proved where networks read for themselves (`tests/unit/models`, and
    `test_eight_threads_share_one_assistant`).
    """

    model: ReadingModel
    readings: dict[str, Reading | NotEvaluable] = field(default_factory=dict)
    reading: threading.Lock = field(default_factory=threading.Lock)

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """Those of the model."""
        return self.model.identities

    @property
    def declares(self) -> Declaration:
        """What the model declares."""
        return self.model.declares

    def read(self, study: Study) -> Reading | NotEvaluable:
        """The reading of this study, as it was when the study first came."""
        with self.reading:
            key = repr(study)
            if key not in self.readings:
                self.readings[key] = self.model.read(study)
            return self.readings[key]


_OPENED: dict[tuple[str, int | None], Networks] = {}
_READERS: dict[tuple[str, int | None], tuple[RemembersStudies, ...]] = {}


class OpenedNetworks(Networks):
    """Networks as settings name them: the packaged ones those of the process, all others opened anew."""

    @property
    def reading_models(self) -> Any:
        """The models, each of which remembers what it read."""
        packaged = self._packaged()
        if packaged is None:
            return super().reading_models
        key = (self.device, self.threads)
        if key not in _READERS:
            _READERS[key] = tuple(map(RemembersStudies, packaged.reading_models))
        return _READERS[key]

    @property
    def picture_kinds(self) -> Any:
        """What tells kinds of pictures."""
        packaged = self._packaged()
        return super().picture_kinds if packaged is None else packaged.picture_kinds

    @property
    def language_model(self) -> Any:
        """What writes from film and record."""
        packaged = self._packaged()
        return super().language_model if packaged is None else packaged.language_model

    def _packaged(self) -> Networks | None:
        if self.weights_dir is not None or self.report != DEFAULT_REPORT:
            return None
        key = (self.device, self.threads)
        if key not in _OPENED:
            _OPENED[key] = Networks(
                None, device=self.device, threads=self.threads, adopted=NONE_ADDED
            )
        return _OPENED[key]

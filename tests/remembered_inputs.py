"""Networks that are asked once of each prepared input: what they give is a value of it.

Files that tell one story in other words (another encoding, another order of slices, other dates) are
read in full by each test, from their bytes to the statements; only what a network would compute of
the very same prepared pixels is not computed again. That it would give the same is proved by
`tests/contract/test_remembered_inputs.py`.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from torch import Tensor

from medmm.models.film.reading_model import ChestReader
from medmm.models.mr.preprocessing import Placement
from medmm.models.mr.volume_segmenter import Labelled, VolumeSegmenter

KEPT = 16  # inputs a network; what is kept of a volume takes a few megabytes
Model = TypeVar("Model")
T = TypeVar("T")


class Remembered:
    """The answers to the last inputs, by the bytes of their pixels and whatever else is asked."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._asking = threading.Lock()

    def of(self, pixels: Tensor, asked: object, answer: Callable[[], T]) -> T:
        digest = hashlib.sha256(pixels.cpu().contiguous().numpy().tobytes()).digest()
        key = (digest, pixels.dtype, tuple(pixels.shape), asked)
        with self._asking:
            if key not in self._answers:
                self._answers[key] = answer()
                while len(self._answers) > KEPT:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(key)
            found: T = self._answers[key]
            return found


class FilmNetwork:
    """A network of films that computes once for each batch of prepared films."""

    def __init__(self, network: Any) -> None:
        self._network, self._remembered = network, Remembered()

    def __call__(self, films: Tensor) -> Tensor:
        return self._remembered.of(films, "logits", lambda: self._network(films))

    def encode(self, films: Tensor) -> Tensor:
        return self._remembered.of(films, "features", lambda: self._network.encode(films))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


class Segmenter(VolumeSegmenter):
    """A segmenter that labels each prepared volume once; the arrays that it gives can't be changed."""

    def __init__(self, segmenter: VolumeSegmenter) -> None:
        super().__init__(**{one.name: getattr(segmenter, one.name) for one in fields(segmenter)})
        object.__setattr__(self, "remembered", Remembered())

    def labelled(self, volume: Tensor, placement: Placement) -> Labelled:
        return self.remembered.of(volume, placement, lambda: self._computed(volume, placement))  # type: ignore[attr-defined,no-any-return]

    def _computed(self, volume: Tensor, placement: Placement) -> Labelled:
        labelled = super().labelled(volume, placement)
        for array in (labelled.probabilities, labelled.presence):
            if array is not None:
                array.setflags(write=False)
        return labelled


def remembering(model: Model) -> Model:
    """The same model, with its networks asked once of each prepared input."""
    if isinstance(model, ChestReader):
        there = {
            name: replace(part, network=FilmNetwork(part.network))
            for name in ("findings", "anatomy")
            if (part := getattr(model, name)) is not None
        }
        return replace(model, **there)
    return replace(model, segmenter=Segmenter(model.segmenter))  # type: ignore[type-var,attr-defined]

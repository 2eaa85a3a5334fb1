"""Heads and language model read one film with one pass of the encoder, and nothing changes by that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from medmm.domain.draft import Assertion
from medmm.models import Networks
from medmm.models.film.reading_model import ChestReader
from medmm.models.installed_models import Adopted, report_weights
from medmm.models.report_model.chest_report import ChestReportModel, Job
from medmm.models.report_model.encoded_films import KEPT, EncodedFilms
from medmm.models.report_model.finding_heads import ReportHeads
from medmm.models.weights.catalogue import DEFAULT_REPORT

CPU = torch.device("cpu")


def film(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((300, 280), dtype=np.float32)


def prepared(value: float) -> Tensor:
    return torch.full((1, 1, 4, 4), value)


class Passes:
    """Counts what runs through it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, films: Tensor) -> Tensor:
        self.count += 1
        return films * 2


def test_a_film_is_encoded_once_and_another_again() -> None:
    films, passes = EncodedFilms(), Passes()
    for value in (1.0, 1.0, 2.0, 1.0):
        assert torch.equal(films.encoded("a", prepared(value), passes), prepared(2 * value))
    assert passes.count == 2


def test_other_weights_and_other_sizes_find_nothing() -> None:
    films, passes = EncodedFilms(), Passes()
    films.encoded("a", prepared(1.0), passes)
    films.encoded("b", prepared(1.0), passes)
    films.encoded("a", torch.ones(1, 1, 2, 8), passes)
    assert passes.count == 3


def test_only_the_last_films_are_kept() -> None:
    films, passes = EncodedFilms(), Passes()
    for value in range(KEPT + 1):
        films.encoded("a", prepared(float(value)), passes)
    films.encoded("a", prepared(float(KEPT)), passes)
    assert passes.count == KEPT + 1
    films.encoded("a", prepared(0.0), passes)
    assert passes.count == KEPT + 2


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many films each pass of a 2D report encoder took."""
    from medmm.models.image_encoder import ImageEncoder

    seen: list[int] = []
    forward = ImageEncoder.forward

    def counting(self: ImageEncoder, image: Tensor) -> Tensor:
        seen.append(len(image))
        return forward(self, image)

    monkeypatch.setattr(ImageEncoder, "forward", counting)
    return seen


def test_sharing_a_pass_changes_neither_heads_nor_words(counted: list[int]) -> None:
    weights = report_weights(DEFAULT_REPORT, None, None)
    if weights is None:
        pytest.skip("the weights of the report model are not installed")
    permitted = {name: frozenset(Assertion) for name in weights.json("config.json")["findings"]}
    jobs = [Job(grey=film(1), context=None, permitted=permitted)]
    heads, model = ReportHeads.open(weights, CPU), ChestReportModel.open(weights, CPU)
    apart = (*heads.logits_and_maps(film(1)), model.opinions_on(jobs), model.opinions_on(jobs * 2))
    assert counted == [1, 1]

    films = EncodedFilms()
    heads, model = ReportHeads.open(weights, CPU, films), ChestReportModel.open(weights, CPU, films)
    counted.clear()
    together = (
        *heads.logits_and_maps(film(1)),
        model.opinions_on(jobs),
        model.opinions_on(jobs * 2),
    )
    assert counted == [1]
    for one, other in zip(apart[:2], together[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert apart[2:] == together[2:]
    two = [Job(grey=film(s), context=None, permitted=permitted) for s in (1, 2)]
    assert model.opinions_on(two)[0] == together[2][0]
    assert counted == [1, 2]


def test_the_networks_of_one_folder_share_their_films(tmp_path: Path) -> None:
    networks = Networks(None, adopted=Adopted(tmp_path))
    if networks.language_model is None:
        pytest.skip("the weights of the report model are not installed")
    reader = networks.reading_models[0].opened()
    assert isinstance(reader, ChestReader)
    assert reader.report_heads is not None
    assert reader.report_heads.films is networks.language_model.films

"""The packaged networks give the same of the same prepared pixels, so tests may compute them once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from medmm.models import Networks
from medmm.models.mr.preprocessing import Placement
from medmm.models.mr.volume_segmenter import Labelled
from medmm.models.reading_models import OF_ONE_FOLDER
from tests.opened_networks import NONE_ADDED
from tests.remembered_inputs import KEPT, FilmNetwork, Remembered, Segmenter

SHAPE = (4, 16, 16)  # slices, rows, columns
HERE = Placement(source=SHAPE, padded=SHAPE, prepared=SHAPE)


@pytest.fixture(scope="module")
def opened() -> dict[str, Any]:
    """The packaged reading models by the name of their first network, opened for this file alone."""
    networks = Networks(None, threads=1, adopted=NONE_ADDED)
    return {model.identities[0].name: model.opened() for model in networks.reading_models}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_equal(one: Labelled, other: Labelled) -> None:
    for field in fields(Labelled):
        np.testing.assert_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize("name", sorted(OF_ONE_FOLDER))
def test_a_volume_is_labelled_alike_whatever_was_labelled_between(
    opened: dict[str, Any], name: str
) -> None:
    own = opened[name].segmenter
    remembers = Segmenter(own)
    volume, other = (noise(own.network.trunk[0].conv1.in_channels, *SHAPE, seed=n) for n in (0, 1))
    first, between, again = (own.labelled(one.clone(), HERE) for one in (volume, other, volume))
    assert_equal(again, first)
    assert not np.array_equal(between.probabilities, first.probabilities)
    for one, wanted in ((volume, first), (other, between), (volume, first)):
        assert_equal(remembers.labelled(one.clone(), HERE), wanted)
    assert not remembers.labelled(volume, HERE).probabilities.flags.writeable


@pytest.mark.parametrize(("part", "asked"), [("findings", "encode"), ("anatomy", "__call__")])
def test_a_film_is_seen_alike_whatever_was_seen_between(
    opened: dict[str, Any], part: str, asked: str
) -> None:
    own = getattr(opened["chest-findings"], part).network
    ask, remembers = getattr(own, asked), getattr(FilmNetwork(own), asked)
    film, other = (noise(1, 1, 96, 96, seed=n) for n in (0, 1))
    with torch.inference_mode():
        first, between, again = (ask(one.clone()) for one in (film, other, film))
        torch.testing.assert_close(again, first, rtol=0, atol=0)
        assert not torch.equal(torch.as_tensor(between[0]), torch.as_tensor(first[0]))
        for one, wanted in ((film, first), (other, between), (film, first)):
            torch.testing.assert_close(remembers(one.clone()), wanted, rtol=0, atol=0)


def test_what_is_remembered_is_of_these_pixels_and_this_question() -> None:
    remembered, computed = Remembered(), []

    def answer(pixels: torch.Tensor, asked: object = "labels") -> float:
        def compute() -> float:
            computed.append(asked)
            return float(pixels.sum())

        return remembered.of(pixels, asked, compute)

    ones = torch.ones(2, 3)
    asked = [
        ones,
        ones.clone(),
        ones.reshape(3, 2),
        ones.int().float() + 1e-6,
        ones.double(),
        -ones,
    ]
    assert [answer(one) for one in asked] == [float(one.sum()) for one in asked]
    assert len(computed) == len(asked) - 1  # an equal copy is not computed again
    assert answer(ones, "maps") == answer(ones)
    assert computed[-1] == "maps"
    for n in range(KEPT):
        answer(torch.full((1,), float(n)))
    before = len(computed)
    answer(ones)
    assert len(computed) == before + 1  # the oldest was forgotten

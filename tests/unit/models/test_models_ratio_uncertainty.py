"""When a ratio is stated: looks agree, outlines are a chest's, and the interval is that of the film."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from medmm.domain.reading import Measurement
from medmm.models.film.cardiothoracic_ratio import cardiothoracic_ratio
from medmm.models.film.chest_anatomy import (
    LOOKS,
    build,
    for_outlines,
    looks_at,
    on_the_film,
    outlines,
    without_islands,
)
from medmm.models.film.preprocessing import FilmToPrepare
from medmm.models.film.ratio_uncertainty import SHAPES, DoubtRule, Outlines, agreement, shapes_of
from medmm.models.film.reading_model import AnatomyModel
from medmm.models.weights.catalogue import WeightsFolder, open_weights, row_named

Maps = NDArray[np.float32]
RULE = DoubtRule(
    shapes={"lungs": (0.1, 0.6), "heart": (0.02, 0.2), "balance": (0.5, 1.0), "tops": (0.0, 0.2),
            "bottoms": (0.0, 0.3), "middle": (0.0, 0.2), "depth": (0.7, 1.2), "fill": (0.5, 1.0), "margin": (0.005, 1.0)},
    ratio=(0.3, 0.75), floor=0.01, slope=1.5, scale=3.0, most_spread=0.02,
)  # fmt: skip


def maps(heart_left: float = 0.36, heart_right: float = 0.68, *, columns: int = 200) -> Maps:
    """Probabilities (2, rows, columns) of lungs from 0.1 to 0.9 of the width, and of a heart between these places."""
    x, y = (np.arange(columns) + 0.5) / columns, (np.arange(160) + 0.5) / 160

    def band(left: float, right: float, top: float, bottom: float) -> Maps:
        inside = np.minimum(x - left, right - x)
        rows = (y > top) & (y < bottom)
        return (rows[:, None] / (1 + np.exp(-inside / 0.005))[None]).astype(np.float32)

    lungs = np.maximum(band(0.1, 0.4, 0.2, 0.8), band(0.6, 0.9, 0.2, 0.8))
    return np.stack([lungs, band(heart_left, heart_right, 0.5, 0.75)])


def seen(*looks: Maps) -> Outlines:
    lungs, heart = np.mean(looks, axis=0) > 0.5
    return Outlines(
        lungs=lungs, heart=heart, shapes=shapes_of(lungs, heart), looks=agreement(np.stack(looks))
    )


def test_columns_are_found_between_pixels() -> None:
    looks = agreement(np.stack([maps(), maps(columns=200)]))
    assert looks is not None
    assert looks.columns[0] == pytest.approx([0.36, 0.68, 0.1, 0.9], abs=0.002)
    assert looks.ratios == pytest.approx([0.4, 0.4], abs=0.004)
    assert looks.spread < 1e-6


@given(left=st.floats(0.25, 0.45), right=st.floats(0.55, 0.75))
def test_mirroring_changes_neither_ratio_nor_shape(left: float, right: float) -> None:
    plain, mirrored = maps(left, right), maps(left, right)[:, :, ::-1].copy()
    one, other = agreement(plain[None]), agreement(mirrored[None])
    assert one is not None
    assert other is not None
    assert one.ratios == pytest.approx(other.ratios, abs=1e-5)
    shapes = [shapes_of(*(m > 0.5)) for m in (plain, mirrored)]
    assert shapes[0] == pytest.approx(shapes[1], abs=0.02)


def test_looks_that_agree_give_a_narrow_interval_and_others_a_wider_or_none() -> None:
    alike, apart = seen(maps(), maps()), seen(maps(), maps(heart_right=0.69))
    far = seen(maps(), maps(heart_right=0.76))
    assert alike.looks is not None
    assert apart.looks is not None
    assert RULE.objection(alike) is RULE.objection(apart) is None
    assert RULE.half_width(alike.looks) == pytest.approx(0.03, abs=1e-3)
    assert RULE.half_width(apart.looks) > RULE.half_width(alike.looks)
    assert "not sure enough" in str(RULE.objection(far))


def test_a_ratio_that_hardly_a_person_has_is_not_stated() -> None:
    for left, right in ((0.4, 0.62), (0.2, 0.84)):  # 0.28 and 0.80
        assert "hardly a person's ratio" in str(
            RULE.objection(seen(maps(left, right), maps(left, right)))
        )


def test_outlines_that_are_no_chest_give_no_ratio() -> None:
    lungs, heart = maps() > 0.5
    one_lung = lungs.copy()
    one_lung[:, 100:] = False
    one_lung[60:70, 170:180] = True
    high = np.roll(heart, -50, axis=0)
    edge = lungs.copy()
    edge[40:120, :40] = True
    for changed, why in (
        ((one_lung, heart), "sizes"),
        ((lungs, high), "lower edge"),
        ((edge, heart), "not on the film"),
    ):
        assert why in str(RULE.implausible(shapes_of(*changed)))
    assert "not found" in str(RULE.implausible({}))
    assert RULE.implausible(shapes_of(lungs, heart)) is None


def test_a_look_that_finds_no_heart_is_a_doubt() -> None:
    nothing = maps()
    nothing[1] = 0
    assert agreement(np.stack([maps(), nothing])) is None
    assert "every look" in str(RULE.objection(replace(seen(maps(), maps()), looks=None)))


def test_islands_go_and_holes_are_filled_without_moving_an_edge() -> None:
    heart = maps()[1]
    spoiled = heart.copy()
    spoiled[95:98, 100:104] = 0.1  # a hole
    spoiled[5:9, 5:9] = 0.9  # an island
    cleaned = without_islands(spoiled, 1) > 0.5
    np.testing.assert_array_equal(cleaned, heart > 0.5)


def test_looks_lie_on_each_other_again() -> None:
    rows, columns = np.mgrid[0:96, 0:96] / 96
    film = torch.from_numpy((np.sin(rows * 5) + np.cos(columns * 4 + rows)).astype(np.float32))[
        None, None
    ]
    back = on_the_film(looks_at(film))
    assert len(back) == len(LOOKS)
    for look in back:
        assert (look - film)[..., 12:-12, 12:-12].abs().max() < 0.02


def test_folding_changes_the_logits_by_rounding_alone() -> None:
    torch.manual_seed(0)
    network = build({"channels": [4, 8, 8], "residual_units": 2})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    film = torch.randn(2, 1, 32, 32)
    with torch.inference_mode():
        before = network(film)
        after = for_outlines(network)(film)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-5)


class Drawn(nn.Module):
    """Stands for the network: the same maps at every look, or others at each."""

    def __init__(self, rights: list[float]) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.zeros(1))
        views = [maps(0.36, right, columns=160) for right in rights]
        there = looks_at(torch.from_numpy(np.stack(views)).reshape(-1, 1, 160, 160))
        count = 2 * len(rights)
        self.logits = (
            torch.stack(
                [there[n * count + 2 * n : n * count + 2 * n + 2, 0] for n in range(len(rights))]
            )
            .clamp(1e-4, 1 - 1e-4)
            .logit()
        )

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        return self.logits


def anatomy(rights: list[float]) -> AnatomyModel:
    weights = WeightsFolder(row=row_named("chest-anatomy"), folder=Path())
    return AnatomyModel(weights=weights, network=Drawn(rights), size_px=160, rule=RULE)


def film_of(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((rows, columns), dtype=np.float32)


def test_a_sure_film_is_measured_with_its_own_interval() -> None:
    chest = anatomy([0.68] * 4).read(FilmToPrepare(film_of(320, 400)))
    (ratio,) = chest.measurements
    assert ratio.value == pytest.approx(0.4, abs=0.011)
    assert ratio.interval[1] - ratio.interval[0] < 0.09
    assert not chest.warnings
    assert chest.cells is not None


def test_a_doubted_film_says_why_and_keeps_its_outlines() -> None:
    chest = anatomy([0.68, 0.68, 0.80, 0.60]).read(FilmToPrepare(film_of(320, 400)))
    assert chest.measurements == ()
    (notice,) = chest.warnings
    assert notice.code == "ratio-not-measured"
    assert notice.text.startswith("The cardiothoracic ratio was not measured, because ")
    assert chest.cells is not None, "the shapes are a chest's: regions may rest on them"


def test_the_shipped_rule_is_whole() -> None:
    weights = open_weights(row_named("chest-anatomy"), None)
    if weights is None:
        pytest.skip("the weights are not installed")
    calibration = weights.json("calibration.json")
    rule = DoubtRule.of(json.loads(json.dumps(calibration)))
    assert set(rule.shapes) == set(SHAPES)
    assert 0.25 <= rule.ratio[0] < rule.ratio[1] <= 0.85
    widest = rule.scale * math.hypot(rule.floor, rule.slope * rule.most_spread)
    assert widest <= 0.1, "check G7 refuses a wider one"


def test_what_is_stated_is_what_the_outlines_give() -> None:
    model = anatomy([0.68] * 4)
    found = outlines(model.network, film_of(300, 500), 160)
    ratio = model.ratio(found)
    assert isinstance(ratio, Measurement)
    assert ratio.value == round(cardiothoracic_ratio(found.lungs, found.heart), 2)

"""Strong views keep films and outlines together; learning wider, marks and the rule of doubt on small made-up films."""

from __future__ import annotations

import io
import math
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from medmm.config import configs_dir
from medmm.domain.errors import InputError
from medmm.models.film.chest_anatomy import build
from medmm.models.film.preprocessing import GREY_MEAN, GREY_SPREAD
from medmm.models.film.ratio_uncertainty import SHAPES, Agreement, DoubtRule, Outlines
from medmm.training.data.films import MORE_TABLE, NIH_TABLE
from medmm.training.data.ratio_marks import APART, read_marks
from medmm.training.data.segmentation_masks import OutlinedFilm
from medmm.training.film.chest_anatomy import dice, outline_loss
from medmm.training.film.own_outlines import own_outlines
from medmm.training.film.ratio_calibration import (
    STATED,
    Measured,
    error_model,
    interval_scale,
    most_spread,
    plausible_shapes,
)
from medmm.training.film.strong_views import stretched, strong_views, toned, warp
from medmm.training.film.wider_outlines import (
    Shelf,
    between,
    drawn_shelves,
    rate_of,
    taken,
    widened,
)

WIDER: dict[str, Any] = yaml.safe_load(
    (configs_dir() / "train" / "chest_anatomy.yaml").read_text()
)["wider"]
RANGES = WIDER["strong_views"]
STILL = dict.fromkeys(RANGES, 0.0)


def films(count: int = 4, size: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Films whose heart and lungs are brighter than the rest by exactly their masks."""
    lungs, heart = torch.zeros(count, size, size), torch.zeros(count, size, size)
    lungs[:, 8:36, 6:18] = lungs[:, 8:36, 30:42] = 1
    heart[:, 22:34, 16:32] = 1
    masks = torch.stack([lungs, heart], 1)
    return (0.2 + 0.3 * lungs + 0.4 * heart).clamp(0, 1)[:, None], masks


def test_a_view_carries_its_outlines_along() -> None:
    film, masks = films()
    bent = {
        **STILL,
        **{
            name: RANGES[name]
            for name in ("rotation_degrees", "log_zoom", "shift", "shear", "bend", "heart_width")
        },
    }
    grid = warp(len(film), 48, bent, torch.Generator().manual_seed(0))
    view = torch.nn.functional.grid_sample(film, grid, align_corners=False)
    outlines = torch.nn.functional.grid_sample(masks, grid, align_corners=False)
    inside = outlines[:, 1] > 0.99
    assert inside.any()
    assert (view[:, 0][inside] > 0.55).all(), "what is outlined as heart is as bright as the heart"


def test_hearts_of_other_widths_come_out() -> None:
    film, masks = films(64)
    del film
    wide = {**STILL, "heart_width": 0.3}
    grid = warp(64, 96, wide, torch.Generator().manual_seed(0))
    views = torch.nn.functional.grid_sample(masks, grid, align_corners=False) > 0.5

    def width(mask: torch.Tensor) -> float:
        places = mask.any(0).nonzero()
        return float(places.max() - places.min() + 1)

    ratios = [width(v[1]) / width(v[0]) for v in views]
    assert min(ratios) < 0.41 < 0.48 < max(ratios), "the film's own is 0.44"


def test_tones_stay_in_their_order() -> None:
    ramp = torch.linspace(0, 1, 48).expand(6, 1, 48, 48).clone()
    out = toned(ramp, {**RANGES, "uneven": 0.0}, torch.Generator().manual_seed(1))
    assert (out.diff(dim=-1) > -1e-5).all(), "no view is a negative"


def test_a_strong_view_is_prepared_as_in_live_use() -> None:
    film, masks = films()
    view, outlines = strong_views(film, masks, 40, RANGES, torch.Generator().manual_seed(0))
    assert view.shape == (4, 1, 40, 40)
    assert outlines.shape == (4, 2, 40, 40)
    assert torch.isfinite(view).all()
    assert float(view.min()) >= float(stretched(torch.zeros(1, 1, 4, 4)).min()) - 1e-5
    again, _ = strong_views(film, masks, 40, RANGES, torch.Generator().manual_seed(0))
    assert torch.equal(view, again), "the same seed gives the same view"


def test_an_undrawn_heart_stays_undrawn_in_a_view() -> None:
    film, masks = films()
    masks[1, 1] = float("nan")
    _, outlines = strong_views(film, masks, 40, RANGES, torch.Generator().manual_seed(0))
    assert outlines[1, 1].isnan().any()
    with_heart, without = drawn_shelves(film, masks)
    assert torch.equal(with_heart.films, film[[0, 2, 3]])
    assert torch.equal(without.films, film[[1]])
    seen, shown = taken([with_heart, without], 6, np.random.default_rng(0))
    assert seen.shape == (6, 1, 48, 48)
    assert shown[:, 1].isnan().flatten(1).any(1).tolist() == [False] * 4 + [True] * 2


def test_learning_wider_moves_a_share_of_the_way() -> None:
    torch.manual_seed(0)
    film, masks = films()
    masks[1, 1] = float("nan")
    first = build({"channels": [4, 8], "residual_units": 1})
    small = {**WIDER, "steps": 3, "batch": 4, "views_px": 32}
    shelves = drawn_shelves(film, masks)
    whole, log = widened(first, {**small, "share": 1.0}, shelves, outline_loss, quiet=True)
    half, _ = widened(first, {**small, "share": 0.5}, shelves, outline_loss, quiet=True)
    none, _ = widened(first, {**small, "share": 0.0}, shelves, outline_loss, quiet=True)
    assert log == []
    for a, b, c, d in zip(
        first.parameters(), none.parameters(), half.parameters(), whole.parameters(), strict=True
    ):
        assert torch.equal(a, b)
        torch.testing.assert_close(c, a.lerp(d, 0.5))
    assert not torch.equal(next(first.parameters()), next(whole.parameters()))
    assert not between(first, whole, 0.5).training


def test_a_step_takes_films_from_every_shelf_by_its_share() -> None:
    film, masks = films(6)
    shelves = [Shelf(film + number, masks, share) for number, share in enumerate((0.5, 0.3, 0.2))]
    seen, _ = taken(shelves, 10, np.random.default_rng(0))
    assert [int(value) for value in seen.flatten(1).amin(1).floor()] == [0] * 5 + [1] * 3 + [2] * 2


def write_tables(data: Path, pictures: list[np.ndarray]) -> None:
    """The tables of films, with these pictures in the first and none in the second."""
    header = "file,patient,labels,age,sex,view,split,official_list,source,shard"
    rows = [
        f"f{i}.png,p{i},No Finding,60,F,PA,train,train_val,s,a.tar" for i in range(len(pictures))
    ]
    for table, lines in ((NIH_TABLE, [header, *rows]), (MORE_TABLE, [header])):
        (data / table).parent.mkdir()
        (data / table).write_text("\n".join(lines) + "\n")
    with tarfile.open(data / "cxr" / "a.tar", "w") as shard:
        for number, pixels in enumerate(pictures):
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            info = tarfile.TarInfo(f"f{number}.png")
            info.size = picture.tell()
            picture.seek(0)
            shard.addfile(info, picture)


class Draws(torch.nn.Module):
    """Outlines what is as bright as the lungs and the heart of the made-up films, once they are stretched."""

    def forward(self, film: torch.Tensor) -> torch.Tensor:
        grey = film * GREY_SPREAD + GREY_MEAN
        lungs = ((grey > 0.25) & (grey < 0.5)) | (grey > 0.8)
        return torch.cat([lungs, grey > 0.5], 1).float() * 20 - 10


def test_own_outlines_are_of_films_on_which_the_looks_agree(tmp_path: Path) -> None:
    film, masks = films(2, 96)
    film[1, :, :, 48:] = 1  # half of it would be a heart
    write_tables(tmp_path, [np.asarray(one[0] * 255, dtype=np.uint8) for one in film])
    anything = dict.fromkeys(SHAPES, (0.0, math.inf)) | {"heart": (0.0, 0.25)}
    config = {"size_px": 96, "own": {"most_edge_spread": 0.2}}
    seen, own = own_outlines(Draws(), anything, config, tmp_path, quiet=True)
    assert len(seen) == 1, "a film whose outlines are no chest's is left out"
    overlap = dice(own[0, 1].numpy() > 0.5, masks[0, 1].numpy() > 0.5)
    assert overlap > 0.8
    assert float(own[0].min()) >= 0
    assert float(own[0].max()) <= 1
    bounds = anything | {"heart": (0.9, 1.0)}
    with pytest.raises(InputError, match="sure of no film"):
        own_outlines(Draws(), bounds, config, tmp_path, quiet=True)


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [
        rate_of(step, {"rise_steps": 10, "steps": 100, "learning_rate": 1.0}) for step in range(100)
    ]
    assert rates[0] < rates[9] > rates[50] > rates[99]
    assert max(rates) <= 1


def looks(spread: float) -> Agreement:
    right = np.asarray([0.6 - spread, 0.6 + spread])
    columns = np.stack([np.full(2, 0.3), right, np.full(2, 0.0), np.ones(2)], 1)
    return Agreement(columns=columns, soft=0.05)


def test_the_interval_is_learned_from_errors_that_grow_with_the_spread() -> None:
    random = np.random.default_rng(0)
    found = [
        Measured(
            source="NIH",
            truth=0.5,
            ratio=0.5 + float(random.laplace(0, math.hypot(0.008, spread))),
            looks=looks(spread),
        )
        for spread in random.uniform(0, 0.05, 400)
    ]
    floor, slope = error_model(found)
    assert 0.006 <= floor <= 0.013
    assert 0.75 <= slope <= 1.5
    scale = interval_scale(found, floor, slope)
    held = [abs(m.error) <= scale * math.hypot(floor, slope * m.looks.spread) for m in found]
    assert 0.95 <= np.mean(held) <= 0.97
    assert 2.0 < scale < 4.5, "a Laplace error's 95 % lies at 3.0"


def test_most_upright_films_are_within_the_spread() -> None:
    lungs, heart = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    rule = DoubtRule(
        shapes={}, ratio=(0.0, 1.0), floor=1.0, slope=0.0, scale=0.0, most_spread=math.inf
    )
    seen = [
        Outlines(lungs=lungs, heart=heart, shapes={"lungs": 1.0}, looks=looks(n / 1000))
        for n in range(101)
    ]
    assert most_spread(
        [*seen, replace(seen[0], looks=None), replace(seen[0], shapes={})], rule
    ) == pytest.approx(STATED / 10)


def test_the_harder_source_gives_the_width() -> None:
    easy = [
        Measured(source="JSRT", truth=0.5, ratio=0.5 + n / 10_000, looks=looks(0.0))
        for n in range(101)
    ]
    hard = [
        Measured(source="NIH", truth=0.5, ratio=0.5 - n / 1_000, looks=looks(0.0))
        for n in range(21)
    ]
    assert interval_scale(easy + hard, 0.01, 1.0) == pytest.approx(2.0)
    assert interval_scale(easy, 0.01, 1.0) == pytest.approx(0.96)


def test_shapes_of_a_drawn_chest_lie_within_their_bounds() -> None:
    grey = np.random.default_rng(0).random((96, 96), dtype=np.float32)
    lungs, heart = np.zeros((96, 96), bool), np.zeros((96, 96), bool)
    lungs[20:70, 16:40] = lungs[20:70, 56:80] = True
    heart[46:68, 36:64] = True
    film = OutlinedFilm(
        name="a", source="made", split="train", grey=grey, lungs=lungs, heart=heart, ratio=28 / 64
    )
    bounds = plausible_shapes([film], 96)
    assert set(bounds) == set(SHAPES)
    assert bounds["balance"][1] == bounds["margin"][1] == 1.0
    assert bounds["tops"][0] == bounds["middle"][0] == 0.0
    assert bounds["lungs"][0] < lungs.mean() < bounds["lungs"][1]


def test_the_marks_are_those_of_val_and_test_films(shared_data: Path) -> None:
    from medmm.training.data.films import NIH_TABLE, read_table

    split = {film.file: film for film in read_table(shared_data, NIH_TABLE)}
    assert (len(read_marks("val")), len(read_marks("test"))) == (
        39,
        80,
    )  # one val film could not be marked
    for name in ("val", "test"):
        marks = read_marks(name)
        assert all(split[mark.file].split == name for mark in marks)
        assert sum(split[mark.file].view == "AP" for mark in marks) == len(marks) // 2
        assert all(0.25 < mark.ratio < 0.85 for mark in marks if not mark.apart)
    assert sum(mark.repeat_difference > APART for mark in read_marks("test")) == 5

"""Parts of the training: views, calibration, film tables, parity with live use."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medmm.acceptance.calibration import (
    calibration,
    operating_point,
    platt,
    rule_out_point,
    sigmoid,
)
from medmm.acceptance.metrics import macro_auroc
from medmm.domain.errors import InputError
from medmm.domain.reading import Side
from medmm.models.film import chest_anatomy, chest_findings
from medmm.models.film.preprocessing import prepare_film
from medmm.training.data.bounding_boxes import Box, Boxed, drawn_side, sides_that_hold
from medmm.training.data.films import NIH_TABLE, _age_years, chosen, greys, prepared, read_table
from medmm.training.data.segmentation_masks import read_outlined_films
from medmm.training.film.augmentation import random_views
from medmm.training.film.chest_anatomy import dice, outline_loss
from medmm.training.film.chest_findings import (
    follow,
    label_matrix,
    learning_rate,
    mean_of_weights,
    training_films,
)
from medmm.training.loop import precision

STILL = {
    "rotation_degrees": 0,
    "log_zoom": 0,
    "shift": 0,
    "log_gamma": 0,
    "log_contrast": 0,
    "brightness": 0,
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A tiny set of films in the layout of the shared data."""
    folder = tmp_path / "cxr"
    folder.mkdir()
    header = "file,patient,labels,age,sex,view,split,official_list,source,shard"
    rows = [
        f"f{i}.png,p{i},{'Mass|Nodule' if i else 'No Finding'},60,F,PA,train,train_val,s,a.tar"
        for i in range(3)
    ]
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    with tarfile.open(folder / "a.tar", "w") as shard:
        for i in range(3):
            picture = io.BytesIO()
            pixels = np.random.default_rng(i).integers(0, 255, (50, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(picture, "PNG")
            info = tarfile.TarInfo(f"f{i}.png")
            info.size = picture.tell()
            picture.seek(0)
            shard.addfile(info, picture)
    return tmp_path


def test_tables_give_findings_without_no_finding(data_dir: Path) -> None:
    films = read_table(data_dir, NIH_TABLE)
    assert films[0].findings == frozenset()
    assert label_matrix(films, ["Nodule", "Edema"]).tolist() == [[0, 0], [1, 0], [1, 0]]


def test_the_training_loader_gives_what_live_use_gives_bit_for_bit(data_dir: Path) -> None:
    films = read_table(data_dir, NIH_TABLE)
    loaded = prepared(data_dir, films, 32, quiet=True, name="test")
    for film, grey in zip(loaded, greys(data_dir, films), strict=True):
        assert (film == prepare_film(grey, 32)[0]).all()


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="table"):
        read_table(tmp_path, NIH_TABLE)


def test_views_without_ranges_are_the_film_or_its_mirror() -> None:
    films = torch.rand(8, 1, 32, 32)
    masks = (films > 0.5).float()
    views, outlines = random_views(films, 32, STILL, torch.Generator().manual_seed(0), masks)
    assert outlines is not None
    kinds = set()
    for view, film, outline in zip(views, films, outlines, strict=True):
        same, mirrored = (view - film).abs().max(), (view - film.flip(2)).abs().max()
        assert min(same, mirrored) < 1e-4
        assert ((view > 0.5) == (outline > 0.5)).float().mean() > 0.99
        kinds.add(bool(same < mirrored))
    assert kinds == {True, False}


def test_views_are_the_same_for_the_same_seed() -> None:
    ranges = {**STILL, "rotation_degrees": 8, "shift": 0.1, "log_gamma": 0.3}
    films = torch.rand(4, 1, 40, 40)
    one, other = (
        random_views(films, 32, ranges, torch.Generator().manual_seed(7))[0] for _ in range(2)
    )
    assert torch.equal(one, other)
    assert one.shape == (4, 1, 32, 32)


def test_platt_scaling_finds_a_known_scale_and_never_turns_the_ranking() -> None:
    random = np.random.default_rng(0)
    logit = random.normal(size=20_000)
    truth = (random.random(20_000) < sigmoid(2 * logit - 1)).astype(float)
    slope, intercept = platt(logit, truth)
    assert slope == pytest.approx(2, abs=0.1)
    assert intercept == pytest.approx(-1, abs=0.1)
    slope, intercept = platt(-logit, truth)
    assert slope == 1
    assert sigmoid(-logit + intercept).mean() == pytest.approx(truth.mean(), abs=0.01)


def test_fewer_than_one_in_ten_films_without_the_finding_reach_the_operating_point() -> None:
    random = np.random.default_rng(0)
    truth = (random.random(2_000) < 0.2).astype(float)
    logit = random.normal(size=2_000) + truth
    threshold = operating_point(sigmoid(logit), truth)
    assert 0.08 < (sigmoid(logit)[truth == 0] >= threshold).mean() < 0.1
    rows = calibration(["Mass"], logit[:, None], truth[:, None], {"Mass": True})
    assert set(rows["Mass"]) == {
        "slope",
        "intercept",
        "threshold",
        "rule_out",
        "prevalence",
        "side",
    }
    assert rows["Mass"]["prevalence"] == pytest.approx(0.2, abs=0.03)
    assert rows["Mass"]["side"] is True
    assert calibration(["Mass"], logit[:, None], truth[:, None], {})["Mass"]["side"] is False


@given(st.integers(19, 80), st.integers(20, 200), st.integers(0, 10_000), st.booleans())
def test_a_rule_out_point_denies_few_carriers_and_none_that_is_critical(
    carriers: int, others: int, seed: int, critical: bool
) -> None:
    random = np.random.default_rng(seed)
    truth = np.repeat([1.0, 0.0], [carriers, others])
    probability = sigmoid(random.normal(size=carriers + others) + truth - 1)
    threshold = operating_point(probability, truth)
    point = rule_out_point(probability, truth, threshold, critical=critical)
    if point is None:
        return
    denied = np.round(probability, 4) < point
    assert denied[truth == 1].sum() <= (0 if critical else int(0.05 * carriers))
    assert denied[truth == 0].mean() >= 0.1
    assert point <= round(threshold, 4)


def test_too_few_carriers_or_too_few_ruled_out_give_no_rule_out_point() -> None:
    def point(carriers: list[float], others: list[float]) -> float | None:
        truth = np.repeat([1.0, 0.0], [len(carriers), len(others)])
        return rule_out_point(np.asarray(carriers + others), truth, 0.9, critical=False)

    high, low = [0.5 + i / 100 for i in range(20)], [0.1] * 50
    assert point(high[:19], low) == 0.5
    assert point(high, low) == 0.51, "one of twenty may lie below"
    assert point(high[:18], low) is None
    assert point(high[:19], low[:5] + [0.6] * 46) is None


@pytest.mark.parametrize(
    ("boxes", "side"),
    [
        (((0.1, 0.2, 0.3, 0.4),), Side.RIGHT),
        (((0.7, 0.2, 0.9, 0.4),), Side.LEFT),
        (((0.1, 0.2, 0.3, 0.4), (0.7, 0.2, 0.9, 0.4)), Side.BILATERAL),
    ],
)
def test_the_side_of_drawn_boxes_is_the_patients(boxes: tuple[Box, ...], side: Side) -> None:
    assert drawn_side(boxes, 0.5) is side


def one_box(said: Side | None, drawn: Side = Side.LEFT, *, suspected: bool = True) -> Boxed:
    return Boxed(
        finding="Mass", patient="p", boxes=((0.6, 0.2, 0.9, 0.4),), own=True, peak_xy=(0.7, 0.3), drawn=drawn, said=said,
        suspected=suspected,
    )  # fmt: skip


def test_a_side_holds_where_it_agrees_often_enough_on_enough_suspected_films() -> None:
    agree, opposite, half = (
        one_box(Side.LEFT),
        one_box(Side.RIGHT),
        one_box(Side.LEFT, Side.BILATERAL),
    )
    for found, holds in (
        ([agree] * 15, True),
        ([agree] * 14 + [one_box(None)] * 5, False),  # too few films with a side
        ([agree] * 14 + [one_box(Side.LEFT, suspected=False)] * 5, False),
        ([agree] * 17 + [opposite] * 3, True),
        ([agree] * 16 + [opposite] * 4, False),
        ([agree] * 16 + [half] * 4, False),  # one of two sides is no agreement
    ):
        assert sides_that_hold(found) == {"Mass": holds}


@pytest.mark.parametrize(
    ("capabilities", "there"),
    [
        ({"avx2": True, "avx512_f": True}, False),
        ({"avx512_bf16": True}, True),
        ({"bf16": True}, True),
    ],
)
def test_bf16_is_used_only_where_the_processor_has_it(
    capabilities: dict[str, bool],
    there: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    precision.bf16_here.cache_clear()
    caplog.set_level("INFO")
    with precision.quick():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype is torch.bfloat16) is there
    assert precision.name() in caplog.text
    with precision.quick(wanted=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
    precision.bf16_here.cache_clear()


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, 600, 1.0) for step in range(600)]
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert 30 < int(np.argmax(rates)) < 90
    assert rates[-1] < 0.06


def test_the_mean_of_weights_is_their_mean() -> None:
    networks = [chest_findings.build({"findings": ["A"]}) for _ in range(3)]
    mean = mean_of_weights(networks)
    expected = torch.stack([n.head.weight for n in networks]).mean(0)
    assert torch.allclose(mean.head.weight, expected)
    before = networks[0].head.weight.clone()
    follow(networks[0], networks[1], 0.9)
    assert torch.allclose(networks[0].head.weight, before.lerp(networks[1].head.weight, 0.1))


def test_a_structure_that_was_not_drawn_does_not_count_in_the_loss() -> None:
    logits = torch.randn(2, 2, 8, 8)
    outlines = (torch.rand(2, 2, 8, 8) > 0.5).float()
    outlines[0, 1] = float("nan")
    changed = logits.clone()
    changed[0, 1] += 5
    assert outline_loss(logits, outlines) == outline_loss(changed, outlines)
    assert outline_loss(logits, outlines).isfinite()


def test_the_anatomy_network_keeps_the_grid() -> None:
    network = chest_anatomy.build({"channels": [4, 8], "residual_units": 1})
    seen = chest_anatomy.outlines(
        network, np.random.default_rng(0).random((90, 70)).astype(np.float32), 32
    )
    assert seen.lungs.shape == seen.heart.shape == (90, 70)


def test_dice_and_macro_auroc_by_hand() -> None:
    one = np.asarray([True, True, False, False])
    assert dice(one, one) == 1
    assert dice(one, ~one) == 0
    truth = np.asarray([[0.0, 1], [1, 1], [0, 1]])
    assert macro_auroc(truth, np.asarray([[0.1, 0], [0.9, 0], [0.2, 0]])) == 1.0


def test_no_val_or_test_patient_is_learned_from(shared_data: Path) -> None:
    films = training_films(shared_data)
    held_back = chosen(read_table(shared_data, NIH_TABLE), lambda f: f.split in ("val", "test"))
    assert len(films) == 3229
    assert not {f.patient for f in films} & {f.patient for f in held_back}


def test_outlined_films_are_split_by_film_and_source(shared_data: Path) -> None:
    films = read_outlined_films(shared_data)
    jsrt = [f for f in films if f.source == "JSRT"]
    assert [sum(f.split == s for f in jsrt) for s in ("train", "val", "test")] == [150, 30, 60]
    assert not {f.source for f in films if f.heart is None and f.split == "train"} & {
        f.source for f in films if f.heart is None and f.split == "test"
    }
    hannover = [f for f in films if f.source == "ml-workgroup/covid-19-image-repository"]
    assert {f.split for f in hannover} == {"test"}, (
        "another hospital's films are for reporting alone"
    )


@pytest.mark.parametrize(
    ("text", "years"),
    [("58", 58.0), ("0.5", 0.5), ("1-5 (cohort)", None), ("", None), (None, None)],
)
def test_a_range_of_ages_is_no_age(text: str | None, years: float | None) -> None:
    assert _age_years(text) == years

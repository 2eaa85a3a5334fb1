"""From maps to regions with sides, from outlines to a ratio, from a study to a reading."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from medmm.domain.reading import Reading, Side
from medmm.domain.reading_model import no_reading_model, read_by
from medmm.domain.study import Modality, View
from medmm.models.film import chest_findings
from medmm.models.film.cardiothoracic_ratio import cardiothoracic_ratio, largest_parts
from medmm.models.film.reading_model import Chest, ChestReader, FindingsModel
from medmm.models.film.regions import chest_cells, region_of, within_chest
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.models.weights.loading import torch_device
from tests.factories import FILM, make_study, make_volume

NAMES = ("Effusion", "Mass", "Pneumothorax")
HEAT = arrays(np.float32, (9, 12), elements=st.floats(-1, 1, width=32))


ASTRIDE = np.zeros((9, 12), dtype=np.float32)  # the strongest place touches the midline
ASTRIDE[6, 5], ASTRIDE[7, 6] = 0.875, 1


@given(HEAT, st.sampled_from(["left", "right"]))
@example(ASTRIDE, "left")
def test_a_mirrored_map_flips_side_box_and_peak(heat: np.ndarray, edge: str) -> None:  # type: ignore[type-arg]
    plain, mirrored = region_of(heat, edge), region_of(heat[:, ::-1], edge)
    assert (plain is None) == (mirrored is None)
    if plain is None or mirrored is None:
        return
    if plain.side is not None and mirrored.side is not None:
        assert mirrored.side is plain.side.mirrored
    shown = within_chest(heat, chest_cells(None, (9, 12)))
    if (shown > shown.max() - 1e-5).sum() == 1:  # with ties the first strongest place counts
        assert (plain.side is None) == (mirrored.side is None)
        assert mirrored.peak_xy[0] == pytest.approx(1 - plain.peak_xy[0])
        assert mirrored.box_xyxy[0] == pytest.approx(1 - plain.box_xyxy[2])


@given(HEAT)
def test_no_side_is_named_where_the_orientation_is_unknown(heat: np.ndarray) -> None:  # type: ignore[type-arg]
    region = region_of(heat, None)
    assert region is None or region.side is None


def test_the_patients_left_is_where_the_film_says() -> None:
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[2:4, 6] = 1
    one, other = region_of(heat, "right"), region_of(heat, "left")
    assert one is not None
    assert other is not None
    assert one.side is not None
    assert (one.side.value, other.side.value if other.side else "") == ("left", "right")
    assert region_of(-heat, "right") is None


def test_no_side_is_named_against_the_strongest_place() -> None:
    heat = np.zeros((12, 12), dtype=np.float32)
    heat[2:10, 2:5] = 0.75
    heat[5, 8] = 3
    region = region_of(heat, "right")
    assert region is not None
    assert region.peak_xy[0] > 0.5
    assert region.side is None, (
        "most of the weight is on the patient's right, the strongest place on the left"
    )


def test_nothing_outside_the_chest_is_pointed_at() -> None:
    heat = np.zeros((9, 9), dtype=np.float32)
    heat[0, 0], heat[4, 2] = 5, 1
    drawn = np.zeros((90, 90), dtype=bool)
    drawn[20:70, 10:30] = drawn[20:70, 60:80] = True
    cells = chest_cells(drawn, (9, 9))
    assert cells[3, 4], "what lies between the lungs belongs to the chest"
    assert not cells[0].any()
    for chest_mask in (drawn, None):
        region = region_of(heat, "right", cells=chest_cells(chest_mask, (9, 9)))
        assert region is not None
        assert region.heat[0][0] == 0
        assert region.peak_xy == (2.5 / 9, 4.5 / 9)


def chest() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    lungs, heart = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    lungs[20:80, 10:40] = lungs[20:80, 60:90] = True
    heart[50:75, 40:72] = True
    return lungs, heart


def test_the_ratio_is_heart_width_over_lung_width_and_survives_stretching() -> None:
    lungs, heart = chest()
    assert cardiothoracic_ratio(lungs, heart) == pytest.approx(32 / 80)
    wide = [np.repeat(mask, 3, axis=1) for mask in (lungs, heart)]
    assert cardiothoracic_ratio(*wide) == pytest.approx(32 / 80)


def test_islands_are_left_out_and_holes_filled() -> None:
    mask = np.zeros((30, 30), bool)
    mask[2:12, 2:12] = mask[20:22, 20:22] = True
    mask[6, 6] = False
    kept = largest_parts(mask, 2)
    assert kept[6, 6]
    assert not kept[21, 21]


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 2.5]), st.floats(0.1, 0.9))
def test_the_parts_that_are_kept_are_filled_as_scipy_fills_holes(
    seed: int, smooth: float, share: float
) -> None:
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.standard_normal(random.integers(3, 40, 2)), smooth)
    mask = noise > np.quantile(noise, share)
    labels, found = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, labels, range(1, found + 1))
    for count in (1, 2):
        large = [i + 1 for i in np.argsort(sizes)[::-1][:count] if sizes[i] >= 0.25 * sizes.max()]
        expected = ndimage.binary_fill_holes(np.isin(labels, large))
        np.testing.assert_array_equal(largest_parts(mask, count), expected)


@pytest.fixture
def tiny(tmp_path: Path) -> ChestReader:
    """A randomly initialised findings network with an identity calibration."""
    torch.manual_seed(3)
    folder = tmp_path / "chest-findings"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"findings": NAMES}))
    rows = {
        name: {
            "slope": 1.0,
            "intercept": 0.0,
            "threshold": 0.5,
            "rule_out": 0.2,
            "side": name != "Mass",
        }
        for name in NAMES
    }
    network = chest_findings.build({"findings": NAMES})
    weights = WeightsFolder(row=row_named("chest-findings"), folder=folder)
    model = FindingsModel(
        weights=weights,
        network=network,
        device=torch.device("cpu"),
        names=NAMES,
        calibration=rows,
        size_px=64,
    )
    return ChestReader(findings=model, anatomy=None)


def textured() -> np.ndarray:  # type: ignore[type-arg]
    rows, columns = np.mgrid[0:96, 0:96].astype(np.float32)
    return (0.5 + 0.4 * np.sin(rows / 9) * np.cos(columns / 7) + columns / 960).astype(np.float32)[
        None
    ] / 1.2


def test_a_mirrored_film_flips_every_side_and_keeps_every_probability(tiny: ChestReader) -> None:
    pixels = textured()
    plain = tiny.read(
        make_study(volumes=(make_volume(shape_zyx=(1, 96, 96), loader=lambda: pixels),))
    )
    mirrored = tiny.read(
        make_study(
            volumes=(make_volume(shape_zyx=(1, 96, 96), loader=lambda: pixels[:, :, ::-1].copy()),)
        )
    )
    for one, other in zip(plain.findings, mirrored.findings, strict=True):
        assert other.probability == pytest.approx(one.probability, abs=2e-3)
        if one.region and other.region and one.region.side and other.region.side:
            assert other.region.side is one.region.side.mirrored


def test_what_was_seen_names_the_film_that_was_read(tiny: ChestReader) -> None:
    pixels = textured()
    film = make_volume(shape_zyx=(1, 96, 96), loader=lambda: pixels)
    lateral = make_volume(sha256="c" * 64, sop_uids=("1.2.3",), view=View.LATERAL)
    reading = tiny.read(make_study(volumes=(lateral, film)))
    regions = [finding.region for finding in reading.findings if finding.region is not None]
    assert regions
    assert {region.image for region in regions} == {FILM}


def test_a_side_is_named_only_where_the_calibration_says_that_it_holds() -> None:
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[2:4, 6] = 1
    rows = {name: {"side": name != "Mass"} for name in ("Effusion", "Mass", "Edema")}
    model = bare_model(rows)
    sides = {
        name: region.side for name in rows if (region := model.region(name, heat, "right", Chest()))
    }
    assert sides == {"Effusion": Side.LEFT, "Mass": None, "Edema": None}, (
        "edema has no side in the vocabulary"
    )


def test_cardiomegaly_is_shown_only_on_the_heart() -> None:
    heat = np.zeros((10, 10), dtype=np.float32)
    heat[6, 6] = 1
    heart = np.zeros((100, 100), dtype=bool)
    heart[50:80, 40:72] = True
    model = bare_model({name: {"side": False} for name in ("Cardiomegaly", "Mass")})
    for outline, shown in ((heart, True), (heart[:, ::-1] & ~heart, False), (None, False)):
        chest_there = Chest(heart=outline)
        assert (model.region("Cardiomegaly", heat, "right", chest_there) is not None) is shown
        assert model.region("Mass", heat, "right", chest_there) is not None


def bare_model(rows: dict[str, dict[str, Any]]) -> FindingsModel:
    """A model without a network: regions of given maps alone."""
    return FindingsModel(
        weights=WeightsFolder(row=row_named("chest-findings"), folder=Path()),
        network=None,
        device=torch.device("cpu"),
        names=tuple(rows),
        calibration=rows,
        size_px=64,
    )


def test_no_side_is_named_where_both_halves_carry_the_weight() -> None:
    heat = np.zeros((12, 12), dtype=np.float32)
    heat[4:6, 2:4] = heat[4:6, 8:10] = 1
    region = region_of(heat, "right")
    assert region is not None
    assert region.side is None


def test_every_label_is_reported_with_its_codes(tiny: ChestReader) -> None:
    pixels = textured()
    reading = tiny.read(
        make_study(volumes=(make_volume(shape_zyx=(1, 96, 96), loader=lambda: pixels),))
    )
    assert [f.name for f in reading.findings] == list(NAMES)
    assert all(f.codings for f in reading.findings)
    assert [m.name for m in reading.models] == ["chest-findings"]


def test_without_weights_the_reading_says_so(tmp_path: Path) -> None:
    reading = read_by([ChestReader.open(tmp_path)], make_study())
    assert reading == Reading(study_uid=make_study().uid, warnings=reading.warnings)
    assert reading.warnings[0].code == "no-reading-model"


def test_a_study_without_a_frontal_film_is_not_read(tiny: ChestReader) -> None:
    lateral = make_study(volumes=(make_volume(view=View.LATERAL),))
    brain = replace(make_study(), modality=Modality.MR, body_part="BRAIN")
    for study in (lateral, brain):
        assert tiny.read(study) == no_reading_model(study)


def test_auto_finds_a_device() -> None:
    assert torch_device("auto").type in ("cpu", "cuda")

"""What volume networks learn on validation subjects, by hand on made-up ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from medmm.models.mr.brain_lesion import lesions_of
from medmm.models.mr.cardiac import group_probabilities
from medmm.models.mr.out_of_distribution import beyond
from medmm.models.mr.preprocessing import Grid
from medmm.models.mr.volume_segmenter import Labelled
from medmm.training.data.mr_sets import subjects
from medmm.training.mr.calibration import (
    SEQUENCE_SEEN,
    _hearts,
    _hippocampi,
    _lesions,
    doubt_bounds,
    group_rows,
    heart_quantities,
    look_of,
    plausible,
    runs_without,
    spread,
    volume_examples,
)
from tests.volume_sets import block, hearts, outlined

LABELS = ("right ventricle", "myocardium", "left ventricle")


def labelled(values: Any, labels: int, presence: Any = None) -> Labelled:
    probabilities = np.stack([np.where(values == n, 0.9, 0.1 / labels) for n in range(labels + 1)])
    return Labelled(probabilities=probabilities.astype(np.float32), presence=presence)


def test_the_spread_is_a_t_interval_of_prediction() -> None:
    found = spread([-1.0, 0.0, 1.0], "absolute")
    assert found == {
        "kind": "absolute",
        "half_width": round(float(stats.t.ppf(0.975, 2)) * np.sqrt(4 / 3), 4),
        "subjects": 3,
    }
    assert spread([4.0, 5.0, 6.0], "absolute")["half_width"] == pytest.approx(
        found["half_width"] + 5, abs=1e-4
    )


@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_the_spread_holds_the_next_error_as_often_as_it_says(bias: float) -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(800):
        errors = random.normal(bias, 0.3, 10)
        held += abs(errors[-1]) <= spread(list(errors[:-1]), "relative")["half_width"]
    assert held / 800 >= 0.93
    assert held / 800 <= (0.975 if bias == 0 else 1.0)


@pytest.mark.parametrize(
    ("truth", "runs"),
    [
        ([0] * 4, []),
        ([0] * 5, [(0, 5)]),
        ([0] * 6 + [1] + [0] * 5, [(0, 5)]),
        ([0] * 6 + [1, 1] + [0] * 8, [(0, 5), (9, 16)]),
        ([1] + [0] * 6, [(2, 7)]),
        ([1] * 9, []),
        ([0, 1] * 8, []),
    ],
)
def test_runs_without_a_lesion_do_not_touch_one(
    truth: list[int], runs: list[tuple[int, int]]
) -> None:
    assert runs_without(np.array(truth)) == runs


def test_runs_without_a_lesion_stand_for_volumes_without() -> None:
    truth = np.array([0] * 6 + [1, 1])
    scores, there = volume_examples(
        [np.array([0.1] * 6 + [0.8, 0.9]), np.full(5, 0.5)], [truth, np.ones(5, dtype=int)]
    )
    assert there.tolist() == [1, 0, 1]
    np.testing.assert_allclose(scores, [np.log(4), np.log(1 / 9), 0], atol=1e-9)


def test_lesions_are_calibrated_by_what_overlaps_best() -> None:
    val, found = [], []
    random = np.random.default_rng(0)
    for number in range(4):
        truth = block((14, 16, 16), (slice(1, 4 + number), slice(4, 10), slice(4, 10)))
        flair = np.where(truth, 240, 120) * 1.0
        flair[:, :2], flair[:, :, :2] = 0, 0
        flair = (flair + random.uniform(0, 20, flair.shape)).astype(np.float32)
        one = outlined(
            truth,
            sequences=("pre", "flair", "post"),
            signals=(None, flair, None),
            spacing_zyx_mm=None,
        )
        val.append(one)
        probability = np.where(truth, 0.45, 0.02)
        probability[-1, -1, -1] = 0.9  # a speck of one voxel
        presence = np.where(truth.any((1, 2)), 0.9, 0.05).astype(np.float32)
        found.append(
            Labelled(
                probabilities=np.stack([1 - probability, probability]).astype(np.float32),
                presence=presence,
            )
        )
    made = _lesions(val, found, ("lesion",))
    assert made["voxel_threshold"] in (0.3, 0.4)
    for one, answer in zip(val, found, strict=True):
        assert np.array_equal(lesions_of(answer, made).mask, one.labels > 0)  # the speck is gone
    assert made["lesion share of head"] == made["lesion volume"]
    assert made["lesion share of head"]["half_width"] < 0.01  # the masks are right
    assert made["volume"]["slope"] > 0
    assert (made["volume"]["examples_with"], made["volume"]["examples_without"]) == (4, 4)
    assert made["slice"]["weights"][1] > 0


def test_a_hippocampus_is_calibrated_in_logarithms() -> None:
    truths = [block((8, 10, 10), (slice(1, 5), slice(1, n), slice(1, 9))) for n in (5, 7, 9)]
    larger = [
        block((8, 10, 10), (slice(1, 6), slice(1, n), slice(1, 9))) for n in (5, 7, 9)
    ]  # 5 slices of 4
    made = _hippocampi([outlined(t) for t in truths], [labelled(v, 2) for v in larger], ("a", "p"))
    assert made["hippocampus volume"]["half_width"] == pytest.approx(np.log(5 / 4), abs=1e-3)
    assert made["plausible_ml"] == [round(0.128 / 2, 2), round(0.256 * 1.5, 2)]


def test_heart_quantities_by_hand() -> None:
    heart = hearts("h1", "NOR", (100, 80, 120), (50, 90, 48))
    found = heart_quantities(heart, {one.part: one.labels for one in heart}, LABELS)
    assert found == pytest.approx(
        {
            "LVEF": 60.0, "LV EDV": 120.0, "LV ESV": 48.0, "RVEF": 50.0, "RV EDV": 100.0, "RV ESV": 50.0,
            "LV mass": 84.0, "LV mass to LV EDV ratio": 0.7, "RV EDV to LV EDV ratio": 100 / 120,
        }
    )  # fmt: skip


def test_fractions_are_calibrated_in_percent_and_the_rest_in_logarithms() -> None:
    val, found = [], []
    for n, lv in enumerate((40, 48, 60)):
        heart = hearts(f"h{n}", "NOR", (100, 80, 120), (50, 90, lv))
        seen = hearts(
            f"h{n}", "NOR", (100, 80, 120), (50, 90, lv + 12)
        )  # ESV 12 ml too large: LVEF 10 % too low
        val += heart
        found += [labelled(one.labels, 3) for one in seen]
    made = _hearts(val, found, LABELS)
    assert made["LVEF"] == {"kind": "absolute", "half_width": 10.0, "subjects": 3}
    assert made["LV EDV"] == {"kind": "relative", "half_width": 0.0, "subjects": 3}
    assert made["LV ESV"]["half_width"] > 0.15
    assert set(made) >= {"RVEF", "LV mass", "LV mass to LV EDV ratio", "RV EDV to LV EDV ratio"}


def test_groups_are_learned_from_what_was_drawn() -> None:
    kinds = {
        "DCM": ((150, 110, 280), (100, 110, 230)),
        "HCM": ((100, 180, 110), (50, 190, 30)),
        "MINF": ((120, 100, 170), (60, 100, 120)),
        "NOR": ((120, 90, 125), (55, 95, 50)),
        "RV": ((260, 80, 100), (180, 80, 45)),
    }
    learned = [
        one
        for name, (ed, es) in kinds.items()
        for n in range(4)
        for one in hearts(
            f"{name}{n}", name, tuple(v + 3 * n for v in ed), tuple(v + 2 * n for v in es)
        )  # type: ignore[arg-type]
    ]
    each = subjects(learned)
    drawn = [
        heart_quantities(heart, {one.part: one.labels for one in heart}, LABELS) for heart in each
    ]
    rows = group_rows(drawn, [heart[0].row["group"] for heart in each])
    assert rows["groups"] == sorted(kinds)
    for name, (ed, es) in kinds.items():
        heart = hearts("new", name, ed, es)
        found = heart_quantities(heart, {one.part: one.labels for one in heart}, LABELS)
        probabilities = group_probabilities(rows, found)
        assert max(probabilities, key=lambda group: probabilities[group]) == name
        assert sum(probabilities.values()) == pytest.approx(1)


def test_plausible_is_what_was_drawn_and_half_as_far_again() -> None:
    drawn = [{"LVEF": 10.0, "LV EDV": 60.0}, {"LVEF": 80.0, "LV EDV": 400.0}, {"LV EDV": 100.0}]
    assert plausible(drawn) == {"LVEF": [5.0, 90.0], "LV EDV": [30.0, 600.0]}


@pytest.mark.parametrize(
    ("task", "signs"),
    [
        ("hippocampus", {"entropy"}),
        ("cardiac", {"entropy", "disagreement", "loose"}),
        ("brain-lesion", set()),
    ],
)
def test_doubt_is_bounded_by_outlines_of_validation_and_looks_of_training_too(
    task: str, signs: set[str]
) -> None:
    seen = {"sequences": (SEQUENCE_SEEN[task],)}
    val = outlined(block((4, 8, 8), (slice(1, 3), slice(2, 6), slice(2, 6))), **seen)
    learned = outlined(np.eye(8)[None].repeat(4, 0), **seen)
    found = Labelled(
        probabilities=labelled(val.labels, 1).probabilities, presence=None, disagreement=0.1
    )
    grid = Grid(spacing_zyx_mm=(1.0, 1.0, 1.0), side_px=None)
    bounds = doubt_bounds(task, [val], [found], [learned], grid)
    look = look_of(task, val, grid)
    assert set(bounds) == signs | set(look)
    if signs:
        assert bounds["entropy"] == [0.0, pytest.approx(1.2 * found.signs()["entropy"], abs=1e-4)]
    if "disagreement" in signs:
        assert bounds["disagreement"] == [0.0, 0.12]
    for one in (val, learned):
        assert beyond(look_of(task, one, grid), bounds) == ()
    assert all(
        high > low for name, (low, high) in bounds.items() if name in look
    )  # the two look otherwise

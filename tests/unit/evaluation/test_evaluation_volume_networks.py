"""Figures of the MR networks by hand on made-up rows, their cards and their pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmm.acceptance.metrics import patient_draws
from medmm.domain.reading import Extent, Finding, ImageHalf, Measurement, Reading
from medmm.evaluation.cards.volume_networks import volumes_card
from medmm.evaluation.mr import volume_networks
from medmm.evaluation.mr.volume_networks import (
    PUBLISHED,
    Rows,
    _dices,
    _groups,
    _halves,
    _slices,
    agreement,
    best_brightness,
    by_group,
    mean_shape,
    worst,
)
from medmm.evaluation.plots import failure_pictures
from medmm.training.mr.calibration import GROUPS
from pipelines import evaluate
from tests.volume_sets import block, outlined

PERSONS = ("a", "b", "c", "d")


def test_agreement_by_hand() -> None:
    found = [(10.0, 8.0, 12.0), (22.0, 21.0, 23.0), None, (30.0, 20.0, 40.0)]
    made = agreement(Rows.of(PERSONS), found, [11.0, 20.0, 99.0, 33.0], 20.0)
    assert made["stated"] == 3
    assert made["mean_absolute_error"]["value"] == 2.0
    assert made["bias"]["value"] == pytest.approx(-2 / 3, abs=1e-4)
    assert made["limits_of_agreement"] == pytest.approx(
        1.96 * np.std([-1, 2, -3], ddof=1), abs=1e-4
    )
    assert made["correlation"] == pytest.approx(
        np.corrcoef([10, 22, 30], [11, 20, 33])[0, 1], abs=1e-4
    )
    assert (made["interval_holds"]["hits"], made["interval_holds"]["count"]) == (2, 3)
    assert made["median_of_training_error"]["value"] == pytest.approx(22 / 3, abs=1e-4)
    assert made["mean_absolute_error"]["low"] <= 2 <= made["mean_absolute_error"]["high"]


@pytest.mark.parametrize("found", [[None, None], [None, (1.0, 0.0, 2.0)]])
def test_what_was_hardly_measured_has_no_figures(found: list[Any]) -> None:
    stated = sum(one is not None for one in found)
    assert agreement(Rows.of(["a", "b"]), found, [1.0, 2.0], 1.5) == {"stated": stated}


def test_the_mean_shape_is_the_vote_of_centred_volumes() -> None:
    one = outlined(block((2, 4, 4), (slice(0, 2), slice(1, 3), slice(1, 3))))
    two = outlined(block((2, 6, 6), (slice(0, 2), slice(2, 4), slice(2, 5))))
    three = outlined(block((2, 2, 2), (slice(0, 2), slice(0, 2), slice(0, 2))))
    found = mean_shape([one, two, three], (2, 4, 4), 1)
    assert np.array_equal(found, one.labels)
    assert mean_shape([one], (4, 8, 8), 1).sum() == one.labels.sum()
    assert mean_shape([one], (4, 8, 8), 1)[1:3, 3:5, 3:5].all()


def test_the_worst_come_first_and_names_go_with_values() -> None:
    found = worst(["a", "b", "c", "d"], [0.9, 0.123456, float("nan"), 0.5])
    assert found == [
        {"subject": "b", "dice": 0.1235},
        {"subject": "d", "dice": 0.5},
        {"subject": "a", "dice": 0.9},
    ]


def test_groups_of_five_have_an_interval() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.9]
    found = by_group(Rows.of(list("abcdef")), ["x"] * 5 + ["y"], values)
    assert found["y"] == {"subjects": 1, "value": 0.9}
    assert found["x"]["subjects"] == 5
    assert found["x"]["value"] == 0.3
    assert found["x"]["low"] < 0.3 < found["x"]["high"]


def test_overlap_of_each_label_and_their_mean() -> None:
    truth = block(
        (1, 2, 4), (slice(0, 1), slice(0, 1), slice(0, 4)), (slice(0, 1), slice(1, 2), slice(0, 2))
    )
    half = truth.copy()
    half[0, 0, 2:] = 0
    found = _dices(Rows.of(["a", "b"]), [truth, half], [truth, truth], ["one", "two"])
    assert found["one"]["value"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)
    assert found["two"]["value"] == 1
    assert found["mean"]["value"] == pytest.approx((1 + 5 / 6) / 2, abs=1e-4)


def reading(half: ImageHalf | None) -> Reading:
    extent = None
    if half is not None:
        extent = Extent(
            label_map="brain-lesion", label="lesion", volume_sha256="a", slices=(0, 0), slice_count=1,
            centroid_index_zyx=(0, 0, 0), image_half=half,
        )  # fmt: skip
    finding = Finding(name="brain lesion", probability=0.9, threshold=0.5, extent=extent)
    return Reading(study_uid="1", findings=(finding,))


def test_halves_are_asked_of_lesions_in_one_half_alone() -> None:
    low = block((1, 2, 10), (slice(0, 1), slice(0, 2), slice(0, 4)))
    high = block((1, 2, 10), (slice(0, 1), slice(0, 2), slice(6, 10)))
    both = block((1, 2, 10), (slice(0, 1), slice(0, 2), slice(2, 8)))
    readings = [
        reading(ImageHalf.LOW_COLUMNS),
        reading(ImageHalf.LOW_COLUMNS),
        reading(ImageHalf.BOTH),
        reading(None),
    ]
    found = _halves(readings, [low, high, both, high])
    assert found == {"lesions_in_one_half": 3, "right": 1, "lesions_in_both": 1}


def test_slices_are_ranked_and_weighed_against_the_brightest() -> None:
    truths = [block((4, 8, 8), (slice(0, 2), slice(2, 6), slice(2, 6))) for _ in range(4)]
    ones = []
    for truth in truths:
        flair = np.full(truth.shape, 50, dtype=np.float32)
        flair[2:, 0, :4] = 200  # brightest where there is no lesion
        ones.append(outlined(truth, sequences=("flair",), signals=(flair,)))
    rows = Rows(persons=PERSONS, draws=patient_draws(PERSONS, draws=10))
    found = _slices(rows, [np.array([0.9, 0.8, 0.2, 0.1])] * 4, [t > 0 for t in truths], ones)
    assert (found["count"], found["with_lesion"]) == (16, 8)
    assert found["auroc"]["value"] == 1
    assert found["brightest_flair_auroc"]["value"] == 0
    assert found["brier"]["value"] == pytest.approx((0.01 + 0.04 + 0.04 + 0.01) / 4)
    assert found["prevalence_brier"] == 0.25


def test_the_best_brightness_is_the_one_that_overlaps() -> None:
    truth = block(
        (3, 20, 20), (slice(1, 2), slice(5, 11), slice(5, 12))
    )  # 42 of 1,008 head voxels: 4 %
    head = np.zeros(truth.shape, dtype=np.float32)
    head[:, 1:19, 1:19] = 100 + np.random.default_rng(0).uniform(0, 30, (3, 18, 18))
    head[truth > 0] = 250
    one = outlined(truth, sequences=("flair",), signals=(head,))
    assert best_brightness([one]) in (95.0, 97.0)


class Calibrated:
    """A heart model's calibration alone."""

    def __init__(self, calibration: dict[str, Any]) -> None:
        self.calibration = calibration


def heart(lvef: float | None) -> Reading:
    made = (
        ()
        if lvef is None
        else (Measurement(name="LVEF", value=lvef, unit="%", interval=(lvef, lvef)),)
    )
    return Reading(study_uid="1", measurements=made)


def test_groups_by_hand() -> None:
    rows = {
        "of": ["LVEF"],
        "groups": list(GROUPS),
        "mean": [50.0],
        "spread": [10.0],
        "weights": [[-1.0], [1.0], [0.0], [0.0], [0.0]],
        "intercepts": [0.0, 0.0, -9.0, -9.0, -9.0],
    }
    readings = [heart(20.0), heart(80.0), heart(20.0), heart(None)]
    found = _groups(Calibrated({"groups": rows}), readings, ["DCM", "HCM", "NOR", "NOR"])  # type: ignore[arg-type]
    assert found is not None
    assert (found["accuracy"]["hits"], found["accuracy"]["count"]) == (2, 4)
    assert found["most_frequent_group"] == 0.5
    table = np.array(found["confusion_drawn_by_suggested"])
    assert table.sum() == 3  # one was not measured
    assert (table[0, 0], table[1, 1], table[3, 0]) == (1, 1, 1)
    assert _groups(Calibrated({}), readings, ["DCM"] * 4) is None  # type: ignore[arg-type]


FIGURE = {"value": 0.8123, "low": 0.75, "high": 0.875}
QUANTITY = {
    "stated": 20, "mean_absolute_error": FIGURE, "bias": FIGURE, "limits_of_agreement": 1.25, "correlation": 0.9,
    "interval_holds": {"hits": 19, "count": 20, **FIGURE}, "median_of_training_error": FIGURE,
}  # fmt: skip
SHARE = {"hits": 9, "count": 10, **FIGURE}
NONE = {**SHARE, "hits": 0}
UNMEASURED = [
    {"kind": "own", "name": "test", "unlike": NONE, "stated": SHARE},
    {"kind": "another set's", "name": "hearts", "unlike": SHARE, "stated": {**SHARE, "hits": 2}},
    {"kind": "own, damaged", "name": "noise", "unlike": SHARE, "stated": NONE},
]
COMMON = {
    "subjects": 20,
    "unmeasured": UNMEASURED,
    "worst": [{"subject": "subject_7", "dice": 0.31}],
}
MADE = {
    "hippocampus": {
        "dice": {"mean": FIGURE, "median": FIGURE, "anterior hippocampus": FIGURE},
        "baseline_dice": {"mean shape": {"mean": FIGURE, "anterior hippocampus": FIGURE}},
        "quantities": {"hippocampus volume": QUANTITY},
    },
    "brain-lesion": {
        "dice": {"mean": FIGURE, "median": FIGURE},
        "baseline_dice": {"FLAIR above its 97th percentile": {"mean": FIGURE}},
        "slices": {
            "count": 500, "with_lesion": 180, "auroc": FIGURE, "brightest_flair_auroc": FIGURE,
            "expected_calibration_error": FIGURE, "brier": FIGURE, "prevalence_brier": 0.2304,
        },
        "volumes": {"with_lesion": 26, "runs_without": 31, "auroc": 0.97, "sensitivity": SHARE, "specificity": SHARE},
        "half": {"lesions_in_one_half": 21, "right": 20, "lesions_in_both": 5},
        "quantities": {"lesion share of head": QUANTITY},
        "by_institution": {"DU": {"subjects": 12, **FIGURE}, "CS": {"subjects": 2, "value": 0.5}},
        "by_sequences": {"pre+flair+post": {"subjects": 24, **FIGURE}},
    },
    "cardiac": {
        "dice": {part: {"mean": FIGURE, "median": FIGURE, "left ventricle": FIGURE} for part in ("ed", "es")},
        "baseline_dice": {"mean shape": {part: {"mean": FIGURE} for part in ("ed", "es")}},
        "quantities": {"LVEF": QUANTITY, "LV mass": {"stated": 1}},
        "groups": {
            "accuracy": SHARE, "most_frequent_group": 0.217, "groups": list(GROUPS),
            "confusion_drawn_by_suggested": (np.eye(5, dtype=int) * 4).tolist(),
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("task", sorted(MADE))
def test_a_card_is_written_from_the_kept_figures_alone(task: str) -> None:
    found = {"task": task, "published": PUBLISHED[task], **COMMON, **MADE[task]}
    text = volumes_card(json.loads(json.dumps(found, sort_keys=True)))
    assert text.startswith(f"# {task}\n")
    assert "0.812 [0.750, 0.875]" in text
    assert "subject_7 (0.31)" in text
    assert PUBLISHED[task] in text
    assert "19 of 20" in text
    assert (
        "| another set's | hearts | 10 | 9: 0.812 [0.750, 0.875] | 2: 0.812 [0.750, 0.875] |"
        in text
    )
    assert "a number is stated of hearts (2 of 10)." in text
    assert "None" not in text
    assert "nan" not in text
    sections = {line for line in text.splitlines() if line.startswith("## ")}
    assert {
        "## Overlap (Dice)",
        "## Quantities",
        "## Left unmeasured, by set",
        "## Failures",
        "## Known limits",
    } <= sections
    assert ("## The five groups" in sections) == (task == "cardiac")
    assert ("## Overlap by institution" in sections) == (task == "brain-lesion")
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") > 2
    tables = [block for block in text.split("\n\n") if block.strip().startswith("|")]
    for one in tables:
        assert len({row.count("|") for row in one.strip().splitlines()}) == 1
    if task == "cardiac":
        assert "| LV mass (g) | n/a | n/a |" in text
        assert "| DCM | 4 | 0 | 0 | 0 | 0 |" in text
    if task == "brain-lesion":
        assert "| CS | 2 | 0.500 |" in text
        assert "26 volumes with a lesion against 31 runs" in text


def test_the_card_says_where_no_reading_was_made() -> None:
    rows = [{**row, "stated": None} for row in UNMEASURED]
    text = volumes_card(
        {"task": "cardiac", "published": "", **COMMON, **MADE["cardiac"], "unmeasured": rows}
    )
    assert "| own, damaged | noise | 10 | 9: 0.812 [0.750, 0.875] | not run |" in text
    assert "the look notices nothing at hearts (1 of 10); noise (1 of 10)." in text
    assert "Where no reading was made" in text


def test_the_command_knows_every_volume_task() -> None:
    assert set(evaluate.VOLUME_TASKS) == set(MADE) == set(PUBLISHED)
    for task in evaluate.VOLUME_TASKS:
        assert evaluate.CARDS[task] is volumes_card
        assert evaluate.INPUTS[task][0] == "mri/subjects.csv"


def test_the_command_names_a_set_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["cardiac", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 3
    assert "mri/acdc.zip" in capsys.readouterr().err


def failure(shift: int = 6, **more: Any) -> failure_pictures.Failure:
    truth = block((3, 32, 40), (slice(1, 2), slice(8, 20), slice(10, 24)))
    return failure_pictures.Failure(
        outlined=outlined(truth, **more), found=np.roll(truth, shift, axis=2)
    )


@pytest.mark.parametrize("pixels", [True, False])
def test_failures_are_shown_as_drawn_found_and_different(tmp_path: Path, pixels: bool) -> None:
    rows = [failure(subject="s1"), failure(subject="s2", part="es", sequences=("pre", "flair"),
            signals=(None, np.full((3, 32, 40), 7, np.float32)))]  # fmt: skip
    failure_pictures.write(tmp_path / "deep" / "failures.png", rows, ("lesion",), pixels=pixels)
    with Image.open(tmp_path / "deep" / "failures.png") as picture:
        sheet = np.asarray(picture)
    cell = failure_pictures.CELL_PX + failure_pictures.GAP_PX
    assert sheet.shape[1] == cell * (4 if pixels else 3)
    drawn, seen, wrong = (
        sheet[36 : 36 + cell, left * cell :][:, :cell] for left in range(int(pixels), 3 + pixels)
    )
    tint = failure_pictures.LABEL_TINTS[0]
    where = [np.flatnonzero((part == tint).all(2).any(0)).mean() for part in (drawn, seen)]
    assert where[1] > where[0]  # found further to the right than drawn
    sizes = {
        name: int((wrong == colour).all(2).sum()) for name, colour in failure_pictures.DIFFERENCES
    }
    assert sizes["missed"] == pytest.approx(sizes["too much"], rel=0.1)
    assert sizes["both"] == pytest.approx(sizes["missed"] * 8 / 6, rel=0.1)
    assert sizes["other label"] == 0


def test_a_failure_shows_the_slice_with_most_wrong_and_says_what_it_is() -> None:
    truth = block((4, 32, 40), (slice(0, 3), slice(8, 20), slice(10, 24)))
    found = truth.copy()
    found[2, :15] = 0
    made = failure_pictures.Failure(outlined=outlined(truth, subject="s1", part="es"), found=found)
    assert made.slice_index == 2
    assert made.title.startswith("s1 es   slice 3 of 4, Dice of the whole volume 0.8")


@pytest.mark.parametrize("corner", [(0, 0), (20, 26), (9, 13)])
def test_the_cut_out_holds_all_that_is_marked(corner: tuple[int, int]) -> None:
    marked = np.zeros((32, 40), bool)
    marked[corner[0] : corner[0] + 12, corner[1] : corner[1] + 14] = True
    part = marked[failure_pictures.cut(marked)]
    assert part.sum() == marked.sum()
    assert max(part.shape) == min(int(np.ceil(14 * 1.6)), 40)


def test_only_images_whose_terms_allow_it_stand_beside_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(volume_networks, "failures", lambda *_: ([failure()], ("lesion",)))
    monkeypatch.setattr(failure_pictures, "write", lambda path, *_, pixels: asked.append(pixels))
    for task in evaluate.VOLUME_TASKS:
        evaluate.pictures_of_failures(
            task, tmp_path, tmp_path, {"worst": []}, tmp_path, beside_card=True
        )
        assert asked == [True, task == "hippocampus"]
        asked.clear()

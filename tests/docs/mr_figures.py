"""The figures of the MR networks for people, from `evaluation.json` beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medmm.evaluation.cards.tables import figure, table
from medmm.evaluation.cards.volume_networks import unmeasured_rows

NETWORKS = ("hippocampus", "brain-lesion", "cardiac")
WEIGHTS = Path(__file__).resolve().parents[2] / "medmm" / "weights"


def found(name: str) -> dict[str, Any]:
    """The evaluation of one network."""
    made: dict[str, Any] = json.loads(
        (WEIGHTS / name / "evaluation.json").read_text(encoding="utf-8")
    )
    return made


def guess(of: dict[str, Any], *path: str) -> str:
    """The Dice of the trivial guess."""
    value: Any = next(iter(of["baseline_dice"].values()))
    for part in path:
        value = value[part]
    return figure(value)


def mr_md() -> str:
    """One row a figure: what, of how many, medmm's, the trivial guess's."""
    hippo, lesion, heart = (found(name) for name in ("hippocampus", "brain-lesion", "cardiac"))
    slices, half, groups = lesion["slices"], lesion["half"], heart["groups"]
    rows = [
        [
            "hippocampus, Dice (mean of its two parts)",
            hippo["subjects"],
            figure(hippo["dice"]["mean"]),
            guess(hippo, "mean"),
        ],
        ["hippocampus volume, mean absolute error in ml", *errors(hippo, "hippocampus volume")],
        [
            "brain lesion, Dice, mean",
            lesion["subjects"],
            figure(lesion["dice"]["mean"]),
            guess(lesion, "mean"),
        ],
        ["brain lesion, Dice, median", lesion["subjects"], figure(lesion["dice"]["median"]), ""],
        [
            "lesion in a slice, AUROC",
            slices["count"],
            figure(slices["auroc"]),
            figure(slices["brightest_flair_auroc"]),
        ],
        ["half of the image", half["lesions_in_one_half"], f"{half['right']} right", ""],
        [
            "left ventricle, Dice, end-diastole",
            heart["subjects"],
            figure(heart["dice"]["ed"]["left ventricle"]),
            guess(heart, "ed", "left ventricle"),
        ],
        [
            "left ventricle, Dice, end-systole",
            heart["subjects"],
            figure(heart["dice"]["es"]["left ventricle"]),
            guess(heart, "es", "left ventricle"),
        ],
        ["LVEF, mean absolute error in points", *errors(heart, "LVEF")],
        ["RVEF, mean absolute error in points", *errors(heart, "RVEF")],
        [
            "five groups of hearts, right",
            heart["subjects"],
            figure(groups["accuracy"]),
            f"{groups['most_frequent_group']:.3f}",
        ],
    ]
    head = ["MR", "of", "medmm [95 %]", "trivial guess"]
    return (
        "MR volumes, on patients the networks never saw (Decathlon hippocampus crops, TCGA gliomas, ACDC hearts); beside them the "
        "mean shape of the training set, a brightness threshold, the training median or the most frequent group:\n\n"
        + table(head, [[str(cell) for cell in row] for row in rows])
    )


def mr_page_md() -> str:
    """The figures of the page on MR: those, and what was left unmeasured by set."""
    counted = all("unmeasured" in found(name) for name in NETWORKS)
    return mr_md() + ("\n" + unmeasured_md() if counted else "")


def unmeasured_md() -> str:
    """How often a number is left out, a row a network and set."""
    rows = [[name, *row] for name in NETWORKS for row in unmeasured_rows(found(name))]
    head = [
        "network",
        "images",
        "which",
        "studies",
        "unlike by the look of the images [95 %]",
        "a number stated [95 %]",
    ]
    return (
        "How often a number is left out, by what the network is shown (bounds: training and validation subjects; all other rows: test "
        "subjects). Images of another set and damaged ones should all be unlike; where no reading was made (not run), what the outline and "
        "the bounds of size, shape and coverage notice beyond that is not counted:\n\n"
        + table(head, rows)
    )


def errors(of: dict[str, Any], name: str) -> tuple[int, str, str]:
    """Of how many subjects a quantity was stated, its mean absolute error, and that of the training median."""
    row = of["quantities"][name]
    return (
        row["stated"],
        figure(row["mean_absolute_error"]),
        figure(row["median_of_training_error"]),
    )

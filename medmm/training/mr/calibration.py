"""What volume networks learn on validation subjects: thresholds, probabilities, trust."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from scipy import stats
from sklearn.linear_model import LogisticRegression

from medmm.domain.errors import needed
from medmm.domain.reading import LabelMap
from medmm.models.coverage import ventricle_bounds, ventricle_shape
from medmm.models.mr import brain_lesion, cardiac, hippocampus
from medmm.models.mr.brain_lesion import share_of_head, slice_features, volume_score
from medmm.models.mr.cardiac import MAPS, Phase, quantities
from medmm.models.mr.out_of_distribution import (
    DISAGREEMENT,
    DOUBT,
    ENTROPY,
    LOOSE,
    Signs,
    bounds_of,
    image_signs,
)
from medmm.models.mr.preprocessing import Grid, prepare_sequences
from medmm.models.mr.resampling import head_of, without_specks
from medmm.models.mr.volume_segmenter import Labelled, VolumeSegmenter
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.mr_sets import (
    ROLES,
    OutlinedVolume,
    present,
    read_outlined_volumes,
    study_of,
    subjects,
)
from medmm.training.validation_metrics import dice
from medmm.training.weights_export import write_json

Json = dict[str, Any]
Array = NDArray[np.float64]
COVERAGE = 0.95
VOXEL_THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
SMALLEST_VOXELS = (1, 20)
SMALLEST_SHARES = (0.0, 0.05, 0.1, 0.2)  # of the largest part
LEAST_RUN = 5  # slices without a lesion that stand for a volume without one
GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
GROUP_MEASUREMENTS = (
    "LVEF",
    "RVEF",
    "LV EDV",
    "RV EDV",
    "LV mass to LV EDV ratio",
    "RV EDV to LV EDV ratio",
    "LV mass",
)
GROUP_THRESHOLD = 0.5
# Whose look tells an unlike image
SEQUENCE_SEEN = {"hippocampus": "t1", "brain-lesion": "flair", "cardiac": "cine"}
OUTLINE_SIGNS: dict[str, tuple[str, ...]] = {
    "hippocampus": (ENTROPY,),
    # Entropy and disagreement go with the size of a lesion, and a lesion may have parts
    "brain-lesion": (),
    "cardiac": (ENTROPY, DISAGREEMENT, LOOSE),
}
FRACTIONS = ("LVEF", "RVEF")  # in %


def calibrate(
    task: str, folder: Path, data_dir: Path, *, device: torch.device, quiet: bool = False
) -> None:
    """Write calibration.json of a weights folder from validation subjects, in fp32.

    Live use computes in fp32 too.
    """
    weights = WeightsFolder(row=row_named(task), folder=folder)
    segmenter = VolumeSegmenter.open(weights, device)
    val = list(read_outlined_volumes(data_dir, task, "val"))
    found = [
        segmenter.read(present(one), one.spacing_zyx_mm)
        for one in track(val, description="val", disable=quiet)
    ]
    labels = tuple(weights.json("config.json")["labels"])
    made = {"brain-lesion": _lesions, "hippocampus": _hippocampi, "cardiac": _hearts}[task](
        val, found, labels
    )
    if task == "cardiac":
        hearts = subjects(read_outlined_volumes(data_dir, task, "train"))
        drawn = [
            heart_quantities(heart, {one.part: one.labels for one in heart}, labels)
            for heart in hearts
        ]
        made["groups"] = group_rows(drawn, [heart[0].row["group"] for heart in hearts])
        made["plausible"] = plausible(drawn)
        made["coverage"] = _coverage([*hearts, *subjects(val)], labels)
    made[DOUBT] = doubt_bounds(
        task, val, found, read_outlined_volumes(data_dir, task, "train"), segmenter.grid
    )
    write_json(folder / "calibration.json", made)


def doubt_bounds(
    task: str,
    val: Sequence[OutlinedVolume],
    found: Sequence[Labelled],
    learned: Iterable[OutlinedVolume],
    grid: Grid,
) -> dict[str, list[float]]:
    """Find beyond which bounds an input is unlike the set.

    Outlines go by validation subjects, looks by those of training too.
    """
    outlines = [f.signs() for f in found]
    looks = [look_of(task, one, grid) for one in (*val, *learned)]
    return bounds_of(
        [
            {name: row[name] for name in OUTLINE_SIGNS[task]}
            for row in outlines
            if OUTLINE_SIGNS[task]
        ],
        looks,
    )


def look_of(task: str, outlined: OutlinedVolume, grid: Grid) -> Signs:
    """Say how the sequence that tells an unlike image looks to a network.

    Raises: InputError as `prepare_sequences`.
    """
    signal = present(outlined)[outlined.sequences.index(SEQUENCE_SEEN[task])]
    return image_signs(prepare_sequences([signal], grid, outlined.spacing_zyx_mm)[0][0])


def spread(errors: Sequence[float], kind: str) -> Json:
    """Compute half of the interval that holds the next error with 95 %.

    It is a t interval of prediction, for errors that are normal.

    `errors` are differences ("absolute") or logarithms of ratios ("relative"); their mean counts
    too, so that a bias widens the interval to both sides.
    """
    values = np.asarray(errors, dtype=float)
    n = len(values)
    half = abs(values.mean()) + stats.t.ppf((1 + COVERAGE) / 2, n - 1) * values.std(
        ddof=1
    ) * np.sqrt(1 + 1 / n)
    return {"kind": kind, "half_width": round(float(half), 4), "subjects": n}


def _lesions(val: Sequence[OutlinedVolume], found: Sequence[Labelled], _: tuple[str, ...]) -> Json:
    truths = [one.labels > 0 for one in val]
    threshold, smallest, share = max(
        itertools.product(VOXEL_THRESHOLDS, SMALLEST_VOXELS, SMALLEST_SHARES),
        key=lambda chosen: np.mean(
            [dice(_mask(f, *chosen), t) for f, t in zip(found, truths, strict=True)]
        ),
    )
    features = [slice_features(f) for f in found]
    presence = [t.any((1, 2)).astype(int) for t in truths]
    fit = LogisticRegression(C=0.1, max_iter=1000).fit(
        np.concatenate(features), np.concatenate(presence)
    )
    slices = [fit.predict_proba(f)[:, 1] for f in features]
    scores, there = volume_examples(slices, presence)
    whole = LogisticRegression(C=1.0).fit(scores[:, None], there)
    heads = [head_of(named(one)["flair"]) for one in val]
    masks = [_mask(f, threshold, smallest, share) for f in found]
    pairs = [
        (share_of_head(m, h), share_of_head(t, h))
        for m, t, h in zip(masks, truths, heads, strict=True)
    ]
    error = spread([float(np.log(a / b)) for a, b in pairs if a > 0], "relative")
    return {
        "voxel_threshold": threshold,
        "smallest_voxels": smallest,
        "smallest_share": share,
        "slice": {
            "weights": [round(float(w), 5) for w in fit.coef_[0]],
            "intercept": round(float(fit.intercept_[0]), 5),
        },
        "volume": {
            "slope": round(float(whole.coef_[0][0]), 5),
            "intercept": round(float(whole.intercept_[0]), 5),
            "threshold": 0.5,
            "examples_with": int(there.sum()),
            "examples_without": int((1 - there).sum()),
        },
        brain_lesion.SHARE: error,
        brain_lesion.VOLUME: error,
    }


def _mask(found: Labelled, threshold: float, smallest: int, share: float) -> NDArray[np.bool_]:
    return without_specks(found.probabilities[1] > threshold, smallest, share)


def named(outlined: OutlinedVolume) -> dict[str, Any]:
    """Map the names of sequences to their signals."""
    return dict(zip(outlined.sequences, outlined.signals, strict=True))


def volume_examples(
    slices: Sequence[Array], presence: Sequence[NDArray[np.int64]]
) -> tuple[Array, Array]:
    """Return scores of volumes with and without a lesion, and which has one.

    Every patient of the set has one, so runs of slices without a lesion stand for volumes without.
    """
    scores, there = [], []
    for probability, truth in zip(slices, presence, strict=True):
        scores.append(volume_score(probability))
        there.append(1)
        for begin, end in runs_without(truth):
            scores.append(volume_score(probability[begin:end]))
            there.append(0)
    return np.asarray(scores), np.asarray(there)


def runs_without(truth: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Find runs of at least `LEAST_RUN` slices without a lesion that do not touch one.

    Each is (first, behind the last).
    """
    near = np.convolve(truth, [1, 1, 1], mode="same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[1], near.astype(int), [1]])))
    return [
        (int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= LEAST_RUN
    ]


def _hippocampi(
    val: Sequence[OutlinedVolume], found: Sequence[Labelled], _: tuple[str, ...]
) -> Json:
    pairs = [
        ((hippocampus.hippocampus_of(f) > 0).sum(), (one.labels > 0).sum())
        for f, one in zip(found, val, strict=True)
    ]
    ml = [float(truth) / 1000 for _, truth in pairs]  # voxels of 1 mm
    return {
        hippocampus.VOLUME: spread([float(np.log(a / b)) for a, b in pairs], "relative"),
        "plausible_ml": [round(min(ml) / 2, 2), round(max(ml) * 1.5, 2)],
    }


def _hearts(
    val: Sequence[OutlinedVolume], found: Sequence[Labelled], labels: tuple[str, ...]
) -> Json:
    made = [cardiac.ventricles_of(f) for f in found]
    by_volume = {(one.subject, one.part): values for one, values in zip(val, made, strict=True)}
    rows = []
    for subject in subjects(val):
        truth = heart_quantities(subject, {one.part: one.labels for one in subject}, labels)
        seen = heart_quantities(
            subject, {one.part: by_volume[one.subject, one.part] for one in subject}, labels
        )
        rows.append((seen, truth))
    return {name: _heart_spread(name, rows) for name in rows[0][1]}


def _heart_spread(
    name: str, rows: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]
) -> Json:
    pairs = [(seen[name], truth[name]) for seen, truth in rows if name in seen]
    if name in FRACTIONS:
        return spread([a - b for a, b in pairs], "absolute")
    return spread([float(np.log(a / b)) for a, b in pairs], "relative")


def heart_quantities(
    subject: Sequence[OutlinedVolume], values: Mapping[str, Any], labels: tuple[str, ...]
) -> dict[str, float]:
    """Compute the quantities of one heart by its phases' labels, drawn or found."""
    study = study_of("cardiac", subject)
    phases = {}
    for part in ("ed", "es"):
        volume = needed(study.chosen(ROLES[part]), "a phase of a heart", role=ROLES[part].value)
        label_map = LabelMap.from_array(MAPS[ROLES[part]], volume.sha256, labels, values[part])
        phases[part] = Phase(volume=volume, label_map=label_map)
    return quantities(phases["ed"], phases["es"])


def _coverage(
    hearts: Sequence[Sequence[OutlinedVolume]], labels: tuple[str, ...]
) -> dict[str, float]:
    """Find the bounds of a left ventricle that a whole stack shows, drawn at end-diastole."""
    label = labels.index("left ventricle") + 1
    drawn = [
        one for heart in hearts for one in heart if one.part == "ed" and (one.labels == label).any()
    ]
    return ventricle_bounds(
        [
            ventricle_shape(one.labels == label, one.spacing_zyx_mm)
            for one in drawn
            if one.spacing_zyx_mm
        ]
    )


def plausible(drawn: Sequence[Mapping[str, float]]) -> Json:
    """Find what a heart can have: from half the least drawn to 1.5 times the most.

    Fractions stay under 100 %.
    """
    ranges = {}
    for name in drawn[0]:
        values = [row[name] for row in drawn if name in row]
        most = (100 + max(values)) / 2 if name in FRACTIONS else 1.5 * max(values)
        ranges[name] = [round(min(values) / 2, 2), round(most, 2)]
    return ranges


def group_rows(drawn: Sequence[Mapping[str, float]], groups: Sequence[str]) -> Json:
    """Fit a multinomial logistic regression from drawn quantities to the set's five groups.

    It is fitted on the training hearts.
    """
    values = np.asarray([[row[name] for name in GROUP_MEASUREMENTS] for row in drawn])
    mean, deviation = values.mean(0), values.std(0)
    fit = LogisticRegression(C=1.0, max_iter=2000).fit((values - mean) / deviation, groups)
    return {
        "of": list(GROUP_MEASUREMENTS),
        "groups": [str(g) for g in fit.classes_],
        "mean": [round(float(v), 4) for v in mean],
        "spread": [round(float(v), 4) for v in deviation],
        "weights": [[round(float(w), 4) for w in row] for row in fit.coef_],
        "intercepts": [round(float(v), 4) for v in fit.intercept_],
        "threshold": GROUP_THRESHOLD,
    }

"""What the MR networks are worth, on subjects never learned from, read as in live use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from medmm.acceptance.metrics import (
    auroc,
    brier,
    expected_calibration_error,
    interval,
    patient_draws,
    share,
)
from medmm.domain.errors import InputError
from medmm.domain.reading import ImageHalf, Reading
from medmm.domain.reading_model import read_by
from medmm.evaluation.mr.unmeasured_rates import MODELS, unmeasured
from medmm.evaluation.plots.failure_pictures import Failure
from medmm.models.mr.brain_lesion import BrainLesionModel, lesions_of, share_of_head, volume_score
from medmm.models.mr.cardiac import CardiacModel, group_probabilities
from medmm.models.mr.hippocampus import HippocampusModel
from medmm.models.mr.resampling import head_of
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.mr_sets import (
    OutlinedVolume,
    present,
    read_outlined_volumes,
    study_of,
    subjects,
)
from medmm.training.mr.calibration import heart_quantities, named, runs_without
from medmm.training.validation_metrics import dice

Json = dict[str, Any]
Array = NDArray[np.float64]
PUBLISHED = {
    "hippocampus": (
        "nnU-Net on the Decathlon's own test part: anterior 0.90, posterior 0.89 (Isensee 2018, "
        "from memory)"
    ),
    "brain-lesion": (
        "2D U-Net, 110 patients, 22-fold cross-validation: mean 0.82, median 0.85 (Buda 2019); "
        "readers 0.84"
    ),
    "cardiac": (
        "ACDC test, another 50 patients: LV ED 0.96, ES 0.92; LVEF bias -0.5, limits 3.1 "
        "(Isensee 2017)"
    ),
}


def evaluate(
    task: str, folder: Path, data_dir: Path, *, at_most: int | None = None, quiet: bool = False
) -> Json:
    """Compute all figures of a weights folder on the test subjects, as JSON values.

    Cost: some minutes on two CPU cores.

    `at_most` bounds the subjects of `unmeasured` alone.
    """
    weights = WeightsFolder(row=row_named(task), folder=folder)
    test = subjects(read_outlined_volumes(data_dir, task, "test"))
    learned = list(read_outlined_volumes(data_dir, task, "train"))
    found = _TASKS[task](weights, test, learned, quiet)
    left_out = unmeasured(task, folder, data_dir, at_most=at_most, quiet=quiet)
    return {
        "task": task,
        "subjects": len(test),
        "published": PUBLISHED[task],
        **found,
        "unmeasured": left_out,
    }


def with_unmeasured(
    task: str,
    folder: Path,
    data_dir: Path,
    *,
    looks_alone: bool = False,
    at_most: int | None = None,
    quiet: bool = False,
) -> Json:
    """Return a weights folder's figures, counting anew how often its numbers are left out.

    Raises: InputError if it has no figures.
    """
    try:
        kept: Json = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "the folder keeps no figures",
            remedy="measure all of them, without --unmeasured",
            folder=str(folder),
        ) from error
    rows = unmeasured(task, folder, data_dir, looks_alone=looks_alone, at_most=at_most, quiet=quiet)
    return {**kept, "unmeasured": rows}


def failures(
    task: str, folder: Path, data_dir: Path, names: Sequence[str]
) -> tuple[list[Failure], tuple[str, ...]]:
    """Read these test subjects, in this order; return also the names of the labels.

    Of a heart it is the worse phase.
    """
    weights = WeightsFolder(row=row_named(task), folder=folder)
    model = MODELS[task].open(weights, torch.device("cpu"))
    by_name = {
        one[0].subject: one for one in subjects(read_outlined_volumes(data_dir, task, "test"))
    }
    found = []
    for name in names:
        maps = read_by([model], study_of(task, by_name[name])).label_maps
        read = [
            Failure(outlined=o, found=m.array()) for o, m in zip(by_name[name], maps, strict=True)
        ]
        found.append(min(read, key=lambda one: dice(one.found > 0, one.outlined.labels > 0)))
    return found, tuple(weights.json("config.json")["labels"])


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Figures by subject, and the draws over persons for their intervals."""

    persons: Sequence[str]
    draws: Sequence[NDArray[np.int64]]

    @classmethod
    def of(cls, persons: Sequence[str]) -> Rows:
        """Build the rows of these persons."""
        return cls(persons=persons, draws=patient_draws(persons))

    def mean(self, values: Sequence[float]) -> Json:
        """Compute a mean with its 95 % interval."""
        return self.figure(values, np.nanmean)

    def figure(self, values: Sequence[float], of: Callable[[Array], Any]) -> Json:
        """Compute a figure of values by subject with its 95 % interval."""
        array = np.asarray(values, dtype=float)
        return interval(lambda i: float(of(array[i])), len(array), self.draws).json()


def _hippocampi(
    weights: WeightsFolder,
    test: list[list[OutlinedVolume]],
    learned: list[OutlinedVolume],
    quiet: bool,
) -> Json:
    model = HippocampusModel.open(weights, torch.device("cpu"))
    rows = Rows.of([one[0].row["person"] for one in test])
    truths = [one[0].labels for one in test]
    readings = [
        read_by([model], study_of("hippocampus", one))
        for one in track(test, description="test", disable=quiet)
    ]
    found = [reading.label_maps[0].array() for reading in readings]
    guess = [mean_shape(learned, one[0].labels.shape, 2) for one in test]
    volumes = [_measured(reading, "hippocampus volume") for reading in readings]
    ml = [float((truth > 0).sum()) / 1000 for truth in truths]
    return {
        "dice": _dices(rows, found, truths, model.labels),
        "baseline_dice": {
            "mean shape of the training crops, centred": _dices(rows, guess, truths, model.labels)
        },
        "quantities": {
            "hippocampus volume": agreement(
                rows,
                volumes,
                ml,
                _train_median([float((o.labels > 0).sum()) / 1000 for o in learned]),
            )
        },
        "worst": worst(
            [one[0].subject for one in test],
            [dice(f > 0, t > 0) for f, t in zip(found, truths, strict=True)],
        ),
    }


def mean_shape(
    learned: Sequence[OutlinedVolume], shape: tuple[int, ...], labels: int
) -> NDArray[np.uint8]:
    """Build the trivial guess: the label that most training volumes have at a voxel.

    Volumes are laid centre upon centre.
    """
    votes = np.zeros((labels + 1, *shape), dtype=np.int32)
    for one in learned:
        laid = np.zeros(shape, dtype=np.uint8)
        into, outof = [], []
        for goal, have in zip(shape, one.labels.shape, strict=True):
            both = min(goal, have)
            into.append(slice((goal - both) // 2, (goal - both) // 2 + both))
            outof.append(slice((have - both) // 2, (have - both) // 2 + both))
        laid[tuple(into)] = one.labels[tuple(outof)]
        for label in range(labels + 1):
            votes[label] += laid == label
    return votes.argmax(0).astype(np.uint8)


def _dices(rows: Rows, found: Sequence[Any], truths: Sequence[Any], labels: Sequence[str]) -> Json:
    table = np.asarray(
        [
            [dice(f == n + 1, t == n + 1) for n in range(len(labels))]
            for f, t in zip(found, truths, strict=True)
        ]
    )
    return {
        "mean": rows.mean(list(np.nanmean(table, axis=1))),
        "median": rows.figure(list(np.nanmean(table, axis=1)), np.nanmedian),
        **{name: rows.mean(list(table[:, n])) for n, name in enumerate(labels)},
    }


def _measured(reading: Reading, name: str) -> tuple[float, float, float] | None:
    """Return value and interval of a measurement; None if it was not made."""
    found = reading.measurement(name)
    return None if found is None else (found.value, *found.interval)


def _train_median(values: Sequence[float]) -> float:
    return float(np.median(values))


def agreement(
    rows: Rows,
    found: Sequence[tuple[float, float, float] | None],
    truth: Sequence[float],
    guess: float,
) -> Json:
    """Compare a measured quantity with the truth, beside one guess for everyone.

    These are its errors, and the share of intervals that hold.

    Of fewer than two measured subjects there is no figure but their number.
    """
    made = [i for i, one in enumerate(found) if one is not None]
    if len(made) < 2:
        return {"stated": len(made)}
    values = np.asarray([one for one in found if one is not None])
    drawn = np.asarray([truth[i] for i in made])
    part = Rows.of([rows.persons[i] for i in made])
    errors = values[:, 0] - drawn
    holds = (values[:, 1] <= drawn) & (drawn <= values[:, 2])
    return {
        "stated": len(made),
        "mean_absolute_error": part.mean(list(np.abs(errors))),
        "bias": part.mean(list(errors)),
        "limits_of_agreement": round(1.96 * float(errors.std(ddof=1)), 4),
        "correlation": round(float(np.corrcoef(values[:, 0], drawn)[0, 1]), 4),
        "interval_holds": share(holds, part.persons),
        "median_of_training_error": part.mean(list(np.abs(guess - drawn))),
    }


def worst(names: Sequence[str], values: Sequence[float], count: int = 3) -> list[Json]:
    """List the subjects with the lowest overlap: the failures to look at."""
    order = np.argsort(values)[:count]
    return [{"subject": names[i], "dice": round(float(values[i]), 4)} for i in order]


def _lesions(
    weights: WeightsFolder,
    test: list[list[OutlinedVolume]],
    learned: list[OutlinedVolume],
    quiet: bool,
) -> Json:
    model = BrainLesionModel.open(weights, torch.device("cpu"))
    ones = [one[0] for one in test]
    rows = Rows.of([one.subject for one in ones])
    truths = [one.labels > 0 for one in ones]
    readings = [
        read_by([model], study_of("brain-lesion", one))
        for one in track(test, description="test", disable=quiet)
    ]
    labelled = [
        model.segmenter.read(present(one), None)
        for one in track(ones, description="slices", disable=quiet)
    ]
    slices = [lesions_of(one, model.calibration).slice_probability for one in labelled]
    masks = [reading.label_maps[0].array() > 0 for reading in readings]
    dices = [dice(m, t) for m, t in zip(masks, truths, strict=True)]
    brightness = best_brightness(learned)
    bright = [_bright(one, brightness) for one in ones]
    shares = [share_of_head(t, head_of(_flair(one))) for t, one in zip(truths, ones, strict=True)]
    guess = _train_median([share_of_head(o.labels > 0, head_of(_flair(o))) for o in learned])
    return {
        "dice": {"mean": rows.mean(dices), "median": rows.figure(dices, np.median)},
        "baseline_dice": {
            (
                f"FLAIR above its {brightness:g}th percentile of the head (best on training "
                "patients)"
            ): {"mean": rows.mean([dice(b, t) for b, t in zip(bright, truths, strict=True)])}
        },
        "slices": _slices(rows, slices, truths, ones),
        "volumes": _volumes(model, slices, truths),
        "half": _halves(readings, truths),
        "quantities": {
            "lesion share of head": agreement(
                rows, [_measured(r, "lesion share of head") for r in readings], shares, guess
            )
        },
        "by_institution": by_group(rows, [one.subject.split("_")[1] for one in ones], dices),
        "by_sequences": by_group(rows, [one.row["channels"] for one in ones], dices),
        "worst": worst([one.subject for one in ones], dices),
    }


def _flair(outlined: OutlinedVolume) -> Any:
    return named(outlined)["flair"]


def best_brightness(learned: Sequence[OutlinedVolume]) -> float:
    """Find the FLAIR percentile within the head whose threshold overlaps best with lesions.

    They are those of training.
    """
    candidates = (90.0, 93.0, 95.0, 97.0, 98.0, 99.0)
    scores = [
        np.mean([dice(_bright(one, c), one.labels > 0) for one in learned]) for c in candidates
    ]
    return candidates[int(np.argmax(scores))]


def _bright(outlined: OutlinedVolume, percentile: float) -> NDArray[np.bool_]:
    flair = _flair(outlined)
    head = head_of(flair)
    return np.asarray(head & (flair > np.percentile(flair[head], percentile)))


def _slices(
    rows: Rows, slices: Sequence[Array], truths: Sequence[Any], ones: Sequence[OutlinedVolume]
) -> Json:
    """Evaluate lesions in slices beside the slice's brightest FLAIR.

    Ranking and calibration, with intervals by patient.
    """
    there = [t.any((1, 2)).astype(float) for t in truths]
    simple = [
        np.percentile(_flair(one).reshape(len(t), -1), 99, axis=1)
        for one, t in zip(ones, there, strict=True)
    ]

    def over(values: Sequence[Array], of: Callable[[Array, Array], Any]) -> Json:
        def figure(index: NDArray[np.int64]) -> float | None:
            truth = np.concatenate([there[i] for i in index])
            result = of(truth, np.concatenate([np.asarray(values[i], dtype=float) for i in index]))
            return None if result is None else float(result)

        return interval(figure, len(there), rows.draws).json()

    prevalence = float(np.concatenate(there).mean())
    return {
        "count": int(sum(map(len, there))),
        "with_lesion": int(sum(t.sum() for t in there)),
        "auroc": over(slices, auroc),
        "brightest_flair_auroc": over(simple, auroc),
        "expected_calibration_error": over(slices, expected_calibration_error),
        "brier": over(slices, brier),
        "prevalence_brier": round(prevalence * (1 - prevalence), 4),
    }


def _volumes(model: BrainLesionModel, slices: Sequence[Array], truths: Sequence[Any]) -> Json:
    """Evaluate volumes with a lesion against runs of slices without one.

    No patient of the set is without a lesion.
    """
    row = model.calibration["volume"]

    def probability(part: Array) -> float:
        return float(1 / (1 + np.exp(-(row["slope"] * volume_score(part) + row["intercept"]))))

    sick = [probability(part) for part in slices]
    well = [
        probability(part[begin:end])
        for part, truth in zip(slices, truths, strict=True)
        for begin, end in runs_without(truth.any((1, 2)).astype(np.int64))
    ]
    truth, score = np.asarray([1.0] * len(sick) + [0.0] * len(well)), np.asarray(sick + well)
    return {
        "with_lesion": len(sick),
        "runs_without": len(well),
        "auroc": auroc(truth, score),
        "sensitivity": share(
            np.asarray(sick) >= row["threshold"], [str(i) for i in range(len(sick))]
        ),
        "specificity": share(
            np.asarray(well) < row["threshold"], [str(i) for i in range(len(well))]
        ),
    }


def _halves(readings: Sequence[Reading], truths: Sequence[Any]) -> Json:
    """Evaluate the named half of the image, of lesions at least nine tenths in one half."""
    right, asked, other = 0, 0, 0
    for reading, truth in zip(readings, truths, strict=True):
        columns = np.argwhere(truth)[:, 2]
        high = float((columns >= truth.shape[2] / 2).mean())
        if max(high, 1 - high) < 0.9:
            other += 1
            continue
        asked += 1
        extent = reading.findings[0].extent
        wanted = ImageHalf.HIGH_COLUMNS if high > 0.5 else ImageHalf.LOW_COLUMNS
        right += extent is not None and extent.image_half is wanted
    return {"lesions_in_one_half": asked, "right": right, "lesions_in_both": other}


def by_group(rows: Rows, groups: Sequence[str], values: Sequence[float]) -> Json:
    """Compute means by group with the number of subjects, and intervals from five on."""
    table: Json = {}
    for name in sorted(set(groups)):
        part = [i for i, group in enumerate(groups) if group == name]
        mean = round(float(np.mean([values[i] for i in part])), 4)
        one = (
            Rows.of([rows.persons[i] for i in part]).mean([values[i] for i in part])
            if len(part) >= 5
            else {"value": mean}
        )
        table[name] = {"subjects": len(part), **one}
    return table


def _hearts(
    weights: WeightsFolder,
    test: list[list[OutlinedVolume]],
    learned: list[OutlinedVolume],
    quiet: bool,
) -> Json:
    model = CardiacModel.open(weights, torch.device("cpu"))
    rows = Rows.of([heart[0].subject for heart in test])
    readings = [
        read_by([model], study_of("cardiac", heart))
        for heart in track(test, description="test", disable=quiet)
    ]
    truth = [heart_quantities(h, {one.part: one.labels for one in h}, model.labels) for h in test]
    trained = [
        heart_quantities(h, {one.part: one.labels for one in h}, model.labels)
        for h in subjects(learned)
    ]
    parts: Json = {}
    base: Json = {}
    for number, part in enumerate(("ed", "es")):
        drawn = [heart[number].labels for heart in test]
        parts[part] = _dices(
            rows, [r.label_maps[number].array() for r in readings], drawn, model.labels
        )
        guess = [mean_shape([o for o in learned if o.part == part], d.shape, 3) for d in drawn]
        base[part] = _dices(rows, guess, drawn, model.labels)
    return {
        "dice": parts,
        "baseline_dice": {"mean shape of the training hearts, centred": base},
        "quantities": {
            name: agreement(
                rows,
                [_measured(reading, name) for reading in readings],
                [row[name] for row in truth],
                _train_median([row[name] for row in trained]),
            )
            for name in trained[0]
        },
        "groups": _groups(model, readings, [heart[0].row["group"] for heart in test]),
        "worst": worst(
            [heart[0].subject for heart in test],
            [
                dice(r.label_maps[1].array() == 3, h[1].labels == 3)
                for r, h in zip(readings, test, strict=True)
            ],
        ),
    }


def _groups(model: CardiacModel, readings: Sequence[Reading], groups: Sequence[str]) -> Json | None:
    """Evaluate the suggested group of each heart by what was measured on it."""
    rows = model.calibration.get("groups")
    if rows is None:
        return None
    named_groups, hits, table = list(rows["groups"]), [], np.zeros((5, 5), dtype=int)
    for reading, group in zip(readings, groups, strict=True):
        measured: Mapping[str, float] = {m.name: m.value for m in reading.measurements}
        if not set(rows["of"]) <= set(measured):
            hits.append(False)
            continue
        probabilities = group_probabilities(rows, measured)
        best = max(probabilities, key=lambda name: probabilities[name])
        table[named_groups.index(group), named_groups.index(best)] += 1
        hits.append(best == group)
    return {
        "accuracy": share(np.asarray(hits), [str(i) for i in range(len(hits))]),
        "most_frequent_group": round(max(groups.count(g) for g in set(groups)) / len(groups), 4),
        "groups": named_groups,
        "confusion_drawn_by_suggested": table.tolist(),
    }


_TASKS = {"hippocampus": _hippocampi, "brain-lesion": _lesions, "cardiac": _hearts}

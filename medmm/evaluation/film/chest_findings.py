"""What the chest findings network is worth, with intervals and trivial baselines.

Intervals are by patient.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from medmm.acceptance import metrics
from medmm.acceptance.calibration import sigmoid
from medmm.acceptance.metrics import Interval, interval, patient_draws
from medmm.domain.calibration import ALARM
from medmm.domain.errors import needed
from medmm.evaluation.acceptance import DISTRIBUTIONS, score_distributions
from medmm.evaluation.film.draft_rates import Points, film_said, finding_said, groups_said
from medmm.evaluation.film.pointing import looks
from medmm.evaluation.film.promises import kept, unfamiliar
from medmm.evaluation.predictions import LEAST_CASES, Array, Json, Scored
from medmm.models.film.familiarity import Familiarity
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.models.weights.loading import load_network
from medmm.training.data.films import EXTERNAL_TABLE, NIH_TABLE, Film, chosen, prepared, read_table
from medmm.training.film.chest_findings import (
    initial_network,
    label_matrix,
    logistic_head,
    pooled_features,
    predict,
    training_films,
)

CONFOUNDED = "Pneumonia"
OPACITIES = ("Pneumonia", "Consolidation", "Infiltration")
EXTERNAL = {
    "openi": "Open-i Indiana University",
    "guangzhou": "Guangzhou paediatric (Kermany 2018)",
    "hannover": "Hannover Medical School COVID-19 Image Repository",
}


def evaluate(
    weights_dir: Path,
    data_dir: Path,
    config_file: Path,
    *,
    quiet: bool = False,
    keep_baselines: bool = False,
) -> Json:
    """Compute all figures of one weights folder, as JSON values.

    Cost: some fifteen minutes on two CPU cores with nothing else to do; half of it is the
    baselines' features, which `keep_baselines` takes from the folder's evaluation.json: no
    calibration changes them.
    """
    weights = WeightsFolder(row=row_named("chest-findings"), folder=weights_dir)
    names, size = (
        list(weights.json("config.json")["findings"]),
        weights.json("preprocessing.json")["size_px"],
    )
    network = load_network(weights, torch.device("cpu"))
    rows = weights.json("calibration.json")
    slope, bias = (np.asarray([rows[n][k] for n in names]) for k in ("slope", "intercept"))

    def scored(films: list[Film], pixels: NDArray[np.float32]) -> Scored:
        return Scored(films, names, sigmoid(predict(network, pixels, quiet=quiet) * slope + bias))

    films = {
        "test": chosen(read_table(data_dir, NIH_TABLE), lambda f: f.split == "test"),
        "external": read_table(data_dir, EXTERNAL_TABLE),
    }
    pixels = {
        name: prepared(data_dir, part, size, quiet=quiet, name=name) for name, part in films.items()
    }
    test, external = (scored(films[name], pixels[name]) for name in ("test", "external"))
    official = test.part(lambda f: f.official_list == "test")
    points = Points(names, rows)
    config = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    pointing, sides = looks(weights_dir, data_dir, test.films, quiet=quiet)
    return {
        "films": _films(test, official, data_dir),
        "macro_auroc": _macros(test, official),
        "labels": {
            n: {**_label(test, official, j, rows[n]["prevalence"]), **finding_said(test, points, j)}
            for j, n in enumerate(names)
        },
        "drafts": film_said(test, points),
        "subgroups": groups_said(test, points),
        "baselines": weights.json("evaluation.json")["baselines"]
        if keep_baselines
        else _baselines(test, official, config, data_dir, size, quiet),
        DISTRIBUTIONS: score_distributions(test),
        "pointing": pointing,
        "sides": sides,
        "external": _external(external, names),
        "expert": _expert(test, data_dir, names),
        "promises": {
            "alarm": rows[ALARM],
            "test": kept(test, points, rows),
            "openi": kept(external.part(lambda f: f.source == EXTERNAL["openi"]), points, rows),
        },
        "unfamiliar": unfamiliar(
            network,
            needed(Familiarity.of(weights, rows), "the features of the training films"),
            data_dir,
            size,
            _sets(films, pixels),
            quiet=quiet,
        ),
    }


def _sets(
    films: dict[str, list[Film]], pixels: dict[str, NDArray[np.float32]]
) -> dict[str, tuple[NDArray[np.float32], list[str]]]:
    """Split the prepared films by where they come from, each with its patient."""
    sets = {"test": (pixels["test"], [film.patient for film in films["test"]])}
    for name, source in EXTERNAL.items():
        index = [i for i, film in enumerate(films["external"]) if film.source == source]
        sets[name] = (pixels["external"][index], [films["external"][i].patient for i in index])
    return sets


def _macros(test: Scored, official: Scored) -> Json:
    return {
        "test": test.macro().json(),
        "official": official.macro().json(),
        "test_without_pneumonia": test.macro(without=CONFOUNDED).json(),
        "official_without_pneumonia": official.macro(without=CONFOUNDED).json(),
    }


def _films(test: Scored, official: Scored, data_dir: Path) -> Json:
    """Count the films and patients of each kind."""
    val = chosen(read_table(data_dir, NIH_TABLE), lambda f: f.split == "val")
    return {
        "train": len(training_films(data_dir)),
        "val": len(val),
        "val_patients": len({f.patient for f in val}),
        "test": len(test.films),
        "patients": len(set(test.patients)),
        "official": len(official.films),
    }


def _label(test: Scored, official: Scored, j: int, prevalence: float) -> Json:
    truth, probability = test.truth[:, j], test.probability[:, j]
    draws = patient_draws(test.patients)
    prior = np.full_like(probability, prevalence)
    return {
        "cases": int(truth.sum()),
        "auroc": _auroc(truth, probability, test.patients).json(),
        "auroc_official": _auroc(
            official.truth[:, j], official.probability[:, j], official.patients
        ).json(),
        "auprc": interval(
            lambda i: metrics.auprc(truth[i], probability[i]), len(truth), draws
        ).json(),
        "ece": round(metrics.expected_calibration_error(truth, probability), 4),
        "brier": round(metrics.brier(truth, probability), 4),
        "brier_label_prior": round(metrics.brier(truth, prior), 4),
        "reliability": metrics.reliability(truth, probability, test.patients),
    }


def _auroc(truth: Array, score: Array, patients: list[str]) -> Interval:
    return interval(
        lambda i: metrics.auroc(truth[i], score[i]), len(truth), patient_draws(patients)
    )


def _baselines(
    test: Scored, official: Scored, config: Json, data_dir: Path, size: int, quiet: bool
) -> Json:
    """Compute baselines: trivial ones, and frozen features retrained on the same films.

    They are paired by patient.
    """
    films = training_films(data_dir)
    held_back = chosen(read_table(data_dir, NIH_TABLE), lambda f: f.split == "val")
    network = initial_network(config, data_dir)
    features = {
        name: pooled_features(
            network, prepared(data_dir, part, size, quiet=quiet, name=f"{name}, baseline"), quiet
        )
        for name, part in (("train", films), ("val", held_back), ("test", test.films))
    }
    truth, val_truth = label_matrix(films, test.names), label_matrix(held_back, test.names)
    first = np.asarray([f.folder == "cxr" for f in films])
    frozen = _logistic(
        features["train"], truth, features["val"], val_truth, features["test"], config["penalty"]
    )
    small = _logistic(
        features["train"][first],
        truth[first],
        features["val"],
        val_truth,
        features["test"],
        config["penalty"],
    )
    table = [_demographics(part) for part in (films, held_back, test.films)]
    simple = _logistic(table[0], truth, table[1], val_truth, table[2], (0.01, 0.1, 1.0))
    in_official = np.asarray([f.official_list == "test" for f in test.films])
    out: Json = {"label prior": {"test": {"value": 0.5}, "official": {"value": 0.5}}}
    for name, score in (
        ("age, sex and view", simple),
        ("frozen features, first training set alone", small),
        ("frozen features, all training films", frozen),
    ):
        whole = Scored(test.films, test.names, score)
        part = Scored(official.films, test.names, score[in_official])
        out[name] = {
            "test": whole.macro().json(),
            "official": part.macro().json(),
            "network_minus_baseline": _paired(test, whole).json(),
            "network_minus_baseline_official": _paired(official, part).json(),
        }
    return out


def _paired(one: Scored, other: Scored) -> Interval:
    """Compute the difference of macro AUROC on the same bootstrap draws of patients."""

    def difference(i: NDArray[np.int64]) -> float | None:
        first, second = (
            metrics.macro_auroc(one.truth[i], p[i]) for p in (one.probability, other.probability)
        )
        return None if first is None or second is None else first - second

    return interval(difference, len(one.films), patient_draws(one.patients))


def _logistic(
    train: Array,
    truth: Array,
    val: Array,
    val_truth: Array,
    test: Array,
    penalties: Sequence[float],
) -> Array:
    """Score test films by logistic regressions whose penalty is chosen on val."""
    scale = StandardScaler().fit(train)
    best, scores = -1.0, np.zeros((len(test), truth.shape[1]))
    for penalty in penalties:
        weight, bias = logistic_head(scale.transform(train), truth, penalty)
        figure = metrics.macro_auroc(val_truth, scale.transform(val) @ weight.T + bias) or 0.0
        if figure > best:
            best, scores = figure, scale.transform(test) @ weight.T + bias
    return scores


def _demographics(films: list[Film]) -> Array:
    """Build columns of age, its square, sex and view, and one for a missing age."""
    ages = [f.age_years if f.age_years is not None else 50.0 for f in films]
    columns = [
        [
            age / 50,
            (age / 50) ** 2,
            float(f.sex == "M"),
            float(f.view == "AP"),
            float(f.age_years is None),
        ]
        for age, f in zip(ages, films, strict=True)
    ]
    return np.asarray(columns)


def _external(external: Scored, names: list[str]) -> Json:
    """Evaluate each external set for what it can carry."""
    openi = external.part(lambda f: f.source == EXTERNAL["openi"])
    children = external.part(lambda f: f.source == EXTERNAL["guangzhou"])
    covid = external.part(lambda f: f.source == EXTERNAL["hannover"])
    labels = {}
    for j, name in enumerate(names):
        truth, score = openi.truth[:, j], openi.probability[:, j]
        if truth.sum() >= LEAST_CASES:
            labels[name] = {
                "cases": int(truth.sum()),
                "auroc": _auroc(truth, score, openi.patients).json(),
            }
    j = names.index(CONFOUNDED)
    truth, score = children.truth[:, j], children.probability[:, j]
    pneumonia = _auroc(truth, score, children.patients)
    quartiles = {
        name: [
            round(float(q), 4)
            for q in np.percentile(covid.probability[:, names.index(name)], [25, 50, 75])
        ]
        for name in OPACITIES
    }
    return {
        "openi": {"films": len(openi.films), "macro_auroc": openi.macro().json(), "labels": labels},
        "guangzhou": {
            "films": len(children.films),
            "cases": int(truth.sum()),
            "pneumonia_auroc": pneumonia.json(),
        },
        "hannover": {"films": len(covid.films), "probability_quartiles": quartiles},
    }


def _expert(test: Scored, data_dir: Path, names: list[str]) -> Json:
    """Evaluate the panel's labels on test films: an AUROC for airspace opacity, else counts."""

    with (data_dir / "cxr" / "expert.csv").open(encoding="utf-8", newline="") as lines:
        panel = {row["file"]: row for row in csv.DictReader(lines)}
    part = test.part(lambda f: f.file in panel)
    truth = np.asarray([float(panel[f.file]["airspace_opacity"] == "YES") for f in part.films])
    score = part.probability[:, [names.index(n) for n in OPACITIES]].max(1)
    figure = _auroc(truth, score, part.patients)
    counts = {
        name: sum(panel[f.file][name] == "YES" for f in part.films)
        for name in ("fracture", "pneumothorax", "airspace_opacity", "nodule_or_mass")
    }
    return {"films": len(part.films), "positive": counts, "airspace_opacity_auroc": figure.json()}

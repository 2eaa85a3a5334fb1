"""Drafts that cost nothing: what any drafter of report text has to beat, and by how much.

Every baseline learns from reports of the train split alone. A baseline has one version of its
drafts, or several where chance writes them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from medmm.language.report_labeller import ABNORMAL, PRESENT, labeller
from medmm.models.film.chest_findings import ChestFindingsNetwork
from medmm.models.film.preprocessing import prepare_film
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.loading import load_network
from medmm.training.reports.corpus import FilmReport, Grey, film_greys, read_published

PIXELS = 32
PRIOR_DRAWS = 100
Vectors = NDArray[np.float64]
CONSTANT, FREQUENT = "constant normal report", "most frequent train report"
NEAREST_PIXELS = f"report of the nearest train film, {PIXELS} x {PIXELS} pixels"
NEAREST_FEATURES = "report of the nearest train film, features of chest-findings"
PRIOR = "label prior"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Drafts under a name: versions of one draft a report, in the order of the reports."""

    name: str
    versions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSentences:
    """How the label prior says a finding; `absent` is empty if nobody would deny it."""

    finding: str
    present: str
    absent: str
    source: str


@cache
def finding_sentences() -> tuple[FindingSentences, ...]:
    """Read one row a finding of the 13, in the order of the labels."""
    text = (
        files("medmm.evaluation").joinpath("data/report_sentences.csv").read_text(encoding="utf-8")
    )
    return tuple(FindingSentences(**row) for row in csv.DictReader(text.splitlines()))


def baselines(
    data_dir: Path,
    train: Sequence[FilmReport],
    test: Sequence[FilmReport],
    weights: WeightsFolder,
    *,
    quiet: bool,
) -> list[Candidate]:
    """Draft the test reports by every baseline.

    `train` may hold reports without film or findings text.
    """
    written = [report for report in train if report.findings.strip()]
    with_film = [report for report in written if report.film is not None]
    constant = (read_published(data_dir).constant,) * len(test)
    frequent = (most_frequent([report.findings for report in written]),) * len(test)
    found = [
        Candidate(name=CONSTANT, versions=(constant,)),
        Candidate(name=FREQUENT, versions=(frequent,)),
    ]
    pixels, features = film_vectors(data_dir, [*with_film, *test], weights, quiet=quiet)
    own = features[: len(with_film)]
    features = (features - own.mean(0)) / (own.std(0) + 1e-9)
    for name, vectors in ((NEAREST_PIXELS, pixels), (NEAREST_FEATURES, features)):
        at = nearest(vectors[: len(with_film)], vectors[len(with_film) :])
        found.append(Candidate(name=name, versions=(tuple(with_film[i].findings for i in at),)))
    prior = label_prior(prevalence([report.findings for report in written]), len(test))
    return [*found, Candidate(name=PRIOR, versions=prior)]


def most_frequent(texts: Sequence[str]) -> str:
    """Return the text that occurs most often; of several the first in the alphabet."""
    times = Counter(" ".join(text.split()) for text in texts)
    return min(times, key=lambda text: (-times[text], text))


def film_vectors(
    data_dir: Path, reports: Sequence[FilmReport], weights: WeightsFolder, *, quiet: bool
) -> tuple[Vectors, Vectors]:
    """Embed films as 32 x 32 pixels less their mean, and as the trunk's features.

    Less the mean, cosine is correlation.
    """
    network, size = (
        load_network(weights, torch.device("cpu")),
        weights.json("preprocessing.json")["size_px"],
    )
    films = track(
        film_greys(data_dir, reports),
        total=len(reports),
        description="nearest films",
        disable=quiet,
    )
    greys = iter(films)
    small, features = [], []
    while group := list(islice(greys, 16)):
        small.append(np.stack([tiny(grey) for grey in group]))
        prepared = np.concatenate([prepare_film(grey, size) for grey in group])
        features.append(trunk_features(network, prepared))
    return np.concatenate(small), np.concatenate(features)


@torch.inference_mode()
def trunk_features(network: ChestFindingsNetwork, prepared: Grey) -> Vectors:
    """Compute mean features (n, 256) of prepared films (n, h, w), in fp32 as in live use."""
    films = torch.from_numpy(prepared)[:, None].contiguous(memory_format=torch.channels_last)
    return network.upper(network.stem(films)).mean((2, 3)).double().numpy()


def tiny(grey: Grey) -> Vectors:
    """Reduce a film to 32 x 32 pixels in one row, less their mean."""
    image = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    pixels = np.asarray(
        image.resize((PIXELS, PIXELS), Image.Resampling.BILINEAR), dtype=np.float64
    ).ravel()
    return np.asarray(pixels - pixels.mean())


def nearest(known: Vectors, asked: Vectors) -> NDArray[np.int64]:
    """Find for each asked vector the index of the known one of greatest cosine."""

    def unit(vectors: Vectors) -> Vectors:
        return np.asarray(vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12))

    return np.asarray((unit(asked) @ unit(known).T).argmax(1))


def prevalence(texts: Sequence[str]) -> dict[str, float]:
    """Compute the share of texts with each of the 13 findings, by medmm's labeller."""
    labels = [labeller().label(text) for text in texts]
    return {name: sum(row[name] == PRESENT for row in labels) / len(labels) for name in ABNORMAL}


def label_prior(
    shares: dict[str, float], count: int, draws: int = PRIOR_DRAWS, seed: int = 0
) -> tuple[tuple[str, ...], ...]:
    """Draw reports of findings one by one with their train prevalence.

    Returns: `draws` versions of `count` reports.
    """
    random = np.random.default_rng(seed)
    rows = finding_sentences()
    drawn = random.random((draws, count, len(rows))) < np.asarray(
        [shares[row.finding] for row in rows]
    )
    return tuple(tuple(sentences_of(report) for report in version) for version in drawn)


def sentences_of(present: NDArray[np.bool_]) -> str:
    """Write the text that says these findings.

    Clear lungs are not said beside a finding of the lungs.
    """
    rows = finding_sentences()
    said = {row.finding for row, there in zip(rows, present, strict=True) if there}
    denied = (
        {"Lung Opacity"}
        if said & {"Lung Lesion", "Edema", "Consolidation", "Pneumonia", "Atelectasis"}
        else set()
    )
    parts = (
        (row.present if row.finding in said else "" if row.finding in denied else row.absent)
        for row in rows
    )
    return " ".join(part for part in parts if part)

"""What a model stands beside: prevalence alone, age and sex alone, and the model in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from medmm.acceptance.figures import LEAST_CASES, Draws, Read, drawn_aurocs, figure_of, mean_of
from medmm.acceptance.metrics import patient_draws
from medmm.acceptance.scores import Array, ReadStudy, Scores, findings_by
from medmm.domain.acceptance import Beside

PREVALENCE, DEMOGRAPHICS = "prevalence alone", "age and sex alone"
TYPICAL_AGE = 50.0  # years, where none is stated
DRAWS = 500


def beside(read: Read, calibrated: Scores) -> list[Beside]:
    """Stand a model beside baselines and the model in use, on the same draws of patients.

    Args:
        read: the studies that were measured on.
        calibrated: the studies that were calibrated on; the logistic regression of age and sex
            learns from them alone.
    """
    draws = patient_draws(read.scores.patients, DRAWS) if read.scores.studies else []
    # One probability for all ranks nothing: its AUROC is 0.5 for every finding
    rows = list(_paired(read, PREVALENCE, np.zeros_like(read.probability), draws))[:1]
    simple = demographics(calibrated, read.scores)
    rows += _paired(read, DEMOGRAPHICS, simple, draws)
    for name in _in_use(read.scores):
        words = f"{name} in use" if name == read.scores.model.name else name
        rows += _paired(read, words, _theirs(read.scores, name), draws)
    return rows


def _paired(read: Read, against: str, theirs: Array, draws: Draws) -> Iterator[Beside]:
    """Compare AUROCs of every finding that both rank, and their means."""
    truth, both = read.scores.truth, np.where(np.isnan(theirs), np.nan, read.probability)
    columns = [j for j in read.columns() if _enough(truth[:, j], both[:, j])]
    if not columns:
        return
    theirs = np.where(np.isnan(both), np.nan, theirs)
    own, other = (drawn_aurocs(truth, score, draws) for score in (both, theirs))
    means = [(None, columns)] if len(columns) > 1 else []
    for name, among in [*means, *((read.scores.names[j], [j]) for j in columns)]:
        first, second = mean_of(own, among), mean_of(other, among)
        yield Beside(
            against=against,
            finding=name,
            auroc=figure_of(second, len(truth)),
            difference=figure_of(first - second, len(truth)),
        )


def _enough(truth: Array, score: Array) -> bool:
    known = ~np.isnan(truth) & ~np.isnan(score)
    with_it = truth[known].sum()
    return bool(min(with_it, known.sum() - with_it) >= LEAST_CASES)


def demographics(learn: Scores, of: Scores) -> Array:
    """Score studies by age and sex alone, (studies, findings); NaN for a finding not learned."""
    from sklearn.linear_model import LogisticRegression

    out = np.full((len(of.studies), len(of.names)), np.nan)
    if not any(s.age_years is not None or s.sex for s in learn.studies):
        return out
    for j in range(len(of.names)):
        truth = learn.truth[:, j]
        if not _enough(truth, np.zeros_like(truth)):
            continue
        known = ~np.isnan(truth)
        rows = _about([s for s, there in zip(learn.studies, known, strict=True) if there])
        out[:, j] = (
            LogisticRegression().fit(rows, truth[known]).predict_proba(_about(of.studies))[:, 1]
        )
    return out


def _about(studies: Sequence[ReadStudy]) -> Array:
    """Build columns of age, its square, a missing age, and sex."""
    ages = [TYPICAL_AGE if s.age_years is None else s.age_years for s in studies]
    return np.asarray(
        [
            [age / 50, (age / 50) ** 2, s.age_years is None, s.sex == "M", s.sex is None]
            for age, s in zip(ages, studies, strict=True)
        ],
        dtype=np.float64,
    )


def _in_use(scores: Scores) -> list[str]:
    """List the models in use that state findings of this one; an earlier version is one."""
    found: dict[str, None] = {}
    for study in scores.studies:
        if study.in_use is None or not study.in_use.models:
            continue
        first = study.in_use.models[0].name
        others = {one.name for one in study.in_use.models if one != scores.model}
        stated = (f.model or first for f in study.in_use.findings if f.name in scores.names)
        found.update(dict.fromkeys(name for name in stated if name in others))
    return sorted(found)


def _theirs(scores: Scores, model: str) -> Array:
    rows = []
    for study in scores.studies:
        stated = findings_by(model, study.in_use) if study.in_use is not None else {}
        rows.append([stated[n].probability if n in stated else np.nan for n in scores.names])
    return np.asarray(rows, dtype=np.float64).reshape(len(scores.studies), len(scores.names))

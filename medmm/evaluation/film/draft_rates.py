"""What a draft would say of the test films, beside the labels; by finding and group.

A finding is suspected, denied or neither.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance import metrics
from medmm.domain.calibration import ALARM, any_finding
from medmm.evaluation.predictions import LEAST_CASES, Json, Scored
from medmm.training.data.films import AGE_BANDS, Film

Flags = NDArray[np.bool_]
SUBGROUP_DRAWS = 200
LEAST_FILMS = 50


class Points:
    """Operating, rule-out and alarm points of the findings, as a reading carries them."""

    def __init__(self, names: list[str], rows: dict[str, Json]) -> None:
        self.threshold = np.asarray([round(rows[n]["threshold"], 4) for n in names])
        self.rule_out = [rows[n]["rule_out"] for n in names]
        self.alarm = rows[ALARM]["point"] if ALARM in rows else 0.0

    def suspected(self, scored: Scored) -> Flags:
        """Tell which findings a draft calls possible, (films, findings)."""
        probability = np.round(scored.probability, 4)
        called: Flags = probability >= self.threshold
        raised = np.asarray([any_finding(film) >= self.alarm for film in probability.tolist()])
        return called & raised[:, np.newaxis]

    def denied(self, scored: Scored) -> Flags:
        """Tell which findings a draft says are not suspected, (films, findings)."""
        points = np.asarray([0.0 if p is None else p for p in self.rule_out])
        below: Flags = np.round(scored.probability, 4) < points
        return below


def finding_said(test: Scored, points: Points, j: int) -> Json:
    """Compute how often one finding is called and denied, by label, and how often rightly."""
    called, denied = points.suspected(test)[:, j], points.denied(test)[:, j]
    there = test.truth[:, j] > 0
    return {
        "threshold": float(points.threshold[j]),
        "rule_out": points.rule_out[j],
        "sensitivity": test.share(called, there),
        "specificity": test.share(~called, ~there),
        "positive_predictive_value": test.share(there, called),
        "denied_with": test.share(denied, there),
        "denied_without": test.share(denied, ~there),
    }


def film_said(test: Scored, points: Points) -> Json:
    """Compute how many findings a draft calls, and how many clear films get at least one.

    Clear films are those labelled No Finding.
    """
    called, denied = points.suspected(test), points.denied(test)
    bare, there = bare_films(test), test.truth > 0
    return {
        "possible_per_film": round(float(called.sum(1).mean()), 2),
        "denied_per_film": round(float(denied.sum(1).mean()), 2),
        "no_finding_films_with_a_possible": test.share(np.asarray(called.any(1)), bare),
        "denied_of_all_labels": test.share(denied, there),
        "possible_of_all_labels": test.share(called, there),
    }


def bare_films(scored: Scored) -> Flags:
    """Tell which films show no finding at all, (films,)."""
    return np.asarray([not film.findings for film in scored.films], dtype=bool)


def groups_said(test: Scored, points: Points) -> list[Json]:
    """Compute figures by sex, view, age band and source.

    A group with too few films has its count and no more.
    """
    return [_group(name, test.part(keep), points) for name, keep in _groups(test.films)]


def claims_by_group(films: list[Film], claimed: list[set[str]], names: list[str]) -> list[Json]:
    """Compute what drafts claim of labelled and other findings, by groups of `groups_said`."""
    said = Scored(
        films, names, np.asarray([[float(name in its) for name in names] for its in claimed])
    )
    return [_claims(name, said.part(keep)) for name, keep in _groups(films)]


def _claims(name: str, part: Scored) -> Json:
    row: Json = {"group": name, "films": len(part.films), "too_few": len(part.films) < LEAST_FILMS}
    if row["too_few"]:
        return row
    called, there = part.probability > 0, part.truth > 0
    return {
        **row,
        "claimed_of_labelled": part.share(called, there),
        "claimed_of_others": part.share(called, ~there),
    }


def _groups(films: list[Film]) -> list[tuple[str, Callable[[Film], bool]]]:
    def band(low: int, high: int | None) -> tuple[str, Callable[[Film], bool]]:
        name = f"age {low} and over" if high is None else f"age {low} to {high - 1}"
        return name, lambda f: f.age_years is not None and low <= f.age_years < (high or np.inf)

    def same(field: str, value: str | None) -> tuple[str, Callable[[Film], bool]]:
        return f"{field} {value or 'not stated'}", lambda f: getattr(f, field) == value

    named = [
        same(field, value)
        for field in ("sex", "view", "source")
        for value in sorted({getattr(f, field) for f in films}, key=lambda v: v or "~")
    ]
    no_age: list[tuple[str, Callable[[Film], bool]]] = [
        ("age not stated", lambda f: f.age_years is None)
    ]
    ageless = no_age if any(f.age_years is None for f in films) else []
    bands = [band(*limits) for limits in AGE_BANDS]
    return [*named, *((name, keep) for name, keep in bands if any(map(keep, films))), *ageless]


def _group(name: str, part: Scored, points: Points) -> Json:
    row: Json = {"group": name, "films": len(part.films), "patients": len(set(part.patients))}
    if len(part.films) < LEAST_FILMS:
        return {**row, "too_few": True}
    called, there = points.suspected(part), part.truth > 0
    return {
        **row,
        "too_few": False,
        "labels": int((part.truth.sum(0) >= LEAST_CASES).sum()),
        "macro_auroc": part.macro(SUBGROUP_DRAWS).json(),
        "sensitivity": part.share(called, there),
        "specificity": part.share(~called, ~there),
        "no_finding_films_with_a_possible": part.share(np.asarray(called.any(1)), bare_films(part)),
        "ece": round(
            metrics.expected_calibration_error(part.truth.ravel(), part.probability.ravel()), 4
        ),
        "denied_with": part.share(points.denied(part), there),
    }

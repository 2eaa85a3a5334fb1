"""How scores and inputs are distributed over studies, as counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medmm.domain.acceptance import Distribution
from medmm.domain.calibration import any_finding
from medmm.domain.input_figures import InputFigures

MOST_EDGES = 40  # a test between edges sees at least what lies beyond one part in forty
SCORE, ANY_FINDING = "score", "score of any finding"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenStudy:
    """What is compared of one study: a model's scores on its own scale, and its input."""

    scores: Mapping[str, float]
    inputs: InputFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    """A number of an input, its unit, and how it is read off."""

    of: str
    unit: str
    value: Callable[[InputFigures], float | None]


NUMBERS = (
    _Number(of="mean grey", unit="1", value=lambda one: one.mean_grey),
    _Number(of="spread of grey", unit="1", value=lambda one: one.grey_spread),
    _Number(of="rows", unit="{pixels}", value=lambda one: float(one.rows)),
    _Number(of="columns", unit="{pixels}", value=lambda one: float(one.columns)),
    _Number(of="pixel spacing", unit="mm", value=lambda one: one.spacing_mm),
    _Number(of="age", unit="a", value=lambda one: one.age_years),
)
NAMES: Mapping[str, Callable[[InputFigures], str | None]] = {
    "sex": lambda one: one.sex,
    "view": lambda one: one.view,
    "scanner": lambda one: one.scanner,
}


def distributions(studies: Sequence[SeenStudy], findings: Sequence[str]) -> list[Distribution]:
    """Count the scores of each finding and of all together, and what the images are like."""
    rows = [
        of_numbers(SCORE, [one.scores.get(name) for one in studies], finding=name)
        for name in findings
    ]
    if len(findings) > 1:
        rows.append(of_numbers(ANY_FINDING, [_any(one, findings) for one in studies]))
    rows += [of_numbers(n.of, [n.value(s.inputs) for s in studies], unit=n.unit) for n in NUMBERS]
    rows += [of_names(of, [value(s.inputs) for s in studies]) for of, value in NAMES.items()]
    return [row for row in rows if row.studies]


def counted_as(
    then: Distribution, studies: Sequence[SeenStudy], of_score: Sequence[str]
) -> Distribution:
    """Count later studies between the edges, or by the names, of an earlier distribution."""
    if then.of == SCORE and then.finding is not None:
        return _between(then, [one.scores.get(then.finding) for one in studies])
    if then.of == ANY_FINDING:
        return _between(then, [_any(one, of_score) for one in studies])
    number = next((n for n in NUMBERS if n.of == then.of), None)
    if number is not None:
        return _between(then, [number.value(one.inputs) for one in studies])
    return of_names(then.of, [NAMES[then.of](one.inputs) for one in studies])


def of_numbers(
    of: str, values: Sequence[float | None], *, finding: str | None = None, unit: str = "1"
) -> Distribution:
    """Count numbers between edges at their own quantiles.

    Where at most `MOST_EDGES` values differ, each is an edge of its own and nothing is lost.
    """
    known = np.asarray([v for v in values if v is not None], dtype=np.float64)
    edges = np.unique(known)
    if len(edges) > MOST_EDGES:
        parts = np.linspace(0, 1, MOST_EDGES)
        edges = np.unique(np.quantile(known, parts, method="inverted_cdf"))
    empty = Distribution(
        of=of,
        finding=finding,
        unit=unit,
        edges=tuple(edges.tolist()),
        counts=(0,) * (len(edges) + 1),
    )
    return _between(empty, values)


def _between(like: Distribution, values: Sequence[float | None]) -> Distribution:
    known = np.asarray([v for v in values if v is not None], dtype=np.float64)
    places = np.searchsorted(np.asarray(like.edges), known, side="left")
    counts = np.bincount(places, minlength=len(like.edges) + 1)
    return Distribution(
        of=like.of,
        finding=like.finding,
        unit=like.unit,
        edges=like.edges,
        counts=tuple(counts.tolist()),
        missing=len(values) - len(known),
    )


def of_names(of: str, values: Sequence[str | None]) -> Distribution:
    """Count names."""
    known = sorted(v for v in values if v is not None)
    labels = tuple(dict.fromkeys(known))
    return Distribution(
        of=of,
        unit="",
        labels=labels,
        counts=tuple(known.count(label) for label in labels) or (0,),
        missing=len(values) - len(known),
    )


def _any(study: SeenStudy, findings: Sequence[str]) -> float | None:
    """Compute the score of any finding; None if one of them is not stated."""
    stated = [study.scores[name] for name in findings if name in study.scores]
    return any_finding(stated) if len(stated) == len(findings) else None


def aligned(then: Distribution, now: Distribution) -> Iterator[tuple[str, int, int]]:
    """Yield each name of two distributions with both counts."""
    before, after = (dict(zip(one.labels, one.counts, strict=False)) for one in (then, now))
    for label in sorted({*before, *after}):
        yield label, before.get(label, 0), after.get(label, 0)

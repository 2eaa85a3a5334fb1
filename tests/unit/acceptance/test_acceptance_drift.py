"""Drift: a planted shift is found, two draws of one distribution are not, and few say nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from medmm.acceptance.distributions import (
    MOST_EDGES,
    SeenStudy,
    counted_as,
    distributions,
    of_names,
    of_numbers,
)
from medmm.acceptance.drift import LEAST_STUDIES, drifted, stability_index
from medmm.domain.acceptance import Acceptance, Counted, Figure, LabelsFrom, Place
from medmm.domain.drift import DriftVerdict
from medmm.domain.input_figures import InputFigures
from medmm.domain.reading import ModelIdentity

NAMES = ("Effusion", "Cardiomegaly")
UNKNOWN = Figure(value=None)


def studies(
    count: int, seed: int, *, shift: float = 0.0, scanner: str = "Acme DR"
) -> list[SeenStudy]:
    random = np.random.default_rng(seed)
    seen = []
    for _ in range(count):
        logits = random.normal(-1 + shift, 1, 2)
        inputs = InputFigures(
            rows=int(random.choice([2048, 2500])),
            columns=2048,
            spacing_mm=0.15,
            mean_grey=round(float(random.normal(0.5, 0.05)), 4),
            grey_spread=round(float(random.normal(0.2, 0.02)), 4),
            age_years=float(random.integers(20, 90)),
            sex=str(random.choice(["F", "M"])),
            view="PA",
            scanner=scanner,
        )
        scores = dict(zip(NAMES, (1 / (1 + np.exp(-logits))).round(4).tolist(), strict=True))
        seen.append(SeenStudy(scores=scores, inputs=inputs))
    return seen


def accepted_on(seen: list[SeenStudy]) -> Acceptance:
    return Acceptance(
        model=ModelIdentity(name="other-findings", manifest_sha256="a" * 64),
        place=Place.SITE,
        films="labelled studies of this site",
        labels_from=LabelsFrom.TABLE,
        table_sha256="b" * 64,
        calibrated=Counted(studies=len(seen) // 2, patients=len(seen) // 2),
        measured=Counted(studies=len(seen) // 2, patients=len(seen) // 2),
        chosen_burden=0.15,
        auroc=UNKNOWN,
        burden=UNKNOWN,
        labelled_claimed=UNKNOWN,
        distributions=tuple(distributions(seen, NAMES)),
        measured_at=datetime(2026, 11, 30, tzinfo=UTC),
        version="0.1.0",
    )


THEN = accepted_on(studies(200, 1))


def test_two_draws_of_one_distribution_hardly_ever_drift() -> None:
    looks = [drifted(THEN, studies(120, seed)) for seed in range(100, 140)]
    assert sum(bool(look.drifted) for look in looks) <= 2


def test_a_planted_shift_of_scores_is_found() -> None:
    looks = [drifted(THEN, studies(120, seed, shift=1.0)) for seed in range(200, 210)]
    assert all(look.drifted for look in looks)
    named = {row.then.finding for look in looks for row in look.drifted if row.then.of == "score"}
    assert named == set(NAMES)


def test_a_new_scanner_is_found_and_named() -> None:
    look = drifted(THEN, studies(60, 300, scanner="Other Co."))
    (row,) = look.drifted
    assert row.then.of == "scanner"
    assert row.now.labels == ("Acme DR", "Other Co.")
    assert row.now.counts == (0, 60)


def test_few_studies_say_nothing_whatever_they_are_like() -> None:
    look = drifted(THEN, studies(LEAST_STUDIES - 1, 400, shift=3.0))
    assert {row.verdict for row in look.rows} == {DriftVerdict.TOO_FEW}
    assert not look.drifted


def test_the_studies_of_acceptance_themselves_have_not_drifted() -> None:
    look = drifted(THEN, studies(200, 1))
    assert all(row.stability_index == 0 and row.p_value == 1 for row in look.rows)
    assert all(row.then.counts == row.now.counts for row in look.rows)


def test_of_many_studies_a_difference_that_is_no_change_is_no_drift() -> None:
    then = accepted_on(studies(3000, 5))
    look = drifted(then, studies(3000, 6, shift=0.2))
    scores = [row for row in look.rows if row.then.of == "score"]
    assert all(row.p_value is not None and row.p_value < 0.01 for row in scores)
    assert all(row.verdict is DriftVerdict.SAME for row in scores)


@pytest.mark.parametrize("count", [5, MOST_EDGES, 500])
def test_every_value_is_counted_once(count: int) -> None:
    values: list[float | None] = [*np.random.default_rng(count).random(count).tolist(), None]
    one = of_numbers("mean grey", values)
    assert one.studies == count
    assert one.missing == 1
    assert len(one.edges) == min(count, MOST_EDGES)
    # up to each edge lie the values that are not above it
    known = np.asarray(values[:-1], dtype=float)
    below = np.cumsum(one.counts)[:-1]
    assert below.tolist() == [(known <= edge).sum() for edge in one.edges]


def test_values_beyond_those_of_acceptance_are_kept() -> None:
    then = of_numbers("age", [40.0, 50.0], unit="a")
    now = counted_as(then, [SeenStudy(scores={}, inputs=_aged(age)) for age in (30, 45, 99)], ())
    assert now.counts == (1, 1, 1)


def _aged(age: float) -> InputFigures:
    return InputFigures(rows=1, columns=1, mean_grey=0.5, grey_spread=0.1, age_years=age)


def test_names_that_are_not_stated_are_missing() -> None:
    one = of_names("sex", ["F", None, "M", "F"])
    assert (one.labels, one.counts, one.missing) == (("F", "M"), (2, 1), 1)


def test_the_index_of_a_known_shift() -> None:
    then, now = np.asarray([500, 500]), np.asarray([800, 200])
    # (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5)
    assert stability_index(then, now) == pytest.approx(0.4159, abs=0.005)
    assert stability_index(then, then) == 0

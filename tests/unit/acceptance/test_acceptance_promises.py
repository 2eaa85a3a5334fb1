"""Points from which claims are rare enough, and what calibration studies bear out of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.risk_control.methods import get_r_hat_plus

from medmm.acceptance.calibration import alarm_row, calibration
from medmm.acceptance.promises import (
    ALARM_BURDEN,
    CONFIDENCE,
    HIGHEST,
    controlled_point,
    promise_row,
    upper,
)
from medmm.domain.errors import InputError
from medmm.domain.promise import LEAST_POSITIVES

shares = st.floats(0, 1, allow_nan=False).map(lambda p: round(p, 4))


@given(st.lists(shares, min_size=1, max_size=300), st.sampled_from([0.05, 0.10, 0.15, 0.5]))
def test_a_point_is_the_lowest_that_is_borne_out(score: list[float], most: float) -> None:
    scores = np.asarray(score)
    point = controlled_point(scores, most)
    if point < HIGHEST:
        assert upper(int((scores >= point).sum()), len(scores)) <= most
    lower = round(point - 1e-4, 4)
    if lower > 0:
        assert upper(int((scores >= lower - 5e-5).sum()), len(scores)) > most


def test_a_share_is_kept_on_new_studies_in_nineteen_of_twenty_draws() -> None:
    random = np.random.default_rng(7)
    kept = 0
    for _ in range(400):
        studies = np.round(random.beta(2, 5, 3146), 4)
        point = controlled_point(studies[:146], ALARM_BURDEN)
        kept += (studies[146:] >= point).mean() <= ALARM_BURDEN
    assert kept / 400 >= CONFIDENCE - 0.03


@pytest.mark.parametrize("hits", [0, 1, 9, 14, 73, 146])
def test_the_exact_limit_is_never_looser_than_hoeffding_s(hits: int) -> None:
    risks = np.zeros((146, 1))
    risks[:hits] = 1.0
    _, loose = get_r_hat_plus(
        risks, np.asarray([0.5]), "rcps", bound="hoeffding", delta=1 - CONFIDENCE, sigma_init=None
    )
    assert hits / 146 <= upper(hits, 146) <= float(loose[0])


def test_the_exact_limit_is_the_published_one() -> None:
    assert upper(0, 30) == pytest.approx(1 - 0.05 ** (1 / 30))  # none of n: 1 - 0.05^(1/n)
    assert upper(30, 30) == 1.0


def test_with_fewer_positives_nothing_is_promised() -> None:
    truth = np.asarray([1.0] * (LEAST_POSITIVES - 1) + [0.0] * 100)
    assert promise_row(truth > 0, truth) is None
    enough = np.append(truth, 1.0)
    row = promise_row(enough > 0, enough)
    assert row is not None
    assert (row["positives"], row["negatives"]) == (LEAST_POSITIVES, 100)
    assert 0 < row["false_claim_rate"] < 0.04
    assert 0.9 < row["claimed"] < 1


def test_what_nobody_said_counts_on_neither_side() -> None:
    truth = np.asarray([1.0] * 40 + [0.0] * 60 + [np.nan] * 500)
    row = promise_row(np.ones(600, dtype=bool), truth)
    assert row is not None
    assert (row["positives"], row["negatives"]) == (40, 60)


def test_the_alarm_point_holds_in_every_group_with_enough_studies() -> None:
    random = np.random.default_rng(3)
    calm, loud = random.beta(2, 8, (100, 1)), random.beta(8, 2, (60, 1))
    probability, bare = np.concatenate([calm, loud]), np.ones(160, dtype=bool)
    of_loud = np.arange(160) >= 100
    row = alarm_row(probability, bare, {"loud": of_loud, "a few": np.arange(160) < 20})
    assert set(row["points"]) == {"all", "loud"}
    assert row["point"] == row["points"]["loud"] > row["points"]["all"]
    assert row["studies"] == 160


def test_an_alarm_point_needs_a_film_without_any_finding() -> None:
    with pytest.raises(InputError, match="every calibration film has a finding"):
        alarm_row(np.ones((3, 1)) / 2, np.zeros(3, dtype=bool), {})


def test_a_calibration_with_an_alarm_point_claims_only_from_it_on() -> None:
    random = np.random.default_rng(5)
    truth = np.zeros((300, 2))
    truth[:60, 0], truth[40:100, 1] = 1, 1
    logits = truth * 2 + random.normal(size=truth.shape)
    bare = ~(truth > 0).any(1)
    names = ["Effusion", "Nodule"]
    rows = calibration(names, logits, truth, {}, bare=bare)
    assert rows["alarm"]["burden"] == ALARM_BURDEN
    assert all(rows[name]["promise"]["positives"] == 60 for name in names)
    assert all(rows[name]["promise"]["false_claim_rate"] <= 0.1001 for name in names)
    plain = calibration(names, logits, truth, {})
    assert set(plain) == set(names)
    assert all("promise" not in row for row in plain.values())


@given(st.integers(0, 10_000))
def test_the_alarm_point_lowers_no_operating_point(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = (random.random((200, 3)) < (0.05, 0.1, 0.3)).astype(float)
    truth[0], truth[1] = 0, 1
    logits = truth + random.normal(size=truth.shape)
    names = ["Cardiomegaly", "Nodule", "Effusion"]
    with_alarm = calibration(names, logits, truth, {}, bare=~(truth > 0).any(1))
    plain = calibration(names, logits, truth, {})
    assert all(with_alarm[name]["threshold"] == plain[name]["threshold"] for name in names)

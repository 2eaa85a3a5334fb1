"""From when a finding is claimed: the rule that val reports bear out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medmm.acceptance.calibration import sigmoid
from medmm.domain.errors import InputError
from medmm.models.report_model.chest_report import ClaimRule
from medmm.training.reports.claim_calibration import claim_rule, told

SHAPE = (12, 3)
LOGITS = arrays(np.float64, SHAPE, elements=st.floats(-8, 8))
TRUTH = arrays(np.float64, SHAPE, elements=st.sampled_from([0.0, 1.0]))


def invented(rule: ClaimRule, heads: np.ndarray, claims: np.ndarray, truth: np.ndarray) -> float:
    """Wrong claims a report, one finding at a time, as live use decides."""
    pairs = zip(heads.ravel(), claims.ravel(), truth.ravel(), strict=True)
    return sum(rule.probability(h, c) >= rule.threshold and not t for h, c, t in pairs) / len(truth)


@given(LOGITS, LOGITS, TRUTH, st.sampled_from([0.0, 0.1, 0.35, 1.0]))
def test_on_its_own_reports_the_rule_never_invents_more_than_allowed(
    heads: np.ndarray, claims: np.ndarray, truth: np.ndarray, most: float
) -> None:
    assume(truth.min() < truth.max())
    rule = claim_rule(heads, claims, truth, most)
    assert invented(rule, heads, claims, truth) <= most
    assert rule.present >= max(0.5, rule.threshold)


def test_opinions_that_say_nothing_claim_nothing() -> None:
    """A finding of four reports in five, and nothing to tell them from the fifth."""
    truth = np.array([[1.0], [1.0], [1.0], [1.0], [0.0]])
    rule = claim_rule(np.zeros((5, 1)), np.zeros((5, 1)), truth, 0.1)
    assert rule.probability(0, 0) > 0.6
    assert rule.threshold > rule.probability(0, 0)


def made(reports: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Opinions whose truth is drawn with p = sigmoid(0.8 head + 0.4 language - 1)."""
    draw = np.random.default_rng(5)
    heads, claims = draw.normal(0, 2, (2, reports, 3))
    truth = (draw.random((reports, 3)) < sigmoid(0.8 * heads + 0.4 * claims - 1)).astype(float)
    return heads, claims, truth


def test_the_rule_is_recovered_from_many_reports() -> None:
    heads, claims, truth = made()
    rule = claim_rule(heads, claims, truth, most_invented=3.0)
    assert (rule.head, rule.language, rule.intercept) == pytest.approx((0.8, 0.4, -1.0), abs=0.1)


@pytest.mark.parametrize("most", [0.1, 0.2, 0.35])
def test_the_threshold_is_the_lowest_that_invents_at_most_so_much(most: float) -> None:
    """Where few inventions are allowed, the best F1 lies at the bound: a hundredth lower invents too much."""
    heads, claims, truth = made()
    rule = claim_rule(heads, claims, truth, most)
    p = sigmoid(rule.head * heads + rule.language * claims + rule.intercept)
    wrong = [
        float(((p >= t) & (truth == 0)).sum() / len(truth))
        for t in (rule.threshold, rule.threshold - 0.01)
    ]
    assert wrong[0] <= most < wrong[1]


def test_reports_that_call_nothing_bear_no_rule() -> None:
    with pytest.raises(InputError, match="call no finding"):
        claim_rule(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 2)), 0.35)


def test_possible_counts_as_told_and_denied_does_not() -> None:
    assert told("There is a pleural effusion.", "Effusion")
    assert told("Possible pleural effusion.", "Effusion")
    assert not told("No pleural effusion.", "Effusion")
    assert not told("The lungs are clear.", "Effusion")

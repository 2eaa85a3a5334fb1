"""Figures of merit have the values that others compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from medmm.acceptance.metrics import auroc


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 12))
def test_the_auroc_is_that_of_the_curve_with_ties(seed: int, count: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    truth = (random.random(count) < 0.4).astype(float)
    truth[:2] = 0, 1
    score = random.integers(0, levels, count) / levels
    assert auroc(truth, score) == pytest.approx(roc_auc_score(truth, score), abs=1e-12)


def test_an_auroc_needs_both_kinds() -> None:
    assert auroc(np.ones(3), np.arange(3.0)) is None
    assert auroc(np.zeros(3), np.arange(3.0)) is None
    assert auroc(np.asarray([0.0, 1.0]), np.asarray([0.2, 0.9])) == 1.0

"""Figures of merit against values worked out by hand, and the card that is made of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from medmm.evaluation import card, metrics
from medmm.evaluation.pointing import Pointed, _rates
from medmm.models.catalogue import packaged_weights


def test_auroc_auprc_and_brier_by_hand() -> None:
    truth, score = np.asarray([0.0, 0, 1, 1]), np.asarray([0.1, 0.4, 0.35, 0.8])
    assert metrics.auroc(truth, score) == 0.75
    assert metrics.auprc(truth, score) == pytest.approx(0.8333, abs=1e-3)
    assert metrics.brier(truth, score) == pytest.approx(np.mean([0.01, 0.16, 0.4225, 0.04]))
    assert metrics.auroc(np.zeros(4), score) is None
    assert metrics.auprc(np.zeros(4), score) is None


def test_a_calibrated_score_has_no_calibration_error() -> None:
    random = np.random.default_rng(0)
    probability = random.random(50_000)
    truth = (random.random(50_000) < probability).astype(float)
    assert metrics.expected_calibration_error(truth, probability) < 0.01
    assert metrics.expected_calibration_error(truth, np.clip(probability + 0.2, 0, 1)) > 0.1


def test_sensitivity_and_specificity() -> None:
    truth = np.asarray([1.0, 1, 0, 0, 0])
    called = np.asarray([True, False, False, False, True])
    assert metrics.sensitivity_specificity(truth, called) == (0.5, pytest.approx(2 / 3))
    assert metrics.sensitivity_specificity(np.zeros(2), np.asarray([True, False]))[0] is None


def test_draws_take_whole_patients() -> None:
    patients = ["a", "a", "b", "c", "c", "c"]
    for draw in metrics.patient_draws(patients, draws=50):
        counts = np.bincount(draw, minlength=6)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4] == counts[5]


def test_an_interval_holds_its_value_and_is_wider_for_fewer_patients() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=400)

    def mean(index: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(values[index].mean())

    single = metrics.interval(mean, 400, metrics.patient_draws([str(i) for i in range(400)]))
    grouped = metrics.interval(mean, 400, metrics.patient_draws([str(i // 40) for i in range(400)]))
    for found in (single, grouped):
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        assert found.low < found.value < found.high
    assert metrics.interval(lambda _: None, 3, metrics.patient_draws(["a", "b", "c"])).low is None


def test_pointing_counts_hits_beside_the_centre_of_a_lung() -> None:
    whole, corner = ((0.0, 0.0, 1.0, 1.0),), ((0.0, 0.0, 0.1, 0.1),)
    pointed = [
        Pointed(finding="Mass", boxes=whole, peak_xy=(0.5, 0.5)),
        Pointed(finding="Mass", boxes=corner, peak_xy=(0.5, 0.5)),
    ]
    rates = _rates(pointed)
    assert (rates["hits"], rates["rate"], rates["centre_of_lung"]) == (1, 0.5, 0.5)
    assert rates["low"] < 0.5 < rates["high"]
    assert _rates([]) == {"count": 0}


@pytest.mark.parametrize(
    ("name", "make"), [("chest-findings", card.findings_card), ("chest-anatomy", card.anatomy_card)]
)
def test_a_shipped_card_is_made_of_its_figures(name: str, make: object) -> None:
    folder = packaged_weights() / name
    found = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert callable(make)
    assert (folder / "card.md").read_text(encoding="utf-8") == make(found)

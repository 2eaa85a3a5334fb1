"""Figures of merit against values worked out by hand, and the card that is made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from medmm.acceptance import metrics
from medmm.domain.reading import Side
from medmm.evaluation.cards import anatomy, drafted
from medmm.evaluation.cards import findings as cards_findings
from medmm.evaluation.film.draft_rates import Points, film_said, finding_said, groups_said
from medmm.evaluation.film.pointing import pointing, sides
from medmm.evaluation.plots import reliability_page
from medmm.evaluation.predictions import Scored
from medmm.models.weights.catalogue import packaged_weights
from medmm.training.data.bounding_boxes import Boxed
from medmm.training.data.films import Film


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


def test_a_share_has_the_wilson_interval_of_its_patients() -> None:
    hits = np.repeat([True, False], [3, 7])
    single = metrics.share(hits, [str(i) for i in range(10)])
    low, high = binomtest(3, 10).proportion_ci(method="wilson")
    assert (single["low"], single["high"]) == (
        pytest.approx(low, abs=1e-3),
        pytest.approx(high, abs=1e-3),
    )
    grouped = metrics.share(np.tile(hits, 3), [str(i) for i in range(10)] * 3)
    assert grouped == single | {"hits": 9, "count": 30}, (
        "three films of a patient tell no more than one"
    )
    none = metrics.share(np.zeros(25, dtype=bool), [str(i) for i in range(25)])
    assert none["low"] == 0
    assert 0.1 < (none["high"] or 0) < 0.2
    assert metrics.share(np.zeros(0, dtype=bool), [])["value"] is None


def film(number: int, findings: set[str], age: float | None = 50.0, sex: str = "F") -> Film:
    return Film(
        folder="cxr", shard="a.tar", file=f"f{number}.png", patient=f"p{number}", findings=frozenset(findings), split="test",
        age_years=age, sex=sex, view="PA", source="s", official_list=None, row={},
    )  # fmt: skip


def test_what_a_draft_says_is_counted_by_label() -> None:
    films = [
        film(0, {"Mass"}),
        film(1, {"Mass"}),
        film(2, set()),
        film(3, set()),
        film(4, {"Hernia"}),
    ]
    scored = Scored(films, ["Mass"], np.asarray([[0.9], [0.05], [0.6], [0.05], [0.2]]))
    points = Points(["Mass"], {"Mass": {"threshold": 0.5, "rule_out": 0.1}})
    said = finding_said(scored, points, 0)
    hits = {
        name: (said[name]["hits"], said[name]["count"])
        for name in said
        if isinstance(said[name], dict)
    }
    assert hits == {
        "sensitivity": (1, 2),
        "specificity": (2, 3),
        "positive_predictive_value": (1, 2),
        "denied_with": (1, 2),
        "denied_without": (1, 3),
    }
    whole = film_said(scored, points)
    assert whole["possible_per_film"] == 0.4
    possible = whole["no_finding_films_with_a_possible"]
    assert (possible["hits"], possible["count"]) == (1, 2)
    never = finding_said(
        scored, Points(["Mass"], {"Mass": {"threshold": 0.5, "rule_out": None}}), 0
    )
    assert never["denied_with"]["hits"] == never["denied_without"]["hits"] == 0


def test_a_missing_age_is_in_no_band_and_small_groups_are_listed() -> None:
    films = [
        film(i, {"Mass"} if i % 3 else set(), None if i < 4 else 30.0, "F" if i < 60 else "M")
        for i in range(70)
    ]
    scored = Scored(films, ["Mass"], np.full((70, 1), 0.5))
    groups = {
        g["group"]: g
        for g in groups_said(
            scored, Points(["Mass"], {"Mass": {"threshold": 0.5, "rule_out": None}})
        )
    }
    assert groups["age 0 to 39"]["films"] == 66
    assert groups["age not stated"]["films"] == 4
    assert groups["sex M"] == {"group": "sex M", "films": 10, "patients": 10, "too_few": True}
    assert groups["sex F"]["sensitivity"]["value"] == 1
    assert groups["sex F"]["specificity"]["value"] == 0


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
        box(boxes=whole, patient="a"),
        box(boxes=corner, patient="b"),
    ]
    rates = pointing(pointed)["nih_boxes"]
    assert (rates["hits"], rates["value"], rates["centre_of_lung"], rates["patients"]) == (
        1,
        0.5,
        0.5,
        2,
    )
    assert rates["low"] < 0.5 < rates["high"]
    assert pointing([])["nih_boxes"]["count"] == 0


def box(**changes: Any) -> Boxed:
    one = Boxed(
        finding="Mass", patient="a", boxes=((0.6, 0.2, 0.9, 0.4),), own=True, peak_xy=(0.5, 0.5), drawn=Side.LEFT,
        said=Side.LEFT, suspected=True,
    )  # fmt: skip
    return replace(one, **changes)


def test_sides_are_counted_where_one_is_named() -> None:
    found = [
        box(),
        box(said=Side.RIGHT),
        box(said=None),
        box(drawn=Side.BILATERAL, suspected=False),
    ]
    found += [box(own=False, finding="Pneumonia"), box(finding="Lung_Opacity", said=None)]
    said = sides(found, {"Mass": False, "Pneumonia": True})
    mass = said["by_finding"]["Mass"]
    assert (mass["all"]["agree"]["hits"], mass["all"]["agree"]["count"]) == (1, 3)
    assert (mass["all"]["opposite"], mass["all"]["no_side"]) == (1, 1)
    assert (mass["suspected"]["agree"]["hits"], mass["suspected"]["agree"]["count"]) == (1, 2)
    assert said["findings_with_a_side"] == ["Pneumonia"]
    assert said["opacity_boxes"]["all"]["agree"]["hits"] == 1
    assert set(said["by_finding"]) == {"Mass", "Pneumonia"}


@pytest.mark.parametrize(
    ("name", "make"),
    [("chest-findings", cards_findings.findings_card), ("chest-anatomy", anatomy.anatomy_card)],
)
def test_a_shipped_card_is_made_of_its_figures(name: str, make: object) -> None:
    folder = packaged_weights() / name
    found = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert callable(make)
    assert (folder / "card.md").read_text(encoding="utf-8") == make(found)


def test_a_reliability_page_draws_what_is_calibrated_and_names_the_rest() -> None:
    random = np.random.default_rng(0)
    probability = random.random(400)
    truth = (random.random(400) < probability).astype(float)
    points = metrics.reliability(truth, probability, [str(i) for i in range(400)])
    assert len(points) == 10
    assert all(p["share"]["low"] <= p["mean_probability"] <= p["share"]["high"] for p in points)
    figures = {
        "cases": int(truth.sum()),
        "auroc": {"value": 0.8, "low": None, "high": None},
        "reliability": points,
    }
    rows = {
        "Mass": {**figures, "ece": 0.02, "brier": 0.1, "brier_prior": 0.2},
        "Edema": {**figures, "ece": 0.07, "brier": 0.3, "brier_prior": 0.2},
        "Hernia": {"cases": 4, "calibrated": False},
    }
    page = reliability_page.html("<heads>", rows)
    assert page.count("<svg") == 2
    assert page.count("<circle") == 20
    assert (
        "the label prior): Mass.\nNot so: Edema (ECE 0.070; Brier score 0.3000, the prior's 0.2000)"
        in unescape(page)
    )
    assert "Hernia (4 cases)" in page
    assert "<heads>" not in page


def test_a_brier_score_equal_to_the_priors_is_not_below_it() -> None:
    assert "Not so: Nodule (Brier score 0.0620" in drafted.calibration_said(
        {"Nodule": (0.01, 0.062, 0.062)}
    )
    assert "Not so: no finding" in drafted.calibration_said({"Nodule": (0.05, 0.061, 0.062)})

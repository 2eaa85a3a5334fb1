"""Whether the language model looks at the picture: each measure on drafts that are known."""

from __future__ import annotations

import random

import numpy as np
import pytest

from medmm.domain.draft import Assertion
from medmm.evaluation import chest_report
from medmm.evaluation.card_report import report_card
from medmm.training.films import Film

POSSIBLE, ABSENT = Assertion.POSSIBLE, Assertion.ABSENT


def film(name: str, *findings: str) -> Film:
    return Film(
        folder="cxr", shard="s", file=name, patient=name, findings=frozenset(findings), split="test", age_years=None,
        sex=None, view=None, source="", official_list=None, row={},
    )  # fmt: skip


def test_pairs_of_equal_labels_do_not_count() -> None:
    films = [film("a", "Mass"), film("b", "Mass"), film("c")]
    said = [{"Mass": POSSIBLE}, {"Mass": POSSIBLE}, {}]
    assert chest_report._pairs(films, said, random.Random(0)) == {
        "pairs": chest_report.PAIRS,
        "different": 1.0,
        "different_claims": 1.0,
    }


def test_a_model_that_says_the_same_of_every_film_is_found_out() -> None:
    films = [film("a", "Mass"), film("b"), film("c", "Nodule")]
    said = [{"Mass": POSSIBLE, "Nodule": ABSENT}] * 3
    assert chest_report._pairs(films, said, random.Random(0))["different"] == 0.0


def test_what_a_swapped_record_changes_is_counted_by_kind() -> None:
    record = chest_report._other_disease(film("a", "Mass"), random.Random(1))
    named = record.facts[0].id
    assert named != "Mass"
    row = chest_report._swapped(record, {"Edema": ABSENT, "Hernia": POSSIBLE}, {"Edema": POSSIBLE, named: POSSIBLE})
    assert row == {"statements": 2, "changed": 3, "new_claims": 2, "claims_of_the_record": 1}
    summed = chest_report._summed([row, {**row, "changed": 1, "new_claims": 0, "claims_of_the_record": 0}])
    assert (summed["films"], summed["share_changed"], summed["share_new_claims"]) == (2, 1.0, 0.5)


def test_pictures_that_are_no_film_are_refused_or_nothing_is_claimed() -> None:
    class Fake:
        def said(self, films: list[tuple[str, np.ndarray, None]]) -> list[dict[str, Assertion] | None]:
            return [None if grey.std() == 0 else {"Mass": ABSENT} for _, grey, _ in films]

    found = dict(chest_report._no_film(Fake(), None))  # type: ignore[arg-type]
    single = "refused, it shows a single tone"
    assert found == {"black": single, "white": single, "noise": "nothing is claimed"}


@pytest.mark.parametrize("cases", [3, 40])
def test_a_head_is_scored_beside_the_prior_only_where_there_are_cases(cases: int) -> None:
    class Report:
        def __init__(self, uid: int) -> None:
            self.uid = str(uid)

    truth = np.zeros(100)
    truth[:cases] = 1
    row = {"slope": 1.0, "intercept": 0.0, "threshold": 0.5, "prevalence": 0.4}
    found = chest_report._head(truth, truth * 4 - 2, row, [Report(i) for i in range(100)])  # type: ignore[misc]
    assert ("auroc" in found) is (cases >= chest_report.LEAST_CASES)
    if cases == 40:
        assert found["auroc"]["value"] == 1.0
        assert found["brier"] < found["brier_prior"]
        assert found["sensitivity"]["value"] == found["specificity"]["value"] == 1.0


def test_the_card_is_the_figures_that_stand_beside_the_weights() -> None:
    from medmm.models.catalogue import open_weights, row_named

    weights = open_weights(row_named("chest-report"))
    if weights is None:
        pytest.skip("chest-report is not installed")
    card = (weights.folder / "card.md").read_text(encoding="utf-8")
    assert report_card(weights.json("evaluation.json")) == card

"""Whether the language model looks at the picture: each measure on drafts that are known."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from medmm.domain.draft import Assertion, Opinion
from medmm.domain.reading import Finding, Reading
from medmm.drafting.writers.language_model import in_words_of
from medmm.evaluation.cards.report import report_card
from medmm.evaluation.film.draft_rates import claims_by_group
from medmm.evaluation.predictions import LEAST_CASES
from medmm.evaluation.reports import batch_drafting, chest_report
from medmm.evaluation.reports.groups import grouped
from medmm.evaluation.reports.head_scores import as_film, head
from medmm.evaluation.reports.head_scores import groups as head_groups
from medmm.evaluation.reports.scores import MICRO, OWN, figure_key
from medmm.language.report_labeller import labeller
from medmm.training.data.films import Film
from medmm.training.reports.corpus import FilmReport
from tests.factories import MODEL, STUDY_UID, make_case, make_finding, make_region
from tests.language_models import NAME, say

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
    row = chest_report._swapped(
        record, {"Edema": ABSENT, "Hernia": POSSIBLE}, {"Edema": POSSIBLE, named: POSSIBLE}
    )
    assert row == {"statements": 2, "changed": 3, "new_claims": 2, "claims_of_the_record": 1}
    summed = chest_report._summed(
        [row, {**row, "changed": 1, "new_claims": 0, "claims_of_the_record": 0}]
    )
    assert (summed["films"], summed["share_changed"], summed["share_new_claims"]) == (2, 1.0, 0.5)


def test_pictures_that_are_no_film_are_refused_or_nothing_is_claimed() -> None:
    class Fake:
        def said(
            self, films: list[tuple[str, np.ndarray, None]]
        ) -> list[dict[str, Assertion] | None]:
            return [None if grey.std() == 0 else {"Mass": ABSENT} for _, grey, _ in films]

    found = dict(chest_report._no_film(Fake(), None))  # type: ignore[arg-type]
    single = "refused, it shows a single tone"
    assert found == {"black": single, "white": single, "noise": "nothing is claimed"}


@pytest.mark.parametrize("cases", [3, 40])
def test_a_head_is_scored_beside_the_prior_only_where_there_are_cases(cases: int) -> None:
    truth = np.zeros(100)
    truth[:cases] = 1
    row = {"slope": 1.0, "intercept": 0.0, "threshold": 0.5, "prevalence": 0.4}
    found = head(truth, truth * 4 - 2, row, [str(i) for i in range(100)])
    assert ("auroc" in found) is (cases >= LEAST_CASES)
    if cases == 40:
        assert found["auroc"]["value"] == 1.0
        assert found["brier"] < found["brier_prior"]
        assert found["sensitivity"]["value"] == found["specificity"]["value"] == 1.0
        assert [point["share"]["hits"] for point in found["reliability"]] == [0] * 6 + [10] * 4


def report(uid: str, indication: str, findings: str, exam: str = "") -> FilmReport:
    return FilmReport(
        uid=uid, split="test", split_source="hash", findings=findings, impression="", exam=exam, film=("s", uid),
        indication=indication,
    )  # fmt: skip


def test_heads_are_scored_by_the_stated_sex_and_view() -> None:
    reports = [report(str(i), "woman with cough" if i < 60 else "cough", "Pleural effusion." if i % 2 else "Clear.",
                      "CHEST PA" if i < 60 else "") for i in range(80)]  # fmt: skip
    films = [as_film(r, ["Effusion", "Nodule"]) for r in reports]
    assert [sorted(f.findings) for f in films[:2]] == [[], ["Effusion"]]
    logits = np.asarray([[3.0 if i % 2 else -3.0, 0.0] for i in range(80)])
    rows = {
        "Effusion": {"slope": 1.0, "intercept": 0.0, "threshold": 0.5, "rule_out": None},
        "Nodule": {},
    }
    found = {row["group"]: row for row in head_groups(films, logits, rows)}
    assert {name: row["films"] for name, row in found.items()} == {
        "sex F": 60, "sex not stated": 20, "view PA": 60, "view not stated": 20, "source Open-i": 80, "age not stated": 80,
    }  # fmt: skip
    assert found["sex F"]["macro_auroc"]["value"] == 1.0
    assert found["sex not stated"]["too_few"]


def test_claims_are_counted_by_group_of_labelled_and_other_findings() -> None:
    films = [
        replace(film(str(i), *(["Mass"] if i % 2 else [])), sex="F" if i < 60 else "M")
        for i in range(70)
    ]
    claimed = [{"Mass", "Hernia"} if i % 4 == 1 else set() for i in range(70)]
    found = {row["group"]: row for row in claims_by_group(films, claimed, ["Mass", "Nodule"])}
    row = found["sex F"]
    assert (row["claimed_of_labelled"]["hits"], row["claimed_of_labelled"]["count"]) == (15, 30)
    assert (row["claimed_of_others"]["hits"], row["claimed_of_others"]["count"]) == (0, 90)
    assert found["sex M"] == {"group": "sex M", "films": 10, "too_few": True}


def test_whose_words_a_draft_came_out_in_is_counted() -> None:
    def finding(name: str, probability: float, **more: object) -> Finding:
        return make_finding(name, probability, 0.3, **more)

    sided = make_region()
    reading = Reading(study_uid=STUDY_UID, models=(MODEL,), findings=(
        finding("Nodule", 0.9), finding("Mass", 0.9), finding("Pneumothorax", 0.9), finding("Effusion", 0.9, region=sided),
        finding("Hernia", 0.01),
    ))  # fmt: skip
    said = (say("Nodule", POSSIBLE), say("Mass", POSSIBLE, "Unchanged 3 cm mass."), say("Effusion", POSSIBLE),
            say("Hernia", ABSENT))  # fmt: skip
    opinion = Opinion(proposals=said, probability={})
    case = make_case(context=None)
    counted = batch_drafting.wording_of(in_words_of(opinion, case, reading, NAME), opinion, NAME)
    assert dict(counted.statements) == {
        batch_drafting.OWN_WORDS: 2, batch_drafting.REFUSED: 1, batch_drafting.SIDED: 1, batch_drafting.UNSTATED: 1,
    }  # fmt: skip
    assert counted.json()["share_sent_back"] == round(1 / 3, 4)
    silent = Opinion(proposals=(), probability={})
    quiet = Reading(study_uid=STUDY_UID, models=(MODEL,), findings=(finding("Nodule", 0.9),))
    nothing = batch_drafting.wording_of(in_words_of(silent, case, quiet, NAME), silent, NAME)
    both = counted + nothing
    assert (both.drafts, both.by_rule, both.statements) == (2, 1, counted.statements)
    assert nothing.json()["share_sent_back"] is None


def test_text_is_scored_in_every_group_that_is_large_enough() -> None:
    reports = [report(str(i), "56 year old man" if i < 30 else "pain", "Pleural effusion." if i % 2 else "Clear lungs.")
               for i in range(40)]  # fmt: skip
    drafts = {"echo": [r.findings for r in reports], "mute": ["Clear lungs."] * 40}
    labels = {
        text: labeller().label(text) for text in {t for texts in drafts.values() for t in texts}
    }
    found = {row["group"]: row for row in grouped(reports, drafts, {OWN: labels}, 20, 0)}
    assert {name: (row["reports"], row["too_few"]) for name, row in found.items()} == {
        "sex M": (30, False), "sex not stated": (10, True), "view not stated": (40, False),
    }  # fmt: skip
    key = figure_key(OWN, "present or possible", MICRO)
    figures = found["sex M"]["figures"]
    assert (figures["echo"][key]["value"], figures["mute"][key]["value"]) == (1.0, 0.0)


def test_the_card_is_the_figures_that_stand_beside_the_weights() -> None:
    from medmm.models.weights.catalogue import open_weights, row_named

    weights = open_weights(row_named("chest-report"))
    if weights is None:
        pytest.skip("chest-report is not installed")
    card = (weights.folder / "card.md").read_text(encoding="utf-8")
    assert report_card(weights.json("evaluation.json")) == card

"""Scores of report text against values worked out by hand, and baselines that chance must not move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmm.domain.draft import Section
from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.evaluation.reports import scores as scores
from medmm.evaluation.reports.baselines import (
    finding_sentences,
    label_prior,
    most_frequent,
    nearest,
    prevalence,
    sentences_of,
)
from medmm.evaluation.reports.drafters import case_of, findings_text
from medmm.evaluation.reports.report_text import Subset, subsets
from medmm.evaluation.reports.scores import (
    INVENTED,
    MACRO,
    MICRO,
    RECALL,
    calls,
    interval_of,
    label_figures,
    text_figures,
    text_habits,
    weights_by_patient,
    words,
)
from medmm.language.report_labeller import ABNORMAL, LABELS, PRESENT, labeller
from medmm.presentation.svg_plots import Point, Series, dots, scatter
from medmm.training.reports.corpus import FilmReport, read_drafts, read_published, read_reports
from tests.factories import make_draft

PYCOCO = "pycocoevalcap"


def report(uid: str, **changes: object) -> FilmReport:
    row = {
        "uid": uid,
        "split": "test",
        "split_source": "r2gen",
        "findings": "Clear.",
        "impression": "",
        "exam": "",
    }
    return FilmReport(**{**row, "film": ("a.zip", "a.webp"), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The lungs are clear. No effusion!", "the lungs are clear . no effusion ."),
        ("1. Clear lungs. 2. A 1.5 cm node, XXXX.", "clear lungs . a 15 cm node xxxx ."),
        ("already split . as r2gen does .", "already split . as r2gen does ."),
        ("", "."),
    ],
)
def test_words_are_cut_as_published(text: str, expected: str) -> None:
    assert words(text) == expected
    assert words(words(text)) == expected


def test_perfect_drafts_score_one_and_others_nothing() -> None:
    pytest.importorskip(PYCOCO)
    references = [
        "the heart is big . the lungs are clear .",
        "there is a large effusion on the left .",
    ]
    weights = weights_by_patient(["a", "b"], draws=3)
    same = text_figures(references, [references], weights)
    other = text_figures(references, [["xyzzy", "plugh"]], weights)
    for name in scores.TEXT_FIGURES[:5]:
        assert same[name] == pytest.approx(np.ones(4), abs=1e-6)
        assert other[name][0] < 0.3  # the full stop alone is shared


def test_bleu_by_hand_and_as_the_tool_itself_says() -> None:
    pytest.importorskip(PYCOCO)
    from pycocoevalcap.bleu.bleu import Bleu

    references = ["a b c d e .", "f g h i ."]
    drafts = ["a b c x e .", "f g ."]
    figures = text_figures(references, [drafts], weights_by_patient(["p", "q"], draws=2))
    theirs, _ = Bleu(4).compute_score(
        {0: [references[0]], 1: [references[1]]}, {0: [drafts[0]], 1: [drafts[1]]}, verbose=0
    )
    assert [figures[name][0] for name in scores.TEXT_FIGURES[:4]] == pytest.approx(theirs)
    # 8 of 9 words are right; the drafts are 9 words long, the references 11
    assert figures[scores.TEXT_FIGURES[0]][0] == pytest.approx(8 / 9 * np.exp(1 - 11 / 9))


def test_without_the_tool_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "find_spec", lambda name: None)
    assert set(scores.text_tools().values()) == {'not installed: pip install "medmm[eval]"'}
    assert text_figures(["a"], [["a"]], weights_by_patient(["p"], draws=1)) == {}


def test_label_scores_by_hand() -> None:
    """Three reports: one finding found, one invented, one missed; an uncertain one counts in the second way alone."""
    truth = calls(
        [
            labeller().label(t)
            for t in ("There is edema.", "The heart is normal in size.", "Possible pneumonia.")
        ],
        scores.CALLS["present"],
    )
    said = [
        labeller().label(t)
        for t in ("There is edema and a fracture.", "There is a nodule.", "No pneumonia.")
    ]
    figures = label_figures(truth, [calls(said, scores.CALLS["present"])], np.ones((1, 3)))
    assert figures[MICRO][0] == pytest.approx(2 * 1 / (2 * 1 + 2 + 0))
    assert figures[RECALL][0] == 1
    assert figures[INVENTED][0] == pytest.approx(2 / 3)
    assert figures["macro F1, 13 findings"][0] == pytest.approx(1 / 13)
    assert figures["macro F1, 5 labels"][0] == pytest.approx(1 / 5)
    assert MACRO not in figures
    possible = scores.CALLS["present or possible"]
    truth = calls([labeller().label("Possible pneumonia.")], possible)
    assert label_figures(truth, [calls([said[2]], possible)], np.ones((1, 1)))[RECALL][0] == 0


def test_only_findings_with_enough_positives_enter_the_macro_figure() -> None:
    truth = np.zeros((40, 14), dtype=bool)
    truth[:20, LABELS.index("Edema")] = True
    truth[:19, LABELS.index("Fracture")] = True
    said = np.zeros_like(truth)
    said[:10, LABELS.index("Edema")] = True
    assert scores.enough_positives(truth) == ["Edema"]
    assert label_figures(truth, [said], np.ones((1, 40)))[MACRO][0] == pytest.approx(
        2 * 10 / (2 * 10 + 10)
    )


def test_the_mean_over_versions_is_the_mean_of_the_figures() -> None:
    truth = np.zeros((2, 14), dtype=bool)
    truth[:, 3] = True
    nothing, all_found = np.zeros_like(truth), truth.copy()
    weights = weights_by_patient(["a", "b"], draws=4)
    assert (label_figures(truth, [nothing, all_found], weights)[MICRO] == 0.5).all()


def test_intervals_are_by_patient_and_seeded() -> None:
    patients = ["a", "a", "b", "c"]
    weights = weights_by_patient(patients, draws=200, seed=3)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights == weights_by_patient(patients, draws=200, seed=3)).all()
    assert (weights != weights_by_patient(patients, draws=200, seed=4)).any()
    found = interval_of(weights[:, 2] / weights.sum(1))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high  # type: ignore[operator]


def test_habits_count_distinct_repeated_and_remembered_texts() -> None:
    found = text_habits(
        [["Clear lungs.", "clear lungs .", "A nodule."]], frozenset({words("A nodule.")})
    )
    assert found == {
        "distinct": 2,
        "share_repeated": 0.6667,
        "share_word_for_word_in_train": 0.3333,
        "mean_words": 2.0,
    }


def test_the_label_prior_draws_its_shares_and_says_what_it_drew() -> None:
    shares = {name: 0.1 * (name == "Edema") + 0.5 * (name == "Fracture") for name in ABNORMAL}
    versions = label_prior(shares, 50, draws=20)
    assert versions == label_prior(shares, 50, draws=20)
    assert versions != label_prior(shares, 50, draws=20, seed=1)
    texts = [text for version in versions for text in version]
    assert len(texts) == 1_000
    assert prevalence(texts)["Fracture"] == pytest.approx(0.5, abs=0.05)
    assert prevalence(texts)["Edema"] == pytest.approx(0.1, abs=0.03)
    assert prevalence(texts)["Pneumothorax"] == 0


@pytest.mark.parametrize("row", finding_sentences(), ids=lambda row: row.finding)
def test_a_sentence_of_the_table_says_its_finding_and_no_other(row) -> None:  # type: ignore[no-untyped-def]
    said = {name for name in ABNORMAL if labeller().label(row.present)[name] == PRESENT}
    assert said == {row.finding} | ({"Lung Opacity"} if row.finding == "Consolidation" else set())
    denied = labeller().label(row.absent)
    assert not row.absent or denied[row.finding] == 0 or row.finding == "Fracture"
    assert all(denied[name] != PRESENT for name in ABNORMAL)


def test_nothing_drawn_reads_as_normal() -> None:
    assert labeller().label(sentences_of(np.zeros(13, dtype=bool)))["No Finding"] == PRESENT
    assert {row.finding for row in finding_sentences()} == set(ABNORMAL)


def test_nearest_and_most_frequent() -> None:
    known = np.asarray([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert nearest(known, np.asarray([[0.1, 3.0], [-5.0, 0.2]])).tolist() == [1, 2]
    assert most_frequent(["b b", "a", "a ", "b  b", "c"]) == "a"


def test_views_are_taken_from_the_title_alone_where_it_names_one() -> None:
    titles = {
        "PA and Lateral Chest": View.PA,
        "AP portable": View.AP,
        "AP/PA": View.UNKNOWN,
        "Chest, 2 views": View.UNKNOWN,
    }
    for title, view in titles.items():
        assert report("1", exam=title).view is view


def test_subsets_are_r2gen_views_and_all() -> None:
    parts = subsets(
        [report("1", exam="PA"), report("2", split_source="hash"), report("3", exam="AP")]
    )
    assert [(s.index, s.without_removed) for s in parts] == [
        ([0, 1, 2], False),
        ([0, 1, 2], True),
        ([0, 2], False),
        ([0], False),
        ([2], False),
        ([1], False),
    ]
    assert isinstance(parts[0], Subset)


def test_a_film_becomes_a_case_that_states_no_size_and_no_side() -> None:
    case = case_of(report("7", exam="PA chest"), np.zeros((4, 4), dtype=np.float32))
    film = case.study.frontal
    assert film is not None
    assert (film.spacing_yx_mm, film.patient_left_on, film.view) == (None, None, View.PA)
    assert film.pixels().shape == film.shape_zyx == (1, 4, 4)
    assert case.context is None


def test_the_findings_text_holds_no_impression() -> None:
    its = make_draft()
    kept = [s.text for s in its.statements if s.section is Section.FINDINGS]
    assert kept
    assert len(kept) < len(its.statements)
    assert findings_text(its) == " ".join(kept)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('{"uid": 1, "text": "a"}\n{"uid": 1, "text": "b"}', "again"),
        ("{", "not a JSON object"),
        ('["uid"]', "not a JSON object"),
        ('{"uid": 1}', "not a JSON object"),
        ('{"uid": 1, "text": 3}', "not a string"),
    ],
)
def test_wrong_drafts_are_refused_with_their_line(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as caught:
        read_drafts(path)
    assert caught.value.where["line"] in ("1", "2")


def test_right_drafts_are_read_and_a_missing_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"uid": 1, "text": "a"}\n\n{"uid": "2", "text": ""}\n', encoding="utf-8")
    assert read_drafts(path) == {"1": "a", "2": ""}
    with pytest.raises(InputError, match="can't be read"):
        read_drafts(tmp_path / "none.jsonl")


def test_tables_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        read_reports(tmp_path, {"test"})
    with pytest.raises(InputError, match="no split"):
        read_reports(tmp_path, {"tests"})


def test_published_rows_and_the_quoted_report_are_read(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    page = "| m | B1 | C |\n|---|---|---|\n| X (2020) | **0.4** | - |\n\n> all\n> clear .\n\n| other | f |\n|---|---|\n| y | 1 |\n"
    (tmp_path / "reports" / "published.md").write_text(page, encoding="utf-8")
    found = read_published(tmp_path)
    assert found.constant == "all clear ."
    assert found.rows == (("X (2020)", {"B1": 0.4, "C": None}),)


def test_plots_escape_names_and_hold_every_row() -> None:
    figure = interval_of(np.asarray([0.2, 0.1, 0.3]))
    picture = dots("T", ["a <b>", "c"], [Series(name="s&t", figures=(figure, None))])
    assert "a <b>" in [mark.words for mark in picture.marks]
    assert [mark.tag for mark in picture.marks].count("circle") == 1
    assert picture.legend == ("s&t",)
    points = scatter("T", "x", "y", [Point(name="p", x=0.0, y=0.0)])
    assert [mark.tag for mark in points.marks].count("circle") == 1
    assert points.names == ("p",)

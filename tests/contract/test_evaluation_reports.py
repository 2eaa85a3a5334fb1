"""The real reports: what is there is what is said of them, and the labellers agree with the manual labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.evaluation.reports import page as reports_page
from medmm.evaluation.reports import report_text, scores
from medmm.evaluation.reports.baselines import Candidate, nearest, tiny
from medmm.evaluation.reports.drafters import RULE_WRITER, drafted
from medmm.evaluation.reports.report_text import Bench, agreement, subsets
from medmm.evaluation.reports.scores import (
    CALLS,
    INVENTED,
    MICRO,
    OWN,
    R2GEN,
    RECALL,
    SHARED,
    TEXT_FIGURES,
    calls,
    figure_key,
    label_figures,
)
from medmm.evaluation.reports.summary import summary, terminal
from medmm.language.report_labeller import LABELS
from medmm.models.film.reading_model import ChestReader
from medmm.training.reports.corpus import (
    FilmReport,
    film_greys,
    manual_labels,
    other_labeller,
    read_published,
    read_reports,
)
from pipelines.evaluate import main


@pytest.fixture(scope="module")
def test_reports(shared_data: Path) -> list[FilmReport]:
    return [r for r in read_reports(shared_data, {"test"}) if r.scored]


@pytest.fixture(scope="module")
def bench(shared_data: Path, test_reports: list[FilmReport]) -> Bench:
    """Drafts that stand in for a drafter (half of the references, the rest normal) beside the constant report."""
    constant = read_published(shared_data).constant
    half = tuple(r.findings if int(r.uid) % 2 else constant for r in test_reports)
    candidates = [
        Candidate(name="half right", versions=(half,)),
        Candidate(name="constant", versions=((constant,) * len(half),)),
    ]
    return Bench(
        data_dir=shared_data,
        test=test_reports,
        candidates=candidates,
        train_texts=frozenset(),
        draws=20,
    )


def test_the_reports_are_398_and_340_of_them_are_r2gens(test_reports: list[FilmReport]) -> None:
    assert len(test_reports) == 398
    assert sum(r.split_source == "r2gen" for r in test_reports) == 340


def test_no_report_of_another_split_is_read(
    shared_data: Path, test_reports: list[FilmReport]
) -> None:
    train = {r.uid for r in read_reports(shared_data, {"train"})}
    assert len(train) == 2752
    assert train.isdisjoint(r.uid for r in test_reports)
    assert train.isdisjoint(manual_labels(shared_data, {"val", "test"}))


def test_the_shared_rules_count_what_their_page_says(
    shared_data: Path, test_reports: list[FilmReport]
) -> None:
    """findings text alone, present: opacity 40 and lesion 27 in R2Gen's part are the two with 20 or more."""
    label = other_labeller(shared_data)
    assert label is not None
    truth = calls(
        [label(r.findings, "") for r in test_reports if r.split_source == "r2gen"], CALLS["present"]
    )
    counts = dict(zip(LABELS, truth.sum(0), strict=True))
    assert (counts["Lung Opacity"], counts["Lung Lesion"], counts["Atelectasis"]) == (40, 27, 17)


@pytest.mark.slow
def test_the_nearest_film_scores_as_published(
    shared_data: Path, test_reports: list[FilmReport]
) -> None:
    """32 x 32 pixels on R2Gen's 340: recall 0.157, 0.41 invented a report, F1 0.136."""
    asked = [r for r in test_reports if r.split_source == "r2gen"]
    train = [r for r in read_reports(shared_data, {"train"}) if r.scored]
    known, vectors = (
        np.stack([tiny(g) for g in film_greys(shared_data, part)]) for part in (train, asked)
    )
    label = other_labeller(shared_data)
    assert label is not None
    truth = calls([label(r.findings, "") for r in asked], CALLS["present"])
    said = calls([label(train[i].findings, "") for i in nearest(known, vectors)], CALLS["present"])
    figures = label_figures(truth, [said], np.ones((1, len(asked))))
    assert figures[RECALL][0] == pytest.approx(0.157, abs=5e-4)
    assert figures[INVENTED][0] == pytest.approx(0.41, abs=5e-3)
    assert figures[MICRO][0] == pytest.approx(0.136, abs=5e-4)


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_labeller_agrees_with_the_manual_labels(shared_data: Path, split: str) -> None:
    found = agreement(shared_data, split, draws=20)["labellers"]
    own, shared = (found[name]["present"]["figures"][MICRO]["value"] for name in (OWN, SHARED))
    assert own > 0.8
    assert own > shared - 0.02


def test_a_page_holds_every_subset_and_no_text_of_the_corpus(
    shared_data: Path, bench: Bench, test_reports: list[FilmReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setattr(scores.shutil, "which", lambda name: None)  # METEOR takes a minute
    parts = [bench.scored(s) for s in subsets(test_reports) if s.name == R2GEN]
    constant = parts[0]["candidates"][1]
    assert constant["figures"][TEXT_FIGURES[4]]["value"] == pytest.approx(0.397, abs=0.003)
    for labels in (OWN, SHARED):
        assert constant["figures"][figure_key(labels, "present", MICRO)]["value"] == 0
        assert constant["drafter_minus_this"][figure_key(labels, "present", MICRO)]["low"] > 0
    found = {
        "drafter": "half right",
        "seed": 0,
        "draws": 20,
        "notes": [],
        "tools": {TEXT_FIGURES[3]: "ready"},
        "labeller": {"test": agreement(shared_data, "test", draws=2)},
        "subsets": parts,
        "published": [{"method": m, **row} for m, row in read_published(shared_data).rows],
    }
    page = reports_page.html(found) + terminal(found) + summary(found) + json.dumps(found)
    assert "half right" in page
    assert "R2Gen (EMNLP 2020)" in page
    assert all(
        "METEOR" not in name
        for candidate in parts[0]["candidates"]
        for name in candidate["figures"]
    )
    long = [r.findings for r in test_reports if len(r.findings) > 60]
    assert not any(text[:60] in page for text in long)


def test_the_rule_writer_drafts_from_a_real_film(
    shared_data: Path, test_reports: list[FilmReport]
) -> None:
    reader = ChestReader.open(None, device="cpu")
    texts = drafted(shared_data, test_reports[:1], reader, None, quiet=True)[RULE_WRITER].texts
    assert "suspected" in texts[0] or "Possible" in texts[0]


def test_drafts_that_cover_too_little_are_refused(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text('{"uid": 2, "text": "The lungs are clear."}\n', encoding="utf-8")
    code = main(
        [
            "reports",
            "--data",
            str(shared_data),
            "--drafts",
            str(few),
            "--out",
            str(tmp_path / "out"),
        ]
    )
    assert code == 3
    assert "have no draft" in capsys.readouterr().err
    with pytest.raises(InputError):
        report_text.drafts_of_file(shared_data, tmp_path / "none.jsonl")


def test_drafts_of_r2gens_part_are_taken(
    shared_data: Path, tmp_path: Path, test_reports: list[FilmReport]
) -> None:
    some = [r for r in test_reports if r.split_source == "r2gen"]
    path = tmp_path / "mine.jsonl"
    lines = (json.dumps({"uid": r.uid, "text": f"draft {r.uid}"}) for r in reversed(some))
    path.write_text("\n".join(lines), encoding="utf-8")
    found = report_text.drafts_of_file(shared_data, path)
    assert found.drafter == "mine"
    assert found.reports == some
    assert found.texts == tuple(f"draft {r.uid}" for r in some)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_whole_command_writes_its_three_files(shared_data: Path, tmp_path: Path) -> None:
    assert main(["reports", "--data", str(shared_data), "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    drafts = (tmp_path / "drafts.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(drafts) == found["subsets"][0]["reports"] == 398
    assert (tmp_path / "report.html").stat().st_size > 10_000

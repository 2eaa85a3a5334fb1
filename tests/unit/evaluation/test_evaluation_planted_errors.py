"""The seeded suite of planted errors: its halves, its statements, and what the checks make of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from medmm.domain.reading import Side
from medmm.evaluation.reports import checked_statements, checked_summary
from medmm.evaluation.reports.labelled_cases import LabelledReport, case_and_reading, labelled
from medmm.evaluation.reports.planted_errors import (
    SEED,
    TRUE,
    Half,
    Planted,
    kinds,
    planted,
    templates,
    true_statements,
)
from medmm.language.report_labeller import PRESENT
from medmm.training.reports.corpus import FilmReport, read_reports


def report(findings: str, uid: str = "1", indication: str = "cough in a man") -> FilmReport:
    return FilmReport(
        uid=uid,
        split="test",
        split_source="hash",
        findings=findings,
        impression="",
        exam="",
        film=None,
        indication=indication,
    )


def one(findings: str) -> LabelledReport:
    (found,) = labelled([report(findings)], SEED)
    return found


def test_each_kind_has_forty_templates_in_two_halves() -> None:
    count = Counter((t.kind, t.half) for t in templates())
    assert len(kinds()) == 7
    for kind in kinds():
        both = [count[kind, half] for half in Half]
        assert sum(both) >= 40
        assert min(both) >= 15
    assert len({t.text for t in templates()}) == len(templates())


def test_the_halves_share_no_patient() -> None:
    assert not set(Half.DEVELOPMENT.splits) & set(Half.REPORTING.splits)


def test_a_report_is_labelled_with_findings_and_sides() -> None:
    found = one("There is a small left pleural effusion. No pneumothorax.")
    assert found.said == {"Effusion": PRESENT}
    assert found.sides == {"Effusion": Side.LEFT}
    assert found.sex == "male"
    _, reading = case_and_reading(found)
    effusion, air = reading.finding("Effusion"), reading.finding("Pneumothorax")
    assert effusion is not None
    assert air is not None
    assert (effusion.suspected, air.ruled_out) == (True, True)
    assert effusion.region is not None
    assert effusion.region.side is Side.LEFT


def test_the_same_seed_plants_the_same() -> None:
    reports = [one("There is a small left pleural effusion.")]
    assert planted(reports, Half.REPORTING) == planted(reports, Half.REPORTING)
    assert {p.kind for p in planted(reports, Half.DEVELOPMENT, 1)} <= set(kinds())


def test_a_planted_side_is_flagged_and_the_true_one_is_not() -> None:
    about = one("There is a small left pleural effusion.")
    wrong = Planted(kind="side flip", text="There is a right pleural effusion.", about=about)
    right = Planted(kind=TRUE, text="There is a left pleural effusion.", about=about)
    assert "G12" in {v.check for v in checked_statements.flagged(wrong)}
    assert checked_statements.flagged(right) == ()


def test_the_rates_on_patients_of_val_hold(shared_data: Path) -> None:
    """A part of the suite: the whole one is `python -m pipelines.evaluate checks`."""
    reports = labelled(read_reports(shared_data, ["val"]), SEED)
    errors = planted(reports, Half.DEVELOPMENT, 8)
    true = true_statements(reports, 60)
    assert len(errors) == 8 * len(kinds())
    assert sum(not checked_statements.flagged(p) for p in errors) <= 2
    assert sum(bool(checked_statements.flagged(p)) for p in true) <= 8


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_page_says_every_kind_with_its_interval(share: float) -> None:
    row = {"count": 4, "value": share, "low": 0.25, "high": 1.0, "hits": 2, "patients": 4}
    half = {"templates": {"side flip": 20}, "kinds": {"side flip": row, TRUE: row}, "errors": row}
    found = {
        "seed": 1,
        "reporting": half,
        "milliseconds_a_draft": {"median": 3.0, "most": 4.0, "drafts": 2},
    }
    page = checked_summary.summary(found)
    assert f"| side flip | 20 | 4 | {100 * share:.1f} % | 25.0 to 100.0 % |" in page
    assert "| true statements |" in page

"""What the dashboard decides to show."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import markdown_it
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.report import Accept, CaseState, Edit, Reject
from medmm.domain.study import Notice
from tests.factories import ATTENDING, make_case_file, make_checked_draft, make_draft, make_region
from ui import presenter
from ui.pictures import film_picture


def test_a_fresh_draft_shows_every_statement_undecided() -> None:
    view = presenter.case_view(make_case_file())
    shown = [s for _, statements in view.sections for s in statements]
    assert [s.id for s in shown] == ["s1", "s2", "s3", "s4"]
    assert all(s.decision is None and s.evidence for s in shown)
    assert (view.decided, view.total, view.may_sign) == (0, 4, False)
    assert "A warning that travels." in view.warnings
    assert "fractures" in view.not_evaluated


def test_decisions_are_shown_and_all_of_them_open_the_signature() -> None:
    decisions = (Accept("s1"), Edit("s2", "Small left effusion."), Reject("s3"), Accept("s4"))
    view = presenter.case_view(make_case_file(CaseState.IN_REVIEW, decisions=decisions))
    shown = {s.id: s for _, statements in view.sections for s in statements}
    assert [shown[i].decision for i in ("s1", "s2", "s3", "s4")] == ["accepted", "edited", "rejected", "accepted"]
    assert shown["s2"].decided_text == "Small left effusion."
    assert view.may_sign
    assert not presenter.case_view(make_case_file(CaseState.IN_REVIEW, decisions=decisions[:3])).may_sign
    assert not presenter.case_view(make_case_file(CaseState.SIGNED)).may_sign


def test_a_statement_with_a_failed_check_may_not_be_accepted() -> None:
    view = presenter.case_view(make_case_file(draft=make_checked_draft(failed=("s2",))))
    shown = {s.id: s for _, statements in view.sections for s in statements}
    assert not shown["s2"].may_accept
    assert shown["s2"].failed
    assert shown["s4"].may_accept


def test_suspected_findings_come_first_among_the_heat_maps() -> None:
    view = presenter.case_view(make_case_file())
    assert view.heats[0].name == "Effusion"
    assert ["suspected" in h.label for h in view.heats] == sorted(
        ["suspected" in h.label for h in view.heats], reverse=True
    )


def test_a_case_without_a_draft_shows_the_studys_warnings() -> None:
    file = make_case_file(CaseState.OPENED)
    study = replace(file.case.study, warnings=(Notice(code="c", text="Orientation unknown."),))
    view = presenter.case_view(replace(file, case=replace(file.case, study=study)))
    assert view.warnings == ("Orientation unknown.",)
    assert view.sections == ()


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://127.0.0.1/x.png)",
    "$\\frac{1}{2}$",
    ":red[not red] :smile:",
    "# heading\n- list",
    "`code` **bold** _it_ ~~x~~ | a | b |",
    "&lt;b&gt; &amp;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text: str) -> None:
    html = markdown_it.MarkdownIt("js-default", {"html": True, "linkify": False}).render(presenter.inert(text))
    for tag in ("<script", "<a ", "<img", "<h1", "<li", "<code", "<strong", "<em", "<s>", "<table"):
        assert tag not in html


@given(st.text(max_size=80))
def test_inert_text_reads_the_same(text: str) -> None:
    shown = presenter.inert(text)
    assert shown.replace("\\", "") == " ".join(text.split()).replace("\\", "")
    assert "$" not in shown.replace("\\$", "")


def test_the_signing_question_names_reader_and_patient() -> None:
    from datetime import date

    from medmm.domain.identity import PatientIdentity

    identity = PatientIdentity(
        patient_id="ZZ-1", family_name="ZZFAKE", given_name="Alpha", birth_date=date(1950, 1, 1), sex="F"
    )
    question = presenter.signing_question(ATTENDING, identity, presenter.case_view(make_case_file()))
    for part in ("ZZREADER One", "attending", "ZZFAKE, Alpha", "ZZ-1", "1950-01-01", "F"):
        assert part in question


def test_the_record_table_keeps_status_and_doubt() -> None:
    rows = {row["fact"]: row for row in presenter.fact_rows(make_case_file().case.context)}
    assert rows["Tuberculosis"]["status"] == "refuted"
    assert rows["Hemoglobin"]["doubt"] == "implausible value"
    assert rows["C-reactive protein"]["value"] == "87 mg/L"


def test_a_mirrored_film_mirrors_its_picture() -> None:
    grey = np.random.default_rng(0).random((60, 48)).astype(np.float32)
    plain = film_picture(grey, (0.0, 1.0), None, 0.5)
    assert plain.shape == (60, 48, 3)
    assert (film_picture(grey[:, ::-1], (0.0, 1.0), None, 0.5) == plain[:, ::-1]).all()
    heated = film_picture(grey, (0.0, 1.0), make_region(), 0.5)
    assert (heated != plain).any()


def test_the_presenter_needs_no_streamlit() -> None:
    code = "import sys, ui.presenter; assert 'streamlit' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_draft_without_models_says_so() -> None:
    draft = make_checked_draft(make_draft(models=()))
    assert "models none" in presenter.case_view(make_case_file(draft=draft)).made_by

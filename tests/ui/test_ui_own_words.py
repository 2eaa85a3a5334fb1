"""The page: what is also suspected, a finding of the reader's own, their own impression, and what the checks mark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.draft import AlsoSuspected
from medmm.domain.reading import Side
from medmm.domain.report import Accept, Add, CaseFile, CaseState, Edit, Impression, Reject
from medmm.presentation.case_view import case_view
from tests.factories import (
    make_case_file,
    make_checked_draft,
    make_draft,
    make_finding,
    make_mr_study,
    make_reading,
    make_statements,
)
from tests.ui.drafted_case import the_case, the_file
from tests.ui.pressing import (
    keys,
    opened_page,
    press,
    question,
    said,
    sentences,
    sign,
    write,
)
from ui import own_words


def file_of(*decisions: Accept | Edit | Reject | Add | Impression) -> CaseFile:
    """A ratio is stated; effusion and nothing else is also suspected."""
    _, effusion, ratio, _ = make_statements()
    also = AlsoSuspected(statement=replace(effusion, id="u1"), why="nobody says so")
    draft = make_checked_draft(make_draft(statements=(ratio,), also_suspected=(also,)))
    file = make_case_file(CaseState.IN_REVIEW, draft=draft, decisions=decisions)
    return replace(file, reading=make_reading(findings=(make_finding("Effusion", 0.62, 0.35),)))


def test_what_is_also_suspected_is_shown_as_a_statement_with_why_until_it_is_decided() -> None:
    view = case_view(file_of())
    assert [(s.id, s.why, s.decision) for s in view.also] == [("u1", "nobody says so", None)]
    assert view.also[0].bars == ((0.62, 0.35),)
    assert view.suspected == "also suspected, not stated: pleural effusion 0.62"
    assert (view.total, view.decided) == (1, 0)
    for decision, word, suspected in (
        (Accept("u1"), "accepted", "pleural effusion 0.62"),
        (Edit("u1", "Small effusion."), "edited", "pleural effusion 0.62"),
        (Reject("u1"), "rejected", ""),
    ):
        view = case_view(file_of(decision))
        assert [(s.why, s.decision) for s in view.also] == [("", word)]
        assert view.suspected == suspected


def test_own_words_are_shown_as_the_readers_and_what_stands_there_is_where_a_form_begins() -> None:
    view = case_view(make_case_file())
    assert own_words.drafted_impression(view) == "Possible left pleural effusion."
    added = replace(Add.of("Nodule"), statement_id="r1")
    view = case_view(file_of(added, Add("Scar.", statement_id="r2"), Impression("Nodule.")))
    assert [(s.text, s.own) for s in view.added] == [
        ("Pulmonary nodule.", "added by a reader"),
        ("Scar.", "added by a reader, free text"),
    ]
    assert own_words.drafted_impression(view) == "Nodule."
    assert view.may_sign is False


def test_what_may_be_added_is_of_the_studys_kind() -> None:
    assert "pneumothorax" in {t.words for t in own_words.vocabulary(make_case_file().case.study)}
    assert {t.words for t in own_words.vocabulary(make_mr_study())} == {"brain lesion"}


def test_a_reader_adds_writes_and_signs(page: AppTest, config: Path) -> None:
    case_id = the_case(config).case_id
    page = write(page, "text_area", "add text ", "Scoliosis of 30 degrees.")
    page = press(page, "add ")
    page = write(page, "selectbox", "add finding ", "Nodule")
    page = write(page, "selectbox", "add side ", "left")
    page = write(page, "text_input", "add place ", "upper zone")
    page = press(page, "add ")
    page = write(page, "text_area", "own impression ", "Left nodule.")
    page = press(page, "save impression ")
    file = the_file(config)
    assert [(a.statement_id, a.text, a.finding, a.side) for a in file.added] == [
        ("r1", "Scoliosis of 30 degrees.", None, None),
        ("r2", "Left pulmonary nodule, upper zone.", "Nodule", Side.LEFT),
    ]
    assert all(a.by is not None and a.by.id == "reader-1" for a in file.added)
    assert file.impression is not None
    assert sentences(page)["r2"].endswith("Left pulmonary nodule, upper zone.")
    page = press(page, "pick r1 ")
    assert any("G6" in warning.value and "30" in warning.value for warning in page.warning)
    with Assistant.from_config(config) as assistant:
        assistant.decide(
            case_id, [Reject(s.id) for s in file.asked], by=assistant.reader_named("reader-1")
        )
    page = question(opened_page(case_id))
    assert "2 of your own, the impression in your own words" in said(page, "caption")
    assert "r1" in said(page, "warning"), "marks stand beside the signature"
    report = sign(page).code[0].value
    assert "Left pulmonary nodule, upper zone." in report
    assert "Left nodule." in report


def test_a_finding_of_ones_own_is_taken_away(page: AppTest, config: Path) -> None:
    page = write(page, "text_area", "add text ", "Old rib fracture.")
    page = press(page, "add ")
    assert not keys(page, "accept r1 "), "one's own words are not accepted"
    page = press(page, "reject r1 ")
    assert the_file(config).added == ()
    assert "r1" not in sentences(page)


def test_a_critical_flag_goes_with_its_statement(page: AppTest, config: Path) -> None:
    file = the_file(config)
    critical = [s.id for s in file.asked if file.critical(s.id)]
    assert critical, "the film of this test has one"
    assert set(critical) <= set(flagged(page))
    for statement_id in critical:
        page = press(page, f"reject {statement_id} ")
    assert flagged(page) == []
    page = write(page, "text_area", "add text ", "Large right pneumothorax.")
    page = press(page, "add ")
    assert flagged(page) == ["r1"]


def flagged(page: AppTest) -> list[str]:
    """The sentences that are marked as critical."""
    return [name for name, words in sentences(page).items() if "red-badge" in words]


def test_a_form_left_empty_or_wrong_is_told_with_its_remedy(page: AppTest, config: Path) -> None:
    page = press(page, "add ")
    assert "without text" in said(page, "error")
    page = write(page, "selectbox", "add finding ", "Nodule")
    page = write(page, "text_input", "add place ", "no longer seen")
    page = press(page, "add ")
    assert "where the finding is" in said(page, "error")
    assert the_file(config).decisions == ()

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
from tests.ui.test_ui_page import config, page, the_case  # noqa: F401
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


def press(page: AppTest, key: str) -> AppTest:  # noqa: F811
    page = page.button(key=key).click().run()
    assert not page.exception
    return page


def starting(page: AppTest, kind: str, start: str) -> object:  # noqa: F811
    return next(w for w in getattr(page, kind) if str(w.key).startswith(start))


def test_a_reader_adds_writes_and_signs(page: AppTest, config: Path) -> None:  # noqa: F811
    case_id = the_case(config).case_id
    starting(page, "text_area", "add text ").set_value("Scoliosis of 30 degrees.")  # type: ignore[attr-defined]
    page = press(page, "add finding")
    page = starting(page, "selectbox", "add finding ").set_value("Nodule").run()  # type: ignore[attr-defined]
    starting(page, "selectbox", "add side ").set_value("left")  # type: ignore[attr-defined]
    starting(page, "text_input", "add place ").set_value("upper zone")  # type: ignore[attr-defined]
    page = press(page, "add finding")
    starting(page, "text_area", "own impression ").set_value("Left nodule.")  # type: ignore[attr-defined]
    page = press(page, "save impression")
    with Assistant.from_config(config) as assistant:
        file = assistant.case(case_id)
    assert [(a.statement_id, a.text, a.finding, a.side) for a in file.added] == [
        ("r1", "Scoliosis of 30 degrees.", None, None),
        ("r2", "Left pulmonary nodule, upper zone.", "Nodule", Side.LEFT),
    ]
    assert all(a.by is not None and a.by.id == "reader-1" for a in file.added)
    assert file.impression is not None
    assert any("G6" in warning.value and "30" in warning.value for warning in page.warning)
    with Assistant.from_config(config) as assistant:
        assistant.decide(
            case_id, [Reject(s.id) for s in file.asked], by=assistant.reader_named("reader-1")
        )
    page = press(page, "refresh")
    page = press(page, "sign")
    assert any("3 of your own" in info.value for info in page.info)
    assert any("r1" in warning.value for warning in page.warning), (
        "marks stand beside the signature"
    )
    page = press(page, "sign now")
    report = page.code[0].value
    assert "Left pulmonary nodule, upper zone." in report
    assert "Left nodule." in report


def test_a_critical_flag_goes_from_worklist_and_page(page: AppTest, config: Path) -> None:  # noqa: F811
    with Assistant.from_config(config) as assistant:
        file = assistant.case(the_case(config).case_id)
    critical = [s for s in file.asked if file.critical(s.id)]
    badges = [m.value for m in page.markdown if "red-badge" in m.value]
    assert bool(badges) == bool(critical)
    for statement in critical:
        page = press(page, f"reject {statement.id}")
    assert not [m.value for m in page.markdown if "red-badge" in m.value]
    page = starting(page, "text_area", "add text ").set_value("Large right pneumothorax.").run()  # type: ignore[attr-defined]
    page = press(page, "add finding")
    assert [m.value for m in page.markdown if "red-badge" in m.value]


def test_a_form_left_empty_or_wrong_is_told_with_its_remedy(page: AppTest, config: Path) -> None:  # noqa: F811
    page = press(page, "add finding")
    assert any("without text" in error.value for error in page.error)
    page = starting(page, "selectbox", "add finding ").set_value("Nodule").run()  # type: ignore[attr-defined]
    starting(page, "text_input", "add place ").set_value("no longer seen")  # type: ignore[attr-defined]
    page = press(page, "add finding")
    assert any("where the finding is" in error.value for error in page.error)
    with Assistant.from_config(config) as assistant:
        assert assistant.case(the_case(config).case_id).decisions == ()

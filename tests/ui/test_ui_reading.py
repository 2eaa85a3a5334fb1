"""The reading page with a real assistant on a real film."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.rejection_reasons import rejection_reasons
from medmm.domain.report import Accept, CaseState, Edit, Reader, Reject
from tests.kept import kept
from tests.ui.drafted_case import the_case, the_file
from tests.ui.pressing import (
    decide_all,
    keys,
    opened_page,
    press,
    question,
    said,
    sentences,
    sign,
    sound,
    widget,
    write,
)


def reader_one(assistant: Assistant) -> Reader:
    return assistant.reader_named("reader-1")


def test_no_case_opens_by_itself(config: Path) -> None:
    streamlit.cache_resource.clear()
    page = opened_page()
    assert not keys(page, "accept ")
    with Assistant.from_config(config) as assistant:
        history = assistant.history(the_case(config).case_id)
    assert not any(event.verb == "case" for event in history)
    streamlit.cache_resource.clear()


def test_the_reading_flow_from_draft_to_signed_report(page: AppTest, config: Path) -> None:
    assert "DRAFT, not signed" in said(page, "markdown")
    assert keys(page, "accept s")
    assert widget(page, "button", "sign ").disabled
    page = decide_all(page)
    assert the_case(config).state is CaseState.IN_REVIEW
    page = question(page)
    assert the_case(config).state is CaseState.IN_REVIEW, "the question alone signs nothing"
    asked = said(page, "markdown", "caption")
    assert all(part in asked for part in ("ZZREADER One", "9RG1", "1940-03-05"))
    words = page.code[0].value
    assert widget(page, "button", "sign-now ").disabled, "before the patient is looked at again"
    page = sign(page)
    assert the_case(config).state is CaseState.SIGNED
    assert "SIGNED" in said(page, "markdown")
    assert "DRAFT" not in said(page), "what is signed is no draft"
    report = page.code[0].value
    assert "RADIOLOGY REPORT" in report
    for line in words.splitlines():  # what was shown before is what was signed
        assert " ".join(line.split()) in " ".join(report.split())
    assert not keys(page, "accept"), "nothing is left to decide"


def test_the_question_can_be_left_and_nothing_is_signed(page: AppTest, config: Path) -> None:
    page = question(decide_all(page))
    assert not keys(page, "accept"), "what is asked about stands still"
    page = press(page, "back ")
    assert keys(page, "accept s")
    assert the_case(config).state is CaseState.IN_REVIEW


def test_a_signature_holds_only_what_was_shown(page: AppTest, config: Path) -> None:
    case_id = the_case(config).case_id
    page = question(decide_all(page))
    accepted = next(d for d in the_file(config).decisions if isinstance(d, Accept))
    with Assistant.from_config(config) as other:
        other.decide(case_id, [Reject(accepted.statement_id)], by=reader_one(other))
    page = write(page, "checkbox", "same ", True)
    page = press(page, "sign-now ")
    assert "changed elsewhere" in said(page, "error")
    assert the_case(config).state is CaseState.IN_REVIEW
    assert not keys(page, "sign-now "), "the question is asked again"
    assert "✕" in sentences(page)[accepted.statement_id], "the case is shown as it is now"


def test_a_case_signed_elsewhere_is_shown_signed(page: AppTest, config: Path) -> None:
    with Assistant.from_config(config) as other:
        file = other.case(the_case(config).case_id)
        draft = file.draft
        assert draft is not None
        decisions = [
            Accept(s.id) if not draft.failed(s.id) else Reject(s.id) for s in draft.statements
        ]
        other.decide(file.case.id, decisions, by=reader_one(other))
        other.sign(file.case.id, by=reader_one(other))
    page = press(page, keys(page, "reject s")[0])
    assert "What helps" in said(page, "error")
    assert "RADIOLOGY REPORT" in page.code[0].value


def test_runs_of_the_page_leave_no_audit_entry(page: AppTest, config: Path) -> None:
    first = the_file(config).asked[0]
    with Assistant.from_config(config) as assistant:
        before = assistant.verify().size
    for start in ("next-sentence ", "sentence-before ", "pick s1 "):
        page = press(page, start)
    assert widget(page, "text_area", "text ").value == first.text
    sound(page.run())
    with Assistant.from_config(config) as assistant:
        assert assistant.verify().size == before + 1  # the verification's own entry


def test_the_name_of_a_patient_is_one_audited_look(page: AppTest, config: Path) -> None:
    page = press(page, keys(page, "accept s")[0])
    assert "9RG1" in said(page, "markdown")
    with Assistant.from_config(config) as assistant:
        looks = kept(assistant).events(the_case(config).patient_key)
    assert [(event.verb, event.actor) for event in looks] == [("identity", "reader-1")]


def test_a_role_that_may_not_look_is_told_so(page: AppTest) -> None:
    readers = page.selectbox(key="reader")
    auditor = next(i for i, name in enumerate(readers.options) if "auditor" in name)
    page = sound(readers.select_index(auditor).run())
    assert "may not" in said(page, "error")
    assert not keys(page, "accept")
    assert "9RG1" not in said(page), "the reader before was somebody else"


def test_an_edit_is_kept(page: AppTest, config: Path) -> None:
    page = press(page, "pick s1 ")
    page = write(page, "text_area", "text ", "The reader's own words.")
    page = press(page, "save s1 ")
    assert the_file(config).decisions == (Edit("s1", "The reader's own words."),)
    assert "The reader's own words." in sentences(page)["s1"]


def test_an_edit_shows_what_it_changed(page: AppTest) -> None:
    page = press(page, "pick s2 ")
    drafted = widget(page, "text_area", "text ").value
    page = write(page, "text_area", "text ", f"{drafted} Seen twice.")
    page = press(press(page, "save s2 "), "pick s2 ")
    assert f"Changed: {drafted} **Seen twice.**" in said(page, "markdown")


def test_an_empty_edit_is_refused_with_its_remedy(page: AppTest, config: Path) -> None:
    page = press(page, "pick s1 ")
    page = write(page, "text_area", "text ", "  ")
    page = press(page, "save s1 ")
    assert "edit without text" in said(page, "error")
    assert the_file(config).decisions == ()


def test_a_rejection_for_a_reason_keeps_its_code(page: AppTest, config: Path) -> None:
    page = press(page, "pick s8 ")
    code = next(iter(rejection_reasons()))
    page = write(page, "selectbox", "reason s8 ", code)
    page = press(page, "reject-for s8 ")
    (decision,) = the_file(config).decisions
    assert isinstance(decision, Reject)
    assert decision.code == code


def test_the_bar_decides_on_the_sentence_that_is_open_and_goes_on(
    page: AppTest, config: Path
) -> None:
    assert widget(page, "text_area", "text ").key.split()[2] == "s7", "the first that stands open"
    page = press(page, "reject-this ")
    assert [d.statement_id for d in the_file(config).decisions] == ["s7"]
    assert widget(page, "text_area", "text ").key.split()[2] == "s8"
    page = press(page, "accept-this ")
    assert [type(d) for d in the_file(config).decisions] == [Reject, Accept]
    page = press(page, "undo ")
    assert [d.statement_id for d in the_file(config).decisions] == ["s7"]
    page = press(page, "undo ")
    assert the_file(config).decisions == ()
    assert widget(page, "button", "undo ").disabled


def test_the_history_names_who_did_what(page: AppTest) -> None:
    assert not page.table, "a look is an entry: only when asked for"
    page = press(page, "panel History ")
    (table,) = (one.value for one in page.table)
    assert {"admit", "draft", "case"} <= set(table["verb"])
    assert "reader\\-1" in set(table["who"])
    page = press(press(page, "accept-this "), "events ")
    assert "decide" in set(page.table[0].value["verb"])


def test_the_record_is_one_press_away_and_searched(page: AppTest) -> None:
    page = press(page, "panel Record ")
    assert len(page.table[0].value) > 3
    page = write(page, "text_input", "find ", "tuberculosis")
    assert list(page.table[0].value["fact"]) == ["Tuberculosis"]
    page = write(page, "text_input", "find ", "no such fact")
    assert not page.table
    assert "Nothing in the record has these words" in said(page, "caption")


def test_a_wrong_configuration_is_told_without_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "wrong.yaml"
    settings.write_text("data_dri: /nowhere\n")
    monkeypatch.setenv("MEDMM_CONFIG", str(settings))
    streamlit.cache_resource.clear()
    assert "data_dir" in said(opened_page(), "error")

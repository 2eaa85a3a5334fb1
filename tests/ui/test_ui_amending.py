"""A signed report on the page: amended, added to and withdrawn, each with a look before and a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.draft import Section
from medmm.domain.report import CaseFile, CaseState
from medmm.domain.report_kind import ReportKind
from tests.dicom_files import film_file
from tests.factories import make_amended_report, make_case_file, make_signed_report
from tests.quick_assistant import opened, quick_assistant, signed
from tests.ui.pressing import keys, opened_page, press, said, write
from ui import report_words


@pytest.fixture
def assistant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assistant]:
    """What the page opens, with one signed case."""
    streamlit.cache_resource.clear()
    with quick_assistant(tmp_path / "data") as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        signed(assistant, case_id, assistant.reader_named("reader-1"))
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        yield assistant
    streamlit.cache_resource.clear()


@pytest.fixture
def page(assistant: Assistant) -> AppTest:
    return opened_page(the_case(assistant).case.id)


def the_case(assistant: Assistant) -> CaseFile:
    return assistant.case(assistant.cases()[0].case_id)


def test_a_report_is_amended_after_a_look_at_what_will_be_signed(
    page: AppTest, assistant: Assistant
) -> None:
    assert "SIGNED" in said(page, "markdown")
    before = the_case(assistant)
    assert before.report is not None
    page = write(page, "selectbox", "amend what", report_words.ADD)
    page = write(page, "text_area", "amend text", "Old rib fracture.")
    page = write(page, "text_input", "amend reason", "Seen again.")
    page = write(page, "checkbox", "amend correction", True)
    page = press(page, "amend case")
    assert the_case(assistant) == before, "the question alone signs nothing"
    assert any("Old rib fracture." in code.value for code in page.code)
    assert any("ZZREADER One" in i.value and "Seen again" in i.value for i in page.info)
    page = press(page, "amend now ")
    now = the_case(assistant)
    assert (now.state, now.report and now.report.kind) == (
        CaseState.AMENDED,
        ReportKind.CORRECTION,
    )
    assert "⚠ AMENDED" in said(page, "markdown")
    assert page.code[0].value.startswith("RADIOLOGY REPORT: AMENDED, CORRECTED")
    assert any("Version 1" in c.value and "Version 2" in c.value for c in page.caption)


def test_words_are_changed_and_taken_out(page: AppTest, assistant: Assistant) -> None:
    report = the_case(assistant).report
    assert report is not None
    (finding, *_) = [s for s in report.statements if s.section is Section.FINDINGS]
    page = write(page, "selectbox", "amend statement", finding.id)
    page = write(page, "text_area", "amend text", "Heart of normal size.")
    page = write(page, "text_input", "amend reason", "Seen again.")
    page = press(page, "amend case")
    page = press(page, "back case")
    assert the_case(assistant).report == report
    page = write(page, "selectbox", "amend what", report_words.TAKE_OUT)
    page = write(page, "selectbox", "amend statement", finding.id)
    page = write(page, "text_input", "amend reason", "Seen again.")
    page = press(page, "amend case")
    page = press(page, "amend now ")
    now = the_case(assistant).report
    assert now is not None
    assert finding.id not in {s.id for s in now.statements}


def test_an_addendum_and_a_withdrawal_need_a_reason(page: AppTest, assistant: Assistant) -> None:
    page = write(page, "text_area", "addendum text", "Told to the ward.")
    page = press(page, "addendum case")
    assert "without a reason" in said(page, "error")
    page = write(page, "text_area", "addendum text", "Told to the ward.")
    page = write(page, "text_input", "addendum reason", "Asked for.")
    page = press(page, "addendum case")
    assert the_case(assistant).state is CaseState.AMENDED
    page = press(page, "withdraw case")
    assert "without a reason" in said(page, "error")
    page = write(page, "text_input", "withdraw reason", "Another patient's film.")
    page = press(page, "withdraw case")
    assert the_case(assistant).state is CaseState.WITHDRAWN
    assert "⚠ WITHDRAWN" in said(page, "markdown")
    assert page.code[0].value.startswith("RADIOLOGY REPORT: WITHDRAWN, ENTERED IN ERROR")
    assert not [k for act in ("amend", "addendum", "withdraw") for k in keys(page, act)]


def test_what_changed_elsewhere_is_not_changed_here(page: AppTest, assistant: Assistant) -> None:
    page = write(page, "text_input", "withdraw reason", "No.")
    assistant.addendum(the_case(assistant).case.id, "Told.", reason="Asked for.", by="reader-1")
    page = press(page, "withdraw case")
    assert "changed elsewhere" in said(page, "error")
    assert the_case(assistant).state is CaseState.AMENDED


def test_summaries_follow_their_finding_and_an_impression_is_one() -> None:
    report = make_signed_report()
    assert set(report_words.changeable(report)) == {s.id for s in report.statements if s.summarises is None}  # fmt: skip
    file = make_case_file(CaseState.SIGNED)
    assert report_words.banner(file).startswith("SIGNED")
    assert report_words.banner(make_case_file()).startswith("DRAFT")
    lines = report_words.version_lines(
        make_case_file(CaseState.SIGNED, report=make_amended_report())
    )
    assert lines == (
        "Version 2: AMENDED on 2026-01-03T09:30:00+00:00 by ZZREADER Two (reader-2, attending). "
        "Reason: Seen again beside the film of 2024. (version 2, replaces report-1)",
    )

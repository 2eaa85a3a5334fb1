"""Words that a tab kept: offered on the page of their case, and put back when asked alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.report import Edit
from medmm.presentation.case_view import case_view
from medmm.presentation.unsent_words import class_of
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant
from tests.ui.pressing import keys, opened_page, press, said, sound, widget
from ui import unsent
from ui.presenter import NEVER_SENT, NO_FIELD, edit_key

WORDS = "Half a sentence <b>of mine</b>"


class ATab:
    """In the place of the tab's part of the page: it says what the test sets, and notes what it is told."""

    def __init__(self) -> None:
        self.lost: Any = []
        self.told: dict[str, Any] = {}

    def __call__(self, *, key: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.told = data
        return {"lost": self.lost}


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch) -> ATab:
    made = ATab()
    monkeypatch.setattr(unsent, "_component", lambda: made)
    return made


@pytest.fixture
def assistant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assistant]:
    streamlit.cache_resource.clear()
    with quick_assistant(tmp_path / "data") as assistant:
        assistant.draft(opened(assistant, film_file(tmp_path / "in")))
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        yield assistant
    streamlit.cache_resource.clear()


@pytest.fixture
def case(assistant: Assistant) -> str:
    return assistant.cases()[0].case_id


def field_of(assistant: Assistant, case_id: str, statement_id: str) -> str:
    """The key of the field for other words of a sentence, as it stands now."""
    view = case_view(assistant.case(case_id))
    (found,) = [one for one in view.statements if one.id == statement_id]
    return edit_key(case_id, found)


def words_of(key: str) -> dict[str, str]:
    return {"id": f"life {class_of(key)}", "name": class_of(key), "text": WORDS}


def test_words_are_offered_and_stand_in_no_field_until_they_are_put_back(
    tab: ATab, assistant: Assistant, case: str
) -> None:
    tab.lost = [words_of(field_of(assistant, case, "s2"))]
    page = opened_page(case)
    assert NEVER_SENT in said(page, "markdown")
    assert [one.value for one in page.code] == [WORDS]
    assert widget(page, "text_area", "text ").value != WORDS
    assert assistant.unfinished(case, by="reader-1") == ()
    page = press(page, "put back ")
    assert widget(page, "text_area", "text ").value == WORDS
    assert [(one.field, one.text) for one in assistant.unfinished(case, by="reader-1")] == [
        ("s2", WORDS)
    ]
    assert assistant.case(case).decisions == ()
    assert not keys(page, "put back "), "the server has them"
    assert WORDS in tab.told["known"].values()
    again = press(opened_page(case), "pick s2 ")
    assert widget(again, "text_area", "text ").value == WORDS


def test_words_of_a_sentence_that_changed_can_be_read_and_dropped_alone(
    tab: ATab, assistant: Assistant, case: str
) -> None:
    tab.lost = [words_of(field_of(assistant, case, "s2"))]
    assistant.decide(case, [Edit("s2", "Other words.")], by="reader-1")
    page = opened_page(case)
    assert NO_FIELD in said(page, "markdown")
    assert not keys(page, "put back ")
    page = press(page, "drop words ")
    assert NEVER_SENT not in said(page, "markdown")
    sound(page.run())
    assert tab.told["forgotten"] == [tab.lost[0]["id"]]


def test_words_of_another_case_are_put_nowhere(tab: ATab, assistant: Assistant, case: str) -> None:
    tab.lost = [words_of(field_of(assistant, case, "s2").replace(case, "case-of-another"))]
    page = opened_page(case)
    assert not keys(page, "put back ")


def test_what_was_saved_is_not_offered(tab: ATab, assistant: Assistant, case: str) -> None:
    tab.lost = [words_of(field_of(assistant, case, "s2"))]
    assistant.decide(case, [Edit("s2", WORDS)], by="reader-1")
    page = opened_page(case)
    assert NEVER_SENT not in said(page, "markdown")
    page = sound(page.run())
    assert tab.told["forgotten"] == [tab.lost[0]["id"]]


def test_whatever_the_tab_says_the_page_stands(tab: ATab, case: str) -> None:
    for lost in (None, "x", [1], [{"id": 1}], [{"id": "a", "name": [], "text": {}}]):
        tab.lost = lost
        page = opened_page(case)
        assert isinstance(page, AppTest)
        assert NEVER_SENT not in said(page, "markdown")

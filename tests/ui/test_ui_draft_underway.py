"""A case without a draft on the page: what is shown while one is made, who sees it, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.config import ReaderEntry
from medmm.domain.draft_progress import DraftStage
from medmm.domain.errors import Unavailable
from medmm.domain.report import CaseState
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant
from tests.slow_drafting import Gate, Slow, worded_by
from tests.ui.pressing import keys, opened_page, press, said, sentences, sound, until

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="reader-2", name="ZZREADER Two", role="attending"),
)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def slow(gate: Gate) -> Slow:
    return Slow(gate)


@pytest.fixture
def assistant(
    tmp_path: Path, gate: Gate, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Assistant]:
    streamlit.cache_resource.clear()
    with quick_assistant(tmp_path / "data", reader=slow, readers=READERS) as made:
        monkeypatch.setattr(Assistant, "from_config", lambda: made)
        yield made
        gate.open(99)
    streamlit.cache_resource.clear()


@pytest.fixture
def case_id(assistant: Assistant, tmp_path: Path) -> str:
    return opened(assistant, film_file(tmp_path / "in"))


def another(case_id: str) -> AppTest:
    """The case in the session of the second reader."""
    page = opened_page()
    page.selectbox(key="reader").set_value("reader-2")
    page.query_params["case"] = case_id
    return sound(page.run())


def undecidable(page: AppTest) -> bool:
    acts = ("accept", "reject", "save", "add", "sign", "undo", "draft")
    return not any(keys(page, start) for start in acts)


def test_a_draft_is_asked_for_seen_by_another_and_there_when_it_is_kept(
    assistant: Assistant, case_id: str, gate: Gate
) -> None:
    page = press(opened_page(case_id), "draft ")
    page = until(page, lambda p: "◐ Reading the images" in said(p))
    assert "Asked for by ZZREADER One" in said(page)
    assert undecidable(page)
    press(page, "leave ")
    other = another(case_id)
    assert "◐ Reading the images" in said(other)
    assert undecidable(other)
    back = opened_page(case_id)
    assert "◐ Reading the images" in said(back)
    gate.open()
    other = until(other, lambda p: bool(sentences(p)))
    assert keys(other, "accept ")
    assert assistant.case(case_id).state is CaseState.DRAFTED
    until(back, lambda p: bool(sentences(p)))


def test_what_failed_is_said_with_its_remedy_until_it_is_asked_for_again(
    assistant: Assistant, case_id: str, gate: Gate, slow: Slow
) -> None:
    slow.failure = Unavailable("the network is *asleep*", remedy="wake it")
    page = press(opened_page(case_id), "draft ")
    gate.open()
    page = until(page, lambda p: bool(p.error))
    assert "the network is *asleep*" in said(page, "error")
    assert "What helps:** wake it" in said(page, "error")
    assert "asleep" in said(another(case_id), "error")
    slow.failure = None
    page = press(page, "draft ")
    gate.open()
    page = until(page, lambda p: bool(sentences(p)))
    assert not page.error


def test_sentences_are_shown_as_unchecked_while_they_come(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamlit.cache_resource.clear()
    with worded_by(gate, tmp_path / "data", readers=READERS) as assistant:
        monkeypatch.setattr(Assistant, "from_config", lambda: assistant)
        case_id = opened(assistant, film_file(tmp_path / "in"))
        page = press(opened_page(case_id), "draft ")
        page = until(page, lambda p: "Possible left pleural effusion." in said(p))
        assert "Not checked yet, and nothing to decide on" in said(page)
        assert "◐ Writing the sentences" in said(page)
        assert undecidable(page)
        gate.open(99)
        page = until(page, lambda p: bool(sentences(p)))
        assert "Not checked yet" not in said(page)
        assert assistant.draft_progress(case_id, by="reader-1").stage is DraftStage.DONE  # type: ignore[union-attr]
    streamlit.cache_resource.clear()


def test_other_readers_go_on_while_a_draft_is_made(
    assistant: Assistant, case_id: str, tmp_path: Path
) -> None:
    """Asking for a draft answers at once, though the models have not begun to read."""
    press(opened_page(case_id), "draft ")
    file = film_file(tmp_path / "in", "2.dcm", StudyInstanceUID="1.2.8", SOPInstanceUID="1.2.8.1")
    second = opened(assistant, file)
    page = press(another(second), "panel Record ")
    assert "record" in said(page).lower()
    assert assistant.case(case_id).draft is None

"""The page of critical results: what is due, who is to be tried, and that somebody was told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm.domain.critical_result import Route
from medmm.domain.report import Edit
from tests.docs.dashboard_picture import dashboard
from tests.ui.worklist_room import (
    LONG_NAME,
    PAGE_SCROLLS_PX,
    PLAIN,
    TOLD,
    UNTOLD,
    Room,
    axe_violations,
    cell,
    filled,
    said,
    settled,
    shown,
    sign,
    tables,
)

ACTS_FOR = "acts for"  # name in the session: id of the reader


def critical_page() -> None:
    """The page alone; what it opens is noted."""
    import streamlit as st

    from medmm.assistant import Assistant
    from ui.desk import Desk
    from ui.views.critical import show_critical

    @st.cache_resource
    def opened() -> Assistant:
        return Assistant.from_config()

    assistant = opened()
    reader = assistant.reader_named(st.session_state.get("acts for", "reader-1"))
    show_critical(
        Desk(assistant=assistant, reader=reader),
        lambda case_id: st.session_state.update(went_to=case_id),
    )


def telling_form() -> None:
    """The form as another page shows it beside a case."""
    import streamlit as st

    from medmm.assistant import Assistant
    from medmm.presentation.case_view import case_view
    from ui.actions import show_failed
    from ui.desk import Desk
    from ui.open_case import OpenCase
    from ui.telling import show_telling

    @st.cache_resource
    def opened() -> Assistant:
        return Assistant.from_config()

    assistant = opened()
    reader = assistant.reader_named(st.session_state.get("acts for", "reader-1"))
    file = assistant.case(st.session_state["of"], pixels=False, by="reader-1")
    identity = assistant.identity(file.case.study.patient_key, by="reader-1")
    case = OpenCase(file=file, identity=identity, view=case_view(file), lease=None, held="")
    show_failed()
    show_telling(Desk(assistant=assistant, reader=reader), case)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("room")
    filled(folder)
    return folder


@pytest.fixture
def room(filled_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    shutil.copytree(filled_once, tmp_path / "room")
    room = settled(tmp_path / "room")
    monkeypatch.setenv("MEDMM_CONFIG", str(room.config))
    streamlit.cache_resource.clear()
    yield room
    streamlit.cache_resource.clear()


@pytest.fixture
def page_of(room: Room) -> Iterator[Callable[..., AppTest]]:
    streamlit.cache_resource.clear()

    def made(**session: str) -> AppTest:
        page = AppTest.from_function(critical_page, default_timeout=60)
        for name, value in session.items():
            page.session_state[name.replace("_", " ")] = value
        page = page.run()
        assert not page.exception
        return page

    yield made
    streamlit.cache_resource.clear()


def field(page: AppTest, kind: str, name: str):  # type: ignore[no-untyped-def]
    return next(one for one in page.get(kind) if str(one.key).startswith(name))  # type: ignore[attr-defined]


def filled_in(page: AppTest, *, to: str | None = "the physician on call") -> AppTest:
    if to is not None:
        field(page, "selectbox", "told to").set_value(to)
    field(page, "selectbox", "told how").set_value(Route.IN_PERSON)
    field(page, "checkbox", "told back").check()
    return field(page, "button", "tell now").click().run()


def test_what_nobody_was_told_of_is_on_top_with_its_clock_and_whom_to_try(
    page_of: Callable[..., AppTest], room: Room
) -> None:
    page = page_of()
    case_id = room.case(UNTOLD)
    assert shown(page) == [case_id]
    assert "1 to tell" in said(page)
    assert cell(page, case_id, "left").endswith("overdue")
    assert cell(page, case_id, "findings") == "pneumothorax"
    assert cell(page, case_id, "category") == "1, within minutes"
    assert cell(page, case_id, "name") == "ZZROSSI, CARLA"
    assert cell(page, case_id, "contact") == "the physician on call"
    assert shown(page, 1) == [room.case(TOLD)]
    words = [cell(page, room.case(TOLD), name, 1) for name in ("to", "how", "read_back", "by")]
    assert words == ["ward 3", "phone", "yes", "ZZREADER-2"]


def test_who_was_told_is_kept_and_closes_it(page_of: Callable[..., AppTest], room: Room) -> None:
    page = page_of(telling=room.case(UNTOLD))
    assert "ZZROSSI, CARLA · ZZ-4" in said(page)
    assert "“Left pneumothorax.”" in said(page)
    page = filled_in(page)
    assert not page.exception
    assert not page.error
    with room.open() as assistant:
        (told,) = assistant.case(room.case(UNTOLD), pixels=False).communications
    assert (told.to, told.how, told.read_back, told.by) == (
        "the physician on call",
        Route.IN_PERSON,
        True,
        "reader-1",
    )
    assert "Nobody waits to be told" in said(page)
    assert set(shown(page)) == {room.case(TOLD), room.case(UNTOLD)}, "both were told"
    assert shown(page)[0] == room.case(UNTOLD), "the latest on top"
    assert "the physician on call was told of pneumothorax on" in said(page)


def test_nobody_named_is_refused_with_its_remedy(
    page_of: Callable[..., AppTest], room: Room
) -> None:
    page = filled_in(page_of(telling=room.case(UNTOLD)), to=None)
    assert "does not say who was told" in said(page)
    assert "What helps" in said(page)
    assert shown(page) == [room.case(UNTOLD)]


def test_what_changed_meanwhile_is_not_told_unseen(
    page_of: Callable[..., AppTest], room: Room
) -> None:
    page = page_of(telling=room.case(UNTOLD))
    with room.open() as other:
        file = other.case(room.case(UNTOLD), pixels=False)
        other.decide(room.case(UNTOLD), [Edit(file.asked[0].id, "Other words.")], by="reader-2")
    page = filled_in(page)
    assert "changed elsewhere" in said(page)
    with room.open() as assistant:
        assert assistant.case(room.case(UNTOLD), pixels=False).communications == ()
    page = filled_in(page)
    assert "Nobody waits to be told" in said(page), "as it stands now it is kept"


def test_what_is_signed_and_untold_stays_open(page_of: Callable[..., AppTest], room: Room) -> None:
    with room.open() as assistant:
        sign(assistant, room.case(UNTOLD))
    page = page_of()
    assert shown(page) == [room.case(UNTOLD)]
    assert cell(page, room.case(UNTOLD), "status") == "signed"


def test_who_reads_blind_first_gets_no_sentence_and_no_form_before_the_first_read(
    page_of: Callable[..., AppTest], room: Room
) -> None:
    settings = yaml.safe_load(room.config.read_text())
    settings["readers"][0]["reading_mode"] = "blind-first"
    room.config.write_text(yaml.safe_dump(settings))
    streamlit.cache_resource.clear()
    page = page_of(telling=room.case(UNTOLD))
    assert "Your own first read of this case comes before its draft" in said(page)
    assert "pneumothorax" not in said(page)
    assert not [b for b in page.button if str(b.key).startswith("tell now")]
    assert len(tables(page)) == 1, "nor what others told of a case that is still to be read"


def test_a_role_that_sees_no_names_sees_the_clocks_alone(
    page_of: Callable[..., AppTest], room: Room
) -> None:
    page = page_of(acts_for="admin-1", telling=room.case(UNTOLD))
    assert len(tables(page)) == 1
    assert cell(page, room.case(UNTOLD), "name") == "not shown to this role"
    assert "may not look at the case" in said(page)
    assert not [b for b in page.button if str(b.key).startswith("tell now")]
    page = page_of(acts_for="auditor-1")
    assert not tables(page)
    assert "does not see critical results" in said(page)


def test_the_case_of_a_result_can_be_opened(page_of: Callable[..., AppTest], room: Room) -> None:
    page = page_of(telling=room.case(UNTOLD))
    assert not [b for b in page.button if b.key == "news"]
    page = field(page, "button", "open told").click().run()
    assert page.session_state["went_to"] == room.case(UNTOLD)


@pytest.mark.parametrize("number", [PLAIN, LONG_NAME])
def test_beside_a_case_without_critical_findings_there_is_no_form(room: Room, number: int) -> None:
    page = AppTest.from_function(telling_form, default_timeout=60)
    page.session_state["of"] = room.case(number)
    page = page.run()
    assert not page.exception
    assert not said(page)
    assert not page.selectbox


def test_beside_a_case_the_form_says_what_is_left_and_what_was_told(room: Room) -> None:
    page = AppTest.from_function(telling_form, default_timeout=60)
    page.session_state["of"] = room.case(UNTOLD)
    page = page.run()
    assert "Nobody was told of pneumothorax yet." in said(page)
    page = filled_in(page, to="ward 3")
    assert not page.exception
    assert "✓ ward 3 was told of pneumothorax" in said(page)
    assert "in person, who repeated it" in said(page)
    assert not page.selectbox
    page.session_state["of"] = room.case(TOLD)
    assert "ward 3 was told" in said(page.run())


def test_a_role_that_may_not_tell_sees_that_nobody_did(room: Room) -> None:
    page = AppTest.from_function(telling_form, default_timeout=60)
    page.session_state["of"] = room.case(UNTOLD)
    page.session_state[ACTS_FOR] = "admin-1"
    page = page.run()
    assert "Nobody was told of pneumothorax yet." in said(page)
    assert not page.selectbox


def test_in_a_browser_a_result_is_chosen_by_keyboard_and_closed(room: Room) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with dashboard(room.config) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(f"{address}/critical")
        row = page.locator("tr.overdue")
        row.wait_for(timeout=90_000)
        row.locator("button").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Nobody was told of pneumothorax yet.").wait_for(timeout=60_000)
        assert axe_violations(page) == []
        assert page.evaluate(PAGE_SCROLLS_PX) <= 0
        page.get_by_label("To whom").fill("Dr Adeyemi")
        page.keyboard.press("Enter")
        page.get_by_text("They repeated it, and it was right").click()
        page.get_by_role("button", name="Keep that it was told").click()
        page.get_by_text("Nobody waits to be told of a critical result.").wait_for(timeout=60_000)
        page.get_by_text("Dr Adeyemi was told of pneumothorax").wait_for()
        browser.close()
    with room.open() as assistant:
        (told,) = assistant.case(room.case(UNTOLD), pixels=False).communications
    assert told.to == "Dr Adeyemi"
    assert told.read_back

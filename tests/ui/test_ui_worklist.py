"""The worklist's page: what stands where, what narrows it, who sees whom, and the way to a case."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from benchmarks import reading_room as benchmark
from medmm.config import Settings
from medmm.domain.priority import Order, Priority
from medmm.domain.worklist import CaseFilter
from medmm.presentation import worklist_filter
from tests.docs.dashboard_picture import dashboard
from tests.kept import kept
from tests.ui.worklist_room import (
    LATER,
    LONG,
    LONG_NAME,
    PAGE_SCROLLS_PX,
    PLAIN,
    RIGHT_TO_LEFT,
    ROWS_SEEN,
    SCRIPT,
    SIGNED,
    TOLD,
    UNTOLD,
    Room,
    another,
    axe_violations,
    cell,
    filled,
    reads_as,
    said,
    settled,
    shown,
    sign,
    tables,
)
from ui.views import worklist

APP = Path(__file__).resolve().parents[2] / "ui" / "app.py"
BY_URGENCY = (UNTOLD, LONG_NAME, LATER, TOLD, RIGHT_TO_LEFT, PLAIN)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("room")
    filled(folder)
    return folder


@pytest.fixture
def room(filled_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    shutil.copytree(filled_once, tmp_path / "room")
    room = settled(tmp_path / "room")
    monkeypatch.setenv("MEDMM_CONFIG", str(room.config))
    return room


@pytest.fixture
def page(room: Room) -> Iterator[AppTest]:
    streamlit.cache_resource.clear()
    yield AppTest.from_file(str(APP), default_timeout=60).run()
    streamlit.cache_resource.clear()


def ids(room: Room, *numbers: int) -> list[str]:
    return [room.case(number) for number in numbers]


def pressed(page: AppTest, key: str) -> AppTest:
    page = page.button(key=key).click().run()
    assert not page.exception
    return page


def search(page: AppTest, words: str) -> AppTest:
    page = page.text_input(key="search").set_value(words).run()
    assert not page.exception
    return page


def test_it_begins_with_those_that_wait_the_most_urgent_first(page: AppTest, room: Room) -> None:
    assert not page.exception
    assert shown(page) == ids(room, *BY_URGENCY), "the signed one is out of the way"
    first = room.case(UNTOLD)
    assert cell(page, first, "urgency").startswith("critical, 3 h ")
    assert cell(page, first, "urgency").endswith("overdue: pneumothorax")
    assert cell(page, room.case(LONG_NAME), "urgency") == "stat: dyspnoea"
    assert cell(page, room.case(PLAIN), "urgency") == "routine"
    assert [row["mark"] for row in tables(page)[0]["rows"][:3]] == ["overdue", "urgent", ""]
    words = [cell(page, room.case(PLAIN), name) for name in ("name", "patient_id", "accession")]
    assert words == ["ZZMÜLLER, ANNA MARIA", "ZZ-0", "ACC-0"]
    assert cell(page, room.case(PLAIN), "site") == "North"
    assert cell(page, room.case(RIGHT_TO_LEFT), "name") == "ZZالعلوي, فاطمة"
    assert "1–6 of 6 cases" in said(page)


def test_a_chip_narrows_and_gives_back(page: AppTest, room: Room) -> None:
    assert page.button(key="chip critical yes").label == "critical 2"
    page = pressed(page, "chip critical yes")
    assert shown(page) == ids(room, UNTOLD, TOLD)
    assert page.button(key="chip critical yes").label == "✓ critical 2"
    page = pressed(page, "chip critical yes")
    page = pressed(page, "chip waiting")
    assert shown(page) == ids(room, *BY_URGENCY, SIGNED)
    page = pressed(page, "chip state signed")
    assert shown(page) == ids(room, SIGNED)
    assert page.session_state["wanted"] == CaseFilter(state=page.session_state["wanted"].state)
    assert shown(pressed(page, "clear filter")) == ids(room, *BY_URGENCY)


@pytest.mark.parametrize(
    ("words", "number"),
    [("zzmueller", PLAIN), ("ZZ-1", RIGHT_TO_LEFT), ("acc-2", LONG_NAME), ("carla zzr", UNTOLD)],
)
def test_a_search_finds_by_name_id_and_accession(
    page: AppTest, room: Room, words: str, number: int
) -> None:
    assert shown(search(page, f" {words} ")) == ids(room, number)


def test_a_search_finds_by_study_uid(page: AppTest, room: Room) -> None:
    assert shown(search(page, "1.2.826.5.4.0")) == ids(room, UNTOLD)


def test_a_search_that_finds_nothing_says_so_and_offers_the_ways_out(
    page: AppTest, room: Room
) -> None:
    page = search(page, "signed zzsm")
    assert not tables(page)
    assert "No case of “signed zzsm” among: waiting for a reader." in said(page)
    page = pressed(page, "search all")
    assert shown(page) == ids(room, SIGNED)
    page = search(page, "nobody")
    assert "among: all cases" in said(page)
    page = pressed(page, "end search")
    assert len(shown(page)) == 7
    assert page.text_input(key="search").value == ""


def test_words_that_nothing_can_be_searched_for_by_are_refused_with_a_remedy(page: AppTest) -> None:
    page = search(page, "...")
    assert not tables(page)
    assert not page.error
    assert page.button(key="end search")
    assert len(page.markdown[-1].value) > 20


def test_the_newest_can_come_first(page: AppTest, room: Room) -> None:
    page = page.selectbox(key="order by").set_value(Order.NEWEST).run()
    assert shown(page) == ids(room, PLAIN, RIGHT_TO_LEFT, LONG_NAME, UNTOLD, TOLD, LATER)
    assert page.session_state["order"] is Order.NEWEST


def filter_field(page: AppTest, kind: str, name: str):  # type: ignore[no-untyped-def]
    return next(one for one in page.get(kind) if str(one.key).startswith(f"filter {name}"))  # type: ignore[attr-defined]


def test_the_form_asks_for_all_that_a_filter_can(page: AppTest, room: Room) -> None:
    with room.open() as assistant:
        assistant.claim(room.case(PLAIN), by="reader-1")
    filter_field(page, "checkbox", "mine").check()
    page = filter_field(page, "button", "show").click().run()
    assert not page.exception
    assert shown(page) == ids(room, PLAIN)
    filter_field(page, "checkbox", "mine").uncheck()
    filter_field(page, "selectbox", "Priority").set_value("stat")
    filter_field(page, "selectbox", "Site").set_value("North")
    page = filter_field(page, "button", "show").click().run()
    assert shown(page) == ids(room, LONG_NAME)
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    filter_field(page, "date_input", "Acquired from").set_value(tomorrow)
    page = filter_field(page, "button", "show").click().run()
    assert not tables(page)
    assert f"stat, site North, from {tomorrow}" in said(page)
    assert shown(pressed(page, "show waiting")) == ids(room, *BY_URGENCY)


def test_a_filter_is_kept_asked_for_again_and_dropped(page: AppTest, room: Room) -> None:
    page = pressed(page, "chip priority stat")
    page.text_input(key="filter name").set_value("my **stat** films")
    page = pressed(page, "keep filter")
    page = pressed(page, "clear filter")
    page = pressed(page, "saved my **stat** films")
    assert shown(page) == ids(room, LONG_NAME)
    with room.open() as assistant:
        (saved,) = assistant.filters(by="reader-1")
    assert saved.wanted == CaseFilter(waiting=True, priority=Priority.STAT)
    page = pressed(page, "drop my **stat** films")
    assert not [b for b in page.button if str(b.key).startswith("saved ")]
    page = pressed(page, "keep filter")
    assert any("What helps" in error.value for error in page.error), "it needs a name"


def test_what_came_is_offered_and_moves_nothing_by_itself(page: AppTest, room: Room) -> None:
    before = shown(page)
    new = another(room)
    page = page.run()
    assert shown(page) == before
    assert page.button(key="news").label == "1 new case"
    page = pressed(page, "news")
    assert set(shown(page)) == {*before, new}
    assert not [b for b in page.button if b.key == "news"]


def test_one_look_is_one_entry_with_all_cases_of_the_page(page: AppTest, room: Room) -> None:
    def looks() -> list[str]:
        with room.open() as assistant:
            events = kept(assistant).events("worklist")
        return [event.details["cases"] for event in events if event.verb == "worklist"]

    assert looks() == [" ".join(ids(room, *BY_URGENCY))]
    page = page.run()
    assert len(looks()) == 1
    pressed(page, "refresh")
    assert len(looks()) == 2


def test_pages_follow_each_other_by_the_place_of_their_last_case(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worklist, "PAGE", 4)
    monkeypatch.setattr(worklist_filter, "PAGE", 4)
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert shown(page) == ids(room, *BY_URGENCY[:4])
    assert "1–4 of 6" in said(page)
    page = pressed(page, "next page")
    assert shown(page) == ids(room, *BY_URGENCY[4:])
    assert "5–6 of 6" in said(page)
    page = pressed(page, "page before")
    assert shown(page) == ids(room, *BY_URGENCY[:4])
    page = pressed(pressed(page, "next page"), "chip modality DX")
    assert "1–4 of 6" in said(page), "another question begins at its first page"


def test_a_signed_case_that_nobody_was_told_of_is_not_out_of_sight(
    page: AppTest, room: Room
) -> None:
    assert not [b for b in page.button if b.key == "chip untold"]
    with room.open() as assistant:
        sign(assistant, room.case(UNTOLD))
    page = pressed(page, "refresh")
    assert room.case(UNTOLD) not in shown(page)
    assert page.button(key="chip untold").label == ":red[**1 signed and not told**]"
    page = pressed(page, "chip untold")
    assert shown(page) == ids(room, UNTOLD)
    assert cell(page, room.case(UNTOLD), "urgency").startswith("critical")


def test_a_role_without_identities_sees_no_name_and_can_not_search(
    page: AppTest, room: Room
) -> None:
    page = search(page, "zzmueller")
    page = reads_as(page, "admin-1")
    assert not page.exception
    assert not page.error
    assert shown(page) == ids(room, *BY_URGENCY)
    for name in ("name", "patient_id", "age"):
        assert cell(page, room.case(PLAIN), name) == "not shown to this role"
    assert page.text_input(key="search").disabled
    assert not [b for b in page.button if b.key == "next case"], "this role reads no films"


def test_a_role_without_the_worklist_is_told_so(page: AppTest) -> None:
    page = reads_as(page, "auditor-1")
    assert not page.exception
    assert not page.error
    assert not tables(page)
    assert "does not see the worklist" in said(page)


def test_the_next_case_is_the_first_that_nobody_holds(page: AppTest, room: Room) -> None:
    with room.open() as assistant:
        assistant.claim(room.case(UNTOLD), by="reader-2")
    page = pressed(page, "next case")
    assert not page.error
    assert page.session_state["opened_of"][0] == room.case(LONG_NAME)


def linked(room: Room, uid: str) -> AppTest:
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60)
    page.query_params["study"] = uid
    return page.run()


def test_a_link_of_a_pacs_opens_the_case(room: Room) -> None:
    page = linked(room, f"1.2.826.5.{SIGNED}.0")
    assert not page.exception
    assert page.session_state["opened_of"][0] == room.case(SIGNED), "a signed one, too"


def test_a_link_that_finds_nothing_says_so_and_lets_look_again(room: Room) -> None:
    page = linked(room, "1.2.3.<b>4</b>")
    assert not page.exception
    assert "No case has the Study UID 1.2.3.<b>4</b>." in said(page)
    assert not tables(page)
    page = pressed(page, "look again")
    assert "No case has the Study UID" in said(page)
    page = pressed(page, "leave link")
    assert shown(page) == ids(room, *BY_URGENCY)
    page = reads_as(linked(room, f"1.2.826.5.{PLAIN}.0"), "reader-2")
    assert page.session_state["opened_of"][0] == room.case(PLAIN)


def test_a_name_is_no_uid_of_a_link(room: Room) -> None:
    page = linked(room, "ZZMÜLLER")
    assert "No case has the Study UID" in said(page), "a link names a study, and nobody by name"


def test_in_a_browser_a_screen_of_cases_is_read_by_keyboard_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    monkeypatch.setattr(benchmark, "FAMILIES", (SCRIPT, LONG, "ZZالعلوي"))
    benchmark.fill(Settings(data_dir=room.config.parent / "data"), 80)
    with dashboard(room.config) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(address)
        rows = page.locator("tbody tr")
        rows.nth(40).wait_for(state="attached", timeout=90_000)
        for width, height in ((3840, 2160), (1920, 1080), (1366, 768)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(800)
            assert page.evaluate(ROWS_SEEN) >= 25
            assert page.evaluate(PAGE_SCROLLS_PX) <= 0
        expect(page.locator("tbody img")).to_have_count(0)
        assert page.get_by_text("ZZ<img src=x").count() > 3
        assert page.title() != "owned"
        page.keyboard.press("End")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        chosen = rows.nth(1).get_attribute("data-id")
        assert chosen == room.case(LONG_NAME)
        page.get_by_label("Search").fill("typed and not sent")
        page.wait_for_timeout(2500)
        expect(page.get_by_label("Search")).to_have_value("typed and not sent")
        page.get_by_label("Search").fill("")
        rows.nth(1).locator("button").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/read?case={chosen}", timeout=60_000)
        page.locator(".st-key-head").wait_for(timeout=60_000)
        page.get_by_role("link", name="Worklist").click()
        page.wait_for_url(lambda url: "/read" not in url, timeout=60_000)
        page.locator(".st-key-head").wait_for(state="detached", timeout=60_000)
        rows.nth(40).wait_for(state="attached", timeout=60_000)
        with room.open() as assistant:
            assert not assistant.cases(assigned="reader-1"), "who leaves a case gives it back"
        assert axe_violations(page) == []
        browser.close()

"""Accessibility of the reading room in a real browser: axe finds nothing on any page in any state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.ui import axe
from tests.ui.room_browser import CHROMIUM, NO_CHROMIUM, Tab, context_of, serving
from tests.ui.room_data import Room, furnished
from tests.ui.viewer_page import browser_of

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
    axe.needs_axe,
]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return furnished(tmp_path_factory.mktemp("axe"), films=2)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None
    with browser_of(CHROMIUM) as made:
        yield made


@pytest.fixture(scope="module")
def tab(room: Room, browser: Browser) -> Iterator[Tab]:
    with serving(room.config) as server:
        yield Tab(context_of(browser), server)


def violations(tab: Tab) -> list[tuple[str, str, str]]:
    return axe.violations(tab.page)


def test_axe_finds_what_is_wrong(tab: Tab) -> None:
    """The check itself: a page with a picture without words and grey words on grey."""
    tab.page.goto("about:blank")
    tab.page.set_content(
        '<html lang="en"><title>x</title><img src="data:,"><p style="color:#999;background:#888">grey words'
    )
    assert {one[0] for one in violations(tab)} == {"image-alt", "color-contrast"}


def test_the_worklist(tab: Tab, room: Room) -> None:
    tab.page.goto(tab.server.address)
    tab.page.get_by_text("ZZFILM1, NOBODY").first.wait_for()
    assert violations(tab.settle()) == []


def test_a_case_without_a_page_that_is_named(tab: Tab) -> None:
    tab.page.goto(f"{tab.server.address}/read")
    tab.page.get_by_text("No case is open").wait_for()
    assert violations(tab.settle()) == []
    tab.page.goto(f"{tab.server.address}/read?case=case-of-nobody")
    tab.page.get_by_text("What helps").wait_for()
    assert violations(tab.settle()) == []


def test_a_draft_with_its_record_earlier_studies_and_history(tab: Tab, room: Room) -> None:
    tab.open(room.films[0])
    ground = tab.page.locator('[data-testid="stApp"]').evaluate(
        "app => getComputedStyle(app).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert max(ground[:3]) < 40, "the dark theme"
    assert violations(tab) == []
    for panel in ("Record", "Earlier", "History"):
        assert violations(tab.press(f"panel {panel} ")) == [], panel


@pytest.mark.parametrize("popover", ["warnings", "Keys", "Add a finding", "Write the impression"])
def test_a_popover(tab: Tab, room: Room, popover: str) -> None:
    tab.open(room.films[0])
    tab.page.get_by_role("button", name=popover).first.click()
    tab.page.locator('[data-testid="stPopoverBody"]').wait_for()
    assert violations(tab.settle()) == []


def test_a_head_by_mr_with_its_lesion(tab: Tab, room: Room) -> None:
    tab.open(room.head)
    tab.press("pick s1 ")
    assert violations(tab) == []


def test_a_question_before_a_signature_and_a_signed_report(tab: Tab, room: Room) -> None:
    tab.open(room.films[1]).press("accept-all ")
    assert violations(tab) == [], "all is decided"
    tab.press("sign ")
    assert violations(tab) == [], "the question"
    tab.page.locator('[class*="st-key-same-"] label').first.click()
    tab.settle().press("sign-now ")
    tab.page.get_by_text("RADIOLOGY REPORT").first.wait_for()
    assert violations(tab) == [], "signed"
    for popover in ("Amend …", "Addendum …", "Withdraw …"):
        tab.page.get_by_role("button", name=popover).click()
        tab.page.locator('[data-testid="stPopoverBody"]').wait_for()
        assert violations(tab.settle()) == [], popover
        tab.page.keyboard.press("Escape")

"""Accessibility of the reading room in a real browser: axe finds nothing on any page in any state."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.ui.room_browser import CHROMIUM, NO_CHROMIUM, Tab, context_of, serving
from tests.ui.room_data import Room, furnished
from tests.ui.viewer_page import browser_of

FOUND = find_spec("axe_playwright_python")
AXE = Path(FOUND.origin).with_name("axe.min.js") if FOUND and FOUND.origin else None
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What comes of Streamlit's own markup, and no page can change: rule and selector, with why. None is known.
OF_STREAMLIT: dict[tuple[str, str], str] = {}
ASK = """async tags => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: tags}});
  return found.violations.flatMap(one => one.nodes.map(node =>
    [one.id, node.target.flat().join(" "), one.help + ": " + node.html.slice(0, 200) + " " + node.failureSummary]));
}"""
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
    pytest.mark.skipif(
        AXE is None, reason="axe-playwright-python, which carries axe, is not installed"
    ),
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
    """What axe objects to: rule, selector, and words."""
    tab.page.mouse.move(5, 760)  # nothing is hovered
    tab.page.wait_for_timeout(400)  # colours change slowly
    if tab.page.evaluate("typeof window.axe") == "undefined":
        assert AXE is not None
        tab.page.evaluate(AXE.read_text(encoding="utf-8") + "\n;undefined")
    found = [tuple(one) for one in tab.page.evaluate(ASK, TAGS)]
    return [one for one in found if (one[0], one[1]) not in OF_STREAMLIT]


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

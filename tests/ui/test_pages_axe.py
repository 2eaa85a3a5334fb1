"""Accessibility of the pages beside the reading page: axe finds nothing on any of them in any state that is cheap to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import yaml
from playwright.sync_api import Browser

from tests.ui.axe import needs_axe, violations
from tests.ui.room_browser import CHROMIUM, NO_CHROMIUM, Tab, context_of, serving
from tests.ui.viewer_page import browser_of
from tests.ui.worklist_room import LATER, TOLD, Room, filled, settled

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM), needs_axe]
ATTENDING, ADMINISTRATOR, AUDITOR, BLIND, THIRD = (
    "ZZREADER-1",
    "ZZADMIN-1",
    "ZZAUDITOR-1",
    "ZZBLIND-1",
    "ZZTHIRD-1",
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Cases of every standing; two more readers, of whom one reads blind first."""
    folder = tmp_path_factory.mktemp("pages")
    filled(folder)
    room = settled(folder)
    settings = yaml.safe_load(room.config.read_text())
    settings["readers"] += [
        {"id": "blind-1", "name": BLIND, "role": "attending", "reading_mode": "blind-first"},
        {"id": "third-1", "name": THIRD, "role": "attending"},
    ]
    settings["server"] = {"pictures_without_statement": True}
    room.config.write_text(yaml.safe_dump(settings))
    return room


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None
    with browser_of(CHROMIUM) as made:
        yield made


@pytest.fixture(scope="module")
def tab(room: Room, browser: Browser) -> Iterator[Tab]:
    with serving(room.config) as server:
        made = Tab(context_of(browser), server)
        yield made
        assert made.complaints == []
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


@pytest.fixture
def at(tab: Tab) -> Callable[..., Tab]:
    """Comes to a page as a reader."""

    def come(path: str, reader: str = ATTENDING) -> Tab:
        tab.page.goto(f"{tab.server.address}/{path}")
        tab.page.locator(".st-key-reader").wait_for()
        tab.settle()
        if reader != ATTENDING:
            tab.page.locator(".st-key-reader input").click()
            tab.page.get_by_role("option", name=reader).click()
            tab.settle()
        return tab

    return come


def objections(tab: Tab, *, to: str) -> list[tuple[str, str, str]]:
    """What axe finds once words of this state stand there."""
    tab.page.get_by_text(to).first.wait_for()
    return violations(tab.settle().page)


def chosen(tab: Tab, label: str, option: str) -> Tab:
    """Choose in the box that bears a label."""
    tab.page.get_by_label(label, exact=True).first.click()
    tab.page.get_by_role("option", name=option, exact=True).first.click()
    return tab.settle()


def typed(tab: Tab, label: str, words: str) -> Tab:
    """Type into a field, and leave it."""
    tab.page.get_by_label(label).first.fill(words)
    tab.page.keyboard.press("Tab")
    return tab.settle()


def pressed(tab: Tab, name: str) -> Tab:
    tab.page.get_by_role("button", name=name).first.click()
    return tab.settle()


def test_insight_with_figures_by_each_group_and_without_any(at: Callable[..., Tab]) -> None:
    tab = at("insight", ADMINISTRATOR)
    assert objections(tab, to="Accepted, by") == []
    tab.page.locator(".st-key-insight-group input").click()
    tab.page.get_by_role("option", name="reader", exact=True).first.click()
    assert objections(tab, to="no measure of either") == []
    chosen(tab, "Modality", "MR")
    assert objections(pressed(tab, "Show"), to="No case that was asked for is signed.") == []


def test_models_with_card_list_and_a_version_that_is_none(at: Callable[..., Tab]) -> None:
    tab = at("models", ADMINISTRATOR)
    assert objections(tab, to="What rests on a version") == []
    if tab.page.get_by_text("Model card", exact=True).count():
        tab.page.get_by_text("Model card", exact=True).click()
        assert violations(tab.settle().page) == [], "the card"
    assert objections(pressed(tab, "List the cases"), to="The list as CSV") == []
    typed(tab, "Version: its digest", "x")
    assert objections(pressed(tab, "List the cases"), to="What helps") == []


def test_audit_of_a_case_with_its_proof_and_of_none(at: Callable[..., Tab], room: Room) -> None:
    tab = at("audit")
    assert objections(tab, to="Name a case to see") == []
    assert objections(pressed(tab, "Check the whole log"), to="entries") == []
    typed(tab, "Case id, patient", "ZZROSSI")
    assert objections(tab, to="Entry to prove") == []
    pressed(tab, "Prove it")
    assert objections(tab, to="The proof as JSON") == []
    typed(tab, "Case id, patient", "ZZNOBODY")
    assert objections(tab, to="No case fits these words.") == []
    typed(tab, "Case id, patient", "case-nobody")
    assert objections(tab, to="What helps") == []
    tab = at("audit", AUDITOR)
    typed(tab, "Case id", "ZZROSSI")
    assert objections(tab, to="your role finds a case by its id alone") == []


def test_critical_results_open_refused_told_and_not_for_this_role(
    at: Callable[..., Tab], room: Room
) -> None:
    assert objections(at("critical", AUDITOR), to="does not see critical results") == []
    tab = at("critical")
    assert objections(tab, to="1 to tell") == []
    row = tab.page.locator("tr.overdue")
    row.locator("button").focus()
    tab.page.keyboard.press("Enter")
    assert objections(tab, to="Nobody was told of pneumothorax yet.") == []
    assert objections(pressed(tab, "Keep that it was told"), to="What helps") == []
    tab.page.get_by_label("To whom").fill("Dr Adeyemi")
    tab.page.keyboard.press("Enter")
    pressed(tab, "Keep that it was told")
    assert objections(tab, to="Nobody waits to be told of a critical result.") == []
    tab.open(room.case(TOLD), images=False)
    tab.page.get_by_role("button", name="Told").click()
    assert objections(tab, to="was told of pneumothorax") == []


def test_a_first_read_with_findings_refused_recorded_and_beside_the_draft(
    at: Callable[..., Tab], room: Room
) -> None:
    tab = at("", BLIND)
    tab.page.get_by_role("button", name="ZZMÜLLER").first.click()
    assert objections(tab, to="Your first read") == []
    assert objections(pressed(tab, "Record and show the draft"), to="says nothing") == []
    tab.page.get_by_label("Findings that you see").click()
    tab.page.get_by_role("option").first.click()
    tab.page.keyboard.press("Escape")
    assert objections(tab, to=" is") == []
    pressed(tab, "Record and show the draft")
    assert objections(tab, to=" decided") == []
    tab.press("panel History ")
    assert objections(tab, to="in the first read, not drafted") == []


def test_a_double_reading_ordered_unfinished_complete_and_dropped(
    at: Callable[..., Tab], room: Room
) -> None:
    case_id = room.case(LATER)
    tab = at(f"read?case={case_id}")
    tab.press("panel History ")
    pressed(tab, "Have it read twice")
    assert objections(tab, to="Two read it independently") == []
    tab.press("order ")
    assert objections(tab, to="0 of 2 readers have read it. You can look") == []
    with room.open() as assistant:
        assistant.record_first_read(case_id, nothing_suspected=True, by="blind-1")
        assistant.record_first_read(case_id, text="Small nodule.", by="third-1")
    tab = at(f"read?case={case_id}")
    tab.press("panel History ")
    assert objections(tab, to="ZZBLIND-1 and ZZTHIRD-1 have read the case") == []
    pressed(tab, "Drop the second reading")
    assert objections(tab, to="Why one reading is enough") == []


def test_teaching_with_nothing_chosen_a_case_no_answer_and_the_answer(
    at: Callable[..., Tab],
) -> None:
    tab = at("teaching")
    assert objections(tab, to="Signed cases without name") == []
    chosen(tab, "Case", "Case 1: DX CHEST")
    tab.page.locator(".medmm-viewer .pane[data-slice]").first.wait_for()
    assert objections(tab, to="66 years") == []
    assert objections(pressed(tab, "Compare"), to="you have not written what you see") == []
    tab.page.get_by_text("Nothing is suspected", exact=True).click()
    tab.settle()
    pressed(tab, "Compare")
    tab.page.locator('[data-testid="stTable"]').wait_for()
    assert violations(tab.page) == [], "the answer"

"""The reading room in a real browser: films and a head are read, and the server dies under open cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from medmm import Assistant
from medmm.domain.report import CaseFile, CaseState, Edit
from tests.ui.drafted_case import LINKS, SCRIPT
from tests.ui.room_browser import (
    CHROMIUM,
    CONNECTED,
    NO_CHROMIUM,
    Server,
    Tab,
    class_of,
    context_of,
    serving,
)
from tests.ui.room_data import Room, furnished
from tests.ui.viewer_page import browser_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
# The films of the room, each for what one test does to it
SCRIPTED, KEYBOARD, SHARED, ALTERED, RESTARTED, QUESTIONED, SIGNED, UNSENT = range(8)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return furnished(tmp_path_factory.mktemp("room"), films=8)


@pytest.fixture(scope="module")
def server(room: Room) -> Iterator[Server]:
    with serving(room.config) as running:
        yield running
    assert "Traceback" not in running.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None
    with browser_of(CHROMIUM) as made:
        yield made


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Tab]:
    """A tab of a browser of its own, which asks nobody but its server for anything, and fails nowhere."""
    context = context_of(browser)
    made = Tab(context, server)
    yield made
    context.close()
    assert made.hosts == {"localhost"}
    assert made.complaints == []


def test_a_script_in_a_record_is_text(tab: Tab, room: Room) -> None:
    tab.open(room.films[SCRIPTED])
    for panel in ("Record", "History", "Draft"):
        tab.press(f"panel {panel} ")
        assert tab.page.title() == "medmm"
        text = '[data-testid="stMarkdownContainer"]'
        for made in ("script", "img", ".katex", f"{text} p > strong > strong"):
            expect(tab.page.locator(f"{text} {made}")).to_have_count(0)
    links = tab.page.locator("a[href]")
    found = links.evaluate_all("links => links.map(l => new URL(l.href).origin)")
    assert set(found) <= {tab.server.address}
    assert LINKS in tab.text()
    assert SCRIPT.replace('"', "'") in tab.text()


def test_a_film_is_read_and_signed_by_keys_alone(tab: Tab, room: Room) -> None:
    case_id = room.films[KEYBOARD]
    tab.open(case_id)
    tab.page.locator(".medmm-viewer").evaluate("viewer => { window.kept = viewer; }")
    tab.key("Shift+A")
    expect(tab.page.get_by_text("1 of 4 decided")).to_be_visible()
    tab.key("Shift+X")
    expect(tab.page.get_by_text("2 of 4 decided")).to_be_visible()
    tab.key("Shift+Z")
    expect(tab.page.get_by_text("1 of 4 decided")).to_be_visible()
    tab_to(tab, "text ")
    tab.page.keyboard.press("Control+A")
    tab.page.keyboard.type("Ratio of 0.54, Just At The Limit.")  # capitals are no keys of the page
    tab_to(tab, "save ")
    tab.key("Enter")
    expect(tab.page.get_by_text("2 of 4 decided")).to_be_visible()
    assert tab.page.locator(".medmm-viewer").evaluate("viewer => viewer === window.kept")
    tab.page.evaluate("document.activeElement.blur()")
    tab.key("Shift+P")
    expect(tab.page.get_by_text("4 of 4 decided")).to_be_visible()
    tab.key("Shift+S")
    expect(tab.page.get_by_text("Sign this report?")).to_be_visible()
    assert room.case(case_id).state is CaseState.IN_REVIEW, "the question alone signs nothing"
    tab_to(tab, "same ")
    tab.key("Space")
    tab_to(tab, "sign-now ")
    tab.key("Enter")
    expect(tab.page.get_by_text("RADIOLOGY REPORT").first).to_be_visible()
    tab.page.reload()
    expect(tab.page.get_by_text("RADIOLOGY REPORT").first).to_be_visible()
    assert "Just At The Limit." in tab.text()
    assert "ZZFILM1" in tab.text()
    file = room.case(case_id)
    assert file.state is CaseState.SIGNED
    assert [type(one).__name__ for one in file.decisions].count("Edit") == 1
    tab.key("Shift+N")
    tab.page.wait_for_function("old => !location.search.includes(old)", arg=case_id)


def tab_to(tab: Tab, start: str) -> None:
    """Press Tab until the element whose key begins so has the focus."""
    within = f'[class*="st-key-{start.replace(" ", "-")}"]'
    for _ in range(150):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("css => !!document.activeElement.closest(css)", within):
            return
    raise AssertionError(f"no way to {start} by Tab")


def test_a_head_is_windowed_scrolled_and_follows_its_sentence(tab: Tab, room: Room) -> None:
    tab.open(room.head)
    pane = tab.page.locator(".medmm-viewer .pane").first
    box = pane.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) >= (640, 600)
    before = settled_picture(tab)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.mouse.move(*middle)
    tab.page.mouse.down()
    tab.page.mouse.move(middle[0] + 80, middle[1] - 60, steps=5)
    tab.page.mouse.up()
    assert settled_picture(tab) != before, "another window"
    tab.page.mouse.wheel(0, -120)
    tab.page.locator('.medmm-viewer .pane[data-slice="5"]').wait_for()
    for _ in range(5):
        tab.page.mouse.wheel(0, -120)
    tab.page.locator('.medmm-viewer .pane[data-slice="0"]').wait_for()
    assert marks(tab) == 0
    tab.press("pick s1 ")
    tab.page.locator('.medmm-viewer .pane[data-slice="6"]').wait_for()  # the seventh of twelve
    tab.page.wait_for_timeout(500)
    assert marks(tab) > 0, "the lesion that the sentence is about"
    tab.page.locator(".medmm-viewer").focus()
    tab.key("g")
    tab.page.locator('.medmm-viewer .pane[data-plane="coronal"][data-series]').wait_for()
    tab.page.wait_for_timeout(1000)
    assert min(yellow(tab, number) for number in (1, 2, 3, 4)) > 20, "it is cut by all planes"
    tab.key("g")
    tab.page.locator('.medmm-viewer .pane[data-slice="6"]').wait_for()
    tab.press("accept s1 ")
    expect(tab.page.get_by_text("1 of 2 decided")).to_be_visible()
    tab.settle().press("reject s2 ")
    expect(tab.page.get_by_text("2 of 2 decided")).to_be_visible()
    tab.open(room.head)
    assert "2 of 2 decided" in tab.text()
    kinds = {one.statement_id: type(one).__name__ for one in room.case(room.head).decisions}
    assert kinds == {"s1": "Accept", "s2": "Reject"}


def settled_picture(tab: Tab) -> bytes:
    """The drawn picture once it changes no more."""
    last, now = b"", tab.picture()
    while now != last:
        tab.page.wait_for_timeout(300)
        last, now = now, tab.picture()
    return now


def marks(tab: Tab) -> int:
    """How many pixels of the first pane are drawn over."""
    count: int = tab.page.locator(".medmm-viewer .pane canvas.marks").first.evaluate(
        """canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 3; at < data.length; at += 4) if (data[at]) count += 1;
          return count;
        }"""
    )
    return count


def yellow(tab: Tab, number: int) -> int:
    """How many pixels of a pane have the colour of the first mark."""
    pane = tab.page.locator(".medmm-viewer .pane canvas.marks").nth(number - 1)
    count: int = pane.evaluate(
        """canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 0; at < data.length; at += 4) {
            if (data[at + 3] && data[at] > 225 && data[at + 2] < 90) count += 1;
          }
          return count;
        }"""
    )
    return count


def test_two_browsers_on_one_case(tab: Tab, browser: Browser, room: Room) -> None:
    case_id = room.films[SHARED]
    context = context_of(browser)
    other = Tab(context, tab.server).open(case_id)
    other.page.locator(".st-key-reader input").click()
    other.page.get_by_role("option", name="ZZREADER Two").click()
    other.settle()
    tab.open(case_id)
    expect(tab.page.get_by_text("ZZREADER Two reads it.")).to_be_visible()
    expect(tab.button("accept-this ")).to_be_disabled()
    other.press("leave ")
    tab.open(case_id)
    other.open(case_id)  # the first reader, in another browser
    other.press("reject s2 ")
    tab.press("accept s2 ")
    expect(tab.page.get_by_text("changed elsewhere")).to_be_visible()
    tab.press("accept s1 ")
    expect(tab.page.get_by_text("2 of 4 decided")).to_be_visible()
    context.close()
    kinds = {one.statement_id: type(one).__name__ for one in room.case(case_id).decisions}
    assert kinds == {"s1": "Accept", "s2": "Reject"}


def test_a_film_that_was_altered_on_disk_is_not_shown_and_said(tab: Tab, room: Room) -> None:
    content = bytearray((room.config.parent / "in" / f"{ALTERED}.dcm").read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    content[-1000:] = bytes(1000)
    (room.config.parent / "data" / "objects" / digest).write_bytes(content)
    tab.page.goto(f"{tab.server.address}/read?case={room.films[ALTERED]}")
    expect(tab.page.get_by_text("altered")).to_be_visible()


@dataclass(frozen=True)
class Pressed:
    """A button that is pressed after the server died: of which case, and what may come of it at most."""

    case: int
    button: str
    may_decide: tuple[str, ...] = ()


PRESSED = (
    Pressed(RESTARTED, "accept s2 ", ("s2",)),
    Pressed(RESTARTED, "reject s2 ", ("s2",)),
    Pressed(RESTARTED, "save s3 ", ("s3",)),
    Pressed(RESTARTED, "reject-this ", ("s2", "s3", "s4")),
    Pressed(RESTARTED, "accept-all ", ("s2", "s3", "s4")),
    Pressed(RESTARTED, "undo ", ("s1",)),
    Pressed(QUESTIONED, "sign-now "),
    Pressed(QUESTIONED, "next "),
    Pressed(SIGNED, "amend now "),
    Pressed(SIGNED, "addendum "),
    Pressed(SIGNED, "withdraw "),
)
# What may have been signed anew at most, by the reason that was typed
REASONS = ("Seen again.", "Asked for.", "Another patient's film.")


def test_after_the_server_died_no_button_acts_on_another_case_or_signs(
    browser: Browser, server: Server, room: Room
) -> None:
    """Streamlit runs the next click in a new session, with all state gone."""
    context = context_of(browser)
    context.route("**/viewer.js", lambda route: route.abort())  # it is not about the images
    prepared(context, server, room)
    tabs = [ready(Tab(context, server), one, room) for one in PRESSED]
    before = {case_id: room.case(case_id) for case_id in (*room.films, room.head)}
    server.kill()
    server.start()
    for tab in tabs:  # before the page has found its server again, and after
        tab.page.evaluate("window.pressed.click()")
    for tab, one in zip(tabs, PRESSED, strict=True):
        tab.page.locator(CONNECTED).wait_for()
        tab.page.evaluate("window.pressed.click()")
        tab.settle()
        if one.button != "next ":
            assert f"ZZFILM{one.case}" in tab.text(), "the page is of the case that it was of"
    after = {case_id: room.case(case_id) for case_id in before}
    concerned = {room.films[one.case] for one in PRESSED}
    for case_id, file in after.items():
        if case_id not in concerned:
            assert file == before[case_id], "another case"
    assert after[room.films[QUESTIONED]].state is CaseState.IN_REVIEW, "nothing is signed"
    report = after[room.films[SIGNED]].report  # of the pages that were asked to, or as it was
    assert report is not None
    assert report.version <= 2, "pages of the first version change no second one"
    assert report.version == 1 or report.reason in REASONS
    assert after[room.films[QUESTIONED]].decisions == before[room.films[QUESTIONED]].decisions
    allowed = {i for one in PRESSED if one.case == RESTARTED for i in one.may_decide}
    assert changed(before[room.films[RESTARTED]], after[room.films[RESTARTED]]) <= allowed
    again = Tab(context, server).open(room.films[RESTARTED], images=False)
    again.press("pick s4 ")
    expect(again.field("text ")).to_have_value("Half a sentence, typed before")
    context.close()


def test_words_in_a_field_that_was_never_left_outlive_server_and_page(
    browser: Browser, server: Server, room: Room
) -> None:
    """Streamlit sends a field when it is left; the tab keeps what was not sent, and offers it."""
    context, case_id = context_of(browser), room.films[UNSENT]
    context.route("**/viewer.js", lambda route: route.abort())  # it is not about the images
    tab = Tab(context, server).open(case_id, images=False)
    tab.press("pick s4 ")
    type_and_stay(tab, "Typed before the server died")
    server.kill()
    server.start()
    tab.page.locator(CONNECTED).wait_for()
    tab.settle()
    assert standing_or_put_back(tab) == "Typed before the server died"
    tab.page.keyboard.press("Tab")
    tab.settle()
    tab.page.reload()
    tab.page.locator(".st-key-panel").wait_for()
    tab.settle().press("pick s4 ")
    expect(tab.field("text ")).to_have_value("Typed before the server died")
    expect(offers(tab)).to_have_count(0)

    type_and_stay(tab, "Typed before the page was left")
    tab.page.reload()
    offers(tab).first.wait_for()
    expect(offers(tab).first).to_contain_text("Typed before the page was left")
    expect(tab.field("text ")).not_to_have_value("Typed before the page was left")
    tab.open(room.films[SCRIPTED], images=False)
    tab.page.wait_for_timeout(2000)
    expect(offers(tab)).to_have_count(0)
    tab.open(case_id, images=False)
    offers(tab).first.wait_for()
    tab.press("put back ")
    expect(tab.field("text ")).to_have_value("Typed before the page was left")
    offers(tab).first.wait_for(state="detached")
    assert kept_words(tab) is None, "the server has it"
    tab.press("save s4 ")
    tab.page.get_by_text("1 of 4 decided").wait_for()
    tab.page.wait_for_timeout(2000)
    expect(offers(tab)).to_have_count(0)

    tab.press("pick s3 ")
    type_and_stay(tab, "Typed for words that changed meanwhile")
    with Assistant.from_config(room.config) as assistant:
        edit = Edit("s3", "No effusion, said elsewhere.")
        assistant.decide(case_id, [edit], by="reader-1")
    tab.page.reload()
    offers(tab).first.wait_for()
    expect(offers(tab).first).to_contain_text("says something else now")
    expect(tab.page.get_by_role("button", name="Put them back")).to_have_count(0)
    tab.press("drop words ")
    offers(tab).first.wait_for(state="detached")
    assert kept_words(tab) is None
    texts = {
        one.statement_id: one.text for one in room.case(case_id).decisions if isinstance(one, Edit)
    }
    assert texts == {"s3": "No effusion, said elsewhere.", "s4": "Typed before the page was left"}
    context.close()


def type_and_stay(tab: Tab, words: str) -> None:
    """Type into the field for other words, and do not leave it."""
    tab.field("text ").click()
    tab.page.keyboard.press("Control+A")
    tab.page.keyboard.type(words)


def offers(tab: Tab) -> Locator:
    """What the page offers of words that were never sent."""
    return tab.page.locator('[class*="st-key-unsent-offer-"]')


def standing_or_put_back(tab: Tab) -> str:
    """The words in the field; where the page lost them, after they were put back."""
    tab.page.wait_for_timeout(2000)
    if offers(tab).count():
        tab.press("put back ")
    return tab.field("text ").input_value()


def kept_words(tab: Tab) -> str | None:
    """What the tab has put aside."""
    found: str | None = tab.page.evaluate("sessionStorage.getItem('medmm-unsent')")
    return found


def prepared(context: BrowserContext, server: Server, room: Room) -> None:
    """One case with a decision and a sentence that is half typed, one decided, one signed."""
    tab = Tab(context, server).open(room.films[RESTARTED], images=False)
    tab.press("accept s1 ").press("pick s4 ")
    tab.field("text ").fill("Half a sentence, typed before")
    tab.page.keyboard.press("Tab")
    tab.settle()
    tab.open(room.films[QUESTIONED], images=False).press("accept-all ")
    tab.open(room.films[SIGNED], images=False).press("accept-all ").press("sign ")
    tab.page.locator('[class*="st-key-same-"] label').first.click()
    tab.settle().press("sign-now ")
    tab.page.get_by_text("RADIOLOGY REPORT").first.wait_for()
    tab.page.close()


def ready(tab: Tab, one: Pressed, room: Room) -> Tab:
    """A tab in which the button can be pressed."""
    tab.open(room.films[one.case], images=False)
    if one.button == "sign-now ":
        tab.press("sign ")
        tab.page.locator('[class*="st-key-same-"] label').first.click()
        tab.settle()
    if one.button == "save s3 ":
        tab.press("pick s3 ")
        tab.field("text ").fill("Words that were not kept yet")
    if one.button == "withdraw ":
        tab.page.get_by_role("button", name="Withdraw …").click()
        reason(tab, one.button, "Another patient's film.")
    if one.button == "addendum ":
        tab.page.get_by_role("button", name="Addendum …").click()
        tab.field("addendum text ").fill("Told to the ward.")
        reason(tab, one.button, "Asked for.")
    if one.button == "amend now ":
        tab.page.get_by_role("button", name="Amend …").click()
        tab.field("amend text ").fill("Seen again beside the film of 2024.")
        reason(tab, "amend ", "Seen again.")
        tab.press("amend case")
    expect(tab.button(one.button)).to_be_enabled(timeout=60_000)
    tab.button(one.button).evaluate("button => { window.pressed = button; }")
    return tab


def reason(tab: Tab, act: str, words: str) -> None:
    """Type why a report is changed, and leave the field."""
    tab.page.locator(f'[class*="st-key-{class_of(act)}reason"] input').fill(words)
    tab.page.keyboard.press("Tab")
    tab.settle()


def changed(before: CaseFile, after: CaseFile) -> set[str]:
    """The statements on which something else is decided now."""
    return {one.statement_id for one in {*before.decisions} ^ {*after.decisions}}

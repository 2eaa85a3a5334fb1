"""The viewer in a real browser: what a reader sees and does, over synthetic frames."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, expect

from tests.ui.viewer_page import Series, Site, browser_of, opened, served
from tests.ui.viewer_sites import added, film, only, reading_site, spot

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_of(str(CHROMIUM)) as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(reading_site()) as site:
        yield site


def marks(tab: Any) -> int:
    """How many pixels of the first pane are drawn over."""
    count: int = tab.page.evaluate(
        """() => {
          const canvas = window.root.querySelector(".pane canvas.marks");
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 3; at < data.length; at += 4) if (data[at]) count += 1;
          return count;
        }"""
    )
    return count


def test_it_opens_in_the_middle_with_letters_and_speaks_only_to_its_server(
    browser: Browser, site: Site
) -> None:
    with opened(browser, site, size=(500, 538)) as tab:
        asked: list[str] = []
        tab.page.on("request", lambda request: asked.append(request.url))
        tab.wait_slice(6)
        tab.press("Tab")
        assert tab.edges().left == "R"
        assert tab.edges().top == "A"
        pane = tab.pane()
        expect(pane).to_contain_text("7 / 12", use_inner_text=True)
        assert pane.locator("canvas[role=img]").get_attribute("aria-label")
        tab.settle(400)
        expect(tab.page.get_by_role("status")).to_have_text(
            "Slice 7 of 12, T1", use_inner_text=True
        )
        assert marks(tab) == 0  # overlays are off at first
        tab.page.locator(".medmm-viewer").focus()
        tab.press("ArrowDown")
        tab.wait_slice(7)
        tab.settle(800)
        assert asked == [] or all(url.startswith(site.address) for url in asked)
        assert ["place", {"series": "t1", "slice": 7}] in tab.page.evaluate("window.events")
        assert tab.troubles == []


def test_slices_scroll_by_keys_wheel_and_drag(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(500, 538)) as tab:
        tab.wait_slice(6)
        tab.page.locator(".medmm-viewer").focus()
        tab.press("PageUp", "ArrowUp")
        tab.wait_slice(4)
        tab.press("End", "ArrowDown")
        tab.wait_slice(11)
        tab.press("Home")
        tab.wait_slice(0)
        tab.page.mouse.move(250, 300)
        tab.page.mouse.wheel(0, 120)
        tab.wait_slice(1)
        first = tab.picture()
        tab.press("s")
        tab.page.mouse.down()
        tab.page.mouse.move(250, 334, steps=4)
        tab.page.mouse.up()
        tab.wait_slice(5)
        assert (tab.picture() != first).any()
        tab.press(" ")
        tab.wait_slice(7)
        tab.press(" ")
        tab.settle(600)
        resting = tab.pane().get_attribute("data-slice")
        tab.settle(400)
        expect(tab.pane()).to_have_attribute("data-slice", resting)
        assert tab.troubles == []


def test_a_drag_changes_the_window_and_keys_choose_presets(browser: Browser, site: Site) -> None:
    with opened(browser, only(site, "film"), size=(500, 538)) as tab:
        tab.wait_slice(0)
        tab.page.locator(".medmm-viewer").focus()
        before = tab.picture()
        tab.page.mouse.move(250, 250)
        tab.page.mouse.down()
        tab.page.mouse.move(310, 310, steps=5)
        tab.page.mouse.up()
        tab.settle()
        center, width, _ = str(tab.pane().get_attribute("data-window")).split("/")
        assert float(width) > 2000
        assert float(center) > 1000
        assert tab.picture()[250, 250, 0] < before[250, 250, 0]
        tab.press("2")
        tab.settle()
        expect(tab.pane()).to_have_attribute("data-window", "3000/2000/LINEAR")
        tab.press("1", "i")
        tab.settle()
        after = tab.picture()
        inside = before[50:450, 150:350, 0].astype(int)
        assert np.abs(255 - inside - after[50:450, 150:350, 0]).max() <= 2
        expect(tab.pane()).to_contain_text("inverted", use_inner_text=True)
        tab.press("0")
        tab.settle()
        assert np.abs(tab.picture().astype(int) - before).max() <= 1


VALUES = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
GREYS: dict[str, tuple[dict[str, Any], NDArray[np.uint16]]] = {
    "16 bits": ({"windows": [{"name": "d", "center": 30000, "width": 60001, "function": "LINEAR"}]}, VALUES),
    "narrow": ({"windows": [{"name": "d", "center": 20000.5, "width": 900, "function": "LINEAR"}]}, VALUES // 64 + 19500),
    "exact": ({"windows": [{"name": "d", "center": 512, "width": 400, "function": "LINEAR_EXACT"}], "slope": 0.5, "intercept": -100.0}, VALUES // 32),
    "sigmoid": ({"windows": [{"name": "d", "center": 500, "width": 700, "function": "SIGMOID"}]}, VALUES // 64),
    "inverted sigmoid": ({"windows": [{"name": "d", "center": 500, "width": 700, "function": "SIGMOID"}], "inverted": True}, VALUES // 64),
    "falling": ({"windows": [{"name": "d", "center": -400, "width": 1800, "function": "LINEAR"}], "slope": -1.0, "intercept": 300.0, "inverted": True}, VALUES // 48),
    "table": ({"slope": 2.0, "lut": {"first": 100, "values": [20 + n**2 * 200 // 1899**2 for n in range(1900)]}}, VALUES // 64),
}  # fmt: skip


def test_greys_are_those_of_the_standard_within_two_levels(browser: Browser, site: Site) -> None:
    """Of every window function, slope and polarity, at 64 stored values each."""
    tiles = [
        Series(
            id=name,
            stored=np.repeat(np.repeat(stored.astype(np.uint16), 8, 0), 8, 1)[None],
            told={"modality": "DX", **told},
        )
        for name, (told, stored) in GREYS.items()
    ]
    with added(site, tiles), opened(browser, only(site, *GREYS), size=(400, 438)) as tab:
        tab.page.locator(".medmm-viewer").focus()
        for name, (told, stored) in GREYS.items():
            tab.wait_slice(0, series=name)
            drawn = tab.picture()[..., :3]
            assert (drawn[..., 0] == drawn[..., 1]).all()
            rows, columns = drawn.shape[:2]
            side = min(rows, columns)
            at = ((np.arange(8) + 0.5) / 8 * side).astype(int)
            shown = drawn[(rows - side) // 2 + at][:, (columns - side) // 2 + at, 0]
            assert np.abs(shown - expected(stored, told) * 255).max() <= 2, name
            tab.press("ArrowRight")
        assert tab.troubles == []


def expected(stored: NDArray[np.uint16], told: dict[str, Any]) -> NDArray[np.float64]:
    """Grey of 0 to 1 after PS3.3 C.11.1 and C.11.2."""
    values = stored * told.get("slope", 1.0) + told.get("intercept", 0.0)
    if lut := told.get("lut"):
        table = np.array(lut["values"])
        return np.asarray(
            table[np.clip(values - lut["first"], 0, len(table) - 1).astype(int)] / 255
        )
    window = told["windows"][0]
    center, width = window["center"], window["width"]
    if window["function"] == "SIGMOID":
        grey = 1 / (1 + np.exp(-4 * (values - center) / width))
    elif window["function"] == "LINEAR":
        grey = (values - (center - 0.5)) / (width - 1) + 0.5
    else:
        grey = (values - center) / width + 0.5
    grey = np.clip(grey, 0, 1)
    return np.asarray(1 - grey if told.get("inverted") else grey)


def test_letters_stay_with_the_picture_through_all_turns(browser: Browser, site: Site) -> None:
    """The bright patch lies at the patient's right and head: so it must lie at their letters."""
    films = [
        Series(
            id=f"film {columns} {rows}",
            stored=film(),
            told={**site.find("film").told, "display_flip": {"columns": columns, "rows": rows}},
        )
        for columns, rows in ((False, False), (True, False), (False, True))
    ]
    here = only(site)
    here.series = films
    with added(site, films), opened(browser, here, size=(400, 438)) as tab:
        tab.page.locator(".medmm-viewer").focus()
        for series in films:
            tab.wait_slice(0, series=series.id)
            for key in ("", "t", "m", "t", "t", "T", "m", "T"):
                if key:
                    tab.press(key)
                    tab.settle()
                across, down = spot(tab.picture())
                edges = tab.edges()
                near = {
                    "left": across < 0.5,
                    "right": across > 0.5,
                    "top": down < 0.5,
                    "bottom": down > 0.5,
                }
                where = {getattr(edges, name): name for name in near}
                assert near[where["R"]], (series.id, key, edges, across, down)
                assert near[where["H"]], (series.id, key, edges, across, down)
                assert {"L", "F"} <= set(where)
            tab.press("ArrowRight")


def test_a_sentence_shows_its_marks_and_a_mark_its_sentences(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(500, 538)) as tab:
        tab.wait_slice(6)
        box = tab.pane().bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.page.mouse.click(*middle)
        assert marks(tab) == 0
        assert tab.events("region") == []  # what isn't shown answers no click
        tab.press("h")
        tab.settle(700)
        assert marks(tab) > 0
        tab.page.mouse.click(*middle)
        tab.settle()
        assert tab.events("region") == [["s1"]]
        tab.page.evaluate("s => window.update(s)", site.study(shown_statement="s1"))
        tab.settle()
        expect(tab.pane()).to_have_attribute("data-slice", "6")  # where the reader clicked
        tab.press("h")
        tab.settle()
        assert marks(tab) == 0
        tab.page.evaluate("s => window.update(s)", site.study(shown_statement="s2"))
        tab.wait_slice(0, series="film")
        tab.settle(700)
        heated = marks(tab)
        assert heated > 0
        tab.page.evaluate("s => window.update(s)", site.study(shown_statement="s1"))
        tab.wait_slice(8, series="t1")
        tab.settle()
        assert marks(tab) > 0
        assert marks(tab) != heated
        tab.press("Home")
        tab.wait_slice(0)
        assert marks(tab) == 0  # the mask has slices 5 to 9
        assert tab.troubles == []


@pytest.mark.parametrize(
    ("told", "words", "unit"),
    [
        ({}, "mm at the detector", "mm"),
        ({"spacing_meaning": "calibrated"}, "mm (calibrated)", "mm"),
        ({"spacing_yx_mm": None, "spacing_meaning": None}, "px", "px"),
    ],
    ids=["detector", "calibrated", "unknown"],
)
def test_a_length_is_drawn_with_what_its_spacing_means(
    browser: Browser, site: Site, told: dict[str, Any], words: str, unit: str
) -> None:
    series = Series(id="measured", stored=film(), told={**site.find("film").told, **told})
    with added(site, [series]), opened(browser, only(site, "measured"), size=(500, 538)) as tab:
        tab.wait_slice(0)
        tab.page.locator(".medmm-viewer").focus()
        tab.press("l")
        left, top = 120, 200
        tab.page.mouse.move(left, top)
        tab.page.mouse.down()
        tab.page.mouse.move(left + 120, top + 50, steps=6)
        tab.page.mouse.up()
        tab.settle(700)
        drawn = " ".join(tab.page.locator(".pane svg text").all_text_contents())
        assert words in drawn
        found = tab.events("measured")[-1]
        scale = 500 / 300  # the film's 300 rows fill the pane's 500 px
        length = np.hypot(120, 50) / scale * (0.2 if unit == "mm" else 1)
        assert found["value"] == pytest.approx(length, rel=0.02)
        assert (found["kind"], found["unit"], found["series"]) == ("length", unit, "measured")
        meaning = series.told["spacing_meaning"]
        assert found["spacing_meaning"] == meaning
        tab.press("Delete")
        tab.settle()
        expect(tab.page.locator(".pane svg text")).to_have_count(0)
        assert tab.troubles == []


def test_keys_alone_point_read_and_measure(browser: Browser, site: Site) -> None:
    with opened(browser, only(site, "t1"), size=(500, 538)) as tab:
        tab.wait_slice(6)
        tab.page.locator(".medmm-viewer").focus()
        tab.press("k", "ArrowRight")
        tab.settle()
        expect(tab.pane().locator(".under")).to_contain_text("mm", use_inner_text=True)
        tab.press("a", "Enter", *["ArrowRight"] * 4, "Enter", *["ArrowDown"] * 4, "Enter")
        tab.settle(700)
        found = tab.events("measured")[-1]
        assert (found["kind"], found["unit"]) == ("angle", "°")
        assert found["value"] == pytest.approx(90, abs=1)
        assert "90.0°" in " ".join(tab.page.locator(".pane svg text").all_text_contents())
        tab.press("l", "Enter", *["ArrowLeft"] * 5, "Enter", "Escape")
        tab.settle(700)
        found = tab.events("measured")[-1]
        scale = 500 / (80 * 1.5)  # CSS pixels a mm: the columns fill the pane
        assert found["value"] == pytest.approx(60 / scale, rel=0.02)
        assert found["spacing_meaning"] == "in the patient"
        tab.press("?")
        expect(tab.page.get_by_role("dialog").get_by_text("this list")).to_be_visible()
        tab.press("Escape")
        expect(tab.page.locator("dialog[open]")).to_have_count(0)


def test_the_prior_lies_beside_and_scrolls_along(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(700, 438)) as tab:
        tab.wait_slice(6)
        tab.page.locator(".medmm-viewer").focus()
        tab.press("b")
        tab.wait_slice(6, series="old")
        expect(tab.pane(2)).to_contain_text("Prior, 2025-03-01", use_inner_text=True)
        tab.press("ArrowDown", "ArrowDown")
        tab.wait_slice(8, series="t1")
        tab.wait_slice(8, series="old")
        tab.press("y", "ArrowUp")
        tab.wait_slice(7, series="t1")
        expect(tab.pane(2)).to_have_attribute("data-slice", "8")
        tab.press("v")
        tab.page.locator(".pane").nth(3).wait_for()
        tab.press("v")
        tab.settle(300)
        expect(tab.page.locator(".pane")).to_have_count(1)
        expect(tab.pane()).to_have_attribute("data-slice", "7")
        assert tab.troubles == []


def test_an_expired_link_is_asked_for_anew_and_a_broken_frame_is_not_covered_up(
    browser: Browser,
) -> None:
    site = reading_site()
    with served(site) as site, opened(browser, site, size=(400, 438)) as tab:
        tab.wait_slice(6)
        tab.settle(800)
        tab.page.locator(".medmm-viewer").focus()
        site.token = "token-2"
        tab.press("Home")
        tab.page.wait_for_timeout(1000)  # the slice is still on its way
        assert len(tab.events("links")) == 1
        expect(tab.pane()).to_have_attribute("data-slice", "6")
        tab.page.evaluate("s => window.update(s)", site.study())
        tab.wait_slice(0)
        site.find("t1").stored = site.find("t1").stored[:, :32]  # half a frame from now on
        tab.press("End")
        note = tab.pane().get_by_role("alert")
        note.get_by_text("Slice 12 can't be shown").wait_for()
        expect(tab.pane().locator("canvas").first).not_to_be_visible()
        tab.press("Home")
        tab.wait_slice(0)
        expect(note).not_to_be_visible()
        expect(tab.pane().locator("canvas").first).to_be_visible()
        assert [one for one in tab.troubles if "403" not in one] == []


NO_WEBGL = """
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith("webgl") ? null : get.call(this, kind, ...more);
};
"""
COUNT_CONTEXTS = """
window.contexts = new Set();
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  const found = get.call(this, kind, ...more);
  if (found && kind.startsWith("webgl")) window.contexts.add(found);
  return found;
};
"""


def test_without_webgl_the_server_draws_and_it_is_said(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(500, 534), script=NO_WEBGL) as tab:
        tab.wait_slice(6)
        expect(tab.pane()).to_contain_text("no WebGL here", use_inner_text=True)
        image = tab.pane().locator("img")
        expect(image).to_have_attribute("alt", "T1, slice 7 of 12")
        assert image.evaluate("image => image.naturalWidth") == 80
        tab.page.locator(".medmm-viewer").focus()
        tab.press("ArrowDown", "i")
        tab.wait_slice(7)
        tab.settle(500)
        asked = [path for path in site.asked if "/pictures/" in path and "/t1/7" in path]
        assert all("size=500" in path and "center" not in path for path in asked)
        assert image.evaluate("image => image.style.filter") == "invert(1)"
        tab.press("]")
        tab.settle(700)
        assert any("/t1/7" in path and "center=500" in path for path in site.asked)
        tab.press("t")
        tab.settle()
        assert (tab.edges().top, tab.edges().right) == ("R", "A")
        tab.press("g", "l")
        expect(tab.page.locator('[data-action="planes"]')).to_be_disabled()
        assert tab.troubles == []


def test_a_lost_context_goes_on_with_the_servers_pictures(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(400, 438), script=COUNT_CONTEXTS) as tab:
        tab.wait_slice(6)
        tab.page.evaluate(
            """() => {
              const open = [...window.contexts].filter((one) => !one.isContextLost());
              for (const one of open) one.getExtension("WEBGL_lose_context").loseContext();
            }"""
        )
        tab.pane().locator("img").wait_for()
        tab.settle(500)
        expect(tab.pane()).to_have_attribute("data-slice", "6")
        expect(tab.pane()).to_contain_text("no WebGL here", use_inner_text=True)


def test_unchanged_data_leaves_the_picture_alone(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(400, 438)) as tab:
        tab.wait_slice(6)
        tab.settle(800)
        tab.page.evaluate("window.held = window.root.querySelector('.pane canvas')")
        asked = site.asked.total()
        for text in (site.study(), site.study(draft="d1")):
            tab.page.evaluate("s => window.update(s)", text)
        tab.settle(500)
        assert tab.page.evaluate("window.held === window.root.querySelector('.pane canvas')")
        assert site.asked.total() == asked


def test_thirty_openings_leave_no_context_and_no_pixels(browser: Browser, site: Site) -> None:
    with opened(browser, only(site, "t1"), size=(300, 338), script=COUNT_CONTEXTS) as tab:
        tab.wait_slice(6)
        live = "[...window.contexts].filter((one) => !one.isContextLost()).length"
        first = tab.page.evaluate(live)
        for _ in range(30):
            tab.page.evaluate("window.close_()")
            tab.page.evaluate("s => window.open_(s)", only(site, "t1").study())
            tab.page.locator('.pane[data-slice="6"]').wait_for()
        assert tab.page.evaluate(live) == first <= 2
        tab.page.evaluate("window.close_()")
        assert tab.page.evaluate(live) == first - 1
        expect(tab.page.locator(".medmm-viewer")).to_have_count(0)
        assert tab.troubles == []

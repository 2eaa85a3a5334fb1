"""Three planes of an MR series in a real browser: what they show, and the marks that they cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, expect

from tests.ui.viewer_page import Series, Site, Tab, browser_of, opened, served
from tests.ui.viewer_sites import IN_PATIENT, MASK, added, only, reading_site, spot

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


def open_planes(tab: Tab, series: str) -> None:
    tab.page.locator(".medmm-viewer").focus()
    tab.press("g")
    tab.page.locator(f'.pane[data-plane="coronal"][data-series="{series}"]').wait_for()
    tab.settle(600)


def rotated(degrees: float) -> list[list[float]]:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [[1.5 * cosine, -1.2 * sine, 0], [1.5 * sine, 1.2 * cosine, 0], [0, 0, -4]]


VOLUMES = {
    "axial": [[1.5, 0, 0], [0, 1.2, 0], [0, 0, 4]],
    "mirrored": [[-1.5, 0, 0], [0, 1.2, 0], [0, 0, 4]],
    "sagittal": [[0, 0, 4], [1.2, 0, 0], [0, -1.5, 0]],
    "oblique": rotated(25),
}


SIDES = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}  # fmt: skip


def test_the_crosshair_links_the_planes_and_the_slices(browser: Browser, site: Site) -> None:
    with opened(browser, only(site, "t1", "film"), size=(620, 538)) as tab:
        tab.wait_slice(6)
        tab.page.locator(".medmm-viewer").focus()
        tab.press("g")
        tab.page.locator('.pane[data-plane="coronal"][data-series="t1"]').wait_for()
        tab.settle(600)
        before = [tab.pane(number).locator(".slice").inner_text() for number in (1, 2, 3)]
        box = tab.pane(2).bounding_box()
        tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 30)
        tab.settle(900)
        after = [tab.pane(number).locator(".slice").inner_text() for number in (1, 2, 3)]
        assert after != before
        assert len(set(after)) == 1  # one point in all planes
        height_mm = float(after[0].split()[-2]) * (1 if " H " in after[0] else -1)
        slice_index = int(str(tab.pane(4).get_attribute("data-slice")))
        assert slice_index == round((height_mm + 30) / 4)
        tab.press("g")
        tab.wait_slice(slice_index, series="t1")
        tab.press("ArrowRight")
        tab.wait_slice(0, series="film")
        expect(tab.page.locator('[data-action="planes"]')).to_be_disabled()
        assert tab.troubles == []


# more than the eighth at the origin: planes through the middle cut it too
STACK, BLOCK = (12, 64, 80), (slice(0, 7), slice(0, 34), slice(0, 42))
MARKED = ((240, 228, 66), (86, 180, 233), (230, 100, 40), (0, 190, 140))  # the first masks, in turn


def place_words(affine: NDArray[np.float64], voxel: tuple[float, float, float]) -> str:
    """How the viewer writes the place of a voxel (column, row, slice)."""
    words = [
        f"{more if part >= 0 else less} {abs(part):.1f}"
        for part, more, less in zip(affine[:3] @ [*voxel, 1], "LPH", "RAF", strict=True)
    ]
    return " ".join(words) + " mm"


def coloured(marks: NDArray[np.uint8], nth: int = 0) -> NDArray[np.bool_]:
    """Which pixels have the colour of a mask; the crosshair's lines have not."""
    near = (np.abs(marks[..., :3].astype(int) - MARKED[nth]) < 12).all(-1)
    return np.asarray((marks[..., 3] > 0) & near)


def marked_volumes() -> Site:
    """Volumes that lie any way, whose block at the corner of the first voxel is bright and marked."""
    stack, mask = np.full(STACK, 300, np.int16), np.zeros(STACK, np.uint8)
    stack[BLOCK], mask[BLOCK] = 990, 1
    here = Site(series=[], grids={"block": mask})
    for name, axes in VOLUMES.items():
        affine = np.eye(4)
        affine[:3, :3] = axes
        told = {**IN_PATIENT, "affine_lps_mm": affine.tolist()}
        here.series.append(Series(id=name, stored=stack, told=told))
        here.overlays.append(mark(name, kind="labels", label=1, slices=[0, 6]))
        here.statements.append(
            {"id": name, "series": name, "slice": 3, "overlays": [f"mask {name}"]}
        )
    return here


def test_three_planes_show_a_block_and_its_mark_where_their_letters_say(
    browser: Browser, site: Site
) -> None:
    here = marked_volumes()
    here.address = site.address
    site.grids |= here.grids
    with added(site, here.series), opened(browser, here, size=(620, 538)) as tab:
        tab.page.locator(".medmm-viewer").focus()
        for name in VOLUMES:
            tab.wait_slice(6, series=name)
            open_planes(tab, name)
            tab.settle(300)
            for number in (1, 2, 3, 4):
                lies_toward_its_letters(tab, number, name)
            tab.page.evaluate("s => window.update(s)", here.study(shown_statement=name))
            tab.settle(900)
            affine = np.array(site.find(name).told["affine_lps_mm"])
            for number in (1, 2, 3, 4):
                where = tab.pane(number).locator(".slice").inner_text()
                assert where == ("4 / 12" if number == 4 else place_words(affine, (20, 16, 3)))
                is_marked_where_bright(tab, number, name)
            tab.press("g")
            tab.wait_slice(3, series=name)
            tab.press("ArrowRight")
        assert tab.troubles == []


def lies_toward_its_letters(tab: Tab, number: int, name: str) -> None:
    """The block lies toward the corner of the first voxel, as the letters at the edges name it."""
    toward = np.array(VOLUMES[name]) @ np.array([-1, -1, -1])
    across, down = spot(tab.picture(number))
    edges = tab.edges(number)
    for letters, place in ((edges.right, across - 0.5), (edges.bottom, down - 0.5)):
        along = float(np.dot(SIDES[letters[0]], toward))
        assert np.sign(place) == np.sign(along), (name, number, edges, across, down)


def is_marked_where_bright(tab: Tab, number: int, name: str) -> None:
    """The mark covers the bright block, and nothing else that is drawn."""
    grey, marks = tab.picture(number)[..., 0].astype(int), tab.marks(number)
    marked = coloured(marks, list(VOLUMES).index(name))
    drawn = grey > 8  # half a voxel at the volume's edge is not drawn
    bright = grey >= (300 + 990) / 2 * 255 / 1000
    covered = bright & (marks[..., 3] > 0)  # the crosshair lies over the mark
    either = bright | (marked & drawn)
    assert bright.sum() > 100
    assert covered.sum() >= 0.97 * either.sum(), (name, number, covered.sum(), either.sum())
    assert (marked & ~drawn).sum() < 0.2 * marked.sum()


def mark(series: str, **more: Any) -> dict[str, Any]:
    """An overlay of a series, as the page is told of it."""
    return {
        "id": f"mask {series}", "source": f"mask {series}", "kind": "mask", "series": series,
        "name": "lesion", "label": None, "url": "/overlays/block", "box_xyxy": None,
        "slices": None, "statements": [series], **more,
    }  # fmt: skip


def test_keys_and_clicks_serve_the_marks_of_the_planes(browser: Browser, site: Site) -> None:
    with opened(browser, site, size=(620, 538)) as tab:
        tab.wait_slice(6)
        open_planes(tab, "t1")
        assert not coloured(tab.marks(2)).any()  # off at first, and nothing was asked for
        assert site.asked["/overlays/m1"] == 0
        tab.press("h")
        tab.settle(600)
        for number in (1, 2, 3, 4):
            marks = tab.marks(number)
            assert coloured(marks).any(), number
            half = marks[..., 3][coloured(marks)]
            assert np.median(half) == pytest.approx(127, abs=2)
        tab.press("u", "u")
        tab.settle(200)
        marks = tab.marks(3)
        assert np.median(marks[..., 3][coloured(marks)]) == pytest.approx(76, abs=2)
        rows, columns = np.nonzero(coloured(marks))
        corner = tab.pane(3).bounding_box()
        at = (corner["x"] + int(columns.min()) + 4, corner["y"] + float(np.median(rows)))
        tab.page.mouse.click(*at)
        tab.settle(900)  # the crosshair waits whether the click is a double one
        assert tab.events("region") == [["s1"]]
        place = tab.pane(1).locator(".slice").inner_text()
        tab.page.evaluate("s => window.update(s)", site.study(shown_statement="s1"))
        tab.settle(600)
        expect(tab.pane(1).locator(".slice")).to_have_text(
            place, use_inner_text=True
        )  # it stays where was clicked
        tab.press("k", *["ArrowRight"] * 12, "Enter", "Escape")  # past the mark
        tab.settle()
        assert len(tab.events("region")) == 1
        tab.press("h")
        tab.settle(200)
        assert not any(coloured(tab.marks(number)).any() for number in (1, 2, 3, 4))
        assert tab.troubles == []


def test_a_sentence_goes_to_its_mark_in_all_planes(browser: Browser, site: Site) -> None:
    affine = np.array(site.find("t1").told["affine_lps_mm"])
    z, y, x = (float(part.mean()) for part in np.nonzero(MASK))
    with opened(browser, site, size=(620, 538)) as tab:
        tab.wait_slice(6)
        open_planes(tab, "t1")
        tab.page.evaluate("s => window.update(s)", site.study(shown_statement="s1"))
        tab.settle(900)
        wanted = place_words(affine, (np.floor(x), np.floor(y), 8))
        for number in (1, 2, 3):
            expect(tab.pane(number).locator(".slice")).to_have_text(wanted, use_inner_text=True)
            assert coloured(tab.marks(number)).any()
        assert tab.pane(4).get_attribute("data-slice") == "8" != str(z)
        tab.press("g")
        tab.wait_slice(8)
        open_planes(tab, "t1")  # opened anew, they meet at the mark of the sentence
        expect(tab.pane(1).locator(".slice")).to_have_text(wanted, use_inner_text=True)
        silent = {"id": "s9", "series": None, "slice": None, "overlays": []}
        statements = [*site.statements, silent]
        more = {"statements": statements, "shown_statement": "s9"}
        tab.page.evaluate("s => window.update(s)", site.study(**more))
        tab.settle(400)
        expect(tab.pane(1).locator(".slice")).to_have_text(wanted, use_inner_text=True)
        more["shown_statement"] = "s2"  # of the film, which has no planes
        tab.page.evaluate("s => window.update(s)", site.study(**more))
        tab.wait_slice(0, series="film")
        expect(tab.page.locator(".pane")).to_have_count(1)
        assert tab.troubles == []


def test_boxes_are_outlined_and_what_does_not_come_is_said(browser: Browser, site: Site) -> None:
    here = only(site, "t1")
    here.overlays = [
        mark("t1", kind="box", url=None, box_xyxy=[0.25, 0.25, 0.75, 0.75], slices=[4, 7]),
        mark("t1", id="gone", source="gone", url="/overlays/gone"),
    ]
    with opened(browser, here, size=(620, 538)) as tab:
        tab.wait_slice(6)
        open_planes(tab, "t1")
        tab.press("h")
        tab.settle(600)
        for number, (wide_mm, high_mm) in {1: (60, 38.4), 2: (38.4, 16), 3: (60, 16)}.items():
            marks = tab.marks(number)
            rows, columns = np.nonzero(
                (np.abs(marks[..., :3].astype(int) - (120, 220, 255)) < 6).all(-1)
                & (marks[..., 3] > 250)
            )
            # as wide to as high as the box: the lines are two pixels wide
            found = (np.ptp(columns) - 1) / (np.ptp(rows) - 1)
            assert found == pytest.approx(wide_mm / high_mm, rel=0.05)
            words = tab.pane(number).locator(".tag").inner_text()
            assert "marks can't be shown: the case has no such overlay" in words
        here.grids["gone"] = site.grids["gone"] = MASK
        tab.settle(5200)  # after which it is asked for again
        tab.press("u")
        tab.settle(600)
        assert coloured(tab.marks(2)).any()
        expect(tab.pane(2).locator(".tag")).not_to_contain_text("marks", use_inner_text=True)
        assert all("422" in one for one in tab.troubles)


def test_a_late_link_of_marks_is_asked_for_anew(browser: Browser, site: Site) -> None:
    here = only(site, "t1")
    here.overlays = [mark("t1", url="/overlays/yesterday")]
    site.late.add("yesterday")
    with opened(browser, here, size=(620, 538)) as tab:
        tab.wait_slice(6)
        open_planes(tab, "t1")
        tab.press("h")
        tab.settle(600)
        assert len(tab.events("links")) == 1
        assert not coloured(tab.marks(2)).any()
        expect(tab.pane(2).locator(".tag")).to_contain_text(
            "marks are on their way", use_inner_text=True
        )
        here.overlays = [mark("t1", url="/overlays/m1")]
        tab.page.evaluate("s => window.update(s)", here.study())
        tab.settle(600)
        assert coloured(tab.marks(2)).any()
        assert all("403" in one for one in tab.troubles)

"""Three planes of an MR series in a real browser: what they show, and the marks that they cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from tests.ui.viewer_page import Series, Site, Tab, browser_of, opened, served
from tests.ui.viewer_sites import IN_PATIENT, added, only, reading_site, spot

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


def test_the_three_planes_show_the_patch_where_their_letters_say(
    browser: Browser, site: Site
) -> None:
    """A bright block at one corner of a volume lies toward the right letters in every plane."""
    stack = np.full((12, 64, 80), 300, np.int16)
    stack[0:7, 0:34, 0:42] = 990  # more than the eighth at the origin: the middle planes cut it
    volumes = []
    for name, axes in VOLUMES.items():
        affine = np.eye(4)
        affine[:3, :3] = axes
        told = {**IN_PATIENT, "affine_lps_mm": affine.tolist()}
        volumes.append(Series(id=name, stored=stack, told=told))
    with added(site, volumes), opened(browser, only(site, *VOLUMES), size=(620, 538)) as tab:
        tab.page.locator(".medmm-viewer").focus()
        for name, axes in VOLUMES.items():
            tab.wait_slice(6, series=name)
            tab.press("g")
            tab.page.locator(f'.pane[data-plane="coronal"][data-series="{name}"]').wait_for()
            tab.settle(900)
            toward = np.array(axes) @ np.array([-1, -1, -1])
            for number in (1, 2, 3, 4):
                across, down = spot(tab.picture(number))
                edges = tab.edges(number)
                for letters, place in ((edges.right, across - 0.5), (edges.bottom, down - 0.5)):
                    along = float(np.dot(SIDES[letters[0]], toward))
                    assert np.sign(place) == np.sign(along), (name, number, edges, across, down)
            tab.press("g")
            tab.wait_slice(6, series=name)
            tab.press("ArrowRight")
        assert tab.troubles == []


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
        assert tab.page.locator('[data-action="planes"]').is_disabled()
        assert tab.troubles == []


STACK, BLOCK = (12, 64, 80), (slice(0, 3), slice(0, 14), slice(0, 11))  # at a corner
MARKED = (240, 228, 66)  # of the first mask


def places_of(affine: NDArray[np.float64], voxel: tuple[float, float, float]) -> str:
    """How the viewer writes the place of a voxel (column, row, slice)."""
    words = [
        f"{more if part >= 0 else less} {abs(part):.1f}"
        for part, more, less in zip(affine[:3] @ [*voxel, 1], "LPH", "RAF", strict=True)
    ]
    return " ".join(words) + " mm"


def coloured(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels have the colour of the first mask; the crosshair's lines have not."""
    return np.asarray(
        (marks[..., 3] > 0) & (np.abs(marks[..., :3].astype(int) - MARKED) < 12).all(-1)
    )


def test_marks_lie_on_the_planes_where_their_voxels_are_drawn(browser: Browser, site: Site) -> None:
    """Of volumes that lie any way: a corner block is bright and marked; both must be one."""
    stack, mask = np.full(STACK, 300, np.int16), np.zeros(STACK, np.uint8)
    stack[BLOCK], mask[BLOCK] = 990, 1
    here = only(site)
    for name, axes in VOLUMES.items():
        affine = np.eye(4)
        affine[:3, :3] = axes
        told = {**IN_PATIENT, "affine_lps_mm": affine.tolist()}
        here.series.append(Series(id=name, stored=stack, told=told))
        here.overlays.append(mark(name, kind="labels", label=1, slices=[0, 2]))
        here.statements.append(
            {"id": name, "series": name, "slice": 1, "overlays": [f"mask {name}"]}
        )
    site.grids["block"] = mask
    with added(site, here.series), opened(browser, here, size=(820, 738)) as tab:
        tab.page.locator(".medmm-viewer").focus()
        for name in VOLUMES:
            tab.wait_slice(6, series=name)
            open_planes(tab, name)
            tab.page.evaluate("s => window.update(s)", here.study(shown_statement=name))
            tab.settle(900)
            affine = np.array(site.find(name).told["affine_lps_mm"])
            for number in (1, 2, 3, 4):
                where = tab.pane(number).locator(".slice").inner_text()
                assert where == ("2 / 12" if number == 4 else places_of(affine, (5, 6, 1)))
                grey, marked = tab.picture(number)[..., 0].astype(int), coloured(tab.marks(number))
                bright = grey >= (300 + 990) / 2 * 255 / 1000
                drawn = grey > 8  # half a voxel at the edge of the volume is not drawn
                lines = tab.marks(number)[..., 3] > 0  # the crosshair lies over the block
                both, either = bright & lines, (bright | (marked & drawn))
                assert bright.sum() > 100
                assert both.sum() >= 0.95 * either.sum(), (name, number, both.sum(), either.sum())
                assert not marked[~drawn].sum() > 0.5 * marked.sum()
            tab.press("g")
            tab.wait_slice(1, series=name)
            tab.press("ArrowRight")
        assert tab.troubles == []


def mark(series: str, **more: Any) -> dict[str, Any]:
    """An overlay of a series, as the page is told of it."""
    return {
        "id": f"mask {series}", "source": f"mask {series}", "kind": "mask", "series": series,
        "name": "lesion", "label": None, "url": "/overlays/block", "box_xyxy": None,
        "slices": None, "statements": [series], **more,
    }  # fmt: skip

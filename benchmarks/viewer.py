"""The viewer in a browser: first picture and slice, key to pixels, planes, their marks.

Frames come over HTTP from loopback; the same steps are taken beside it with frames that lie in the
page's memory, in the same run. WebGL is drawn in software. Run: `python benchmarks/viewer.py`.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from tests.ui.viewer_page import Series, Site, Tab, browser_of, opened, served

SIZE_PX = (1366, 768)
STEPS = 12
PATIENT = {"spacing_yx_mm": [0.9, 0.9], "spacing_meaning": "in the patient"}
# Waits in the page until the middle of the picture differs from what it was.
CLOCK = """
window.pixels = () => {
  const canvas = window.root?.querySelector(".pane .picture canvas");
  if (!canvas?.width) return "";
  const [x, y] = [canvas.width / 2 - 20, canvas.height / 2 - 20];
  return canvas.getContext("2d").getImageData(x, y, 40, 40).data.join();
};
window.slice = () => window.root?.querySelector(".pane")?.dataset.slice;
// Pixels are read only once the slice is another: a reading stops the processor that draws.
window.changed = (before, slice) => new Promise((resolve) => {
  const look = () => {
    const isDue = window.slice() !== undefined && window.slice() !== slice;
    const now = isDue ? window.pixels() : before;
    if (now !== before && /[1-9]/.test(now.replace(/255/g, ""))) resolve(performance.now());
    else requestAnimationFrame(look);
  };
  look();
});
window.firstPicture = async (text) => {
  const start = performance.now();
  window.open_(text);
  return (await window.changed("", undefined)) - start;
};
window.keyTime = async (key) => {
  const [before, slice] = [window.pixels(), window.slice()];
  const start = performance.now();
  window.root.querySelector(".medmm-viewer").dispatchEvent(
    new KeyboardEvent("keydown", {key, bubbles: true, composed: true}),
  );
  return (await window.changed(before, slice)) - start;
};
// Shows the marks and waits until the first pane has them.
window.marksShown = async () => {
  const start = performance.now();
  window.root.querySelector(".medmm-viewer").dispatchEvent(
    new KeyboardEvent("keydown", {key: "h", bubbles: true, composed: true}),
  );
  const canvas = window.root.querySelector(".pane canvas.marks");
  const [x, y] = [canvas.width / 2 - 40, canvas.height / 2 - 40];
  const pixels = () => canvas.getContext("2d").getImageData(x, y, 20, 20).data;
  while (!pixels().some(Boolean)) await new Promise((resolve) => requestAnimationFrame(resolve));
  return performance.now() - start;
};
// Steps the first of the three planes: how long the page's own work takes, and until all is drawn.
window.planeStep = async () => {
  const [pane] = window.root.querySelectorAll(".pane");
  const drawn = new Promise((resolve) => pane.querySelector(".picture").addEventListener(
    "CORNERSTONE_IMAGE_RENDERED", () => resolve(performance.now()), {once: true}));
  const start = performance.now();
  window.root.querySelector(".medmm-viewer").dispatchEvent(
    new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true, composed: true}),
  );
  const own = performance.now() - start;
  return [own, (await drawn) - start];
};
const real = window.fetch;
const memory = new Map();
window.remember = async (urls) => {
  for (const url of urls) memory.set(url, await (await real(url)).arrayBuffer());
  window.fetch = async (url, more) =>
    memory.has(url) ? new Response(memory.get(url).slice(0)) : real(url, more);
};
"""


def film(rows: int = 2500, columns: int = 2000) -> Series:
    y, x = np.mgrid[0:rows, 0:columns]
    stored = ((x * 7 + y * 3) % 4096).astype(np.uint16)[None]
    window = {"name": "default", "center": 2048, "width": 4096, "function": "LINEAR"}
    return Series(id="film", stored=stored, told={"modality": "DX", "windows": [window]})


def volume(slices: int) -> Series:
    y, x = np.mgrid[0:512, 0:512]
    stored = np.stack([((x ^ y) + z * 5) % 1000 for z in range(slices)]).astype(np.int16)
    affine = [[0.9, 0, 0, -230], [0, 0.9, 0, -230], [0, 0, 1.0, -100], [0, 0, 0, 1]]
    return Series(id="mr", stored=stored, told={**PATIENT, "affine_lps_mm": affine})


def first_picture(tab: Tab, text: str) -> float:
    return float(tab.page.evaluate("text => window.firstPicture(text)", text))


def steps(tab: Tab) -> list[float]:
    found = []
    for _ in range(STEPS):
        found.append(float(tab.page.evaluate("window.keyTime('ArrowDown')")))
        tab.settle(400)  # as a reader who looks at each slice; the neighbours come meanwhile
    return found


def planes_ms(tab: Tab) -> int:
    tab.page.locator(".medmm-viewer").focus()
    tab.page.keyboard.press("g")
    viewer = tab.page.locator(".medmm-viewer[data-planes-ms]")
    viewer.wait_for(timeout=120_000)
    return int(str(viewer.get_attribute("data-planes-ms")))


def marks(slices: int) -> np.ndarray:
    """Tissues of a head and a lesion: five labels, on every slice."""
    z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1:1:512j, -1:1:512j]
    waves = np.sin(19 * x) * np.cos(17 * y) + np.sin(11 * z + 7 * x)
    inside = z**2 + (y / 0.9) ** 2 + (x / 0.7) ** 2 < 1
    return np.where(inside, np.digitize(waves, (-0.8, -0.1, 0.5, 1.2)) + 1, 0).astype(np.uint8)


def told_marks() -> list[dict[str, Any]]:
    return [
        {
            "id": f"tissue {label}", "source": "tissues", "kind": "labels", "series": "mr",
            "name": f"tissue {label}", "label": label, "url": "/overlays/tissues",
            "box_xyxy": None, "slices": None, "statements": [],
        }
        for label in range(1, 6)
    ]  # fmt: skip


def plane_steps(tab: Tab) -> tuple[float, float]:
    """Medians of the page's own work, and of the time until all is drawn, in ms."""
    found = []
    for _ in range(STEPS):
        found.append(tab.page.evaluate("window.planeStep()"))
        tab.settle(300)
    own, drawn = zip(*found, strict=True)
    return statistics.median(own), statistics.median(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    if options.chromium is None:
        sys.exit("Debian's chromium is not installed: apt-get install chromium")
    site = Site(series=[film(), volume(options.slices)])
    site.grids["tissues"] = marks(options.slices)
    alone = [Site(series=[series]).study() for series in site.series]
    alone[1] = Site(series=site.series[1:], overlays=told_marks()).study()
    with served(site), browser_of(options.chromium) as browser:
        with opened(browser, site, SIZE_PX, CLOCK, start=False) as tab:
            film_ms = first_picture(tab, alone[0])
        with opened(browser, site, SIZE_PX, CLOCK, start=False) as tab:
            slice_ms = first_picture(tab, alone[1])
            tab.settle(1500)
            by_server = steps(tab)
            three_ms = planes_ms(tab)
            bare = plane_steps(tab)
            marks_ms = float(tab.page.evaluate("window.marksShown()"))
            marked = plane_steps(tab)
        with opened(browser, site, SIZE_PX, CLOCK, start=False) as tab:
            middle = options.slices // 2
            urls = [f"/frames/{site.token}/mr/{middle + n}" for n in range(-1, STEPS + 5)]
            tab.page.evaluate("urls => window.remember(urls)", urls)
            memory_ms = first_picture(tab, alone[1])
            tab.settle(1500)
            by_memory = steps(tab)
    one, two = statistics.median(by_server), statistics.median(by_memory)
    print(f"first picture of a film of 2000 x 2500: {film_ms:.0f} ms (target 1000)")
    print(
        f"first slice of {options.slices} x 512 x 512: {slice_ms:.0f} ms (target 2500), "
        f"from memory {memory_ms:.0f} ms"
    )
    print(
        f"key to changed pixels, median of {STEPS}: {one:.0f} ms, from memory {two:.0f} ms: "
        f"{one / two:.2f} x (target 1.5)"
    )
    print(f"three planes ready after {three_ms} ms")
    print(
        f"five labels on every slice shown in them after {marks_ms:.0f} ms; a step of a plane, "
        f"median of {STEPS}: {marked[0]:.0f} ms in the page and {marked[1]:.0f} ms until drawn, "
        f"without marks {bare[0]:.0f} and {bare[1]:.0f} ms"
    )


if __name__ == "__main__":
    main()

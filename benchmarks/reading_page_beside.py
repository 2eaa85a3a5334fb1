"""The page of the first dashboard in a browser, to hold beside `reading_page.py`.

`python benchmarks/reading_page_beside.py CHECKOUT` keeps the same films and the same MR series with
the code of a checkout of commit 37d2d81, starts its dashboard, and presses what that page has: a
case of the sidebar, *Accept*, a step of the slider. Run it after `reading_page.py` on the same
machine and hold the figures side by side. That page gives pictures of at most 1,000 pixels.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml
from beside import environment
from playwright.sync_api import Page, sync_playwright
from reading_page import Dashboard, p95, write_studies

from tests.ui.viewer_page import FLAGS

KEEP = """
import sys
from medmm import Assistant
with Assistant.from_config(sys.argv[1]) as assistant:
    for path in sys.argv[2:]:
        study = assistant.admit(path)
        case = assistant.open_case(study.uid)
        assistant.draft(case.id)
        print(case.id)
"""
# The largest picture of the page: the one of the study.
PICTURE = """() => {
  const images = [...document.querySelectorAll('.stMain img')].filter((one) => one.complete);
  return images.sort((a, b) => b.width - a.width)[0]?.src ?? "";
}"""
WAIT_S = 60


def kept(checkout: Path, folder: Path, paths: list[Path]) -> tuple[Path, list[str]]:
    """Keep the studies with a checkout's code. Returns: settings, ids of the cases."""
    settings = folder / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "attending"}]
    settings.write_text(
        yaml.safe_dump(
            {"data_dir": str(folder / "data"), "threads": 1, "writer": "rules", "readers": readers}
        )
    )
    command = [sys.executable, "-c", KEEP, str(settings), *map(str, paths)]
    found = subprocess.run(
        command, env=environment(checkout), cwd=checkout, capture_output=True, text=True, check=True
    )
    return settings, found.stdout.split()


def changed(page: Page, what: str, before: str) -> float:
    """Wait until something is there and is another. Returns: the time it was seen."""
    end = time.perf_counter() + WAIT_S
    while time.perf_counter() < end:
        found = str(page.evaluate(what))
        if found and found != before:
            return time.perf_counter()
    raise SystemExit(f"nothing changed in {WAIT_S} s")


def opened(page: Page, case_id: str) -> float:
    """Open a case of the sidebar. Returns: milliseconds to its name and picture."""
    shown = f"() => document.querySelector('.stMain').innerText.includes('{case_id}') ? 'is' : ''"
    start = time.perf_counter()
    page.locator(f'[class*="st-key-open-{case_id}"] button').click()
    changed(page, shown, "")
    elapsed = (changed(page, PICTURE, "") - start) * 1000
    page.wait_for_timeout(1500)
    return elapsed


def decisions(page: Page) -> list[float]:
    """Accept every statement of the open case. Returns: milliseconds of each."""
    times, words = [], "() => document.body.innerText.match(/[0-9]+ of [0-9]+ decided/)?.[0] ?? ''"
    for button in page.get_by_role("button", name="Accept", exact=True).all():
        before, start = str(page.evaluate(words)), time.perf_counter()
        button.click()
        times.append((changed(page, words, before) - start) * 1000)
        page.wait_for_timeout(700)
    return times


def slices(page: Page) -> list[float]:
    """Step the slider of the slices by its key. Returns: milliseconds to each other picture."""
    slider = page.locator('[class*="st-key-slice-"]').get_by_role("slider")
    slider.focus()
    times = []
    for _ in range(12):
        before, start = str(page.evaluate(PICTURE)), time.perf_counter()
        page.keyboard.press("ArrowRight")
        times.append((changed(page, PICTURE, before) - start) * 1000)
    return times


def main() -> None:
    """Print what a reader waited for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("checkout", type=Path)
    options.add_argument("--films", type=int, default=4)
    options.add_argument("--slices", type=int, default=200)
    options.add_argument("--coded", action="store_true", help="films in JPEG 2000")
    options.add_argument("--port", type=int, default=8612)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies = write_studies(folder, asked.films, asked.slices, asked.coded)
        settings, cases = kept(asked.checkout.resolve(), folder, studies)
        dashboard = Dashboard(settings, asked.port, asked.checkout.resolve())
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(
                    executable_path=shutil.which("chromium"), args=FLAGS
                )
                measured(
                    browser.new_page(viewport={"width": 1366, "height": 768}), dashboard, cases
                )
                browser.close()
        finally:
            dashboard.stop()


def measured(page: Page, dashboard: Dashboard, cases: list[str]) -> None:
    """Read every case but the first, which opens the process, and print the figures."""
    page.set_default_timeout(WAIT_S * 1000)
    page.goto(dashboard.address)
    *films, head = cases
    opened(page, films[0])
    times = decisions(page)
    cpu = dashboard.cpu_s()
    print(
        f"decision {statistics.median(times):.0f} ms, p95 {p95(times):.0f} ({len(times)} of them)"
    )
    for case_id in films[1:]:
        print(f"next case (DX) to picture {opened(page, case_id):.0f} ms")
    print(f"next case (MR) to picture {opened(page, head):.0f} ms")
    steps = slices(page)
    print(f"step to picture {statistics.median(steps):.0f} ms, p95 {p95(steps):.0f}")
    print(f"CPU of the server after the decisions {dashboard.cpu_s() - cpu:.1f} s")


if __name__ == "__main__":
    main()

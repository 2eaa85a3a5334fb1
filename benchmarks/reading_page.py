"""The reading page in a browser: first picture, first slice, decisions, keys, memory.

`python benchmarks/reading_page.py` keeps films of 2000 x 2500 pixels (plain, or `--coded` in JPEG
2000) and an MR series of 200 slices of 512 x 512, starts the dashboard on loopback, and reads them
in Chromium as a reader does, by keys alone. *First* is the time from the key that opens the next
case to its pixels on the screen; the process has not opened that case before. A *decision* is the
time from its key to the page that shows it. WebGL is drawn in software. Beside the times stands
the CPU that the server took, which says more where other work shares the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import frame_routes
import yaml
from beside import environment
from playwright.sync_api import Page, sync_playwright
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless

from medmm import Assistant
from medmm.domain.study import Study
from tests.ui.viewer_page import FLAGS

ROOT = Path(__file__).resolve().parents[1]
TARGETS_MS = {"film first": 1000.0, "slice first": 2500.0, "decision p95": 250.0}
TARGET_MB = 80.0
SESSIONS = 6
# Finds the canvas of the viewer, which stands in a shadow root, and reads a part of its middle.
LOOK = """
window.viewerOf = () => {
  const parts = [...document.querySelectorAll('[class*="st-key-viewer-"] *')];
  const host = parts.find((part) => part.shadowRoot);
  return host?.shadowRoot.querySelector(".medmm-viewer");
};
window.pixelsOf = () => {
  const canvas = window.viewerOf()?.querySelector(".pane .picture canvas");
  if (!canvas?.width) return "";
  const [x, y] = [canvas.width / 2 - 20, canvas.height / 2 - 20];
  return canvas.getContext("2d").getImageData(x, y, 40, 40).data.join();
};
window.isDrawn = (last) => {
  const viewer = window.viewerOf();
  if (!viewer || viewer === window.viewerBefore) return false;
  if (viewer.querySelector(".pane")?.dataset.slice === undefined) return false;
  return /[1-9]/.test(window.pixelsOf().replace(/255/g, ""));
};
// The page's own rules forbid strings to be run, as Playwright's waiting does.
window.until = (isDue) => new Promise((resolve, reject) => {
  const end = performance.now() + 60000;
  const look = () => {
    if (isDue()) resolve(true);
    else if (performance.now() > end) reject(new Error("60 s are over"));
    else requestAnimationFrame(look);
  };
  look();
});
window.changedFrom = (before) => {
  const now = window.pixelsOf();
  return now !== "" && now !== before;
};
"""


def write_studies(folder: Path, films: int, slices: int, coded: bool) -> list[Path]:
    """Write films and a head of nobody, each a study of its own."""
    frame_routes.write_studies(folder, slices)
    paths = []
    for number in range(films):
        film = dcmread(folder / "film" / "film.dcm")
        film.StudyInstanceUID, film.SOPInstanceUID = f"1.2.3.18.{number}", f"1.2.3.19.{number}"
        film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
        film.PatientID, film.PatientName = f"film-{number}", f"Film^{number}"
        if coded:
            film.compress(JPEG2000Lossless, generate_instance_uid=False)
        path = folder / f"film-{number}" / "film.dcm"
        path.parent.mkdir()
        film.save_as(path, enforce_file_format=True)
        paths.append(path)
    return [*paths, folder / "head"]


def kept(folder: Path, paths: list[Path]) -> Path:
    """Admit and draft the studies. Returns: the settings of the dashboard over them."""
    settings = folder / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "attending"}]
    settings.write_text(
        yaml.safe_dump(
            {"data_dir": str(folder / "data"), "threads": 1, "writer": "rules", "readers": readers}
        )
    )
    with Assistant.from_config(settings) as assistant:
        for path in paths:
            study = assistant.admit(path)
            if not isinstance(study, Study):
                raise SystemExit(f"{path.name} was not admitted: {study.reason}")
            assistant.draft(assistant.open_case(study.uid).id)
    return settings


class Dashboard:
    """The dashboard as a process on loopback."""

    def __init__(self, settings: Path, port: int, checkout: Path = ROOT) -> None:
        command = [sys.executable, "-m", "medmm.doors", "--config", str(settings), "ui"]
        self.address = f"http://localhost:{port}"
        self.process = subprocess.Popen(
            [*command, "--no-browser", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment(checkout),
            cwd=checkout,
        )
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        self._pids = [self.process.pid, *children(self.process.pid)]

    def cpu_s(self) -> float:
        """Read the CPU seconds of the process and its children."""
        ticks = os.sysconf("SC_CLK_TCK")
        total = 0.0
        for pid in self._pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / ticks
        return total

    def memory_mb(self) -> float:
        """Read the resident memory of the process and its children."""
        lines = (Path(f"/proc/{pid}/status").read_text() for pid in self._pids)
        found = (line.split("VmRSS:")[1].split()[0] for line in lines if "VmRSS:" in line)
        return sum(int(kb) for kb in found) / 1024

    def stop(self) -> None:
        """End it."""
        os.killpg(self.process.pid, 15)
        self.process.wait(timeout=30)


def children(pid: int) -> list[int]:
    """List the processes that a process started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def opened_next(page: Page, dashboard: Dashboard) -> tuple[float, float]:
    """Go to the next case by its key. Returns: milliseconds to its pixels, and of CPU."""
    page.evaluate("window.viewerBefore = window.viewerOf()")
    cpu, start = dashboard.cpu_s(), time.perf_counter()
    page.keyboard.press("Shift+N")
    page.evaluate("window.until(window.isDrawn)")
    elapsed = (time.perf_counter() - start) * 1000
    page.wait_for_timeout(1500)
    return elapsed, (dashboard.cpu_s() - cpu) * 1000


def decisions(page: Page, dashboard: Dashboard) -> tuple[list[float], float]:
    """Accept and undo by keys. Returns: milliseconds of each, and of CPU a decision."""
    times, cpu = [], dashboard.cpu_s()
    decided = page.get_by_text("decided", exact=False).filter(has_text="of").first
    for key in ("Shift+A", "Shift+Z") * 20:
        before, start = decided.inner_text(), time.perf_counter()
        page.keyboard.press(key)
        page.evaluate(
            "before => window.until(() => !document.body.innerText.includes(before))", before
        )
        times.append((time.perf_counter() - start) * 1000)
        page.wait_for_timeout(700)
    return times, (dashboard.cpu_s() - cpu) * 1000 / len(times)


def slices(page: Page) -> list[float]:
    """Step through a stack by its key. Returns: milliseconds to changed pixels."""
    page.locator(".medmm-viewer").focus()
    times = []
    for _ in range(12):
        before, start = page.evaluate("window.pixelsOf()"), time.perf_counter()
        page.keyboard.press("ArrowDown")
        page.evaluate("before => window.until(() => window.changedFrom(before))", before)
        times.append((time.perf_counter() - start) * 1000)
    return times


def session_mb(page: Page, dashboard: Dashboard, cases: list[str]) -> float:
    """Open known cases in further browsers. Returns: MB of the server for each."""
    before, browser = dashboard.memory_mb(), page.context.browser
    assert browser is not None
    for number in range(SESSIONS):
        tab = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        tab.add_init_script(LOOK)
        tab.goto(f"{dashboard.address}/read?case={cases[number % len(cases)]}")
        tab.evaluate("window.until(window.isDrawn)")
        tab.wait_for_timeout(1500)
    return (dashboard.memory_mb() - before) / SESSIONS


def p95(times: list[float]) -> float:
    """Take the value that 95 of 100 do not pass."""
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def main() -> None:
    """Print what a reader waits for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--films", type=int, default=4)
    options.add_argument("--slices", type=int, default=200)
    options.add_argument("--coded", action="store_true", help="films in JPEG 2000")
    options.add_argument("--port", type=int, default=8611)
    asked = options.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies = write_studies(folder, asked.films, asked.slices, asked.coded)
        settings = kept(folder, studies)
        dashboard = Dashboard(settings, asked.port)
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
                page = browser.new_page(viewport={"width": 1366, "height": 768})
                page.add_init_script(LOOK)
                measured(page, dashboard, settings, asked.films)
                browser.close()
        finally:
            dashboard.stop()


def measured(page: Page, dashboard: Dashboard, settings: Path, films: int) -> None:
    """Read every case and print the figures."""
    with Assistant.from_config(settings) as assistant:
        cases = {case.case_id: case.modality for case in assistant.cases()}
    first = next(case for case, modality in cases.items() if modality != "MR")
    start = time.perf_counter()
    page.goto(f"{dashboard.address}/read?case={first}")
    page.evaluate("window.until(window.isDrawn)")
    print(f"cold start of page and browser {(time.perf_counter() - start) * 1000:.0f} ms")
    page.wait_for_timeout(2000)
    memory = dashboard.memory_mb()
    figures: dict[str, float] = {}
    times, cpu = decisions(page, dashboard)
    print(f"decision {statistics.median(times):.0f} ms, p95 {p95(times):.0f}, CPU {cpu:.0f}")
    figures["decision p95"] = p95(times)
    seen: list[float] = []
    for _ in range(films):
        wall, cpu = opened_next(page, dashboard)
        modality = cases[page.url.rsplit("=", 1)[1]]
        print(f"next case ({modality}) to pixels {wall:.0f} ms, CPU {cpu:.0f}")
        if modality == "MR":
            figures["slice first"] = wall
            steps = slices(page)
            print(f"key to pixels {statistics.median(steps):.0f} ms, p95 {p95(steps):.0f}")
        else:
            seen.append(wall)
    figures["film first"] = statistics.median(seen)
    figures["session"] = session_mb(page, dashboard, list(cases))
    print(f"memory of a session {figures['session']:.0f} MB")
    print(f"server's memory {memory:.0f} MB after one case, {dashboard.memory_mb():.0f} at the end")
    targets = TARGETS_MS | {"session": TARGET_MB}
    missed = {name: value for name, value in figures.items() if value > targets[name]}
    for name, value in missed.items():
        print(f"missed: {name} {value:.0f} of {targets[name]:.0f}")
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()

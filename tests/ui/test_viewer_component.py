"""The viewer's assets are what its sources build, and Streamlit shows them from the package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from medmm.domain.errors import InputError
from tests.ui.viewer_page import ASSETS, FLAGS, ROOT
from ui.viewer import Measured, Place, viewer_events

MODULES = ROOT / "viewer" / "node_modules"
STUDY = json.dumps(
    {"series": [{"id": "t1", "frames": 12}], "statements": [{"id": "s1"}, {"id": "s2"}]}
)
LENGTH = {"series": "t1", "slice": 3, "kind": "length", "value": 12.5, "unit": "mm", "spacing_meaning": "in the patient"}  # fmt: skip


def test_the_assets_are_those_of_their_digests_small_and_without_a_map() -> None:
    digests = json.loads((ASSETS / "digests.json").read_text(encoding="utf-8"))
    assert set(digests) == {"viewer.js", "viewer.css", "THIRD_PARTY_NOTICES.txt"}
    for name, digest in digests.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest
    script = (ASSETS / "viewer.js").read_bytes()
    assert len(script) < 4 * 1024 * 1024
    assert b"sourceMappingURL" not in script


def test_the_notices_name_every_package_with_its_licence() -> None:
    notices = (ASSETS / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    licences = [line for line in notices.splitlines() if line.startswith("Licence: ")]
    assert len(licences) == notices.count("-" * 78)
    assert "@cornerstonejs/core 5.14.0" in notices
    allowed = {"MIT", "BSD-3-Clause", "Apache-2.0", "ISC", "(WTFPL OR MIT)"}
    assert {line.removeprefix("Licence: ") for line in licences} <= allowed


@pytest.mark.skipif(
    shutil.which("npm") is None or not MODULES.is_dir(),
    reason="npm or the viewer's packages are not installed (make viewer), so nothing is built",
)
def test_the_sources_build_the_assets(tmp_path: Path) -> None:
    build = [str(shutil.which("node")), "build.mjs", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT / "viewer", capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: (ASSETS / name).read_bytes() for name in built} == built


def test_what_the_browser_answers_is_read_for_its_study() -> None:
    found = {
        "region": ["s1"],
        "measured": LENGTH,
        "links": {"at": 1},
        "place": {"series": "t1", "slice": 11},
    }
    events = viewer_events(STUDY, found)
    assert events.region == ("s1",)
    assert events.links_wanted
    assert events.place == Place(series="t1", slice=11)
    assert events.measured == Measured(**LENGTH)
    assert viewer_events(STUDY, {}).place is None


@pytest.mark.parametrize(
    "found",
    [
        {"region": ["s9"]},
        {"place": {"series": "t2", "slice": 0}},
        {"place": {"series": "t1", "slice": 12}},
        {"place": {"series": "t1", "slice": "1"}},
        {"measured": {**LENGTH, "series": "t2"}},
        {"measured": {**LENGTH, "slice": -1}},
        {"measured": {**LENGTH, "unit": "°"}},
        {"measured": {**LENGTH, "value": "<script>"}},
    ],
)
def test_what_belongs_to_another_study_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="does not hold"):
        viewer_events(STUDY, found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_streamlit_keeps_the_viewer_over_its_runs(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    port = free_port()
    script = ROOT / "tests" / "ui" / "viewer_streamlit" / "server.py"
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
    command += ["--server.headless=true", "--server.fileWatcherType=none"]
    command += ["--browser.gatherUsageStats=false", "--server.address=127.0.0.1"]
    with (tmp_path / "log").open("w") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/_stcore/health", server)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1000, "height": 800})
            page.goto(address)
            page.locator('.pane[data-slice="6"]').wait_for(timeout=90_000)
            box = page.locator(".medmm-viewer").bounding_box()
            assert box is not None
            assert box["height"] == pytest.approx(420, abs=20)
            page.locator(".medmm-viewer").evaluate("viewer => { window.kept = viewer; }")
            page.locator(".medmm-viewer").focus()
            page.keyboard.press("ArrowDown")
            page.get_by_text("slice 7").wait_for()
            runs = int(page.get_by_text("runs ").inner_text().split()[1])
            page.get_by_role("button", name="Another run").click()
            page.wait_for_function(
                "runs => Number(document.body.innerText.match(/runs (\\d+)/)?.[1]) > runs", arg=runs
            )
            same = "viewer => viewer === window.kept"
            assert page.locator(".medmm-viewer").evaluate(same)
            expect(page.locator(".pane")).to_have_attribute("data-slice", "7")
            page.get_by_text("Sentence", exact=True).click()
            page.locator('.pane[data-slice="8"]').wait_for()
            page.wait_for_timeout(800)
            pane = page.locator(".pane").bounding_box()
            assert pane is not None
            page.mouse.click(pane["x"] + pane["width"] / 2, pane["y"] + pane["height"] / 2)
            page.get_by_text("region s1").wait_for()
            assert page.locator(".medmm-viewer").evaluate(same)
            page.get_by_text("Away", exact=True).click()
            page.locator(".medmm-viewer").wait_for(state="detached")
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    import time

    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)

"""The page with a real assistant on a real film, and once in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.report import CaseState
from tests.ui.drafted_case import LINKS, SCRIPT, the_case
from tests.ui.pressing import opened_page, said
from ui.admission import saved

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "ui" / "app.py"


@pytest.fixture
def page(config: Path) -> Iterator[AppTest]:
    """The worklist."""
    streamlit.cache_resource.clear()
    yield opened_page()
    streamlit.cache_resource.clear()


def admit(page: AppTest, path: Path) -> AppTest:
    page.text_input(key="admit_path").set_value(str(path))
    return next(b for b in page.button if b.label == "Admit and draft").click().run()


def test_a_study_that_is_not_evaluable_says_why(page: AppTest, demo_films: Path) -> None:
    page = admit(page, demo_films / "RG3_UNCR.dcm")
    assert not page.exception
    assert any("Not evaluable" in info.value and "body part" in info.value for info in page.info)


def test_a_file_that_is_no_image_is_told_with_a_remedy(page: AppTest, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.dcm"
    wrong.write_bytes(b"nothing of DICOM")
    page = admit(page, wrong)
    assert not page.exception
    assert any("What helps" in error.value for error in page.error)


def test_a_reader_confirms_in_the_form_that_image_and_record_are_of_one_patient(
    page: AppTest, config: Path, demo_films: Path, tmp_path: Path
) -> None:
    record = tmp_path / "record.json"
    record.write_text(
        json.dumps({"resourceType": "Patient", "id": "p1", "identifier": [{"value": "0009rg1"}]})
    )
    page.text_input(key="admit_record").set_value(str(record))
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert any("a person must confirm" in error.value for error in page.error)
    page.checkbox(key="admit_confirmed").check()
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert not page.exception
    assert not page.error
    with Assistant.from_config(config) as assistant:
        warnings = assistant.case(the_case(config).case_id).case.study.warnings
    assert any(w.code == "identity-confirmed" and "padding" in w.text for w in warnings)


def test_an_admitted_study_is_drafted_and_opened(
    tmp_path: Path, demo_films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "empty.yaml"
    reader = {"id": "reader-1", "name": "ZZREADER One", "role": "reader"}
    settings.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "none"), "threads": 1, "readers": [reader]})
    )
    monkeypatch.setenv("MEDMM_CONFIG", str(settings))
    streamlit.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert any("medmm demo" in info.value for info in page.info), (
        "an empty worklist says what to do"
    )
    page = admit(page, demo_films / "RG1_UNCR.dcm")
    assert not page.exception
    assert not page.error
    assert "9RG1" in said(page, "markdown")
    assert the_case(settings).state is CaseState.DRAFTED
    streamlit.cache_resource.clear()


def test_uploads_are_kept_under_numbers(tmp_path: Path) -> None:
    files = [BytesIO(b"one"), BytesIO(b"two")]
    files[0].name = "../../escape.dcm"
    folder = saved(files, tmp_path / "study")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"1": b"one", "2": b"two"}
    assert [p.name for p in tmp_path.iterdir()] == ["study"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_page_in_a_real_browser_shows_a_planted_script_inert(
    config: Path, tmp_path: Path
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    port = free_port()
    command = [
        sys.executable,
        "-m",
        "medmm.doors",
        "--config",
        str(config),
        "ui",
        "--no-browser",
        "--port",
        str(port),
    ]
    with (tmp_path / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            env=dict(os.environ),
            start_new_session=True,
        )
    try:
        wait_for(port, server)
        with sync_playwright() as driver:
            flags = [
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ]
            browser = driver.chromium.launch(executable_path=chromium, args=flags)
            tab = browser.new_page(viewport={"width": 1500, "height": 1100})
            tab.goto(f"http://localhost:{port}")
            tab.get_by_text("Worklist (1)").wait_for(timeout=60_000)
            tab.get_by_role("button", name="CHEST").click()
            tab.get_by_text("0 of").first.wait_for(timeout=60_000)
            tab.get_by_text("document.title='owned'").first.wait_for(timeout=60_000)
            tab.get_by_text("evil.example").first.wait_for(timeout=60_000)
            assert tab.title() != "owned"
            links = tab.locator("a[href]").evaluate_all(
                "links => links.map(l => l.getAttribute('href'))"
            )
            assert set(links) <= {"#stMain", "#findings", "#impression", "#clinical-information"}
            text = '[data-testid="stMarkdownContainer"]'
            for made in ("script", "img", ".katex", f"{text} p > strong > strong"):
                assert tab.locator(f"{text} {made}").count() == 0
            shown = " ".join(tab.locator(text).all_inner_texts()).replace("\u2060", "")
            assert LINKS in shown
            assert SCRIPT.replace('"', "'") in shown
            tab.screenshot(path=str(tmp_path / "page.png"))
            browser.close()
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


def test_a_stopped_dashboard_leaves_no_server(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data")}))
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "medmm.doors",
        "--config",
        str(settings),
        "ui",
        "--no-browser",
        "--port",
        str(port),
    ]
    with (tmp_path / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(port, server)
        server.terminate()  # it alone: what it started must go with it
        server.wait(timeout=30)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "something still answers"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 9)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    import time

    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return
        except OSError:
            assert server.poll() is None, "the dashboard ended early"
            time.sleep(0.5)
    raise AssertionError("the dashboard did not start")

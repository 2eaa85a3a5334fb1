"""The page with a real assistant on a real film, and once in a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.domain.report import CaseState
from medmm.domain.study import Study

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "ui" / "app.py"
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def config(tmp_path: Path, demo_films: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a data folder with one drafted case whose record carries a script."""
    path = tmp_path / "settings.yaml"
    readers = [
        {"id": "reader-1", "name": "ZZREADER One", "role": "reader"},
        {"id": "auditor-1", "name": "ZZREADER Two", "role": "auditor"},
    ]
    path.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "threads": 1, "readers": readers}))
    record = tmp_path / "record.json"
    text = files("medmm.doors").joinpath("demo_record.json").read_text(encoding="utf-8")
    record.write_text(text.replace("Cough for three weeks", SCRIPT.replace('"', '\\"')))
    with Assistant.from_config(path) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert isinstance(study, Study)
        assistant.draft(assistant.open_case(study.uid).id)
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


@pytest.fixture
def page(config: Path) -> Iterator[AppTest]:
    streamlit.cache_resource.clear()
    yield AppTest.from_file(str(APP), default_timeout=60).run()
    streamlit.cache_resource.clear()


def the_case(config: Path) -> CaseState:
    with Assistant.from_config(config) as assistant:
        return assistant.cases()[0].state


def test_the_reading_flow_from_draft_to_signed_report(page: AppTest, config: Path) -> None:
    assert not page.exception
    assert "DRAFT" in page.warning[0].value
    undecided = [b for b in page.button if str(b.key).startswith("accept ")]
    assert undecided
    assert page.button(key="sign").disabled
    for key in [str(b.key) for b in undecided]:
        button = page.button(key=key)
        page = (page.button(key=key.replace("accept", "reject")) if button.disabled else button).click().run()
        assert not page.exception
    assert the_case(config) is CaseState.IN_REVIEW
    page = page.button(key="sign").click().run()
    assert the_case(config) is CaseState.IN_REVIEW, "the question alone signs nothing"
    assert any("ZZREADER One" in info.value for info in page.info)
    page = page.button(key="sign now").click().run()
    assert not page.exception
    assert the_case(config) is CaseState.SIGNED
    assert "RADIOLOGY REPORT" in page.code[0].value


def test_a_slider_leaves_no_audit_entry(page: AppTest, config: Path) -> None:
    with Assistant.from_config(config) as assistant:
        before = assistant.verify().size
    page.slider(key="window").set_range(0.2, 0.8).run()
    with Assistant.from_config(config) as assistant:
        assert assistant.verify().size == before + 1  # the verification's own entry


def test_a_role_that_may_not_look_is_told_so(page: AppTest) -> None:
    auditor = next(r for r in page.selectbox(key="reader").options if "auditor" in r)
    page = page.selectbox(key="reader").select_index(page.selectbox(key="reader").options.index(auditor)).run()
    assert not page.exception
    assert any("may not" in error.value.replace("\\", "") for error in page.error)


def test_an_edit_is_kept(page: AppTest, config: Path) -> None:
    page.text_area(key="text s1").set_value("The reader's own words.")
    page = page.button(key="save s1").click().run()
    assert not page.exception
    with Assistant.from_config(config) as assistant:
        (decision,) = assistant.case(assistant.cases()[0].case_id).decisions
    assert getattr(decision, "text", None) == "The reader's own words."


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_page_in_a_real_browser_shows_a_planted_script_inert(config: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    port = free_port()
    command = [sys.executable, "-m", "medmm.doors", "--config", str(config), "ui", "--no-browser", "--port", str(port)]
    with (tmp_path / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True
        )
    try:
        wait_for(port, server)
        with sync_playwright() as driver:
            flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
            browser = driver.chromium.launch(executable_path=chromium, args=flags)
            tab = browser.new_page(viewport={"width": 1500, "height": 1100})
            tab.goto(f"http://localhost:{port}")
            tab.get_by_text("Worklist (1)").wait_for(timeout=60_000)
            tab.get_by_text("0 of").first.wait_for(timeout=60_000)
            assert tab.title() != "owned"
            assert tab.get_by_text("document.title='owned'").count() >= 1
            tab.screenshot(path=str(tmp_path / "page.png"))
            browser.close()
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


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

"""The dashboard's server in a real browser: headers, cookie, links, and nothing asked of anywhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml

from medmm import Assistant
from medmm.web.browser_cookie import COOKIE
from medmm.web.frame_links import CaseLinks, LinkSigner
from tests.docs.dashboard_picture import dashboard as running

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 90_000
# What holds whoever starts the server: read by the process itself, from the flags of `medmm ui`
OPTIONS = """
import json, sys
from streamlit import config
from streamlit.web import cli
import streamlit.web.bootstrap as bootstrap
def shown(*_, **__):
    names = ("server.address", "server.allowedHosts", "server.enableAgentApi", "server.enableStaticServing",
             "server.fileWatcherType", "server.enableXsrfProtection", "server.maxUploadSize",
             "browser.gatherUsageStats",
             "client.showErrorDetails", "client.toolbarMode", "server.trustedUserHeaders",
             "runner.postScriptGC")
    print(json.dumps({name: config.get_option(name) for name in names}))
bootstrap.run_asgi_app = shown
bootstrap.run = lambda *_, **__: print("no ASGI application was found")
sys.argv = ["streamlit", *sys.argv[1:]]
cli.main()
"""


@dataclass
class Dashboard:
    """A running dashboard and the data under it."""

    address: str
    data: Path
    case: str
    series: str
    shape: tuple[int, int]

    def links(self, cookie: str) -> CaseLinks:
        signer = LinkSigner.of_folder(self.data, time.time)
        return CaseLinks(signer=signer, reader="reader-1", case=self.case, cookie=cookie)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, drafted_once: Path) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(drafted_once, folder, dirs_exist_ok=True)
    config = folder / "settings.yaml"
    reader = {"id": "reader-1", "name": "ZZREADER One", "role": "reader"}
    config.write_text(
        yaml.safe_dump({"data_dir": str(folder / "data"), "threads": 1, "readers": [reader]})
    )
    with Assistant.from_config(config) as assistant:
        case_id = assistant.cases()[0].case_id
        volume = assistant.case(case_id, by="reader-1").case.study.volumes[0]
    with running(config) as address:
        rows, columns = volume.shape_zyx[1:]
        yield Dashboard(address, folder / "data", case_id, volume.sha256, (rows, columns))
    log = (folder / "ui.log").read_text()
    assert "Traceback" not in log, log


def answered(dashboard: Dashboard, path: str, host: str = "", method: str = "GET") -> Any:
    connection = HTTPConnection("127.0.0.1", urlsplit(dashboard.address).port, timeout=60)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def test_only_names_of_loopback_are_answered(dashboard: Dashboard) -> None:
    """A page elsewhere whose name leads here (DNS rebinding) gets nothing, by HTTP as by WebSocket."""
    assert answered(dashboard, "/health").status == 200
    for path in ("/health", "/", "/_stcore/health", "/frames/x/0"):
        assert answered(dashboard, path, host="elsewhere.example").status == 400


@pytest.mark.parametrize(
    "path", ["/", "/health", "/frames/x/0", "/_stcore/health", "/no-such-page", "/static/none.js"]
)
def test_every_answer_carries_the_headers(dashboard: Dashboard, path: str) -> None:
    headers = answered(dashboard, path).headers
    assert "script-src 'self' 'sha256-" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_agent_interface_is_off(dashboard: Dashboard) -> None:
    assert answered(dashboard, "/_stcore/agent/interact", method="POST").status in (403, 404)


def test_the_options_that_hold_are_those_that_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the process reads them from the flags of `medmm ui`, and a setting of the environment does not."""
    from medmm.doors.bundled_programs import programs_dir
    from medmm.doors.cli.programs import streamlit_flags

    server = str(programs_dir() / "ui" / "server.py")
    environment = {
        **os.environ,
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true",
        "STREAMLIT_SERVER_ENABLE_AGENT_API": "true",
        "STREAMLIT_SERVER_TRUSTED_USER_HEADERS": '{"X-User": "sub"}',
    }
    found = subprocess.run(
        [sys.executable, "-c", OPTIONS, "run", server, *streamlit_flags(8501, browser=False)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert json.loads(found.stdout) == {
        "server.address": "localhost",
        "server.allowedHosts": ["localhost", "127.0.0.1"],
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": True,
        "server.maxUploadSize": 32,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "server.trustedUserHeaders": {},
        "runner.postScriptGC": False,
    }


@pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
)
def test_a_case_in_a_real_browser(dashboard: Dashboard) -> None:
    """The page works under its policy, asks nobody else, and this browser's links open its frames alone."""
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        tab = context.new_page()
        tab.set_default_timeout(WAIT_MS)
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("websocket", lambda socket: asked.append(socket.url))
        tab.on(
            "console",
            lambda message: (
                complaints.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(f"{dashboard.address}/?case={dashboard.case}")
        tab.get_by_text(" decided").first.wait_for()
        tab.locator(".medmm-viewer .pane[data-slice]").first.wait_for()
        tab.get_by_role("button", name="History").click()
        tab.get_by_role("button", name="Read again").wait_for()
        cookies = {str(cookie["name"]): cookie for cookie in context.cookies()}
        ours = cookies[COOKIE]
        assert (ours["httpOnly"], ours["sameSite"], ours["expires"]) == (True, "Strict", -1)
        assert COOKIE not in tab.evaluate("document.cookie")
        links = dashboard.links(str(ours["value"]))
        frame = links.frames(dashboard.series).format(index=0)
        fetched = tab.evaluate(
            """async ([path, pixels]) => { const answer = await fetch(path), body = await answer.arrayBuffer();
            return {status: answer.status, coding: answer.headers.get('content-encoding'), size: body.byteLength,
            first: Array.from(new Uint16Array(body, 0, 64)), tail: new TextDecoder().decode(new Uint8Array(body, pixels * 2))}; }""",
            [frame, dashboard.shape[0] * dashboard.shape[1]],
        )
        assert (fetched["status"], fetched["coding"]) == (200, None), "raw bytes are not packed"
        facts = json.loads(fetched["tail"])
        picture = links.pictures(dashboard.series).format(index=0) + "?longest_px=128&format=jpeg"
        size = tab.evaluate(
            """path => new Promise(done => { const image = new Image();
            image.onload = () => done([image.naturalWidth, image.naturalHeight]); image.onerror = () => done(null); image.src = path; })""",
            picture,
        )
        assert size
        assert max(size) == pytest.approx(128, abs=64)
        stranger = browser.new_context().new_page()
        stranger.set_default_timeout(WAIT_MS)
        stranger.goto(f"{dashboard.address}/health")
        status = stranger.evaluate("async path => (await fetch(path)).status", frame)
        assert status == 403, "another browser"
        kept = context.cookies()
        tab.goto(dashboard.address)
        tab.get_by_text("waiting for a reader").first.wait_for()
        assert (
            {c["value"] for c in context.cookies() if c["name"] == COOKIE}
            == {ours["value"]}
            <= {c["value"] for c in kept}
        )
        browser.close()
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))} == {
        "localhost"
    }
    assert complaints == []
    with Assistant.from_config(dashboard.data.parent / "settings.yaml") as assistant:
        stored = (
            assistant.case(dashboard.case, by="reader-1")
            .case.study.volumes[0]
            .stored_frame(0)
            .sent()
        )
    assert fetched["first"] == np.ravel(stored.frame.values)[:64].tolist()
    assert facts["background"] == stored.background_value

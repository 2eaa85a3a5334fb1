"""The reading room in Debian's Chromium: its server, which can be killed and started again, and a tab."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, WebSocket

from medmm.doors.cli.programs import streamlit_flags
from tests.docs.dashboard_picture import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "Debian's chromium is not installed (apt-get install chromium)"
SIZE = {"width": 1366, "height": 768}
WAIT_MS = 60_000
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
CONNECTED = f'{IDLE}[data-test-connection-state="CONNECTED"]'


class Server:
    """`medmm ui` over a data folder, at one port for as long as the test lasts.

    `script` serves in its place, by the same flags.
    """

    def __init__(self, config: Path, script: Path | None = None) -> None:
        self.config, self.port, self.script = config, free_port(), script
        self.log = config.parent / "ui.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "medmm.doors", "--config", str(self.config)]
        command += ["ui", "--no-browser", "--port", str(self.port)]
        if self.script is not None:
            flags = streamlit_flags(self.port, browser=False)
            command = [sys.executable, "-m", "streamlit", "run", str(self.script), *flags]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.config.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), "MEDMM_CONFIG": str(self.config)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(f"{self.address}/_stcore/health", self._process)

    def kill(self) -> None:
        """End it without a word, as a machine does that loses its power."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=30)


@contextmanager
def serving(config: Path, script: Path | None = None) -> Iterator[Server]:
    """The reading room as long as it is needed."""
    server = Server(config, script)
    try:
        yield server
    finally:
        server.kill()


class Tab:
    """A tab of a browser with the reading room open."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.server = server
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._requested)
        self.page.on("websocket", self._connected)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _requested(self, request: Request) -> None:
        self.asked.append(request.url)

    def _connected(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)

    @property
    def hosts(self) -> set[str]:
        """The hosts that the page asked for anything."""
        real = (url for url in self.asked if not url.startswith(("data:", "blob:")))
        return {str(urlsplit(url).hostname) for url in real}

    def open(self, case_id: str, *, images: bool = True) -> Tab:
        """Open a case by its address, with its first image drawn if it is to be."""
        self.page.goto(f"{self.server.address}/read?case={case_id}")
        self.page.locator(".st-key-panel").wait_for()
        if images:
            self.page.locator(".medmm-viewer .pane[data-slice]").first.wait_for()
        return self.settle()

    def settle(self) -> Tab:
        """Wait until the page has run."""
        self.page.wait_for_timeout(400)
        self.page.locator(IDLE).wait_for()
        return self

    def button(self, start: str) -> Locator:
        """The button whose key begins so."""
        return self.page.locator(f'[class*="st-key-{class_of(start)}"] button').first

    def field(self, start: str) -> Locator:
        """The text area whose key begins so."""
        return self.page.locator(f'[class*="st-key-{class_of(start)}"] textarea').first

    def press(self, start: str) -> Tab:
        """Click a button, and wait until the page has run."""
        self.page.mouse.move(5, 760)  # away from what shows a tip
        self.button(start).click()
        return self.settle()

    def key(self, *keys: str) -> Tab:
        """Press keys, and wait until the page has run after each."""
        for one in keys:
            self.page.keyboard.press(one)
            self.settle()
        return self

    def text(self) -> str:
        """All that stands on the page, without the joiners that keep links from being made."""
        return self.page.locator('[data-testid="stMain"]').inner_text().replace("\u2060", "")

    def picture(self, number: int = 1) -> bytes:
        """The drawn picture of a pane, as PNG, without what lies over it."""
        canvas = self.page.locator(".medmm-viewer .pane .picture canvas").nth(number - 1)
        found: Any = canvas.evaluate("canvas => canvas.toDataURL()")
        return str(found).encode()


def class_of(key: str) -> str:
    """A key as Streamlit writes it into the class of an element."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", key)


def context_of(browser: Browser) -> BrowserContext:
    """A browser of its own, with cookies of its own, at the size of a small laptop."""
    return browser.new_context(viewport=SIZE)  # type: ignore[arg-type]

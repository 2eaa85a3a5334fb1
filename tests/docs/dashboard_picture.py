"""The README's picture of the dashboard: `python -m tests.docs.dashboard_picture` (`make pictures`) takes it of the demo.

With a folder it takes every page at three sizes there instead (`make screens`), to be looked at.
The PNG carries a digest of what the page is made of in a text chunk, so that a test notices a picture older than its page.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "dashboard.png"
KEY = "medmm-page-sha256"
SIZES_PX = ((1366, 768), (1920, 1080), (3840, 2160))
PAGES = ("", "critical", "teaching", "insight", "models", "audit")
PANELS = ("Record", "Earlier", "History")
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
WAIT_S = 120
# What the page of the demo's case is made of: the dashboard, the words and pictures that it takes from other rooms,
# the demo, and the networks that it names.
MADE_OF = (
    "ui/*.py",
    "ui/views/reading.py",
    "medmm/web/viewer/digests.json",
    "medmm/domain/data/packaged_films.csv",
    "medmm/domain/images.py",
    "medmm/domain/notices.py",
    "medmm/domain/packaged_films.py",
    "medmm/domain/suspicion.py",
    "medmm/doors/demo.py",
    "medmm/doors/demo_record.json",
    "medmm/presentation/*.py",
    "medmm/weights/chest-*/manifest.json",
    "tests/docs/dashboard_picture.py",
)


def page_sha256(root: Path = ROOT) -> str:
    """Digest of the files that the shown page is made of, by their names and contents."""
    digest = hashlib.sha256()
    for pattern in MADE_OF:
        paths = sorted(root.glob(pattern))
        if not paths:
            raise FileNotFoundError(f"{pattern}: nothing of that name is in {root}")
        for path in paths:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def carried_sha256(picture: Path) -> str | None:
    """The digest that a picture carries; None if it carries none."""
    with Image.open(picture) as image:
        image.load()  # a text chunk may stand behind the pixels
        found = getattr(image, "text", {}).get(KEY)
    return str(found) if found else None


def with_digest(png: bytes, sha256: str) -> bytes:
    """A screenshot with a digest in a text chunk."""
    chunks = PngInfo()
    chunks.add_text(KEY, sha256)
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(out, "PNG", optimize=True, pnginfo=chunks)
    return out.getvalue()


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dashboard(config: Path) -> Iterator[str]:
    """The dashboard on a free port of this machine as long as it is needed; its address."""
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
    with (config.parent / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=config.parent, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.5)
    raise SystemExit("the dashboard did not start")


@contextmanager
def browser_at(config: Path, size_px: tuple[int, int]) -> Iterator[tuple[Page, str]]:
    """A page of a browser of this size, and the address of the dashboard."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed; on Debian or Ubuntu: apt-get install chromium")
    with dashboard(config) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        tab = browser.new_page(viewport={"width": size_px[0], "height": size_px[1]})
        tab.set_default_timeout(WAIT_S * 1000)
        yield tab, address
        browser.close()


def open_case(tab: Page, address: str, case_id: str) -> None:
    """Open a case, and wait until its image and its sentences are drawn."""
    tab.goto(f"{address}/read?case={case_id}")
    tab.locator(".medmm-viewer .pane[data-slice]").first.wait_for()
    tab.get_by_text(" decided").first.wait_for()
    still(tab)


def still(tab: Page) -> None:
    """Wait until nothing runs, and fonts, pixels and the last animation are there."""
    tab.locator('[data-testid="stStatusWidget"]').wait_for(state="detached")
    tab.wait_for_timeout(2500)


def first_case(config: Path) -> str:
    """The id of the demo's case."""
    from medmm import Assistant

    with Assistant.from_config(config) as assistant:
        return assistant.cases()[0].case_id


def taken(config: Path) -> bytes:
    """A screenshot of the demo's case in the dashboard, as PNG."""
    with browser_at(config, SIZES_PX[0]) as (tab, address):
        open_case(tab, address, first_case(config))
        tab.keyboard.press("J")  # the sentence after the first, and its place in the image
        still(tab)
        return tab.screenshot()


def every_page(config: Path, folder: Path) -> None:
    """Take every page, and every panel of the reading page, at three sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    for size_px in SIZES_PX:
        name = f"{size_px[0]}x{size_px[1]}"
        with browser_at(config, size_px) as (tab, address):
            for page in PAGES:
                tab.goto(f"{address}/{page}")
                tab.get_by_text("medmm", exact=True).first.wait_for()
                still(tab)
                tab.screenshot(path=folder / f"{page or 'worklist'}-{name}.png")
            open_case(tab, address, first_case(config))
            tab.screenshot(path=folder / f"reading-{name}.png")
            for panel in PANELS:
                tab.get_by_role("button", name=panel).first.click()
                still(tab)
                tab.screenshot(path=folder / f"{panel.lower()}-{name}.png")
    sys.stdout.write(f"{len(list(folder.glob('*.png')))} pictures in {folder}\n")


def main() -> None:
    """Run the demo in a temporary folder and take the picture of its case."""
    before = page_sha256()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "demo")
        subprocess.run(
            [sys.executable, "-m", "medmm.doors", "demo", "--out", str(out)],
            check=True,
            stdout=sys.stderr,
        )
        if len(sys.argv) > 1:
            every_page(out / "demo.yaml", Path(sys.argv[1]))
            return
        png = taken(out / "demo.yaml")
    if page_sha256() != before:
        raise SystemExit("the page's sources changed meanwhile; take the picture again")
    PICTURE.write_bytes(with_digest(png, before))
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()

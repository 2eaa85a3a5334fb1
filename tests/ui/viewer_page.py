"""A page with the viewer alone: synthetic frames by the routes' contract, under the strict policy."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from medmm.presentation.orientation import Edges

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "medmm" / "web" / "viewer"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' blob:"
)
PAGE = """<!doctype html><meta charset="utf-8"><title>viewer</title>
<style>body {margin: 0; background: #0e1216} #place {height: 100vh}</style>
<div id="place"></div><script type="module" src="/page.js"></script>"""
# What Streamlit does: a shadow root, one call for each change of the data, a clean-up at the end.
SCRIPT = """
import viewer from "/viewer/viewer.js";
const place = document.getElementById("place");
window.events = [];
window.open_ = (text) => {
  const host = document.createElement("div");
  host.style.height = "100%";
  place.append(host);
  const root = host.attachShadow({mode: "open"});
  const style = document.createElement("link");
  Object.assign(style, {rel: "stylesheet", href: "/viewer/viewer.css"});
  root.append(style);
  const call = (study) => viewer({
    parentElement: root, data: {study}, name: "viewer", key: "k",
    setTriggerValue: (name, value) => window.events.push([name, value]),
    setStateValue: (name, value) => window.events.push([name, value]),
  });
  let cleanup = call(text);
  window.update = (study) => { cleanup = call(study); };
  window.close_ = () => { host.remove(); cleanup(); };
  window.root = root;
};
document.documentElement.dataset.ready = "yes";
"""


FACTS = ("pixel_type", "slope", "intercept", "unit", "inverted", "windows", "lut", "background")


@dataclass(kw_only=True)
class Series:
    """Frames of one synthetic series, and what the page is told of it."""

    id: str
    stored: NDArray[Any]  # slices, rows, columns
    told: dict[str, Any] = field(default_factory=dict)
    each: dict[int, dict[str, Any]] = field(
        default_factory=dict
    )  # what differs from slice to slice

    def entry(self, token: str) -> dict[str, Any]:
        frames, rows, columns = self.stored.shape
        return {
            "id": self.id,
            "title": self.id.upper(),
            "modality": "MR",
            "frames": frames,
            "rows": rows,
            "columns": columns,
            "frame_url": f"/frames/{token}/{self.id}/{{index}}",
            "picture_url": f"/pictures/{token}/{self.id}/{{index}}",
            "pixel_type": str(self.stored.dtype),
            "slope": 1.0,
            "intercept": 0.0,
            "unit": "",
            "inverted": False,
            "windows": [
                {"name": "default", "center": 500.0, "width": 1000.0, "function": "LINEAR"}
            ],
            "lut": None,
            "affine_lps_mm": None,
            "spacing_yx_mm": None,
            "spacing_meaning": None,
            "pixel_aspect": 1.0,
            "edges": {"left": "", "right": "", "top": "", "bottom": ""},
            "display_flip": {"columns": False, "rows": False},
            "spacing_z_mm": 4.0,
            "frame_of_reference": None,
            "problem": "",
            "background": None,
            "exact": True,
            "prior": False,
            "acquired": "",
            **self.told,
        }


@dataclass(kw_only=True)
class Site:
    """What the page's server gives, and what was asked of it."""

    series: list[Series]
    overlays: list[dict[str, Any]] = field(default_factory=list)
    # of the overlays, by name: (rows, columns), or (slices, rows, columns)
    grids: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)  # overlays whose links have expired
    statements: list[dict[str, Any]] = field(default_factory=list)
    token: str = "token-1"
    asked: Counter[str] = field(default_factory=Counter)
    address: str = ""

    def study(self, **more: Any) -> str:
        data = {
            "case": "case-1",
            "draft": None,
            "series": [series.entry(self.token) for series in self.series],
            "overlays": self.overlays,
            "statements": self.statements,
            "shown_statement": None,
            **more,
        }
        return json.dumps(data)

    def find(self, identity: str) -> Series:
        return next(series for series in self.series if series.id == identity)

    def frame(self, request: Request) -> Response:
        self.asked[request.url.path] += 1
        if request.path_params["token"] != self.token:
            problem = {"problem": "the link is late", "remedy": "open the case again"}
            return JSONResponse(problem, status_code=403)
        series = self.find(request.path_params["series"])
        index = request.path_params["index"]
        told = {**series.entry(self.token), **series.each.get(index, {})}
        facts = json.dumps({name: told[name] for name in FACTS}).encode()
        body = series.stored[index].tobytes() + facts
        return Response(body, media_type="application/octet-stream")

    def overlay(self, request: Request) -> Response:
        self.asked[request.url.path] += 1
        name = request.path_params["overlay"]
        grid = self.grids.get(name)
        if grid is None:
            problem = {"problem": "the case has no such overlay", "remedy": "open the case again"}
            return JSONResponse(problem, status_code=403 if name in self.late else 422)
        whole = request.query_params["slice"] == "all"
        if grid.ndim == 3 and not whole:
            grid = grid[int(request.query_params["slice"])]
        names = ("Medmm-Columns", "Medmm-Rows", "Medmm-Slices")
        headers = {n: str(length) for n, length in zip(names, reversed(grid.shape), strict=False)}
        body = gzip.compress(grid.tobytes(), 1) if whole else grid.tobytes()
        return Response(body, headers=headers, media_type="application/octet-stream")

    def picture(self, request: Request) -> Response:
        self.asked[str(request.url.path) + "?" + str(request.url.query)] += 1
        series = self.find(request.path_params["series"])
        stored = series.stored[request.path_params["index"]].astype(np.float64)
        low, high = stored.min(), stored.max()
        if "center" in request.query_params:
            center, width = (float(request.query_params[name]) for name in ("center", "width"))
            low, high = center - width / 2, center + width / 2
        grey = np.clip((stored - low) / max(high - low, 1e-6), 0, 1) * 255
        target = BytesIO()
        Image.fromarray(np.rint(grey).astype(np.uint8)).save(target, format="PNG")
        return Response(target.getvalue(), media_type="image/png")


def frame_routes(site: Site) -> list[Route]:
    """The routes of frames, overlays and pictures."""
    return [
        Route("/frames/{token}/{series}/{index:int}", site.frame),
        Route("/pictures/{token}/{series}/{index:int}", site.picture),
        Route("/overlays/{overlay}", site.overlay),
    ]


def application(site: Site, assets: Path = ASSETS) -> Starlette:
    """The page and its routes."""
    headers = {"Content-Security-Policy": POLICY}

    async def page(_: Request) -> Response:
        return HTMLResponse(PAGE, headers=headers)

    async def script(_: Request) -> Response:
        return Response(SCRIPT, media_type="text/javascript")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/page.js", script),
            Route("/favicon.ico", lambda _: Response(status_code=204)),
            *frame_routes(site),
            Mount("/viewer", StaticFiles(directory=assets)),
        ]
    )


@contextmanager
def served(site: Site, assets: Path = ASSETS) -> Iterator[Site]:
    """Serve a site on a free port of loopback."""
    config = uvicorn.Config(
        application(site, assets),
        port=0,
        log_level="error",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        if not thread.is_alive():
            raise RuntimeError("the server of the page ended by itself")
    port = server.servers[0].sockets[0].getsockname()[1]
    site.address = f"http://127.0.0.1:{port}/"
    try:
        yield site
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


@contextmanager
def browser_of(chromium: str, *more: str) -> Iterator[Browser]:
    """Debian's Chromium with WebGL in software."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=[*FLAGS, *more])
        try:
            yield browser
        finally:
            browser.close()


DRAWN = """async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  for (let n = 0; n < 3; n++) await frame();
  const busy = () => window.root?.querySelector(".pane.busy");
  const end = performance.now() + 20000;
  while (busy() && performance.now() < end && !window.root.querySelector(".note:not([hidden])")) await frame();
  for (let n = 0; n < 2; n++) await frame();
}"""


@dataclass(kw_only=True)
class Tab:
    """A tab with the viewer open, and what a test reads of it."""

    page: Page
    site: Site
    troubles: list[str]

    def pane(self, number: int = 1) -> Any:
        return self.page.locator(".pane").nth(number - 1)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wait_slice(self, index: int, number: int = 1, series: str | None = None) -> None:
        ending = f'[data-series="{series}"]' if series else ""
        self.page.locator(f'.pane[data-slice="{index}"]{ending}').nth(0).wait_for()
        self.settle()

    def settle(self, milliseconds: int = 250) -> None:
        """Let what is due be drawn, however slow the machine is."""
        self.page.wait_for_timeout(milliseconds)
        self.page.evaluate(DRAWN)

    def edges(self, number: int = 1) -> Edges:
        names = ("left", "right", "top", "bottom")
        pane = self.pane(number)
        return Edges(**{name: pane.locator(f'[data-edge="{name}"]').inner_text() for name in names})

    def events(self, name: str) -> list[Any]:
        return [value for kind, value in self.page.evaluate("window.events") if kind == name]

    def marks(self, number: int = 1) -> NDArray[np.uint8]:
        """What lies over the picture of a pane, RGBA (rows, columns, 4)."""
        return self._canvas("canvas.marks", number)

    def picture(self, number: int = 1) -> NDArray[np.uint8]:
        """The drawn picture of a pane, RGBA (rows, columns, 4), without what lies over it."""
        return self._canvas(".picture canvas", number)

    def _canvas(self, kind: str, number: int) -> NDArray[np.uint8]:
        found = self.page.evaluate(
            """([kind, n]) => {
              const canvas = window.root.querySelectorAll(".pane " + kind)[n];
              const {width, height} = canvas;
              const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
              let text = "";
              for (let at = 0; at < data.length; at += 32768) {
                text += String.fromCharCode(...data.subarray(at, at + 32768));
              }
              return [width, height, btoa(text)];
            }""",
            [kind, number - 1],
        )
        width, height, text = found
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


@contextmanager
def opened(
    browser: Browser,
    site: Site,
    size: tuple[int, int] = (900, 700),
    script: str = "",
    start: bool = True,
    **more: Any,
) -> Iterator[Tab]:
    """Open the viewer on a site; at the end nothing may have failed in the page."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    troubles: list[str] = []

    def said(message: ConsoleMessage) -> None:
        ours = (
            "GPU stall" in message.text or "getImageData" in message.text
        )  # this test reads pixels
        if message.type in ("error", "warning") and not ours:
            troubles.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    if script:
        page.add_init_script(script)
    try:
        page.goto(site.address)
        page.locator("html[data-ready]").wait_for(state="attached")
        if start:
            page.evaluate("(text) => window.open_(text)", site.study(**more))
        yield Tab(page=page, site=site, troubles=troubles)
    finally:
        page.close()

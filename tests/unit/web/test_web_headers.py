"""The headers of every answer, and the cookie that tells browsers apart."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from medmm.web.browser_cookie import COOKIE, HOST_CONFIG, BrowserCookie, browser_of
from medmm.web.security_headers import (
    SecurityHeaders,
    content_security_policy,
    inline_script_hashes,
    security_headers,
)
from tests.unit.web.conftest import BROWSER, nothing_else

PAGE = {"sec-fetch-dest": "document"}


def asked(app: Any, path: str = "/", method: str = "GET", **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://localhost"
        ) as client:
            return await client.request(method, path, headers=said)

    return asyncio.run(ask())


def cookie_of(answer: httpx.Response) -> str | None:
    morsel = SimpleCookie(answer.headers.get("set-cookie", "")).get(COOKIE)
    return morsel.value if morsel else None


def test_every_answer_has_the_headers_whoever_gives_it() -> None:
    answer = asked(SecurityHeaders(nothing_else, security_headers()))
    assert answer.status_code == 404
    for name, value in security_headers().items():
        assert answer.headers[name] == value
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "microphone=()" in answer.headers["permissions-policy"]
    assert "microphone=(self)" in security_headers(microphone=True)["permissions-policy"]


def test_scripts_come_from_here_or_are_named_by_their_digest() -> None:
    script = "\n      window.prerenderReady = false\n    "
    page = f"<html><head><script>{script}</script><script src='a.js'></script></head></html>"
    (found,) = inline_script_hashes(page)
    assert found == "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rows = dict(row.split(" ", 1) for row in content_security_policy([found]).split("; "))
    assert rows["script-src"] == f"'self' '{found}'"
    assert rows["default-src"] == "'none'"
    for name, sources in rows.items():
        assert "*" not in sources
        assert "http" not in sources
        assert "unsafe" not in sources or name == "style-src"


def test_a_browser_gets_a_cookie_once_that_scripts_and_other_sites_do_not_get() -> None:
    app = BrowserCookie(nothing_else)
    answer = asked(app, **PAGE)
    assert answer.headers["set-cookie"].split("; ")[1:] == [
        "Path=/",
        "HttpOnly",
        "SameSite=Strict",
        "Secure",
    ]
    value = cookie_of(answer)
    assert value
    assert browser_of({"a": "b", COOKIE: value}) == value
    assert cookie_of(asked(app, **PAGE, cookie=f"{COOKIE}={value}")) is None
    assert cookie_of(asked(app, **PAGE)) != value


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_opened_from_another_site_keeps_the_cookie_of_other_tabs(site: str) -> None:
    """SameSite=Strict holds the cookie back there: a new one would end the links of every other tab."""
    app = BrowserCookie(nothing_else)
    assert cookie_of(asked(app, **PAGE, sec_fetch_site=site)) is None
    own = {"sec_fetch_site": "same-origin", "sec_fetch_dest": "empty"}
    assert cookie_of(asked(app, f"/base{HOST_CONFIG}", **own)), (
        "the page's own question sets it if it lacks"
    )
    assert cookie_of(asked(app, HOST_CONFIG, **own, cookie=f"{COOKIE}={BROWSER}")) is None
    assert cookie_of(asked(app, "/static/a.js", **own)) is None, (
        "or answers that cross would set several"
    )


@pytest.mark.parametrize("value", ["", "short", "b" * 42, "b" * 42 + '"', "b" * 44, "\x00"])
def test_only_a_value_of_ours_counts(value: str) -> None:
    assert browser_of({COOKIE: value}) == ""
    assert browser_of({COOKIE: BROWSER, "other": value}) == BROWSER


def test_a_strange_cookie_beside_it_does_not_hide_it() -> None:
    """Cookies of one host are those of all its ports: what another program sets there comes too."""
    strange = f'x; {{"a": 1}}; {COOKIE}={BROWSER}; y=";"'
    assert cookie_of(asked(BrowserCookie(nothing_else), **PAGE, cookie=strange)) is None


def test_websockets_pass_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    scope: Any = {"type": "websocket"}
    for middleware in (SecurityHeaders(app, security_headers()), BrowserCookie(app)):
        asyncio.run(middleware(scope, test_websockets_pass_untouched, asked))  # type: ignore[arg-type]
    assert seen == [(scope, test_websockets_pass_untouched, asked)] * 2

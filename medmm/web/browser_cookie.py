"""A cookie of medmm's own that tells browsers apart; links are bound to it.

It says nothing of who reads. Scripts can't read it (HttpOnly), and no other site's page makes a
browser send it (SameSite=Strict). A page that is opened from another site comes without it though
the browser has one: it is then not replaced, or every other tab's links would end. Streamlit's
page asks for its host configuration before it opens its WebSocket, and there it is set for good.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "medmm_browser"
HOST_CONFIG = "/_stcore/host-config"
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_OTHER_SITES = ("cross-site", "same-site")


def browser_of(cookies: Mapping[str, str]) -> str:
    """Take the cookie from those of a request; "" if it is not there or is none of ours."""
    value = cookies.get(COOKIE, "")
    return value if _VALUE.fullmatch(value) else ""


def cookie_header(scope: Scope, value: str) -> str:
    """Write the header that sets the cookie, in the answer to a request."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"


class BrowserCookie:
    """Sets the cookie where a browser has none; pure ASGI, so WebSockets pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and set the cookie in its answer."""
        if scope["type"] != "http" or not _may_set(scope):
            await self._app(scope, receive, send)
            return
        cookie = cookie_header(scope, secrets.token_urlsafe(32))

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, with_cookie)


def _may_set(scope: Scope) -> bool:
    """Tell whether a browser lacks the cookie, and would have sent it if it had one."""
    headers = Headers(scope=scope)
    if (
        browser_of(cookie_parser(headers.get("cookie", "")))
        or headers.get("sec-fetch-site") in _OTHER_SITES
    ):
        return False
    page = headers.get("sec-fetch-dest") in (None, "document") and scope["method"] == "GET"
    return page or scope["path"].endswith(HOST_CONFIG)

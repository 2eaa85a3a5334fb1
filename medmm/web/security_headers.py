"""Headers that keep a page to itself: what it may load, run and send, and who frames it.

Source: Content Security Policy Level 3 (W3C), Fetch (WHATWG), Permissions Policy (W3C).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html.parser import HTMLParser

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What a reading room never needs of a browser
_OFF = ("camera", "display-capture", "geolocation", "payment", "usb", "serial", "hid")


def content_security_policy(script_hashes: Iterable[str] = (), *, microphone: bool = False) -> str:
    """Write the policy of pages.

    Scripts come from this server or have one of the hashes; nothing is fetched from anywhere else.
    Styles may stand in the markup, because Streamlit writes them there.

    Args:
        microphone: whether pages record; a recording is fetched from the page's own memory
            (`blob:`), which nobody else can fill.
    """
    rows = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *(f"'{one}'" for one in script_hashes)]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": f"'self'{' blob:' if microphone else ''}",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rows.items())


class _InlineScripts(HTMLParser):
    """Collects the text of scripts that stand in the markup itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and "src" not in dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append(data)


def inline_script_hashes(html: str) -> tuple[str, ...]:
    """Hash every inline script of a page, as `script-src` names them."""
    parser = _InlineScripts()
    parser.feed(html)
    digests = (hashlib.sha256(script.encode()).digest() for script in parser.found)
    return tuple(f"sha256-{base64.b64encode(digest).decode('ascii')}" for digest in digests)


def security_headers(
    script_hashes: Iterable[str] = (), *, microphone: bool = False
) -> dict[str, str]:
    """List the headers of every answer.

    Args:
        microphone: whether dictation is configured; else no page may ask for it.
    """
    off = ", ".join(f"{name}=()" for name in _OFF)
    return {
        "content-security-policy": content_security_policy(script_hashes, microphone=microphone),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "permissions-policy": f"{off}, microphone={'(self)' if microphone else '()'}",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


class SecurityHeaders:
    """Puts the headers on every answer, whoever gives it; WebSockets pass untouched."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, with_headers)

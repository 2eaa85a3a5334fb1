"""Where sign-ins begin and end, and how a page asks after its own.

Streamlit serves the protocol itself (`/auth/login`, `/oauth2callback`, `/auth/logout`; state, nonce
and signatures by Authlib). Around it a new cookie is set at both ends: one that somebody knew
before, or set from another program on this machine, is worth nothing afterwards.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medmm.web.browser_cookie import browser_of, cookie_header
from medmm.web.frame_links import browser_digest
from medmm.web.sign_ins import SignIns, identity_digest

CALLBACK, LOGOUT = "/oauth2callback", "/auth/logout"
FAILED = "/?sign_in=failed"
SESSION = "/session"
_NOT_KEPT = {"cache-control": "no-store"}


class SignInCookies:
    """Sets a new cookie where a sign-in begins or ends; pure ASGI."""

    def __init__(self, app: ASGIApp, sign_ins: SignIns) -> None:
        self._app, self._sign_ins = app, sign_ins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and see what came of it."""
        if scope["type"] != "http" or scope["path"] not in (CALLBACK, LOGOUT):
            await self._app(scope, receive, send)
            return
        if scope["path"] == LOGOUT and _of_another_site(scope):
            # A link elsewhere signs nobody out
            await Response(status_code=403, headers=_NOT_KEPT)(scope, receive, send)
            return

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._seen(scope, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, seen)

    def _seen(self, scope: Scope, headers: MutableHeaders) -> None:
        fresh = secrets.token_urlsafe(32)
        if scope["path"] == LOGOUT:
            cookie = browser_of(cookie_parser(Headers(scope=scope).get("cookie", "")))
            if cookie:
                self._sign_ins.end(browser_digest(cookie))
        elif identity := identity_digest(_cookies_set(headers)):
            self._sign_ins.arrived(browser_digest(fresh), identity)
        else:
            asked = QueryParams(scope["query_string"])
            if "error" in asked or "code" in asked:  # not back from signing out
                headers["location"] = FAILED
            return
        headers.append("set-cookie", cookie_header(scope, fresh))


def session_routes(sign_ins: SignIns) -> list[Route]:
    """List the routes by which a page asks how its sign-in stands.

    By POST it says that somebody works at it. Both take the cookie alone, tell a state and seconds,
    and do not block.
    """

    async def session(request: Request) -> Response:
        cookie = browser_of(request.cookies)
        browser = browser_digest(cookie) if cookie else ""
        if request.method == "POST":
            if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return Response(status_code=403, headers=_NOT_KEPT)
            sign_ins.acted(browser)
        state = sign_ins.state(browser)
        said = {
            "state": "open" if state.ended is None else state.ended.value,
            "seconds": round(state.seconds, 1),
        }
        return JSONResponse(said, headers=_NOT_KEPT)

    return [Route(SESSION, session, methods=["GET", "POST"])]


def _of_another_site(scope: Scope) -> bool:
    return Headers(scope=scope).get("sec-fetch-site") in ("cross-site", "same-site")


def _cookies_set(headers: MutableHeaders) -> dict[str, str]:
    """Read the cookies that an answer sets; those that it deletes are empty."""
    found: dict[str, str] = {}
    for line in headers.getlist("set-cookie"):
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        found |= {name: one.value for name, one in jar.items() if one.value}
    return found

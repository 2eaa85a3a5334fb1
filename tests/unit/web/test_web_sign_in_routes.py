"""Cookies at both ends of a sign-in, and how a page asks after its own."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from medmm.web.browser_cookie import COOKIE
from medmm.web.frame_links import browser_digest
from medmm.web.frame_routes import RoutesFirst
from medmm.web.sign_in_routes import SignInCookies, session_routes
from medmm.web.sign_ins import SignIns, identity_digest
from tests.unit.web.conftest import BROWSER, OTHER_BROWSER, Clock
from tests.unit.web.sign_in_rules import claims, let_in, sign_ins
from tests.unit.web.test_web_headers import asked

IDENTITY = {"_streamlit_user": "chunks-2", "_streamlit_user_1": "ab.c=", "_streamlit_user_2": "d"}


async def callback(request: Request) -> Response:
    """What Streamlit does: it redirects to its page, with the claims if all went well."""
    answer = RedirectResponse("/", status_code=302)
    if request.query_params.get("code") == "good":
        for name, value in IDENTITY.items():
            answer.set_cookie(name, value, httponly=True)
        answer.set_cookie("_streamlit_user_tokens", "t")
    else:
        answer.delete_cookie("_streamlit_user")
    return answer


async def logout(request: Request) -> Response:
    return RedirectResponse("https://idp.example/end", status_code=302)


def app(known: SignIns) -> Any:
    inner = Starlette(routes=[Route("/oauth2callback", callback), Route("/auth/logout", logout)])
    return SignInCookies(RoutesFirst(inner, session_routes(known)), known)


def new_cookie(answer: httpx.Response) -> str:
    found = [SimpleCookie(line).get(COOKIE) for line in answer.headers.get_list("set-cookie")]
    values = [one for one in found if one is not None]
    if not values:
        return ""
    assert (values[-1]["httponly"], values[-1]["samesite"]) == (True, "Strict")
    return str(values[-1].value)


def test_who_comes_back_gets_a_new_cookie_to_which_the_claims_belong() -> None:
    """A cookie that another program set before (session fixation) is worth nothing afterwards."""
    clock = Clock()
    known = sign_ins(clock)
    before = {"cookie": f"{COOKIE}={OTHER_BROWSER}", "sec_fetch_site": "cross-site"}
    answer = asked(app(known), "/oauth2callback?code=good&state=s", **before)
    fresh = new_cookie(answer)
    assert answer.headers["location"] == "/"
    assert len(fresh) == 43
    assert fresh != OTHER_BROWSER
    assert not known.awaited(browser_digest(OTHER_BROWSER))
    assert known.awaited(browser_digest(fresh))
    digest = identity_digest(IDENTITY)
    assert known.admit(browser_digest(fresh), digest, claims(clock())).id == "att-1"


@pytest.mark.parametrize("query", ["error=access_denied&state=s", "code=bad&state=s"])
def test_a_sign_in_that_failed_is_said_and_opens_nothing(query: str) -> None:
    answer = asked(app(sign_ins(Clock())), f"/oauth2callback?{query}")
    assert answer.headers["location"] == "/?sign_in=failed"
    assert new_cookie(answer) == ""


def test_back_from_signing_out_is_no_failure() -> None:
    answer = asked(app(sign_ins(Clock())), "/oauth2callback")
    assert answer.headers["location"] == "/"
    assert new_cookie(answer) == ""


def test_signing_out_ends_the_session_and_its_cookie() -> None:
    clock = Clock()
    known = sign_ins(clock)
    let_in(known, clock, browser_digest(BROWSER))
    cookie = f"{COOKIE}={BROWSER}"
    for site in ("cross-site", "same-site"):
        answer = asked(app(known), "/auth/logout", cookie=cookie, sec_fetch_site=site)
        assert answer.status_code == 403, "a link elsewhere"
    assert known.state(browser_digest(BROWSER)).ended is None
    answer = asked(app(known), "/auth/logout", cookie=cookie, sec_fetch_site="same-origin")
    assert answer.headers["location"] == "https://idp.example/end"
    assert new_cookie(answer) not in ("", BROWSER)
    assert str(known.state(browser_digest(BROWSER)).ended) == "Ended.SIGNED_OUT"


def test_a_page_asks_how_it_stands_and_says_that_somebody_works() -> None:
    clock = Clock()
    known = sign_ins(clock, idle_minutes=10)
    let_in(known, clock, browser_digest(BROWSER))
    cookie = f"{COOKIE}={BROWSER}"

    def state(method: str = "GET", **headers: str) -> Any:
        answer = asked(app(known), "/session", method, **headers)
        assert answer.headers["cache-control"] == "no-store"
        return answer.json() if answer.status_code == 200 else answer.status_code

    assert state(cookie=cookie) == {"state": "open", "seconds": 600.0}
    clock.now += 500
    assert state(cookie=cookie) == {"state": "open", "seconds": 100.0}
    assert state("POST", cookie=cookie, sec_fetch_site="cross-site") == 403
    assert state("POST", cookie=cookie, sec_fetch_site="same-origin")["seconds"] == 600.0
    clock.now += 600
    assert state("POST", cookie=cookie) == {"state": "idle", "seconds": 0.0}
    for other in ({}, {"cookie": f"{COOKIE}={OTHER_BROWSER}"}, {"cookie": f"{COOKIE}=short"}):
        assert state("POST", **other) == {"state": "nobody", "seconds": 0.0}

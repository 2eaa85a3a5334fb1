"""The UserInfo endpoint: answers, refusals, silence, and where it may not lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from medmm.domain.errors import ConfigError, PermissionDenied, Unavailable
from medmm.web.userinfo import UserInfo

METADATA = "https://idp.example/.well-known/openid-configuration"


def asked(answer: Any, endpoint: Any = "https://idp.example/userinfo") -> UserInfo:
    def handle(request: httpx.Request) -> httpx.Response:
        if str(request.url) == METADATA:
            assert "authorization" not in request.headers
            return httpx.Response(200, json={"userinfo_endpoint": endpoint})
        assert str(request.url) == endpoint
        assert request.headers["authorization"] == "Bearer token"
        found = answer(request) if callable(answer) else answer
        assert isinstance(found, httpx.Response)
        return found

    return UserInfo(METADATA, httpx.MockTransport(handle))


def test_it_says_what_the_provider_says() -> None:
    info = asked(httpx.Response(200, json={"sub": "att-1", "roles": ["a"]}))
    assert info.claims("token") == {"sub": "att-1", "roles": ["a"]}


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_token_is_refused(status: int) -> None:
    with pytest.raises(PermissionDenied):
        asked(httpx.Response(status)).claims("token")


def dropped(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("gone", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        dropped,
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
        httpx.Response(200, content=b"eyJhbGciOiJSUzI1NiJ9.e30.x"),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, json=["sub"]),
        httpx.Response(200, content=b'{"a": "' + b"x" * 70_000 + b'"}'),
    ],
)
def test_anything_else_is_no_answer(
    answer: httpx.Response | Callable[[httpx.Request], httpx.Response],
) -> None:
    with pytest.raises(Unavailable, match="role"):
        asked(answer).claims("token")


@pytest.mark.parametrize("endpoint", [None, 7, "http://idp.example/userinfo", "ftp://x/", "//x"])
def test_a_token_goes_nowhere_unencrypted(endpoint: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        asked(httpx.Response(200, json={}), endpoint).claims("token")
    assert "roles_from: token" in refused.value.remedy

"""What the settings of the HTTP API take, and what keeps tokens secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from medmm.config import ServeEntry, SignInEntry
from medmm.domain.errors import ConfigError
from tests.api import Issuer

TLS = {"certificate": "a.crt", "key": "a.key"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"bind": "0.0.0.0"},
        {"bind": "192.0.2.10"},
        {"bind": "localhost"},
        {"algorithms": ["none"]},
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"key_set_url": "http://idp.example/keys"},
        {"hosts": ["*"]},
        {"port": 70_000},
        {"open": True},
    ],
)
def test_what_would_open_the_api_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServeEntry(**wrong)


def test_an_address_that_others_reach_takes_tls() -> None:
    assert ServeEntry(bind="0.0.0.0", tls=TLS).tls is not None  # type: ignore[arg-type]
    assert ServeEntry(bind="::1").bind == "::1"


@pytest.mark.parametrize(
    ("serve", "sign_in"),
    [
        ({"audience": "api"}, SignInEntry()),
        ({}, Issuer().sign_in()),
        ({"audience": "medmm"}, Issuer().sign_in()),
    ],
    ids=["nobody signs in", "no audience", "the dashboard's own client"],
)
def test_without_whom_tokens_are_for_nothing_starts(
    serve: dict[str, Any], sign_in: SignInEntry
) -> None:
    with pytest.raises(ConfigError):
        ServeEntry(**serve).audience_beside(sign_in)

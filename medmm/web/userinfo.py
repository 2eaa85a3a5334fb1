"""The provider's UserInfo endpoint: what it says of a person now.

Source: OpenID Connect Core 1.0, 5.3; OpenID Connect Discovery 1.0, 3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import httpx

from medmm.config import safe_address
from medmm.domain.errors import ConfigError, PermissionDenied, Unavailable
from medmm.web.claims import Claims

TIMEOUT_S = 5.0
LONGEST_ANSWER = 65_536


class UserInfo:
    """Asks the UserInfo endpoint of a provider; `RoleSource` of the sign-ins."""

    def __init__(self, metadata_url: str, transport: httpx.BaseTransport | None = None) -> None:
        """Take the address.

        Args:
            transport: what carries the requests; without it the network.
        """
        self._metadata_url = metadata_url
        self._client = httpx.Client(
            timeout=TIMEOUT_S, follow_redirects=False, transport=transport, max_redirects=0
        )

    def claims(self, token: str) -> Claims:
        """Ask with a person's access token.

        Raises: PermissionDenied if the provider refuses the token; Unavailable if it does not
            answer; ConfigError if it has no such endpoint.
        """
        answer = self._get(self._endpoint, {"Authorization": f"Bearer {token}"})
        if answer.status_code in (400, 401, 403):
            raise PermissionDenied(
                "the provider refuses the access token", remedy="sign in again", session="refused"
            )
        return _object(answer)

    @cached_property
    def _endpoint(self) -> str:
        found = _object(self._get(self._metadata_url, {})).get("userinfo_endpoint")
        if not isinstance(found, str) or not safe_address(found):
            raise ConfigError(
                "the provider names no UserInfo endpoint that is encrypted",
                remedy="set roles_from: token under `sign_in`",
            )
        return found

    def _get(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        try:
            return self._client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise _silent(type(error).__name__) from error


def _object(answer: httpx.Response) -> dict[str, Any]:
    """Read a JSON object; a signed one (application/jwt) is none."""
    if answer.status_code != httpx.codes.OK or len(answer.content) > LONGEST_ANSWER:
        raise _silent(f"status {answer.status_code}")
    try:
        found = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _silent("no JSON") from error
    if not isinstance(found, dict):
        raise _silent("no JSON object")
    return found


def _silent(why: str) -> Unavailable:
    return Unavailable(
        f"the provider does not say what your role is: {why}",
        remedy="try again; your words are kept",
    )

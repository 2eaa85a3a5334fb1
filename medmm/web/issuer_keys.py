"""The keys that an issuer signs tokens with, fetched from the configured issuer alone.

Source: OpenID Connect Discovery 1.0, 3 and 4.3; RFC 7517 (JSON Web Key).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from medmm.config import safe_address
from medmm.domain.errors import ConfigError, Unavailable

WELL_KNOWN = "/.well-known/openid-configuration"
TIMEOUT_S, LONGEST_ANSWER = 5.0, 262_144
FRESH_S = 3600.0  # for which a key set is not asked for again
AGAIN_S = 30.0  # until an unknown key makes the set be asked for again
STALE_S = 24 * 3600.0  # for which a set does while the issuer does not answer
LEAST_RSA_BITS = 2048  # RFC 7518 3.3
SigningKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    issuer: str
    keys: dict[str, SigningKey]
    at: float


class IssuerKeys:
    """The key set of one issuer; thread-safe. Nothing of a token says where it is fetched.

    Args:
        metadata_url: of the issuer's discovery document.
        key_set_url: of its keys, where these stand on another host.
        now: gives seconds since 1970.
        transport: what carries the requests; without it the network.
    """

    def __init__(
        self,
        metadata_url: str,
        *,
        key_set_url: str | None = None,
        now: Callable[[], float],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._metadata_url, self._key_set_url, self._now = metadata_url, key_set_url, now
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, transport=transport)
        self._lock = threading.Lock()
        self._fetched: _Fetched | None = None
        self._tried = float("-inf")

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def issuer(self) -> str:
        """Give the issuer's own name, as tokens state it.

        Raises: as `key`.
        """
        return self._current(lambda found: True).issuer

    def key(self, kid: str) -> SigningKey | None:
        """Find a key by its id; an unknown one has the set fetched once more.

        Raises: Unavailable if the issuer does not answer; ConfigError if it names itself or its
            keys otherwise than by the configured host.
        """
        return self._current(lambda found: kid in found.keys).keys.get(kid)

    def _current(self, enough: Callable[[_Fetched], bool]) -> _Fetched:
        with self._lock:
            found, now = self._fetched, self._now()
            if found is not None and enough(found) and now < found.at + FRESH_S:
                return found
            if found is not None and now < self._tried + AGAIN_S:
                return found
            self._tried = now
            try:
                self._fetched = self._fetch(now)
            except Unavailable:
                if found is None or now >= found.at + STALE_S:
                    raise
                return found
            return self._fetched

    def _fetch(self, now: float) -> _Fetched:
        said = self._object(self._metadata_url)
        issuer = said.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") + WELL_KNOWN != self._metadata_url:
            raise ConfigError(
                "the issuer names itself otherwise than its metadata_url does",
                remedy=f"set `sign_in: metadata_url:` to the issuer's name and {WELL_KNOWN}",
            )
        place = self._key_set_url or said.get("jwks_uri")
        if not isinstance(place, str) or not self._allowed(place):
            raise ConfigError(
                "the issuer's keys stand on another host, or are sent unencrypted",
                remedy="set `serve: key_set_url:` if that is right",
            )
        listed = self._object(place).get("keys")
        keys = dict(filter(None, map(_key, listed if isinstance(listed, list) else ())))
        if not keys:
            raise _silent("no key to check signatures by")
        return _Fetched(issuer=issuer, keys=keys, at=now)

    def _allowed(self, place: str) -> bool:
        if place == self._key_set_url:
            return True
        here, there = urlsplit(self._metadata_url), urlsplit(place)
        return safe_address(place) and (here.scheme, here.netloc) == (there.scheme, there.netloc)

    def _object(self, url: str) -> dict[str, Any]:
        """Fetch a JSON object without holding more of the answer than one may be long."""
        try:
            with self._client.stream("GET", url) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise _silent(f"status {answer.status_code}")
                held = bytearray()
                for part in answer.iter_bytes():
                    held += part
                    if len(held) > LONGEST_ANSWER:
                        raise _silent("an answer that does not end")
        except httpx.HTTPError as error:
            raise _silent(type(error).__name__) from error
        try:
            found = json.loads(held)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise _silent("no JSON") from error
        if not isinstance(found, dict):
            raise _silent("no JSON object")
        return found


def _key(said: object) -> tuple[str, SigningKey] | None:
    """Read a public key that signs; None of anything else, be it a shared secret."""
    if not isinstance(said, dict) or said.get("use", "sig") != "sig":
        return None
    kid = said.get("kid")
    if not isinstance(kid, str) or said.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if said["kty"] == "RSA" and 6 * len(str(said.get("n"))) < LEAST_RSA_BITS:  # base64url
        return None
    try:
        made = JWKRegistry.import_key(said)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(made, SigningKey) or made.is_private:
        return None
    return kid, made


def _silent(why: str) -> Unavailable:
    return Unavailable(
        f"the issuer does not give the keys of its tokens: {why}", remedy="try again later"
    )

"""Bearer tokens: whose open something, and where their keys are fetched."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey, RSAKey

from medmm.config import ServeEntry
from medmm.domain.errors import ConfigError, PermissionDenied, Unavailable
from medmm.web.access_tokens import AccessTokens, CallerDirectory
from medmm.web.claims import SKEW_S
from medmm.web.issuer_keys import AGAIN_S, FRESH_S, STALE_S, WELL_KNOWN, IssuerKeys
from tests.api import AUDIENCE, Issuer


class Clock:
    def __init__(self) -> None:
        self.at = time.time()

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys_of(issuer: Issuer, clock: Clock, **how: Any) -> IssuerKeys:
    return IssuerKeys(
        issuer.url + WELL_KNOWN, now=clock, **{"transport": issuer.transport(), **how}
    )


def tokens_of(issuer: Issuer, clock: Clock, **how: Any) -> AccessTokens:
    serve = ServeEntry(audience=AUDIENCE)
    keys = keys_of(issuer, clock)
    return AccessTokens(serve, issuer.sign_in(), keys, service="medmm-service", now=clock, **how)


def test_a_token_says_who_calls_and_with_which_role(issuer: Issuer, clock: Clock) -> None:
    caller = tokens_of(issuer, clock).caller(issuer.token("resident", "r-7"))
    assert (caller.reader.id, caller.reader.role) == ("r-7", "resident")


def unsigned(issuer: Issuer) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = issuer.token().split(".")[1]
    return f"{part({'alg': 'none', 'kid': 'k1'})}.{claims}."


def shared_secret(issuer: Issuer) -> str:
    """Signed by HMAC with the public key as the secret, which a careless check takes."""
    public = issuer.keys["k1"].as_pem(private=False)
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "x", "exp": int(time.time()) + 60}
    return jwt.encode(
        {"alg": "HS256", "kid": "k1"},
        claims,
        OctKey.import_key(base64.urlsafe_b64encode(public).decode()),
        algorithms=["HS256"],
    )


WRONG = {
    "expired": lambda i: i.token(exp=int(time.time()) - SKEW_S - 5),
    "without an end": lambda i: i.token(without=("exp",)),
    "not yet": lambda i: i.token(nbf=int(time.time()) + SKEW_S + 60),
    "made out in the future": lambda i: i.token(iat=int(time.time()) + SKEW_S + 60),
    "for the dashboard": lambda i: i.token(aud="medmm"),
    "for nobody": lambda i: i.token(without=("aud",)),
    "of another issuer": lambda i: i.token(iss="https://other.example"),
    "of nobody": lambda i: i.token(without=("sub",)),
    "unsigned": unsigned,
    "by the public key as a secret": shared_secret,
    "an unknown key": lambda i: i.token(kid="k9", key=RSAKey.generate_key(2048)),
    "another key under a known id": lambda i: i.token(key=RSAKey.generate_key(2048)),
    "without a key's id": lambda i: i.token(head={"kid": None}),
    "another kind of token": lambda i: i.token(head={"typ": "logout+jwt"}),
    "one letter changed": lambda i: (
        i.token()[:-8] + ("A" if i.token()[-8] != "A" else "B") + i.token()[-7:]
    ),
    "no token": lambda i: "abc",
    "five parts": lambda i: "a.b.c.d.e",
    "too long": lambda i: i.token(padding="x" * 20_000),
    "no ASCII": lambda i: "ä.b.c",
}


@pytest.mark.parametrize("how", WRONG)
def test_a_token_that_is_not_for_this_api_opens_nothing(
    how: str, issuer: Issuer, clock: Clock
) -> None:
    with pytest.raises(PermissionDenied) as refused:
        tokens_of(issuer, clock).caller(WRONG[how](issuer))
    assert "token" in refused.value.where


def test_clocks_may_differ_a_little(issuer: Issuer, clock: Clock) -> None:
    tokens = tokens_of(issuer, clock)
    assert tokens.caller(issuer.token(exp=int(time.time()) - SKEW_S + 20)).reader.id == "attending"


def test_a_person_without_a_role_is_told_of_once_a_token(issuer: Issuer, clock: Clock) -> None:
    told: list[str] = []
    tokens = tokens_of(issuer, clock, not_let_in=told.append)
    token = issuer.token("gardener", "g-1")
    for _ in range(3):
        with pytest.raises(PermissionDenied) as refused:
            tokens.caller(token)
        assert refused.value.where["session"] == "no role"
    assert told == ["g-1"]


def test_the_service_is_nobody_who_calls(issuer: Issuer, clock: Clock) -> None:
    with pytest.raises(PermissionDenied):
        tokens_of(issuer, clock).caller(issuer.token(sub="medmm-service"))


def test_what_a_caller_may_ends_with_the_token(issuer: Issuer, clock: Clock) -> None:
    caller = tokens_of(issuer, clock).caller(issuer.token())
    directory = CallerDirectory(caller, clock)
    assert directory.reader("attending").role == "attending"
    with pytest.raises(PermissionDenied):
        directory.reader("somebody-else")
    clock.at += 600 + SKEW_S + 1
    with pytest.raises(PermissionDenied):
        directory.reader("attending")


class Roles:
    def __init__(self) -> None:
        self.said: dict[str, object] = {"sub": "p", "name": "ZZ P", "roles": ["resident"]}
        self.asked = 0

    def claims(self, token: str) -> dict[str, object]:
        self.asked += 1
        return self.said


def test_roles_are_asked_for_again_where_the_settings_say_so(issuer: Issuer, clock: Clock) -> None:
    source = Roles()
    tokens = tokens_of(issuer, clock, source=source)
    token = issuer.token("attending", "p")
    assert [tokens.caller(token).reader.role for _ in range(3)] == ["resident"] * 3
    assert source.asked == 1
    source.said, clock.at = {**source.said, "roles": ["gone"]}, clock.at + 301
    with pytest.raises(PermissionDenied):
        tokens.caller(token)
    source.said, clock.at = {**source.said, "sub": "another"}, clock.at + 1
    with pytest.raises(PermissionDenied):
        tokens_of(issuer, clock, source=source).caller(token)


def test_keys_are_kept_and_an_unknown_one_is_asked_for_once(issuer: Issuer, clock: Clock) -> None:
    keys = keys_of(issuer, clock)
    assert keys.key("k1") is not None
    asked = len(issuer.asked)
    assert keys.key("k1") is not None
    assert len(issuer.asked) == asked
    clock.at += AGAIN_S + 1
    issuer.add("k2")
    assert keys.key("k2") is not None
    again = len(issuer.asked)
    for n in range(20):  # a flood of made-up ids asks the issuer nothing
        assert keys.key(f"made-up-{n}") is None
    assert len(issuer.asked) == again


def test_keys_are_asked_for_again_in_time_and_do_for_a_while_without_an_answer(
    issuer: Issuer, clock: Clock
) -> None:
    there = True

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, json=issuer.document(request.url.path))
            if there
            else httpx.Response(503)
        )

    keys = keys_of(issuer, clock, transport=httpx.MockTransport(answer))
    assert keys.key("k1") is not None
    there, clock.at = False, clock.at + FRESH_S + 1
    assert keys.key("k1") is not None
    clock.at += STALE_S
    with pytest.raises(Unavailable):
        keys.key("k1")


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"jwks_uri": "https://attacker.example/keys"},
        {"jwks_uri": "http://idp.example/realm/keys"},
        {"jwks_uri": "https://idp.example:8443/keys"},
        {"jwks_uri": "https://169.254.169.254/latest"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
def test_keys_come_from_the_configured_host_alone(
    said: dict[str, Any], issuer: Issuer, clock: Clock
) -> None:
    issuer.said = said
    with pytest.raises(ConfigError):
        keys_of(issuer, clock).key("k1")
    assert len(issuer.asked) == 1  # the other place was not asked


def test_another_host_of_the_keys_is_for_the_settings_to_name(issuer: Issuer, clock: Clock) -> None:
    issuer.said = {"jwks_uri": "https://keys.example/set"}
    keys = keys_of(issuer, clock, key_set_url="https://keys.example/set")
    assert keys.key("k1") is not None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "https://attacker.example"}),
        httpx.Response(200, content=b"x" * 300_000),
        httpx.Response(200, content=b"[]"),
        httpx.Response(200, content=b"\xff"),
    ],
    ids=["elsewhere", "without end", "a list", "no text"],
)
def test_a_wrong_answer_of_the_issuer_is_none(
    answer: httpx.Response, issuer: Issuer, clock: Clock
) -> None:
    keys = keys_of(issuer, clock, transport=httpx.MockTransport(lambda request: answer))
    with pytest.raises(Unavailable):
        keys.key("k1")


def test_keys_that_do_not_sign_are_left_out(issuer: Issuer, clock: Clock) -> None:
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    secret = OctKey.generate_key(256, {"kid": "secret"}).as_dict(private=True)
    good = issuer.keys["k1"].as_dict(private=False)
    others = [weak, secret, {**good, "kid": "enc", "use": "enc"}, {"kty": "?"}, 4, good]

    def answer(request: httpx.Request) -> httpx.Response:
        said = issuer.document(request.url.path)
        return httpx.Response(200, json={"keys": others} if "keys" in said else said)

    keys = keys_of(issuer, clock, transport=httpx.MockTransport(answer))
    found = [keys.key(kid) is not None for kid in ("k1", "weak", "secret", "enc")]
    assert found == [True, False, False, False]

"""The HTTP API of the tests: an issuer of tokens, and clients that call as persons of a role."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from medmm.assistant import Assistant
from medmm.config import ServeEntry, SignInEntry
from medmm.doors.http.app import made_app
from medmm.web.access_tokens import AccessTokens
from medmm.web.issuer_keys import WELL_KNOWN, IssuerKeys

AUDIENCE, ROLES_CLAIM = "https://medmm.example", "roles"
ROLES = {
    role: role for role in ("attending", "resident", "technologist", "auditor", "administrator")
}


@dataclass
class Issuer:
    """Makes tokens out, and answers for its keys; `asked` are the paths that were asked for."""

    url: str = "https://idp.example/realm"
    keys: dict[str, RSAKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)  # over its discovery document

    def __post_init__(self) -> None:
        if not self.keys:
            self.add("k1")

    def add(self, kid: str) -> RSAKey:
        self.keys[kid] = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})
        return self.keys[kid]

    def sign_in(self, **more: Any) -> SignInEntry:
        return SignInEntry(
            metadata_url=self.url + WELL_KNOWN, client_id="medmm", roles=ROLES, **more
        )

    def document(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        if path.endswith(WELL_KNOWN):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.said}
        return {"keys": [key.as_dict(private=False) for key in self.keys.values()]}

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(
            lambda request: httpx.Response(200, json=self.document(request.url.path))
        )

    def token(
        self,
        role: str = "attending",
        sub: str = "",
        *,
        kid: str = "k1",
        head: dict[str, Any] | None = None,
        key: RSAKey | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """A token of a person of this role, whose id is `sub`, else the role."""
        sub = sub or role
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": sub,
            "name": f"ZZ{sub.upper()}",
            "roles": [role],
            "iat": int(time.time()),
            "exp": int(time.time()) + 600,
            **claims,
        }
        said = {name: value for name, value in said.items() if name not in without}
        top = {"alg": "RS256", "kid": kid, "typ": "at+jwt", **(head or {})}
        top = {name: value for name, value in top.items() if value is not None}
        return jwt.encode(top, said, key or self.keys[kid])


@contextmanager
def listening_issuer() -> Iterator[Issuer]:
    """An issuer on a free port of loopback."""
    issuer = Issuer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(issuer.document(self.path)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    issuer.url = f"http://127.0.0.1:{server.server_port}/realm"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Api:
    """An application over an assistant, and what it told."""

    assistant: Assistant
    issuer: Issuer
    told: list[dict[str, Any]] = field(default_factory=list)
    not_let_in: list[str] = field(default_factory=list)
    clock: Any = time.time
    spool: Any = None

    def __post_init__(self) -> None:
        settings = self.assistant.settings
        keys = IssuerKeys(
            str(settings.sign_in.metadata_url), now=self.clock, transport=self.issuer.transport()
        )
        self.tokens = AccessTokens(
            settings.serve,
            settings.sign_in,
            keys,
            service=settings.actor,
            now=self.clock,
            not_let_in=self.not_let_in.append,
        )
        self.app = made_app(
            self.assistant,
            self.tokens,
            tell=lambda event, **said: self.told.append({"event": event, **said}),
            spool=self.spool,
        )

    def client(self, role: str | None = "attending", sub: str = "") -> TestClient:
        """A client that calls as a person of this role, or as nobody."""
        made = TestClient(self.app, base_url="http://localhost", raise_server_exceptions=False)
        if role is not None:
            made.headers["authorization"] = f"Bearer {self.issuer.token(role, sub)}"
        return made


def api_settings(issuer: Issuer, **serve: Any) -> dict[str, Any]:
    return {"sign_in": issuer.sign_in(), "serve": ServeEntry(audience=AUDIENCE, **serve)}

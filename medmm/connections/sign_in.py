"""How medmm shows a server who it is: a token or password in a file, or a key of its own.

Source: RFC 6750 (bearer tokens), RFC 7617 (Basic), RFC 7523 (assertions signed by a key), HL7 SMART
App Launch 2.0 (backend services, asymmetric client authentication).
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from medmm.connections.http import Answer, HttpConnection, NoAnswer
from medmm.domain.errors import ConfigError
from medmm.domain.receivers import BackendServices, BearerToken, HttpServer, SignIn, UserPassword

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_HOLDS_S = 240  # "no more than five minutes in the future" by the server's clock
SPARE_S = 30.0  # so long before its end a token is asked for anew
HOLDS_S = 300.0  # what a token without expires_in is trusted for
# RFC 6749 5.2; what else a server writes there might be anything
ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


class Credentials(Protocol):
    """What goes with each request."""

    def field(self) -> dict[str, str]:
        """Give the Authorization field, or none.

        Raises: NoAnswer if a token server gives no token; ConfigError if a file can't be read.
        """
        ...

    def renewed(self) -> bool:
        """Forget what was refused; False if asking again would give the same."""
        ...


def credentials(server: HttpServer) -> Credentials:
    """Make what shows a server who medmm is."""
    if isinstance(server.sign_in, BackendServices):
        return ClientKey(server, server.sign_in)
    return FromFile(server.sign_in)


@dataclass(frozen=True, slots=True)
class FromFile:
    """A token or a password, read each time: whoever renews it writes the file anew."""

    sign_in: SignIn | None

    def field(self) -> dict[str, str]:
        """Give the Authorization field; nothing without a `sign_in`."""
        match self.sign_in:
            case BearerToken(file=file):
                return {"Authorization": f"Bearer {_secret(file)}"}
            case UserPassword(user=user, password_file=file):
                pair = base64.b64encode(f"{user}:{_secret(file)}".encode()).decode("ascii")
                return {"Authorization": f"Basic {pair}"}
        return {}

    def renewed(self) -> bool:
        """Say that the same would come again."""
        return False


@dataclass(slots=True)
class ClientKey:
    """Asks a token server for tokens, by assertions that a key of medmm's signs.

    A token serves until shortly before it ends, or until a server refuses it.
    """

    server: HttpServer
    sign_in: BackendServices
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    def field(self) -> dict[str, str]:
        """Give the Authorization field, with a token that was asked for where none holds."""
        if not self._token or self.clock() >= self._until:
            self._ask()
        return {"Authorization": f"Bearer {self._token}"}

    def renewed(self) -> bool:
        """Forget the token, so that another is asked for."""
        self._token = ""
        return True

    def _ask(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "scope": self.sign_in.scope,
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion(self.sign_in),
        }
        fields = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        asked = self.clock()
        url = self.sign_in.token_url
        answer = HttpConnection(self.server).ask("POST", url, fields, [urlencode(form).encode()])
        self._token, holds = _token_in(answer)
        self._until = asked + max(holds - SPARE_S, holds / 2)


def assertion(sign_in: BackendServices) -> str:
    """Sign who medmm is, for one request to the token server.

    Raises: ConfigError if the key is neither RSA nor on the P-384 curve.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    try:
        pem = sign_in.key_file.read_bytes()
        key = (ECKey if _is_elliptic(pem) else RSAKey).import_key(pem)
        algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": sign_in.client_id,
            "sub": sign_in.client_id,
            "aud": sign_in.token_url,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + ASSERTION_HOLDS_S,
        }
        header = {"typ": "JWT", "kid": sign_in.key_id or key.thumbprint(), "alg": algorithm}
        if isinstance(key, ECKey) and key.curve_name != "P-384":
            raise ValueError("another curve")
        return jwt.encode(header, claims, key, algorithms=[algorithm])
    except (OSError, ValueError, TypeError, JoseError) as error:
        raise ConfigError(
            f"the private key of medmm can't be used: {type(error).__name__}",
            remedy="correct key_file: PEM without a password, RSA or EC on the curve P-384",
            file=str(sign_in.key_file),
        ) from error


def _is_elliptic(pem: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return isinstance(load_pem_private_key(pem, None), EllipticCurvePrivateKey)


def _token_in(answer: Answer) -> tuple[str, float]:
    """Read a token, and for how many seconds it holds.

    Raises: NoAnswer if there is none.
    """
    found = answer.json()
    found = found if isinstance(found, dict) else {}
    if answer.status == 200:
        token, holds = found.get("access_token"), found.get("expires_in", HOLDS_S)
        sound = isinstance(token, str) and token.isascii() and token.isprintable()
        if sound and token and str(found.get("token_type", "")).lower() == "bearer":
            usable = isinstance(holds, (int, float)) and 0 < holds < 1e9
            return token, float(holds) if usable else HOLDS_S
        raise NoAnswer("OAUTH NO TOKEN", "the token server answers without a bearer token")
    error = found.get("error")
    said = error if error in ERRORS else answer.code
    raise NoAnswer(f"OAUTH {said}", f"the token server gives no token: {said}")


def _secret(file: Path) -> str:
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"a token or password can't be read: {type(error).__name__}",
            remedy="correct token_file or password_file, or its permissions",
            file=str(file),
        ) from error
    if not found or not found.isprintable():
        raise ConfigError(
            "the file of a token or password holds no line of text",
            remedy="write it there, alone",
            file=str(file),
        )
    return found

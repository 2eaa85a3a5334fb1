"""Bearer tokens: whether the site's provider made one out for this API, and for whom.

Source: RFC 6750 (bearer tokens), RFC 7519 (JWT), RFC 9068 (JWT profile for access tokens),
RFC 8725 (what to check of a JWT).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from joserfc import jws, jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError

from medmm.config import ServeEntry, SignInEntry
from medmm.domain.directory import Directory
from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Reader
from medmm.web.claims import KNOWN_AND_REFUSED, SKEW_S, Claims, reader_of
from medmm.web.issuer_keys import IssuerKeys, SigningKey
from medmm.web.sign_ins import RoleSource

LONGEST_TOKEN = 16_384
MOST = 4096  # tokens that are remembered
# RFC 9068 2.1; many providers still write JWT, or nothing
TYPES = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls by a token, and until when (seconds since 1970)."""

    reader: Reader
    ends: float


@dataclass(slots=True)
class _Known:
    """What was learnt of a token: when roles were asked for, and whether its refusal was told."""

    claims: Claims | None = None
    asked: float = 0.0
    told: bool = False


class AccessTokens:
    """Says who calls by a bearer token; thread-safe.

    Args:
        serve, sign_in: what tokens must be like, and what their claims mean.
        service: the id under which medmm itself acts.
        now: gives seconds since 1970.
        source: asked for roles every `roles_minutes`; without it those of the token hold.
        not_let_in: told of a person whom the provider knows and who has no id, name or role here;
            once a token.
    """

    def __init__(
        self,
        serve: ServeEntry,
        sign_in: SignInEntry,
        keys: IssuerKeys,
        *,
        service: str,
        now: Callable[[], float],
        source: RoleSource | None = None,
        not_let_in: Callable[[str], None] = lambda person: None,
    ) -> None:
        self._audience, self._algorithms = serve.audience_beside(sign_in), list(serve.algorithms)
        self._entry, self._keys, self._service = sign_in, keys, service
        self._source, self._not_let_in, self.now = source, not_let_in, now
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def caller(self, token: str) -> Caller:
        """Say who calls.

        Raises: PermissionDenied with `token` in `where` if it opens nothing here, with `session`
            in `where` if the person has no id, name or role; Unavailable if the provider can't be
            asked.
        """
        claims = self._checked(token)
        known = self._remembered(hashlib.sha256(token.encode()).hexdigest())
        try:
            reader = reader_of(self._said(token, claims, known), self._entry, service=self._service)
        except PermissionDenied as error:
            if error.where.get("session") in KNOWN_AND_REFUSED and not known.told:
                self._not_let_in(str(claims["sub"]))
                known.told = True
            raise
        return Caller(reader=reader, ends=float(claims["exp"]) + SKEW_S)  # type: ignore[arg-type]

    def _checked(self, token: str) -> Claims:
        """Check signature and claims. Raises: PermissionDenied, Unavailable."""
        if not token.isascii() or len(token) > LONGEST_TOKEN:
            raise refused("malformed")
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self.now()),
            leeway=SKEW_S,
            iss={"essential": True, "value": self._keys.issuer()},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            found = jwt.decode(token, self._key_of(token), algorithms=self._algorithms)
            rules.validate(found.claims)
        except ExpiredTokenError as error:
            raise refused("expired") from error
        except ClaimError as error:
            raise refused(f"claim {error.claim}") from error
        except (JoseError, ValueError, TypeError) as error:
            raise refused("malformed") from error
        if not isinstance(found.claims["sub"], str):
            raise refused("claim sub")
        return found.claims

    def _key_of(self, token: str) -> SigningKey:
        """Find the key that a token names, which must be one of the issuer's for signing so."""
        head = jws.extract_compact(token.encode("ascii")).headers()
        kind, kid, algorithm = head.get("typ"), head.get("kid"), head.get("alg")
        if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
            raise refused("another kind of token")
        if algorithm not in self._algorithms:
            raise refused("signed in a way that is not taken here")
        key = self._keys.key(kid) if isinstance(kid, str) else None
        if key is None:
            raise refused("signed with a key that the issuer does not have")
        if key.alg not in (None, algorithm):
            raise refused("signed in another way than its key is for")
        return key

    def _said(self, token: str, claims: Claims, known: _Known) -> Claims:
        """Give the claims that roles are read from: the token's, or the provider's word of now."""
        if self._source is None:
            return claims
        if known.claims is None or self.now() >= known.asked + 60 * self._entry.roles_minutes:
            said = self._source.claims(token)
            if said.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, 5.3.2
                raise refused("the provider answers for another person")
            known.claims, known.asked = said, self.now()
        return known.claims

    def _remembered(self, digest: str) -> _Known:
        with self._lock:
            known = self._known.setdefault(digest, _Known())
            self._known.move_to_end(digest)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
            return known


class CallerDirectory(Directory):
    """The directory of one call: it knows who calls, until the token ends."""

    def __init__(self, caller: Caller, now: Callable[[], float]) -> None:
        self._caller, self._now = caller, now

    def readers(self) -> tuple[Reader, ...]:
        """List who calls."""
        return (self._caller.reader,)

    def reader(self, reader_id: str) -> Reader:
        """Give who calls.

        Raises: PermissionDenied if the token has ended, or another person is named.
        """
        if self._now() >= self._caller.ends:
            raise refused("expired")
        if reader_id != self._caller.reader.id:
            raise PermissionDenied(
                "a caller acts as the person of the token alone",
                remedy="call with a token of that person",
                reader=reader_id,
            )
        return self._caller.reader


def refused(why: str) -> PermissionDenied:
    """Make the error of a token that opens nothing, with `token` in `where`."""
    return PermissionDenied(
        "the access token opens nothing here",
        remedy="get a new one from the provider, made out for this API",
        token=why,
    )

"""The rules of a sign-in and the claims of a person, for tests."""

from __future__ import annotations

from typing import Any

from medmm.config import SignInEntry
from medmm.web.claims import Claims
from medmm.web.sign_ins import SignIns
from tests.unit.web.conftest import Clock

ISSUER = "https://idp.example"


def entry(**settings: Any) -> SignInEntry:
    given = {
        "metadata_url": f"{ISSUER}/.well-known/openid-configuration",
        "client_id": "medmm",
        "client_secret": "s",
        "roles_claim": ("realm_access", "roles"),
        "roles": {"rad-attending": "attending", "rad-resident": "resident"},
    }
    return SignInEntry(**{**given, **settings})


def claims(now: float = 0.0, **said: Any) -> dict[str, Any]:
    given = {
        "sub": "att-1",
        "name": "ZZREADER One",
        "exp": int(now) + 3600,
        "realm_access": {"roles": ["offline_access", "rad-attending"]},
    }
    return {**given, **said}


class Said:
    """A provider that answers what the test sets, or raises it."""

    def __init__(self) -> None:
        self.answer: Claims | Exception = claims()
        self.asked = 0

    def claims(self, token: str) -> Claims:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def sign_ins(clock: Clock, source: Said | None = None, **settings: Any) -> SignIns:
    return SignIns(entry(**settings), service="medmm-service", now=clock, source=source)


def let_in(known: SignIns, clock: Clock, browser: str = "B1", **said: Any) -> Any:
    """Come back from the provider, and open a page."""
    known.arrived(browser, "digest")
    return known.admit(browser, "digest", claims(clock(), **said), "token")

"""What a provider says of a person, read as a reader: id, name and mapped role.

Source: OpenID Connect Core 1.0, 2 (ID Token), 3.1.2.1 (max_age), 3.1.3.7 (its check), 5.1
(standard claims) and 5.7 (stability of claims).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from medmm.config import SignInEntry
from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Reader

LONGEST_ID, LONGEST_NAME = 255, 200
Claims = Mapping[str, object]
SKEW_S = 60  # by which two clocks may differ
# `session` in `where` of whom the provider knows, and who is not let in
KNOWN_AND_REFUSED = ("no role", "no id", "no name", "no auth_time", "too old")
# Controls, halves of characters, line ends; and what turns the direction of the text around it
_NO_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_NO_CHARACTERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def reader_of(claims: Claims, entry: SignInEntry, *, service: str) -> Reader:
    """Read who a person is.

    Args:
        service: the id under which medmm itself acts, which is nobody's.

    Raises: PermissionDenied if the claims name no id, no name or no role, with `session` in `where`
        and what to ask for.
    """
    return Reader(
        id=_id_of(claims, entry.reader_id_claim, service),
        name=_name_of(claims, entry.name_claim),
        role=_role_of(claims, entry),
    )


def refuse_old(claims: Claims, entry: SignInEntry, now: float) -> None:
    """Refuse who signed in at the provider longer ago than the settings allow.

    A provider that was asked for `max_age` says when that was; one that does not, did not check.

    Args:
        claims: of the ID token.
        now: seconds since 1970.

    Raises: PermissionDenied if so, with `session` in `where`.
    """
    if entry.max_age_minutes is None:
        return
    at = claims.get("auth_time")
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise _refused(
            "the provider does not say when you signed in there", "no auth_time", "auth_time"
        )
    if not -SKEW_S <= now - at <= 60 * entry.max_age_minutes + SKEW_S:
        raise PermissionDenied(
            "you signed in at the provider too long ago",
            remedy="sign out there, and sign in again",
            session="too old",
        )


def _id_of(claims: Claims, claim: str, service: str) -> str:
    found = claims.get(claim)
    plain = isinstance(found, str) and found.isascii() and found.isprintable()
    if not isinstance(found, str) or not plain or " " in found or not 0 < len(found) <= LONGEST_ID:
        raise _refused(f"the provider gives no usable {claim!r} to tell you by", "no id", claim)
    if found == service:
        raise _refused("the provider gives you the id of medmm itself", "no id", claim)
    # An address that was not verified is whatever its owner typed
    if claim == "email" and claims.get("email_verified") is not True:
        raise _refused("the provider has not verified your address", "no id", "email_verified")
    return found


def _name_of(claims: Claims, claim: str) -> str:
    found = claims.get(claim)
    name = " ".join(found.split()) if isinstance(found, str) else ""
    if not 0 < len(name) <= LONGEST_NAME or not _plain(name):
        raise _refused("the provider does not say your name, as reports need it", "no name", claim)
    return name


def _plain(name: str) -> bool:
    return not any(
        unicodedata.category(character) in _NO_CATEGORIES or character in _NO_CHARACTERS
        for character in name
    )


def _role_of(claims: Claims, entry: SignInEntry) -> str:
    """Take the first line of `roles` that the claim holds, letter by letter."""
    found: object = claims
    for part in entry.roles_claim:
        found = found.get(part) if isinstance(found, Mapping) else None
    held = (found,) if isinstance(found, str) else found
    values = set(map(str, held)) if isinstance(held, Sequence) else set()
    for value, role in entry.roles.items():
        if value in values:
            return role
    raise PermissionDenied(
        "your account has no role in medmm",
        remedy=f"ask the administrator of your accounts for one of: {', '.join(entry.roles)}",
        session="no role",
        claim=".".join(entry.roles_claim),
    )


def _refused(problem: str, session: str, claim: str) -> PermissionDenied:
    return PermissionDenied(
        problem,
        remedy=f"ask the administrator of your accounts to send the claim {claim!r}",
        session=session,
        claim=claim,
    )

"""Who may do what: one table, `data/roles.csv`; a verb without a row fails the build."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Reader

ADMINISTRATOR = "administrator"


@cache
def role_table() -> dict[str, dict[str, bool]]:
    """Read by verb and role whether it may."""
    text = files("medmm.domain").joinpath("data/roles.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        row.pop("verb"): {r: may == "yes" for r, may in row.items() if r != "why"} for row in rows
    }


def roles() -> tuple[str, ...]:
    """Return the roles of the table, in its order."""
    return tuple(next(iter(role_table().values())))


def may(verb: str, reader: Reader) -> bool:
    """Tell whether the reader's role may do a verb."""
    return role_table()[verb].get(reader.role, False)


def require(verb: str, reader: Reader) -> None:
    """Refuse a verb that the reader's role may not do.

    Raises: PermissionDenied if so.
    """
    if not may(verb, reader):
        raise PermissionDenied(
            f"role {reader.role!r} may not {verb}",
            remedy="ask someone whose role may, or have the administrator change the role",
            reader=reader.id,
        )

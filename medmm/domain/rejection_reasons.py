"""Why readers reject a statement, by the one table `data/rejection_reasons.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medmm.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionReason:
    """One row: the code that is kept, its words, and what it means."""

    code: str
    words: str
    note: str


@cache
def rejection_reasons() -> dict[str, RejectionReason]:
    """Read the rows by code, in the order in which they are offered."""
    text = files("medmm.domain").joinpath("data/rejection_reasons.csv").read_text(encoding="utf-8")
    return {row["code"]: RejectionReason(**row) for row in csv.DictReader(text.splitlines())}


def refuse_unknown(code: str, statement_id: str) -> None:
    """Refuse a code that is not in the table.

    Raises: InputError if so.
    """
    if code not in rejection_reasons():
        raise InputError(
            "no such reason to reject a statement",
            remedy=f"give one of {', '.join(rejection_reasons())}, or none",
            statement=statement_id,
        )

"""A signature that is asked for once: what a reader confirms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medmm.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A token that lets its reader sign what was shown, once.

    Attributes:
        until: when it ends.
    """

    case_id: str
    token: str
    until: datetime

    def __post_init__(self) -> None:
        if self.until.tzinfo is None:
            raise InputError("a confirmation without time zone", remedy="use an aware time")

"""Words that a reader is typing and has not decided on yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medmm.domain.errors import InputError

LONGEST_TEXT, LONGEST_FIELD = 20_000, 100  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedText:
    """What stands in a field of a page, kept so that a restart loses none of it.

    It is no decision: no report holds it, and no check judges it.

    Attributes:
        field: what it is typed for: the id of a statement, or a name that the page gives.
        draft: id of the draft that it was typed beside; None without one.
        at: when it was kept.
    """

    case_id: str
    field: str
    text: str
    draft: str | None
    at: datetime

    def __post_init__(self) -> None:
        if not self.field.strip() or len(self.field) > LONGEST_FIELD:
            raise InputError(
                "unfinished text of no field",
                remedy=f"name the field in 1 to {LONGEST_FIELD} characters",
                case=self.case_id,
            )
        if len(self.text) > LONGEST_TEXT:
            raise InputError(
                f"an unfinished text of {len(self.text)} characters",
                remedy=f"keep it to {LONGEST_TEXT}",
                case=self.case_id,
            )
        if self.at.tzinfo is None:
            raise InputError(
                "unfinished text kept without time zone",
                remedy="use an aware time",
                case=self.case_id,
            )

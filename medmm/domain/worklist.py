"""Which cases of the worklist are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from medmm.domain.errors import InputError
from medmm.domain.priority import Order, Priority
from medmm.domain.report import CaseState
from medmm.domain.study import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """What cases of the worklist have in common; None asks for nothing.

    Attributes:
        body_part: as the study states it, in any case of letters.
        critical: whether something is suspected that a reader must be told at once.
        suspected: whether anything is suspected.
        waiting: whether a person is waited for: it is drafted and not signed.
        site: as the settings name it.
        assigned: id of the reader who has claimed it.
        acquired_from, acquired_to: first and last day of the image, by its own clock; a case of
            unknown day is in neither.
    """

    state: CaseState | None = None
    modality: Modality | None = None
    body_part: str | None = None
    critical: bool | None = None
    suspected: bool | None = None
    priority: Priority | None = None
    waiting: bool | None = None
    site: str | None = None
    assigned: str | None = None
    acquired_from: date | None = None
    acquired_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the worklist: at most `limit` cases after the case `after`.

    None is without bound. The case is named by its id, or by `CaseSummary.place`.
    """

    limit: int | None = None
    after: str | None = None
    order: Order = Order.NEWEST

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"a page of {self.limit} cases", remedy="ask for one case or more")

    @property
    def begins_after(self) -> tuple[str, str | None]:
        """Id of the case that the page begins after, and its turn when it was listed, if said."""
        case_id, _, turn = (self.after or "").partition("@")
        return case_id, turn.replace(",", " ") or None


ALL_CASES, WHOLE = CaseFilter(), Page()

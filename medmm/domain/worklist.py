"""Which cases of the worklist are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from medmm.domain.errors import InputError
from medmm.domain.report import CaseState
from medmm.domain.study import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """What cases of the worklist have in common; None asks for nothing.

    Attributes:
        body_part: as the study states it, in any case of letters.
        critical: whether something is suspected that a reader must be told at once.
        suspected: whether anything is suspected.
        acquired_from, acquired_to: first and last day of the image, by its own clock; a case of
            unknown day is in neither.
    """

    state: CaseState | None = None
    modality: Modality | None = None
    body_part: str | None = None
    critical: bool | None = None
    suspected: bool | None = None
    acquired_from: date | None = None
    acquired_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the worklist: at most `limit` cases after the case `after` (its id).

    None is without bound.
    """

    limit: int | None = None
    after: str | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"a page of {self.limit} cases", remedy="ask for one case or more")


ALL_CASES, WHOLE = CaseFilter(), Page()

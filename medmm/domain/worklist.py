"""The worklist: which cases are asked for, and the page that answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from medmm.domain.critical_result import CriticalResult
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.patient_age import age_by_birth
from medmm.domain.priority import Order, Priority
from medmm.domain.report import CaseState, CaseSummary
from medmm.domain.study import Modality, StatedAge

LONGEST_NAME = 60  # characters of the name of a saved filter


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistRow:
    """A case of the worklist with who it is.

    Attributes:
        patient: who it is; None where the role that asks may not see it.
        accession: number of the order, as the images state it; None likewise.
        critical: what a person must be told of and was not; None if there is nothing.
    """

    case: CaseSummary
    patient: PatientIdentity | None = None
    accession: str | None = None
    critical: CriticalResult | None = None

    @property
    def age(self) -> StatedAge | None:
        """The patient's age on the day of the image; None where either date is unknown."""
        day = self.case.acquired.date() if self.case.acquired else None
        return age_by_birth(self.patient.birth_date if self.patient else None, day, "birth date")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistCount:
    """How many of the cases that are asked for have a value: of `state`, `modality` and so on."""

    of: str
    value: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Worklist:
    """A page of the worklist.

    Attributes:
        total: how many cases there are of what is asked for, on all pages.
        counts: the same by state, priority, modality, and whether something critical is suspected.
        entry: the last entry of the log that the page shows; what came after it is new.
    """

    rows: tuple[WorklistRow, ...]
    total: int
    counts: tuple[WorklistCount, ...]
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFilter:
    """What a reader asks the worklist for, under a name. It holds no words of a search."""

    name: str
    wanted: CaseFilter
    order: Order = Order.URGENCY

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise InputError(
                "a saved filter without a name that can be shown",
                remedy=f"name it in 1 to {LONGEST_NAME} characters, on one line",
            )


ALL_CASES, WHOLE = CaseFilter(), Page()

"""The structured record of a patient as of a moment: coded, dated, unit-checked facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from medmm.domain.errors import InputError


class FactKind(Enum):
    """What a fact is, after its FHIR R4 resource."""

    DEMOGRAPHIC = "demographic"
    CONDITION = "condition"
    OBSERVATION = "observation"
    MEDICATION = "medication"
    ALLERGY = "allergy"
    PROCEDURE = "procedure"
    ORDER = "order"
    PRIOR_REPORT = "prior_report"


class FactStatus(Enum):
    """Whether a fact holds, is over, or is denied: a negation must never be lost."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    REFUTED = "refuted"
    UNCONFIRMED = "unconfirmed"
    ENTERED_IN_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """A code in a code system (FHIR R4 datatype Coding)."""

    system: str
    code: str
    display: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A value with its UCUM unit and the range that the source states as normal (same unit).

    `written` is the number as its source writes it, without exponent, where a float does not hold
    all its digits.
    """

    value: float
    unit: str
    comparator: str | None = None
    low: float | None = None
    high: float | None = None
    written: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of the record.

    Attributes:
        id: stable within its context, e.g. "Observation/o1".
        label: what it is, in words of the source ("Hemoglobin").
        codings: its codes; empty if the source gave none.
        value: a quantity, a text, or None (the code alone is the fact).
        when: clinically relevant time; None if the source gave none.
        marks: why a reader should doubt it ("implausible value").
        details: what else its source says of it, each with its name ("criticality: high").
        source: place in the source, e.g. "entry[3] Observation/o1".
    """

    id: str
    kind: FactKind
    label: str
    status: FactStatus = FactStatus.ACTIVE
    codings: tuple[Coding, ...] = ()
    value: Quantity | str | None = None
    when: datetime | date | None = None
    marks: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    source: str

    def __post_init__(self) -> None:
        if not self.id or not self.source:
            raise InputError(
                "a fact needs an id and its place in the source", remedy="give the resource an id"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """What was left out of a record and why, by its place in the source."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalContext:
    """The facts of one patient as of a moment; nothing dated after `as_of` is in it.

    `sha256` is the record's digest, "" where there is none and all facts are of orders that an
    order system sent; `order_sha256` is theirs, "" without any. `incomplete` says why the record is
    known to hold only a part of what its sender has; empty if nothing says so.
    """

    patient_key: str
    as_of: datetime | None
    facts: tuple[Fact, ...] = ()
    left_out: tuple[Omission, ...] = ()
    sha256: str = ""
    incomplete: tuple[str, ...] = ()
    order_sha256: str = ""

    def fact(self, fact_id: str) -> Fact:
        """Return the fact with this id.

        Raises: InputError if there is none.
        """
        for fact in self.facts:
            if fact.id == fact_id:
                return fact
        raise InputError(
            "no such fact in this record", remedy="look at the context's facts", fact=fact_id
        )

"""What report sentences claim, one finding at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from medmm.domain.reading import Side


class Assertion(Enum):
    """What a statement says of its finding."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"
    REPORTED = "reported"  # taken from the record, not seen in the image


CLAIMS = frozenset({Assertion.PRESENT, Assertion.POSSIBLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A length, an area or a volume as words state it, with the unit as it is written."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one clause claims of one finding, as far as its words say.

    Attributes:
        finding: a name of the vocabulary; None if the clause names none.
        assertion: PRESENT, POSSIBLE or ABSENT.
        side: the patient's side that the clause names.
        place: the part of the chest that the clause names ("lower lobe", "apex").
        sizes: the lengths, areas and volumes that the clause states.
        change: the first word of the clause that compares with something earlier.
        text: the clause itself.
    """

    finding: str | None
    assertion: Assertion
    text: str
    side: Side | None = None
    place: str | None = None
    sizes: tuple[Size, ...] = ()
    change: str | None = None

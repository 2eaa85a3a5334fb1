"""How a receiver wants its messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Retraction(Enum):
    """The status of an observation that holds no more (HL7 table 0085)."""

    WRONG = "W"  # post original as wrong, as of another patient
    DELETE = "D"  # delete the observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Options:
    """How a receiver wants its messages.

    Attributes:
        sending_application, sending_facility, receiving_application, receiving_facility: names of
            MSH-3 to MSH-6, of 20 characters at most; "" if there is none.
        pdf: whether the page of the report goes along.
        retraction: what a receiver takes for observations that hold no more.
    """

    sending_application: str = "MEDMM"
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    pdf: bool = False
    retraction: Retraction = Retraction.WRONG

"""What the status of an object means, of C-STORE and of STOW-RS alike.

Source: DICOM PS3.4 table B.2-1, PS3.7 9.1.1.1.9 and annex C, PS3.18 10.5.3 and PS3.3 C.12 (Failure
Reason).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medmm.domain.transmission import Outcome, OutgoingObject, Transmission

DUPLICATE = 0x0111
TOLD = {
    0x0110: "processing failure",
    DUPLICATE: "the receiver has it from before",
    0x0117: "invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
}
REFUSING = frozenset({0x0117, 0x0122, 0x0211, 0x0212})
TELLS_MOST = (Outcome.POSTPONED, Outcome.REFUSED, Outcome.ARRIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOutcome:
    """What became of one object.

    Attributes:
        code: as a log calls it; "0000" if nothing is to be said.
    """

    name: str
    outcome: Outcome
    code: str
    reason: str = ""


def of_status(one: OutgoingObject, status: int, words: str = "") -> ObjectOutcome:
    """Judge the status of an object.

    Args:
        words: of the receiver.
    """
    said = TOLD.get(status, "")
    if status >> 8 == 0xA7:
        said = "out of resources"
    elif status >> 8 == 0xA9:
        said = "the data set does not match its SOP class"
    elif status >> 12 == 0xC:
        said = "the receiver can't understand it"
    elif status >> 12 == 0xB:
        said = "stored, with a warning"
    return ObjectOutcome(
        name=one.name,
        outcome=_outcome(status),
        code=f"{status:04X}",
        reason="; ".join(filter(None, (said, words))),
    )


def _outcome(status: int) -> Outcome:
    # A duplicate is the object itself: its UID is made of report, version and form.
    if status == 0 or status == DUPLICATE or status >> 12 == 0xB:
        return Outcome.ARRIVED
    if status in (0x0001, 0x0107, 0x0116):  # warnings of PS3.7 annex C
        return Outcome.ARRIVED
    if status in REFUSING or status >> 8 == 0xA9 or status >> 12 == 0xC:
        return Outcome.REFUSED
    return Outcome.POSTPONED


def together(found: Sequence[ObjectOutcome], retry_after_s: float | None = None) -> Transmission:
    """Judge objects that were sent together.

    One that may still arrive makes the whole worth sending again, which does the others no harm;
    only when none is left does one that is refused count.
    """
    outcome = next(kind for kind in TELLS_MOST if any(one.outcome is kind for one in found))
    counted = [one for one in found if one.outcome is outcome]
    telling = next((one for one in counted if one.code != "0000"), counted[0])
    return Transmission(
        outcome=outcome,
        code=telling.code,
        reason="; ".join(f"{one.name}: {one.reason}" for one in found if one.reason),
        retry_after_s=retry_after_s,
    )

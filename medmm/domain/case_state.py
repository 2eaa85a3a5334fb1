"""Where a case stands. Apart from the case, so that an option can name it without numpy."""

from __future__ import annotations

from enum import Enum


class CaseState(Enum):
    """Where a case stands."""

    OPENED = "opened"
    DRAFTED = "drafted"
    IN_REVIEW = "in review"
    PRELIMINARY = (
        "preliminary"  # a reader decided on all of it, and leaves the signature to another
    )
    SIGNED = "signed"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = (
        "superseded"  # its study was opened with another record or more images before it was signed
    )


SIGNED_STATES = frozenset({CaseState.SIGNED, CaseState.AMENDED, CaseState.WITHDRAWN})

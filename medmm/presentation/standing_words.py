"""Words for how a reading model stands here: accepted on which studies, by whom and when."""

from __future__ import annotations

from collections.abc import Sequence

from medmm.domain.acceptance import Acceptance, SignedAcceptance
from medmm.domain.study import Notice

ACCEPTED_HERE, ACCEPTED_ELSEWHERE = "accepted-here", "accepted-elsewhere"


def accepted_notice(signed: SignedAcceptance) -> Notice:
    """Say on how many of this site's studies a model was measured, and who accepted it when."""
    measured = signed.acceptance.measured
    studies = "study" if measured.studies == 1 else "studies"
    return Notice(
        code=ACCEPTED_HERE,
        text=f"{signed.reader.name} ({signed.reader.role}) accepted the model "
        f"{signed.acceptance.model.name} here on {signed.at:%Y-%m-%d}, as measured on "
        f"{measured.studies} {studies} of this site.",
    )


def elsewhere_notice(shipped: Sequence[Acceptance]) -> Notice:
    """Say on which films packaged networks were accepted, and that those are not this site's."""
    named = ", ".join(f"{one.films} ({one.model.name})" for one in shipped)
    return Notice(code=ACCEPTED_ELSEWHERE, text=f"Accepted on {named}, not on this site's.")

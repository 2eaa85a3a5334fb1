"""Words for how a reading model stands here: accepted on which studies, by whom and when."""

from __future__ import annotations

from medmm.domain.acceptance import SignedAcceptance
from medmm.domain.study import Notice

ACCEPTED_HERE = "accepted-here"


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

"""Which studies points are set on, and which they are measured on: by patient."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from medmm.acceptance.labels import Half, LabelledStudy

SPLIT_WORDS = (
    "A patient's studies are calibrated on where the SHA-256 of the patient's key is even, and "
    "measured on where it is odd: nothing can be tuned, and nobody is in both."
)
GIVEN_WORDS = "The label table says which studies were calibrated on, and which measured on."


def half_of(study: LabelledStudy) -> Half:
    """Say which half a study is in: as its table says, else by its patient's digest."""
    if study.half is not None:
        return study.half
    even = hashlib.sha256(study.patient.encode()).digest()[-1] % 2 == 0
    return Half.CALIBRATE if even else Half.MEASURE


def split_words(studies: Iterable[LabelledStudy]) -> str:
    """Say how studies were split, for the page."""
    given = [study.half is not None for study in studies]
    if all(given):
        return GIVEN_WORDS
    return f"{GIVEN_WORDS} Where it does not: {SPLIT_WORDS}" if any(given) else SPLIT_WORDS

"""G7: a stated ratio can be one, and what is said of the heart's size agrees with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medmm.domain.draft import Assertion, Case, MeasurementEvidence, Statement
from medmm.domain.frame_reference import has_frame
from medmm.domain.reading import Measurement, Reading
from medmm.domain.study import View
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable

_FINDING, _MEASUREMENT = "Cardiomegaly", "cardiothoracic ratio"
# A heart so small or so large is not met in a chest that is outlined rightly
_PLAUSIBLE = (0.25, 0.85)
_WIDEST = 0.1  # half of an interval: a wider one tells a large heart from a normal one nowhere
_ROUNDED = 0.006  # a value of two digits against the outlines' own
_LIMIT = 0.5  # upper limit of normal in adults on a PA film (Danzer, Am J Med Sci 1919)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare a statement on heart size with the ratio, and a stated ratio with outlines.

    The ratio is the cardiothoracic one.
    """
    if any(item.name == _MEASUREMENT for item in evidence_of(statement, MeasurementEvidence)):
        return judged(
            [*_implausible(reading), *_foreign_outlines(case, reading)],
            "the stated ratio is plausible and does not contradict the outlines",
        )
    if statement.finding != _FINDING or statement.assertion is Assertion.REPORTED:
        return not_applicable("says nothing of the size of the heart")
    ratio = reading.measurement(_MEASUREMENT)
    if ratio is None:
        return not_applicable("the size of the heart was not measured")
    return judged(_problems(statement, case, ratio), "the measured ratio does not contradict it")


def _problems(statement: Statement, case: Case, ratio: Measurement) -> Iterator[str]:
    low, high = ratio.interval
    film = case.study.frontal
    if statement.assertion is Assertion.ABSENT:
        # An AP film enlarges a heart of any size
        if low > _LIMIT and film is not None and film.view is View.PA:
            yield (
                f"denied beside a cardiothoracic ratio of {ratio.value} ({low} to {high}), "
                f"above {_LIMIT}"
            )
    elif high < _LIMIT:  # on an AP film all the more
        yield (
            f"suspected beside a cardiothoracic ratio of {ratio.value} ({low} to {high}), below "
            f"{_LIMIT}"
        )


def _implausible(reading: Reading) -> Iterator[str]:
    """Say why the reading's ratio can't be one, whatever the models say of it."""
    ratio = reading.measurement(_MEASUREMENT)
    if ratio is None:
        yield "no cardiothoracic ratio was measured"
        return
    low, high = ratio.interval
    if not _PLAUSIBLE[0] <= ratio.value <= _PLAUSIBLE[1]:
        yield f"a cardiothoracic ratio of {ratio.value} is not plausible"
    if (high - low) / 2 > _WIDEST:
        yield f"its interval ({low} to {high}) is too wide to say anything"
    masks = {mask.name: mask.array() for mask in reading.masks}
    if "lungs" in masks and "heart" in masks:
        yield from _against_outlines(ratio, masks["lungs"], masks["heart"])


def _foreign_outlines(case: Case, reading: Reading) -> Iterator[str]:
    """Object to outlines of an image that is not of the case, or of different images.

    No ratio follows from them.
    """
    masks = [mask for mask in reading.masks if mask.name in ("lungs", "heart")]
    for mask in masks:
        if mask.image is not None and not has_frame(case.study, mask.image):
            yield f"the outline of the {mask.name} lies on an image that the study does not have"
    if len({mask.image for mask in masks}) > 1:
        yield "lungs and heart are outlined on different images"


def _against_outlines(
    ratio: Measurement, lungs: NDArray[np.bool_], heart: NDArray[np.bool_]
) -> Iterator[str]:
    """Say what the outlines tell against a ratio: the widths are measured anew."""
    chest, its = np.flatnonzero(lungs.any(axis=0)), np.flatnonzero(heart.any(axis=0))
    if not len(chest) or not len(its):
        yield "lungs or heart are not outlined"
        return
    found = (its[-1] - its[0] + 1) / (chest[-1] - chest[0] + 1)
    if abs(found - ratio.value) > _ROUNDED:
        yield f"the outlines give {found:.2f}, not {ratio.value}"
    if its[0] < chest[0] or its[-1] > chest[-1]:
        yield "the heart is outlined beyond the lungs"

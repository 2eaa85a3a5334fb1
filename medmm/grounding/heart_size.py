"""G7: what is said of a finding does not contradict what was measured of the same structure."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.draft import Assertion, Case, Statement
from medmm.domain.reading import Measurement, Reading
from medmm.domain.study import View
from medmm.grounding.verdicts import Result, judged, not_applicable

_FINDING, _MEASUREMENT = "Cardiomegaly", "cardiothoracic ratio"
_LIMIT = 0.5  # upper limit of normal in adults on a PA film (Danzer, Am J Med Sci 1919)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare a statement on the size of the heart with the cardiothoracic ratio and its interval."""
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
        if low > _LIMIT and film is not None and film.view is View.PA:  # an AP film enlarges a heart of any size
            yield f"denied beside a cardiothoracic ratio of {ratio.value} ({low} to {high}), above {_LIMIT}"
    elif high < _LIMIT:  # on an AP film all the more
        yield f"suspected beside a cardiothoracic ratio of {ratio.value} ({low} to {high}), below {_LIMIT}"

"""What several models say of one thing, in words, for every page that shows a case."""

from __future__ import annotations

from medmm.domain.reading import Finding, Measurement, Reading
from medmm.domain.second_opinion import second_opinions
from medmm.domain.vocabulary import finding_term, measurement_terms
from medmm.presentation.value_words import measured_words

TITLE = "other models"
NOTE = "The draft rests on the first model of each line; nothing is averaged."
ANOTHER = "another model"


def opinion_lines(reading: Reading | None) -> tuple[str, ...]:
    """Say in a line each what later models say of the same, and where they disagree."""
    lines = []
    for one in second_opinions(reading):
        said = f"{_said(one.first, one.first_model)}; {_said(one.other, one.other_model)}"
        lines.append(f"{_named(one.first)}: {said}{' (they disagree)' if one.disagree else ''}")
    return tuple(lines)


def _named(one: Finding | Measurement) -> str:
    if isinstance(one, Finding):
        return finding_term(one.name).words
    term = measurement_terms().get(one.name)
    side = f"{one.side.value} " if one.side else ""
    return side + (term.words if term else one.name)


def _said(one: Finding | Measurement, model: str) -> str:
    who = model or ANOTHER
    if isinstance(one, Measurement):
        value, interval = measured_words(one.name, one.unit, one.value, one.interval)
        return f"{who} {value} ({interval})"
    if one.withheld is not None:
        state = f"not claimed, {one.withheld.value}"
    else:
        state = "suspected" if one.suspected else "undecided" if one.undecided else "not suspected"
    return f"{who} {one.probability:.2f}, operating point {one.threshold:.2f}: {state}"

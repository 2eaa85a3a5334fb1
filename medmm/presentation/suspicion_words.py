"""Suspected findings in words: the one list, and a probability with its meaning."""

from __future__ import annotations

from collections.abc import Iterable

from medmm.domain.case_state import CaseState
from medmm.domain.certainty import certainty_of
from medmm.domain.report import CaseSummary
from medmm.domain.suspicion import Standing, Suspicion

ALSO_NOTE = (
    "A score reaches its operating point. "
    "It stands in the report only if a reader accepts or edits it."
)

WITHHELD = "not shown before your first read"
NONE_VALID = "the report is withdrawn: no finding of it is valid"


def probability_words(probability: float, threshold: float) -> str:
    """Say a calibrated probability, its operating point and what it means."""
    return f"{probability:.2f}, {operating_point_words(probability, threshold)}"


def operating_point_words(probability: float, threshold: float) -> str:
    """Say the operating point of a score, and what its probability means."""
    return f"operating point {threshold:.2f}: {certainty_of(probability).meaning}"


def marked_words(one: Suspicion) -> str:
    """Name a suspected finding, with a mark if a reader must be told at once."""
    return f"{one.words} (critical)" if one.critical else one.words


def suspicion_words(one: Suspicion) -> str:
    """Name a suspected finding as every list does.

    Beside its words stand its mark and its probability, or that a reader added it.
    """
    if one.probability is None:
        return f"{marked_words(one)}, {Standing.ADDED.value}"
    return f"{marked_words(one)} {one.probability:.2f}"


def suspected_line(listed: Iterable[Suspicion]) -> str:
    """Write the one list in one line; "" if it is empty.

    What is stated comes first, then what is also suspected and not stated.
    """
    parts: dict[bool, list[str]] = {False: [], True: []}
    for one in listed:
        if not one.rejected:
            parts[one.standing is Standing.NOT_STATED].append(suspicion_words(one))
    also = f"{Standing.NOT_STATED.value}: {', '.join(parts[True])}" if parts[True] else ""
    return "; ".join(filter(None, (", ".join(parts[False]), also)))


def unstated_words(one: Suspicion) -> str:
    """Name a suspected finding that a draft of an earlier release does not list."""
    if one.probability is None or one.threshold is None:
        return f"{marked_words(one)}; not stated: {one.why}"
    words = f"{marked_words(one)} {probability_words(one.probability, one.threshold)}"
    return f"{words}; not stated: {one.why}"


def listed_words(case: CaseSummary) -> str:
    """Say in a line of the worklist what is suspected, or why it does not say it."""
    if case.state is CaseState.WITHDRAWN:
        return NONE_VALID
    if case.withheld:
        return WITHHELD
    return suspected_line(case.suspicions) or "; ".join(case.seen_in_part)

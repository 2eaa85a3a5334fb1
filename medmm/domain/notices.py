"""Warnings in the order of their use: what matters for this reading, then the record."""

from __future__ import annotations

from collections.abc import Iterable

from medmm.domain.study import Notice

FOR_THE_RECORD_TITLE = "For the record"
# What stands on nearly every study and changes nothing of what a reader does with this one. What is
# not named here matters.
FOR_THE_RECORD = frozenset(
    {
        "duplicate-dropped",
        "language-model-not-of-mr",
        "lesion-not-in-ml",
        "pixels-not-square",
        "record-kept",
        "sequences-used",
        "spacing-at-detector",
        "spacing-unit",
        "spacing-unknown",
        "time-zone-of-site",
        "time-zone-unknown",
        "window-unknown",
    }
)


def sorted_notices(notices: Iterable[Notice]) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    """Split notices into those that matter for a study's reading and those for the record.

    Each text comes once; the order stays.
    """
    once = list({notice.text: notice for notice in reversed(list(notices))}.values())[::-1]
    return (
        tuple(n for n in once if n.code not in FOR_THE_RECORD),
        tuple(n for n in once if n.code in FOR_THE_RECORD),
    )

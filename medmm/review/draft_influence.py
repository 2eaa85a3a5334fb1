"""Automation bias as far as it can be counted: who was followed where two reads differ.

A first read is a reader's own, kept before the draft was shown. It counts where the same reader
decided the case: what an adjudicator signs says nothing of how the draft moved another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medmm.domain.acceptance import Figure
from medmm.domain.influence_of_draft import Difference, InfluenceOfDraft, Taken
from medmm.domain.insight import FollowedRow, InfluenceFigures
from medmm.review.intervals import Intervals


@dataclass(slots=True)
class _Followed:
    """How often reports took the draft's side of one kind of difference, of how many."""

    times: int = 0
    of: int = 0


@dataclass(slots=True)
class InfluenceTally:
    """Counts over cases that were read before their draft was shown, one after another.

    Attributes:
        left_out: first reads that don't count.
    """

    reads: int = 0
    findings: int = 0
    left_out: int = 0
    by_difference: dict[Difference, _Followed] = field(
        default_factory=lambda: {difference: _Followed() for difference in Difference}
    )

    def add(self, rows: Sequence[InfluenceOfDraft]) -> None:
        """Take in the findings of one first read, whose case is signed."""
        self.reads += 1
        for row in rows:
            claimed = any(said is not None and said.claimed for said in (row.first, row.drafted))
            self.findings += claimed
            if row.difference is not None and row.taken is not None:
                counted = self.by_difference[row.difference]
                counted.times += row.taken is Taken.DRAFT
                counted.of += 1

    def leave_out(self) -> None:
        """Count a first read that says nothing of the draft's influence."""
        self.left_out += 1

    def figures(self, intervals: Intervals) -> InfluenceFigures | None:
        """Say the figures; None if no case was read before its draft was shown.

        Findings of one case are not independent, so a share counts at most as many draws as there
        are first reads.
        """
        if not self.reads and not self.left_out:
            return None

        def share(hits: int, of: int) -> Figure:
            return intervals.share(hits, of, min(of, self.reads))

        differed = sum(one.of for one in self.by_difference.values())
        times = sum(one.times for one in self.by_difference.values())
        return InfluenceFigures(
            reads=self.reads,
            left_out=self.left_out,
            differed=share(differed, self.findings),
            followed=share(times, differed),
            by_difference=tuple(
                FollowedRow(difference=difference, followed=share(one.times, one.of))
                for difference, one in self.by_difference.items()
            ),
        )

"""What the insight page shows, row by row. Pure functions: no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from medmm.domain.acceptance import Figure
from medmm.domain.insight import Group, Insight
from medmm.domain.reviewed_case import Answer
from medmm.presentation import insight_words as words

PERIODS: Mapping[str, int | None] = {  # days before tomorrow, in UTC
    "Last 30 days": 30,
    "Last 90 days": 90,
    "Last 365 days": 365,
    "All": None,
}
GROUPS = (
    Group.KIND,
    Group.FINDING,
    Group.MODEL,
    Group.WRITER,
    Group.READER,
    Group.SITE,
    Group.MODALITY,
    Group.VIEW,
    Group.SEX,
    Group.AGE,
)
Row = dict[str, str | int]
MOST_BARS = 20  # of a plot; the table has all


def begins(period: str, at: datetime) -> datetime | None:
    """Find the first moment of a period that ends now: a midnight in UTC; None of all time."""
    days = PERIODS[period]
    if days is None:
        return None
    day = at.astimezone(UTC).date() - timedelta(days=days - 1)
    return datetime.combine(day, time.min, UTC)


def answer_rows(found: Insight, group: Group, readers: Mapping[str, str]) -> list[Row]:
    """List how statements of each value of a group were taken, as a table in words."""
    return [
        {
            group.value: words.group_words(group, row.value, readers),
            "statements": row.statements,
            "patients": row.patients,
            **{answer.value: words.share_words(row.share(answer)) for answer in Answer},
        }
        for row in found.of(group)
    ]


def share_points(
    found: Insight, group: Group, readers: Mapping[str, str]
) -> list[dict[str, str | float]]:
    """List the accepted shares of a group with their intervals, in percent, for a plot."""
    rows = found.of(group)[:MOST_BARS]
    named = ((words.group_words(group, r.value, readers), r.share(Answer.ACCEPTED)) for r in rows)
    return [point for name, figure in named for point in _points(name, figure)]


def gap_points(found: Insight) -> list[dict[str, str | float]]:
    """List the gaps that are known, in percentage points, for a plot."""
    return [
        point
        for row in found.gaps
        for point in _points(
            f"{row.group.value}: {words.group_words(row.group, row.value, {})}", row.gap
        )
    ]


def _points(name: str, figure: Figure) -> list[dict[str, str | float]]:
    if figure.value is None or figure.low is None or figure.high is None:
        return []
    shares = {"share": figure.value, "low": figure.low, "high": figure.high}
    return [{"name": name, **{key: value * 100 for key, value in shares.items()}}]


def count_rows(found: Insight) -> tuple[list[Row], list[Row]]:
    """List the reasons of rejections, and the findings that readers added, as tables."""
    reasons: list[Row] = [
        {"reason": words.reason_words(one.value), "rejections": one.count} for one in found.reasons
    ]
    added: list[Row] = [
        {"finding": words.group_words(Group.FINDING, one.value, {}), "added": one.count}
        for one in found.added
    ]
    return reasons, added


def alarm_lines(found: Insight) -> tuple[str, ...]:
    """Say what claims cost readers."""
    alarms, edits = found.alarms, found.edits
    mean = alarms.claims_a_case
    a_case = "unknown" if mean.value is None else f"{mean.value:.2f}"
    if mean.low is not None and mean.high is not None:
        a_case += f" ({mean.low:.2f} to {mean.high:.2f})"
    return (
        f"Claims a case: {a_case}; cases with a claim: {words.share_words(alarms.with_claim)}.",
        f"Claims that the reader took back: {words.share_words(alarms.false)}.",
        "Of the cases whose report claims nothing, those whose draft did: "
        f"{words.share_words(alarms.bare_with_claim)}.",
        f"Edits: {edits.edits}; words changed, median: {words.share_words(edits.words_changed)}; "
        f"edits that say something else: {words.share_words(edits.recoded)}.",
    )

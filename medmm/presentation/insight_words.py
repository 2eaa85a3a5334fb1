"""Figures of how readers took drafts, in words and as tables. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medmm.domain.acceptance import Figure
from medmm.domain.insight import (
    AnswerRow,
    GapRow,
    Group,
    InfluenceFigures,
    Insight,
    InsightFilter,
    TimeFigure,
)
from medmm.domain.plain_text import clean
from medmm.domain.rejection_reasons import rejection_reasons
from medmm.domain.reviewed_case import Answer
from medmm.domain.vocabulary import finding_terms
from medmm.presentation.csv_text import Cell, csv_text

UNKNOWN = "unknown"
LIMITS = (
    "These figures say what readers decided, not what was true: nobody was followed up. A draft "
    "that was accepted may be wrong, and one that was rejected right."
)
FEW = "Where a group has fewer than 20 claims or 10 patients, its gap is unknown, not zero."
CHANCE = (
    "Of twenty intervals that hold 95 %, one leaves out the true value by chance: a single gap is "
    "a reason to look, not a finding."
)
PAUSES = (
    "The log knows when a case was opened and signed, not whether somebody sat before it. Gaps of "
    "more than 10 minutes between two entries of who signed are taken out of the last figure; "
    "shorter ones can't be told from work."
)
FOLLOWED = (
    "Whether the draft or the first read was right is not known, so following it is no proof of "
    "bias, and not following it none of its absence."
)
SEXES = {"F": "female", "M": "male", "O": "other"}
HEADERS = ("figure", "group", "value", "unit", "estimate", "low_95", "high_95", "of", "patients")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure of the top of the page; every field can be printed as it is."""

    label: str
    value: str
    interval: str
    says: str


def percent(figure: Figure) -> str:
    """Write a share as percent; "unknown" where it is."""
    return UNKNOWN if figure.value is None else f"{figure.value * 100:.0f} %"


def percent_interval(figure: Figure) -> str:
    """Write the interval of a share, with what it is a share of."""
    if figure.value is None:
        return f"of {figure.of}"
    if figure.low is None or figure.high is None:
        return f"no interval, of {figure.of}"
    return f"{figure.low * 100:.0f} to {figure.high * 100:.0f} %, of {figure.of}"


def share_words(figure: Figure) -> str:
    """Write a share with its interval in one line."""
    return f"{percent(figure)} ({percent_interval(figure)})"


def points(figure: Figure) -> str:
    """Write a difference of shares in percentage points with its interval; "unknown" else."""
    if figure.value is None or figure.low is None or figure.high is None:
        return UNKNOWN
    value, low, high = (f"{one * 100:+.0f}" for one in (figure.value, figure.low, figure.high))
    return f"{value} points ({low} to {high})"


def duration(seconds: float) -> str:
    """Write a duration in the two largest units that it has."""
    whole = round(seconds)
    for unit, size, smaller, part in (
        ("d", 86_400, "h", 3_600),
        ("h", 3_600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole} s"


def duration_words(figure: Figure) -> str:
    """Write a median duration with its interval."""
    if figure.value is None:
        return UNKNOWN
    if figure.low is None or figure.high is None:
        return f"{duration(figure.value)} (no interval, of {figure.of})"
    low, high = duration(figure.low), duration(figure.high)
    return f"{duration(figure.value)} ({low} to {high}, of {figure.of})"


def group_words(group: Group, value: str, readers: Mapping[str, str]) -> str:
    """Name one group as people know it.

    Args:
        readers: names of readers by their ids.
    """
    if group is Group.FINDING:
        term = finding_terms().get(value)
        return term.words if term is not None else clean(value)
    if group is Group.READER and value in readers:
        return clean(f"{readers[value]} ({value})")
    if group is Group.SEX:
        return SEXES.get(value, value)
    return clean(value) or "all statements"


def reason_words(code: str) -> str:
    """Name a reason of rejections."""
    reason = rejection_reasons().get(code)
    return clean(code) if reason is None else reason.words


def headlines(found: Insight) -> tuple[Headline, ...]:
    """Choose the figures that a department head asks for first."""
    shares = next((row.shares for row in found.of(Group.ALL)), (Figure(value=None),) * 3)
    accepted, edited, rejected = shares
    alarms = found.alarms
    rows = (
        ("Accepted", accepted, "drafted statements that were signed as they stood"),
        ("Edited", edited, "drafted statements signed in the reader's words"),
        ("Rejected", rejected, "drafted statements left out"),
        ("Claims taken back", alarms.false, "claims that the reader said are not so"),
        (
            "Alarms on clear studies",
            alarms.bare_with_claim,
            "of studies whose report claims nothing, those whose draft did",
        ),
        ("Changed after signing", found.replaced, "reports amended, added to or withdrawn since"),
    )
    return tuple(
        Headline(label=label, value=percent(one), interval=percent_interval(one), says=says)
        for label, one, says in rows
    )


def population_words(found: Insight) -> str:
    """Say of whom the figures are, and who is in none of them."""
    words = f"{_some(found.cases, 'signed case')} of {_some(found.patients, 'patient')}"
    if found.unsigned:
        waits = "waits" if found.unsigned == 1 else "wait"
        words += f"; {_some(found.unsigned, 'drafted case')} {waits} unsigned and count nowhere"
    return f"{words}."


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}".replace(",", "\u202f")


def asked_words(asked: InsightFilter) -> str:
    """Say what was asked for."""
    days = (
        f"from {asked.since:%Y-%m-%d}" if asked.since else "from the first signature",
        f"to before {asked.until:%Y-%m-%d} (UTC)" if asked.until else "to now",
    )
    named = (
        ("site", asked.site),
        ("reader", asked.reader),
        ("model", asked.model),
        ("modality", asked.modality),
    )
    return clean(", ".join((" ".join(days), *(f"{name} {v}" for name, v in named if v))))


def answers_words(rows: tuple[AnswerRow, ...], readers: Mapping[str, str]) -> tuple[str, ...]:
    """Say a plot of answers in sentences, for whom a picture is none."""
    return tuple(
        f"{group_words(row.group, row.value, readers)}: {row.statements} statements, "
        + ", ".join(f"{answer.value} {share_words(row.share(answer))}" for answer in Answer)
        for row in rows
    )


def gap_words(row: GapRow) -> str:
    """Say how a group's claims were taken beside all others'."""
    name = f"{row.group.value} {group_words(row.group, row.value, {})}"
    if row.gap.value is None:
        return f"{name}: unknown, {row.claims} claims of {row.patients} patients"
    return f"{name}: {percent(row.accepted)} against {percent(row.others)}, {points(row.gap)}"


def influence_words(found: InfluenceFigures | None) -> tuple[str, ...]:
    """Say how often readers followed the draft against their own first read."""
    if found is None:
        return ("No case of this period was read before its draft was shown, so nothing is known.",)
    left_out = (
        f" {_some(found.left_out, 'first read')} left out: by another than who decided, or after "
        "a worklist that may have named what is suspected."
        if found.left_out
        else ""
    )
    return (
        f"{_some(found.reads, 'case')} read before the draft was shown; first read and draft "
        f"differed on {share_words(found.differed)} findings.{left_out}",
        f"The report took the draft's side: {share_words(found.followed)}.",
        *(
            f"Where {row.difference.value}: {share_words(row.followed)}."
            for row in found.by_difference
        ),
        FOLLOWED,
    )


def time_words(figure: TimeFigure) -> str:
    """Say a median duration, and of how many cases the log does not tell it."""
    unknown = f"; not told by the log in {figure.unknown}" if figure.unknown else ""
    return f"{figure.of.capitalize()}: {duration_words(figure.median_s)}{unknown}"


def insight_csv(found: Insight) -> str:
    """Write all figures as one long table, a figure a row."""
    return csv_text(HEADERS, _csv_rows(found))


def _csv_rows(found: Insight) -> Iterator[tuple[Cell, ...]]:
    yield _counted("cases", found.cases)
    yield _counted("patients", found.patients)
    yield _counted("unsigned", found.unsigned)
    yield _figure("replaced", Group.ALL, "", "1", found.replaced)
    for row in found.answers:
        for answer in Answer:
            share = row.share(answer)
            yield _figure(answer.value, row.group, row.value, "1", share, row.patients)
    yield _figure("words changed", Group.ALL, "", "1", found.edits.words_changed)
    yield _figure("recoded", Group.ALL, "", "1", found.edits.recoded)
    for one in found.reasons:
        yield _counted("rejections", one.count, "reason", one.value)
    for one in found.added:
        yield _counted("added by readers", one.count, "finding", one.value)
    for time in found.times:
        yield _figure(time.of, Group.ALL, "", "s", time.median_s)
    alarms = found.alarms
    yield _figure("claims a case", Group.ALL, "", "{claims}", alarms.claims_a_case)
    for name, figure in (
        ("cases with a claim", alarms.with_claim),
        ("claims taken back", alarms.false),
        ("clear cases with a claim", alarms.bare_with_claim),
    ):
        yield _figure(name, Group.ALL, "", "1", figure)
    for gap in found.gaps:
        for name, figure in (("claims accepted", gap.accepted), ("gap to all others", gap.gap)):
            yield _figure(name, gap.group, gap.value, "1", figure, gap.patients)
    if found.influence is not None:
        reads = found.influence.reads
        for name, figure in (
            ("first read and draft differed", found.influence.differed),
            ("draft followed", found.influence.followed),
        ):
            yield _figure(name, Group.ALL, "", "1", figure, reads)
        for one_kind in found.influence.by_difference:
            followed = one_kind.followed
            numbers = (followed.value, followed.low, followed.high, followed.of)
            name = one_kind.difference.value
            yield ("draft followed", "difference", name, "1", *numbers, reads)


def _counted(name: str, count: int, group: str = "all", value: str = "") -> tuple[Cell, ...]:
    return (name, group, value, "1", count, None, None, None, None)


def _figure(
    name: str, group: Group, value: str, unit: str, figure: Figure, patients: int | None = None
) -> tuple[Cell, ...]:
    numbers = (figure.value, figure.low, figure.high, figure.of)
    return (name, group.value, value, unit, *numbers, patients)

"""Critical results in words: how long there is to tell them, to whom, and who was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from medmm.domain.critical_result import (
    DAYS,
    HOURS,
    MINUTES,
    Communication,
    CriticalResult,
    CriticalRule,
    critical_result,
)
from medmm.domain.plain_text import clean
from medmm.domain.worklist import WorklistRow
from medmm.presentation.case_table import Column, Mark, TableRow
from medmm.presentation.case_view import CaseView
from medmm.presentation.worklist_view import (
    clock_words,
    duration_words,
    finding_words,
    name_words,
    worklist_line,
)

SOON = {MINUTES: "within minutes", HOURS: "within hours", DAYS: "within days"}
NOBODY = "the settings name nobody"
OPEN_COLUMNS = (
    Column(name="left", title="Time", width=10),
    Column(name="findings", title="Finding", width=15),
    Column(name="category", title="Category", width=10),
    Column(name="name", title="Patient", width=16, opens=True),
    Column(name="patient_id", title="ID", width=9),
    Column(name="study", title="Study", width=8),
    Column(name="status", title="Status", width=7),
    Column(name="reads", title="Read by", width=9),
    Column(name="contact", title="Try", width=16),
)
CLOSED_COLUMNS = (
    Column(name="at", title="Told (UTC)", width=11),
    Column(name="findings", title="Finding", width=17),
    Column(name="category", title="Category", width=11),
    Column(name="name", title="Patient", width=18, opens=True),
    Column(name="patient_id", title="ID", width=9),
    Column(name="to", title="To", width=14),
    Column(name="how", title="How", width=9),
    Column(name="read_back", title="Repeated", width=6),
    Column(name="by", title="By", width=11),
)


def category_words(category: int) -> str:
    """Say how soon a category is to be told."""
    return f"{category}, {SOON[category]}"


def now(result: CriticalResult, rule: CriticalRule, at: datetime) -> CriticalResult:
    """Say the same of a result at another time: who is to be tried now may have changed."""
    return critical_result(result.findings, result.since, rule, at)


def contact_words(result: CriticalResult, rule: CriticalRule, at: datetime) -> str:
    """Say whom to try now, and who is next and when.

    The last one named stays.
    """
    if result.since is None:
        return "once it is signed"
    if not rule.contacts:
        return NOBODY
    step = timedelta(minutes=rule.next_after_minutes)
    tried = max((at - result.since) // step, 0)
    last = len(rule.contacts) - 1
    words = clean(rule.contacts[min(tried, last)])
    if tried >= last:
        return words
    left = result.since + (tried + 1) * step - at
    return f"{words}; in {duration_words(left)} {clean(rule.contacts[tried + 1])}"


def by_due(rows: Iterable[WorklistRow]) -> tuple[WorklistRow, ...]:
    """Keep the rows of results that nobody was told of, what is due first on top.

    What is due once it is signed comes last.
    """
    untold = [row for row in rows if row.critical is not None]
    dues = {row.case.case_id: row.critical.due for row in untold if row.critical}
    return tuple(
        sorted(
            untold,
            key=lambda row: (
                (due := dues[row.case.case_id]) is None,
                due.timestamp() if due else 0.0,
                row.case.case_id,
            ),
        )
    )


def open_table(
    rows: Iterable[WorklistRow], rule: CriticalRule, readers: Mapping[str, str], at: datetime
) -> tuple[TableRow, ...]:
    """Put the results that nobody was told of into rows, what is due first on top.

    Args:
        readers: names of readers by their ids.
        at: the time now.
    """
    return tuple(_open_row(row, rule, readers, at) for row in by_due(rows))


def _open_row(
    row: WorklistRow, rule: CriticalRule, readers: Mapping[str, str], at: datetime
) -> TableRow:
    result, line = row.critical, worklist_line(row, at, readers)
    words: dict[str, str] = {}
    if result is not None:
        words = {
            "left": clock_words(result, at),
            "findings": finding_words(result.findings),
            "category": category_words(result.category),
            "contact": contact_words(result, rule, at),
        }
    cells = (
        words[one.name] if one.name in words else str(getattr(line, one.name))
        for one in OPEN_COLUMNS
    )
    overdue = result is not None and result.overdue(at)
    return TableRow(
        case_id=row.case.case_id,
        cells=tuple(cells),
        mark=Mark.OVERDUE if overdue else Mark.CRITICAL,
    )


def closed_table(
    told: Iterable[tuple[WorklistRow, Communication]],
) -> tuple[TableRow, ...]:
    """Put into rows who was told of what, the latest on top."""
    ordered = sorted(told, key=lambda one: one[1].at, reverse=True)
    return tuple(_closed_row(row, one) for row, one in ordered)


def _closed_row(row: WorklistRow, one: Communication) -> TableRow:
    words = {
        "at": f"{one.at:%Y-%m-%d %H:%M}",
        "findings": finding_words(one.findings),
        "category": category_words(one.category),
        "name": name_words(row.patient),
        "patient_id": worklist_line(row, one.at, {}).patient_id,
        "to": clean(one.to),
        "how": one.how.value,
        "read_back": "yes" if one.read_back else "no",
        "by": clean(one.reader),
    }
    return TableRow(
        case_id=row.case.case_id, cells=tuple(words[column.name] for column in CLOSED_COLUMNS)
    )


def communication_words(one: Communication) -> str:
    """Say in a line who was told of what, when, how and by whom."""
    heard = "who repeated it" if one.read_back else "not repeated"
    return (
        f"{clean(one.to)} was told of {finding_words(one.findings)} on {one.at:%Y-%m-%d} at "
        f"{one.at:%H:%M} UTC by {clean(one.reader)}, {one.how.value}, {heard}."
    )


def critical_sentences(view: CaseView) -> tuple[str, ...]:
    """List the sentences that say what must be told, as they stand now, drafted or a reader's."""
    found = (*view.statements, *view.own)
    return tuple(
        dict.fromkeys(
            one.text
            for one in found
            if one.critical and one.summarises is None and one.decision != "rejected"
        )
    )

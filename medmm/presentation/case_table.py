"""Tables of cases: the worklist's columns, and what each cell says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from medmm.domain.case_state import SIGNED_STATES, CaseState
from medmm.domain.plain_text import clean
from medmm.domain.priority import Priority
from medmm.domain.worklist import Worklist, WorklistRow
from medmm.presentation.worklist_view import clock_words, finding_words, worklist_line

DONE = SIGNED_STATES | {CaseState.SUPERSEDED}


class Mark(Enum):
    """How a row of a table stands out; what it means stands in its words, too."""

    OVERDUE = "overdue"
    CRITICAL = "critical"
    URGENT = "urgent"
    DONE = "done"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: by which its look is found.
        width: in percent of the table.
        opens: whether its cell is the one that opens the case.
    """

    name: str
    title: str
    width: float
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row of a table.

    Attributes:
        cells: a text for each column.
        full: longer texts by the name of a column, shown when the pointer rests there.
    """

    case_id: str
    cells: tuple[str, ...]
    mark: Mark = Mark.NONE
    full: Mapping[str, str] = field(default_factory=dict)


WORKLIST_COLUMNS = (
    Column(name="urgency", title="Urgency", width=18.5),
    Column(name="status", title="Status", width=6),
    Column(name="name", title="Patient", width=14, opens=True),
    Column(name="patient_id", title="ID", width=7.5),
    Column(name="age", title="Age, sex", width=6.5),
    Column(name="accession", title="Accession", width=8),
    Column(name="study", title="Study", width=7),
    Column(name="site", title="Site", width=7.5),
    Column(name="acquired", title="Acquired", width=8.5),
    Column(name="waiting", title="Waiting", width=6.5),
    Column(name="reads", title="Read by", width=10),
)


def table_data(
    columns: Sequence[Column],
    rows: Sequence[TableRow],
    *,
    label: str,
    around_px: int,
    current: str | None,
    takes_keys: bool,
) -> dict[str, Any]:
    """Write a table as the data that the browser draws it from.

    Args:
        label: what the table holds.
        around_px: the height of the window that is needed beside the table.
        current: id of the case whose row the keys begin at.
        takes_keys: whether the keys are this table's when the page opens.
    """
    return {
        "takes_keys": takes_keys,
        "label": label,
        "around_px": around_px,
        "current": current or "",
        "columns": [
            {"name": one.name, "title": one.title, "width": one.width, "opens": one.opens}
            for one in columns
        ],
        "rows": [
            {"id": one.case_id, "cells": one.cells, "mark": one.mark.value, "full": one.full}
            for one in rows
        ],
    }


def worklist_table(
    page: Worklist, at: datetime, readers: Mapping[str, str]
) -> tuple[TableRow, ...]:
    """Put a page of the worklist into rows, in its order.

    Args:
        at: the time now.
        readers: names of readers by their ids.
    """
    return tuple(_row(row, at, readers) for row in page.rows)


def _row(row: WorklistRow, at: datetime, readers: Mapping[str, str]) -> TableRow:
    line = worklist_line(row, at, readers)
    cells = tuple(
        short_urgency(row, at) if one.name == "urgency" else str(getattr(line, one.name))
        for one in WORKLIST_COLUMNS
    )
    suspected = f"suspected: {line.suspected}" if line.suspected else ""
    full = {"urgency": line.urgency, "study": "; ".join(filter(None, (line.study, suspected)))}
    return TableRow(case_id=line.case_id, cells=cells, mark=mark_of(row, at), full=full)


def short_urgency(row: WorklistRow, at: datetime) -> str:
    """Say in a few words why a row stands where it does, the weightiest reason alone."""
    if row.critical is not None:
        words = finding_words(row.critical.findings)
        return f"critical, {clock_words(row.critical, at)}: {words}"
    if row.case.priority is None:
        return "routine"
    return f"{row.case.priority}: {clean(row.case.priority_reason or '')}".rstrip(": ")


def mark_of(row: WorklistRow, at: datetime) -> Mark:
    """Choose how a row stands out: what is overdue before what is critical, then the urgent."""
    if row.critical is not None:
        return Mark.OVERDUE if row.critical.overdue(at) else Mark.CRITICAL
    if row.case.state in DONE:
        return Mark.DONE
    urgent = row.case.priority not in (None, Priority.ROUTINE.value)
    return Mark.URGENT if urgent else Mark.NONE

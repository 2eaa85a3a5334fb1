"""The log read from a number on, each event with the patients whom it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from medmm.audit import log
from medmm.domain.audit_event import AuditedEvent, AuditEvent
from medmm.store import tables

AT_ONCE = 500  # names asked for in one statement
KEY = "pk-"  # begins every patient key


@dataclass(frozen=True, slots=True)
class Span:
    """Which events are asked for: those from `since`, before `until`; None leaves an end open."""

    since: datetime | None
    until: datetime | None

    def holds(self, event: AuditEvent) -> bool:
        """Tell whether an event is of this span."""
        return (self.since is None or event.at >= self.since) and (
            self.until is None or event.at < self.until
        )


def page(
    connection: sa.Connection, after: int, limit: int, span: Span
) -> tuple[tuple[AuditedEvent, ...], int | None]:
    """Read up to `limit` events of a span whose numbers come after `after`, in log order.

    Returns: the events, and the number to go on after; None where the log ends.
    Raises: IntegrityError if an entry is not what its hash says.
    """
    found: list[AuditEvent] = []
    for event in log.events_after(connection, after):
        if span.holds(event):
            found.append(event)
        if len(found) == limit:
            return tuple(_with_patients(connection, found)), event.number
    return tuple(_with_patients(connection, found)), None


def _with_patients(
    connection: sa.Connection, events: Sequence[AuditEvent]
) -> Iterator[AuditedEvent]:
    named = [tuple(_named(event)) for event in events]
    keys = _patient_keys(connection, {name for names in named for name in names})
    for event, names in zip(events, named, strict=True):
        of = dict.fromkeys(keys[name] for name in names if name in keys)
        yield AuditedEvent(event=event, patients=tuple(of))


def _named(event: AuditEvent) -> Iterator[str]:
    """Yield what an entry names that may be a case, a study, a report or a patient."""
    yield event.subject
    for name in ("patient", "study", "report", "cases"):
        yield from event.details.get(name, "").split()


def _patient_keys(connection: sa.Connection, names: Iterable[str]) -> Mapping[str, str]:
    """Find whose the cases, studies and reports of these names are."""
    wanted = sorted(names)
    keys = {name: name for name in wanted if name.startswith(KEY)}
    studies, cases, reports = tables.studies, tables.cases, tables.reports
    of_case = sa.select(cases.c.id, studies.c.patient_key).join(
        studies, cases.c.study_uid == studies.c.uid
    )
    of_study = sa.select(studies.c.uid, studies.c.patient_key)
    of_report = sa.select(reports.c.id, studies.c.patient_key).select_from(
        reports.join(cases, reports.c.case_id == cases.c.id).join(
            studies, cases.c.study_uid == studies.c.uid
        )
    )
    for query in (of_case, of_study, of_report):
        column = query.selected_columns[0]
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            for name, key in connection.execute(query.where(column.in_(part))):
                keys[name] = key
    return keys

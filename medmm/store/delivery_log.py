"""What the log says of deliveries, held against their rows.

Entries of signatures name the destinations, and each attempt has an entry of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from medmm.domain.audit_event import AuditProblem
from medmm.domain.delivery import DeliveryState
from medmm.store import tables

ROWS = tables.deliveries
Way = tuple[str, str]  # of a version of a report, by its id, to a destination


@dataclass(slots=True)
class LoggedDeliveries:
    """Where the log leaves each delivery, and the entry that says so."""

    ways: dict[Way, tuple[DeliveryState, int]] = field(default_factory=dict)

    def add(self, entry: int, event: Mapping[str, Any]) -> None:
        """Take in the next entry of the log."""
        details = event.get("details")
        if not isinstance(details, dict) or "report" not in details:
            return
        report = str(details["report"])
        for destination in str(details.get("destinations", "")).split():
            self.ways[report, destination] = (DeliveryState.WAITING, entry)
        state = _left(event, details)
        if state is not None:
            self.ways[report, str(details.get("destination"))] = (state, entry)


def _left(event: Mapping[str, Any], details: Mapping[str, Any]) -> DeliveryState | None:
    """Say how an entry leaves a delivery; None if it is about none."""
    if (event.get("verb"), event.get("outcome")) == ("retry_delivery", "done"):
        return DeliveryState.WAITING
    if event.get("verb") != "deliver":
        return None
    if event.get("outcome") == "done":
        return DeliveryState.SENT
    return DeliveryState.DEAD if details.get("given_up") == "yes" else DeliveryState.WAITING


def problems(connection: sa.Connection, said: LoggedDeliveries) -> Iterator[AuditProblem]:
    """Find every delivery that is missing, altered, or in no entry."""
    if not sa.inspect(connection).has_table(ROWS.name):  # a read-only copy of an earlier release
        return
    query = sa.select(ROWS.c.report_id, ROWS.c.destination, ROWS.c.state)
    rows = {(str(one[0]), str(one[1])): str(one[2]) for one in connection.execute(query)}
    for way, (state, entry) in said.ways.items():
        found = rows.pop(way, None)
        if found is None:
            yield _problem("missing", way, f"entry {entry} says it")
        elif found != state.value:
            yield _problem("altered", way, f"entry {entry} says {state.value}, not {found}")
    for way in rows:
        yield _problem("not in the log", way, "no entry says it")


def _problem(kind: str, way: Way, text: str) -> AuditProblem:
    report, destination = way
    return AuditProblem(kind=kind, place=f"delivery of {report} to {destination}", text=text)

"""Results that a repeated call gets again, under its idempotency key, for some days.

A result that is kept elsewhere is only referred to.

What a reference names can be replaced: a study grows, a case takes notices. Before it is, the
result goes to the keys that refer to it, so that a repeated call gets what the first one got.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from medmm.domain.clock import Clock, utc_now
from medmm.domain.codec import to_json
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.errors import IntegrityError, StateError
from medmm.domain.report import SignedReport
from medmm.domain.study import NotEvaluable, Release, Study
from medmm.store import drafts, integrity, log_coverage, tables

REPLAY_DAYS = 7  # unless the settings say otherwise
Names = tuple[str, ...]  # what a row goes by


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """The time for which results are given again, by the clock of the house."""

    days: float = REPLAY_DAYS
    clock: Clock = utc_now

    def now(self) -> str:
        """Say when a result is kept, as text that sorts."""
        return _moment(self.clock())

    def oldest(self) -> str:
        """Say when the oldest result was kept that is still given, as text that sorts."""
        return _moment(self.clock() - timedelta(days=self.days))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of one kind of result, and what holds it against the log.

    Of some kinds nothing does.
    """

    body: sa.Column[Any]
    columns: tuple[sa.Column[Any], ...]
    check: Callable[[sa.Connection, str], None] | None = None

    def value(self, names: Names) -> sa.Select[Any]:
        """Make the query for the JSON value kept there; names that name nothing find none."""
        if len(names) != len(self.columns):
            return sa.select(self.body).where(sa.false())
        pairs = zip(self.columns, names, strict=True)
        return sa.select(self.body).where(
            *(column == _typed(column, name) for column, name in pairs)
        )


PLACES = {
    "study": Place(
        body=tables.studies.c.body,
        columns=(tables.studies.c.uid,),
        check=log_coverage.refuse_altered_study,
    ),
    "case": Place(
        body=tables.cases.c.body, columns=(tables.cases.c.id,), check=integrity.refuse_altered_case
    ),
    "draft": Place(
        body=tables.drafts.c.body,
        columns=(tables.drafts.c.case_id, tables.drafts.c.version),
        check=integrity.refuse_altered_drafts,
    ),
    "report": Place(
        body=tables.reports.c.body,
        columns=(tables.reports.c.id,),
        check=integrity.refuse_altered_report,
    ),
    "release": Place(
        body=tables.releases.c.body,
        columns=(tables.releases.c.sha256, tables.releases.c.reason_code),
    ),
    "refusal": Place(body=tables.not_evaluable.c.body, columns=(tables.not_evaluable.c.id,)),
}


def remember(
    connection: sa.Connection,
    expiry: Expiry,
    key: str,
    verb: str,
    request_sha256: str,
    result: object,
    subject: str = "",
) -> None:
    """Keep under a key what its call gave, and forget what has expired.

    A result that is kept as it is is referred to; any other (names of files, a row of a table of
    models) is kept whole.

    Args:
        result: a noun, or a JSON value.
        subject: of the call's event: a draft goes by its case and its version there.

    Raises: StateError if the key is taken.
    """
    table = tables.idempotency
    connection.execute(table.delete().where(table.c.at < expiry.oldest()))
    if connection.scalar(sa.select(table.c.verb).where(table.c.key == key)) is not None:
        raise StateError(
            "this idempotency key is taken", remedy="take a new key, or ask for its result"
        )
    value = to_json(result)
    sha256, where = integrity.digest(value), _where(connection, result, subject)
    kept = None if where is None else connection.scalar(PLACES[where[0]].value(where[1]))
    if where is not None and kept is not None and integrity.digest(kept) == sha256:
        reference = {"kind": where[0], "names": json.dumps(where[1]), "result": None}
    else:
        reference = {"kind": None, "names": None, "result": value}
    values = {"key": key, "verb": verb, "request_sha256": request_sha256, "result_sha256": sha256}
    connection.execute(table.insert().values(**values, **reference, at=expiry.now()))


def recall(
    connection: sa.Connection, expiry: Expiry, key: str, verb: str, request_sha256: str
) -> object:
    """Recall the JSON value of the result given under a key; None if none or expired.

    Raises: StateError if the key was used for another verb or request; IntegrityError if the result
        is no longer what was given, or what it is a part of is not what the log says.
    """
    table = tables.idempotency
    fresh = table.c.at >= expiry.oldest()
    row = connection.execute(sa.select(table).where((table.c.key == key) & fresh)).first()
    if row is None:
        return None
    if (row.verb, row.request_sha256) != (verb, request_sha256):
        raise StateError(
            f"this idempotency key was used for another request ({row.verb})",
            remedy="take a new key",
            idempotency_key="reused",
        )
    value, place = row.result, PLACES.get(row.kind or "")
    if value is None and place is not None:
        names = tuple(json.loads(row.names))
        if place.check is not None:
            place.check(connection, names[0])
        value = connection.scalar(place.value(names))
    if row.result_sha256 not in (None, integrity.digest(value)):  # none: of an earlier release
        raise IntegrityError(
            f"the result of an earlier call ({row.verb}) is not what was given then",
            remedy="stop; restore the data folder from a copy; `medmm audit verify` names what "
            "differs",
            kept=f"{row.kind or 'result'} {row.names or ''}".strip(),
        )
    return value


def replaced(connection: sa.Connection, kind: str, names: Names, value: Any) -> None:
    """Give the keys that refer to a row what they were answered with.

    This comes before another value takes its place.
    """
    table = tables.idempotency
    refers = (
        (table.c.kind == kind)
        & (table.c.names == json.dumps(names))
        & table.c.result.is_(sa.null())
    )
    changes = refers & (table.c.result_sha256 != integrity.digest(value))
    kept = PLACES[kind].value(names).scalar_subquery()
    connection.execute(table.update().where(changes).values(result=kept))


def _where(connection: sa.Connection, result: object, subject: str) -> tuple[str, Names] | None:
    """Find kind and names of the row that a result is kept in; None if it is kept nowhere."""
    match result:
        case Study():
            return "study", (result.uid,)
        case Case():
            return "case", (result.id,)
        case CheckedDraft():
            return "draft", (subject, str(drafts.version(connection, tables.drafts, subject)))
        case SignedReport():
            return "report", (result.id,)
        case Release(file_sha256s=(first, *_)):
            return "release", (first, result.reason_code)
        case NotEvaluable():  # this step's own is the last: rows are only ever added
            return "refusal", (
                str(connection.scalar(sa.select(sa.func.max(tables.not_evaluable.c.id)))),
            )
    return None


def _typed(column: sa.Column[Any], name: str) -> str | int | None:
    """Convert a name to what its column holds: a text or a number."""
    if column.type.python_type is int:
        return int(name) if name.isdecimal() else None
    return name


def _moment(at: datetime) -> str:
    """Format a time in UTC as text that sorts."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")

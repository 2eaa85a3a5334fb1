"""What models in shadow read, and how models stand, each row held against the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa

from medmm.domain.codec import to_json
from medmm.domain.model_standing import ModelStanding
from medmm.domain.reading import Reading
from medmm.domain.reading_model import Declaration
from medmm.domain.report import CaseState
from medmm.domain.shadow_reading import ShadowReading, shadow_id
from medmm.store import integrity, log_coverage, tables
from medmm.store.decoded import noun
from medmm.store.last_words import SHADOW, STANDING

SHADOWS, LINES, DRAFTS = tables.shadow_readings, tables.worklist, tables.drafts
AT_ONCE = 500  # rows that one question names


def row_of(reading: ShadowReading) -> dict[str, Any]:
    """Build the row of a shadow reading beside its id and body."""
    return {
        "case_id": reading.case_id,
        "manifest_sha256": reading.model.manifest_sha256,
        "read_at": text_of(reading.read_at),
        "body": to_json(reading),
    }


def standings(connection: sa.Connection, *, earlier: bool = False) -> dict[str, ModelStanding]:
    """Read how each version of a model stands, by the digest of its manifest.

    Args:
        earlier: whether it may be a copy of an earlier release, in which nothing was accepted.

    Raises: IntegrityError if one is not what the log says, is missing or unknown to it.
    """
    if earlier and not sa.inspect(connection).has_table(STANDING.table):
        return {}
    bodies = log_coverage.checked_kind(connection, STANDING)
    return {key: cast(ModelStanding, noun(ModelStanding, body)) for key, body in bodies.items()}


def shadow_readings(
    connection: sa.Connection, manifest_sha256: str, since: datetime | None
) -> tuple[ShadowReading, ...]:
    """Read what a version of a model read in shadow, oldest first.

    Raises: IntegrityError if one is not what the log says.
    """
    query = sa.select(SHADOWS.c.id).where(SHADOWS.c.manifest_sha256 == manifest_sha256)
    if since is not None:
        query = query.where(SHADOWS.c.read_at >= text_of(since))
    ids = connection.scalars(query.order_by(SHADOWS.c.read_at, SHADOWS.c.id)).all()
    found: list[ShadowReading] = []
    for first in range(0, len(ids), AT_ONCE):
        some = ids[first : first + AT_ONCE]
        bodies = log_coverage.checked_rows(connection, SHADOW, some)
        found += (cast(ShadowReading, noun(ShadowReading, bodies[key])) for key in some)
    return tuple(found)


def drafted_since(connection: sa.Connection, since: datetime | None) -> list[list[str]]:
    """List the cases whose newest draft was made since a time, oldest first, some at a time."""
    newest = sa.func.max(DRAFTS.c.version)
    last = sa.select(DRAFTS.c.case_id, newest.label("version")).group_by(DRAFTS.c.case_id)
    of_case = last.subquery()
    made = sa.select(DRAFTS.c.case_id, DRAFTS.c.created_at).join(
        of_case,
        (of_case.c.case_id == DRAFTS.c.case_id) & (of_case.c.version == DRAFTS.c.version),
    )
    found = [
        (datetime.fromisoformat(row.created_at), row.case_id)
        for row in connection.execute(made.where(DRAFTS.c.created_at.is_not(None)))
    ]
    cases = [case_id for at, case_id in sorted(found) if since is None or at >= since]
    return [cases[first : first + AT_ONCE] for first in range(0, len(cases), AT_ONCE)]


def newest_readings(connection: sa.Connection, case_ids: Sequence[str]) -> list[Reading]:
    """Read the newest reading of each of these cases.

    Raises: IntegrityError if one is not what the log says.
    """
    rows = integrity.checked_cases(connection, integrity.CASE, case_ids)
    bodies = (rows[case_id].reading for case_id in case_ids if case_id in rows)
    return [cast(Reading, noun(Reading, body)) for body in bodies if body is not None]


def shadow_counts(connection: sa.Connection, *, earlier: bool = False) -> dict[str, int]:
    """Count the cases that each version of a model read in shadow.

    Args:
        earlier: as in `standings`.
    """
    if earlier and not sa.inspect(connection).has_table(SHADOW.table):
        return {}
    model = SHADOWS.c.manifest_sha256
    rows = connection.execute(sa.select(model, sa.func.count()).group_by(model))
    return {row[0]: row[1] for row in rows}


def lacking(connection: sa.Connection, case_id: str, manifests: Iterable[str]) -> list[str]:
    """List those of some versions of models that have not read a case in shadow yet."""
    wanted = list(manifests)
    there = set(
        connection.scalars(
            sa.select(SHADOWS.c.id).where(
                SHADOWS.c.id.in_([shadow_id(case_id, one) for one in wanted])
            )
        )
    )
    return [one for one in wanted if shadow_id(case_id, one) not in there]


def oldest_lacking(
    connection: sa.Connection, manifest_sha256: str, declares: Declaration
) -> str | None:
    """Find the first drafted case that a version of a model covers and has not read yet.

    Only those count that were opened since it first read one; cases before it came are not read.
    """
    of_model = SHADOWS.c.manifest_sha256 == manifest_sha256
    began = sa.select(sa.func.min(SHADOWS.c.read_at)).where(of_model).scalar_subquery()
    query = (
        sa.select(LINES.c.case_id)
        .where(LINES.c.modality == declares.modality.value)
        .where(LINES.c.body_part.in_(part.upper() for part in declares.body_parts))
        .where(LINES.c.opened_utc >= began, LINES.c.state != CaseState.OPENED.value)
        .where(LINES.c.case_id.not_in(sa.select(SHADOWS.c.case_id).where(of_model)))
        .order_by(LINES.c.opened_utc)
        .limit(1)
    )
    found = connection.scalar(query)
    return None if found is None else str(found)


def text_of(at: datetime) -> str:
    """Format a moment as text that sorts: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")

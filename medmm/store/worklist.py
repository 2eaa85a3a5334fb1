"""The worklist: one short line a case, found by index and by page.

Nothing of a case is parsed to show its line.

A line is derived from its case. The step that changes a case writes the line anew and names its
digest in the entry of the log, so that a check need not derive it again; lines of cases that an
earlier release kept are derived when its database is brought to this release, and again by every
check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from medmm.audit.log_database import bytes_of
from medmm.domain.audit_event import AuditProblem
from medmm.domain.codec import from_json, to_json
from medmm.domain.critical_result import Communication
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.images import seen_in_part
from medmm.domain.priority import CasePriority, Order, turn
from medmm.domain.reading import Reading
from medmm.domain.report import (
    CaseFile,
    CaseState,
    CaseSummary,
    Decision,
    Preliminary,
    SignedReport,
)
from medmm.domain.suspicion import Suspicion
from medmm.domain.worklist import CaseFilter, Page
from medmm.store import drafts, integrity, last_words, leases, tables
from medmm.store.decoded import noun

Progress = Callable[[int, int], None]  # how many cases are done, of how many
LINES, CASES = tables.worklist, tables.cases
WAITING = frozenset(  # for a person
    {CaseState.DRAFTED, CaseState.IN_REVIEW, CaseState.PRELIMINARY}
)
LATER = frozenset(  # columns of 0010 and 0013
    {"priority", "priority_reason", "waiting_since", "site", "critical_since"}
)
TO_TELL = frozenset(  # of critical findings: neither superseded nor withdrawn
    WAITING | {CaseState.SIGNED, CaseState.AMENDED}
)
NEWEST = (LINES.c.opened_utc.desc(), LINES.c.case_id.desc())
NAMES = tuple(column.name for column in LINES.columns)
OF_TURN = ("state", "priority", "waiting_since", "critical_since")
RAW = sa.select(*bytes_of(*LINES.c)).execution_options(yield_per=1000)


def page(
    connection: sa.Connection,
    wanted: CaseFilter,
    part: Page,
    at: datetime | None = None,
    also: Sequence[sa.ColumnElement[bool]] = (),
) -> tuple[CaseSummary, ...]:
    """Read the cases that are asked for, newest first or by urgency, of equals by id.

    A page begins after a case by that case's own place: cases that are opened meanwhile move
    nothing. By urgency that is the place at which it was listed, if it is said
    (`CaseSummary.place`), else where it stands now.

    Args:
        at: the time now, by which claims count; without it none does.
        also: further conditions, on the columns of lines and leases.

    Raises: InputError if the case to begin after is not there; IntegrityError if a case can't be
        listed.
    """
    _refuse_unlisted(connection)
    said = (last_words.WORDS.c.kind == last_words.WORKLIST) & (
        last_words.WORDS.c.owner == LINES.c.case_id
    )
    by_turn = part.order is Order.URGENCY
    lines = listed(at).join(CASES, CASES.c.id == LINES.c.case_id)
    lines = lines.outerjoin(last_words.WORDS, said)
    shown = (
        LINES,
        last_words.WORDS.c.value.label("said"),
        CASES.c.state.label("case_state"),
        leases.LEASES.c.holder.label("assigned"),
        leases.LEASES.c.since.label("assigned_since"),
        leases.LEASES.c.until.label("assigned_until"),
    )
    query = (
        sa.select(*shown)
        .select_from(lines)
        .where(*conditions(wanted, by_turn=by_turn), *also)
        .order_by(*(LINES.c.turn, LINES.c.case_id) if by_turn else NEWEST)
    )
    if part.after is not None:
        query = query.where(_after(connection, part))
    if part.limit is not None:
        query = query.limit(part.limit)
    return tuple(_summary(_checked(row)) for row in connection.execute(query))


def listed(at: datetime | None) -> sa.FromClause:
    """Join the lines with the claims that count at this time."""
    return LINES.outerjoin(leases.LEASES, leases.claimed(LINES.c.case_id, at))


def _refuse_unlisted(connection: sa.Connection) -> None:
    """Refuse a worklist that would not be whole.

    Raises: IntegrityError if a case can't be read, or has no line.
    """
    unread = connection.scalar(
        sa.select(LINES.c.case_id).where(LINES.c.modality.is_(None)).limit(1)
    )
    if unread is not None:
        raise IntegrityError(
            "a kept case can't be read, so the worklist would not be whole",
            remedy="stop; restore the data folder from a copy; `medmm audit verify` names what "
            "differs",
            case=unread,
        )
    bare = connection.scalar(
        sa.select(CASES.c.id).where(CASES.c.id.not_in(sa.select(LINES.c.case_id))).limit(1)
    )
    if bare is not None:
        raise _not_as_kept(bare)


def _after(connection: sa.Connection, part: Page) -> sa.ColumnElement[bool]:
    """Make the condition that a line comes after the place where the page begins.

    Raises: InputError if the case that it is named by is not there.
    """
    by_turn = part.order is Order.URGENCY
    sort = LINES.c.turn if by_turn else LINES.c.opened_utc
    case_id, stood_at = part.begins_after
    last = sa.select(sort, LINES.c.case_id).where(LINES.c.case_id == case_id)
    found = connection.execute(last).first()
    if found is None:
        raise InputError(
            "no such case to go on after",
            remedy="take the id of the last case of a page",
            case=case_id,
        )
    stood = (stood_at, case_id) if by_turn and stood_at is not None else found
    place, reached = sa.tuple_(sort, LINES.c.case_id), sa.tuple_(*map(sa.literal, stood))
    return place > reached if by_turn else place < reached


def _checked(row: Any) -> Any:
    """Check that the row is what the log says of the line and where the case is.

    Raises: IntegrityError if it is not.
    """
    digest = _digest({name: getattr(row, name) for name in NAMES})
    as_it_stands = turn(row.state, row.priority, row.waiting_since, row.critical_since)
    kept = row.state == row.case_state and row.turn == as_it_stands
    if not kept or row.said not in (None, digest):  # none: of an earlier release
        raise _not_as_kept(row.case_id)
    return row


def _not_as_kept(case_id: str) -> IntegrityError:
    return IntegrityError(
        "the worklist does not show a case as it was kept",
        remedy="stop; restore the data folder from a copy; `medmm audit verify` names what differs",
        case=case_id,
    )


def conditions(wanted: CaseFilter, *, by_turn: bool) -> Iterator[sa.ColumnElement[bool]]:
    """Make the conditions of a filter, on the columns of `listed`.

    Args:
        by_turn: whether the lines are read in that order.
    """
    if wanted.state is not None:
        yield LINES.c.state == wanted.state.value
    if wanted.modality is not None:
        yield LINES.c.modality == wanted.modality.value
    if wanted.body_part is not None:
        yield LINES.c.body_part == wanted.body_part.upper()
    if wanted.critical is not None:
        yield LINES.c.critical == wanted.critical
    if wanted.suspected is not None:
        yield LINES.c.suspected == wanted.suspected
    if wanted.priority is not None:
        yield LINES.c.priority == wanted.priority.value
    if wanted.waiting is not None:
        since = LINES.c.waiting_since  # of open cases few are left out: their order is the index
        waits = sa.func.coalesce(since, "") != "" if by_turn else since.is_not(None)
        yield waits if wanted.waiting else sa.not_(waits)
    if wanted.site is not None:
        yield LINES.c.site == wanted.site
    if wanted.assigned is not None:
        yield leases.LEASES.c.holder == wanted.assigned
    if wanted.acquired_from is not None:  # the text of a time begins with its day
        yield LINES.c.acquired >= wanted.acquired_from.isoformat()
    if wanted.acquired_to is not None and wanted.acquired_to < date.max:
        yield LINES.c.acquired < (wanted.acquired_to + timedelta(days=1)).isoformat()


def _summary(row: Any) -> CaseSummary:
    flagged = from_json(tuple[Suspicion, ...], json.loads(row.suspicions))
    return CaseSummary(
        case_id=row.case_id,
        study_uid=row.study_uid,
        patient_key=row.patient_key,
        modality=row.modality,
        body_part=row.body_part_words,
        acquired=_moment(row.acquired),
        state=CaseState(row.state),
        suspected=tuple(one.finding for one in flagged),
        opened_at=datetime.fromisoformat(row.opened_at),
        suspicions=flagged,
        seen_in_part=from_json(tuple[str, ...], json.loads(row.seen_in_part)),
        priority=row.priority,
        priority_reason=row.priority_reason,
        waiting_since=_moment(row.waiting_since),
        site=row.site,
        assigned=row.assigned,
        assigned_until=_moment(row.assigned_until),
        assigned_since=_moment(row.assigned_since),
        critical_since=_moment(row.critical_since),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def write(connection: sa.Connection, case_id: str) -> str:
    """Derive the line of a case anew and keep it.

    Returns: its digest.
    """
    line = _line(connection.execute(READ, {"case_ids": (case_id,)}).one())
    if (
        connection.execute(LINES.update().where(LINES.c.case_id == case_id).values(**line)).rowcount
        == 0
    ):
        connection.execute(LINES.insert().values(**line))
    return _digest(line)


def fill(connection: sa.Connection, progress: Progress | None = None) -> None:
    """Derive the lines of cases that have none: those of a database of an earlier release.

    Args:
        progress: told before each case, since every one is decoded once.
    """
    bare = sa.select(CASES.c.id).where(CASES.c.id.not_in(sa.select(LINES.c.case_id)))
    case_ids = connection.scalars(bare).all()
    for done, case_id in enumerate(case_ids):
        if progress is not None:
            progress(done, len(case_ids))
        write(connection, case_id)


def problems(
    connection: sa.Connection, said: Mapping[str, integrity.CaseMarks]
) -> Iterator[AuditProblem]:
    """Find every line that is missing, has no case, or is not as log and case give it.

    Args:
        said: what the log says, by case.
    """
    if not sa.inspect(connection).has_table("draft"):  # a read-only copy of an earlier release
        return
    cases, seen = set(connection.scalars(sa.select(CASES.c.id))), set()
    for row in connection.execute(RAW):
        line = {name: _text(getattr(row, name)) for name in NAMES}
        case_id = line["case_id"] or ""
        seen.add(case_id)
        mark = said.get(case_id, integrity.CaseMarks())
        written = mark.line
        if case_id not in cases:
            if "case" not in mark.parts:  # else the case itself is named as missing
                yield _problem("not in the log", case_id, "there is no such case")
            continue
        if written is not None and written.sha256 != _digest(line):
            yield _problem("altered", case_id, f"entry {written.entry} kept something else")
        elif written is None and _derived(connection, case_id) != _digest(line):
            yield _problem("altered", case_id, "its case gives another one")
        elif line["turn"] != turn(*(line[name] for name in OF_TURN)):
            yield _problem("altered", case_id, "its turn is not that of its priority and time")
    for case_id in sorted((cases - seen) & {c for c, mark in said.items() if "case" in mark.parts}):
        yield _problem("missing", case_id, "its case is not in the worklist")


def _problem(kind: str, case_id: str, text: str) -> AuditProblem:
    return AuditProblem(kind=kind, place=f"worklist line of case {case_id}", text=text)


# As bytes, whatever a tampering hand made of it: what is not JSON is told apart when it is decoded.
READ = integrity.CASE.add_columns(
    CASES.c.study_uid, CASES.c.opened_at, drafts.waiting_since().label("waiting_since")
)


def decoded_file(row: Any, report: SignedReport | None) -> CaseFile:
    """Decode the case of a row of `READ`.

    Raises: as `decoded.noun`.
    """
    return CaseFile(
        case=noun(Case, row.case),
        state=CaseState(row.state),
        reading=None if row.reading is None else noun(Reading, row.reading),
        draft=None if row.draft is None else noun(CheckedDraft, row.draft),
        decisions=noun(tuple[Decision, ...], row.decisions),
        report=report,
        priority=None if row.priority is None else noun(CasePriority, row.priority),
        preliminary=(None if row.preliminary is None else noun(Preliminary, row.preliminary)),
        communications=(
            ()
            if row.communications is None
            else noun(tuple[Communication, ...], row.communications)
        ),
    )


def _derived(connection: sa.Connection, case_id: str) -> str:
    return _digest(_line(connection.execute(READ, {"case_ids": (case_id,)}).one()))


def _line(case: Any) -> dict[str, Any]:
    """Make the line of a case.

    Of one that can't be read all but its place is None, and the worklist refuses to be shown.
    """
    opened = datetime.fromisoformat(case.opened_at)
    place = {
        "case_id": case.id,
        "study_uid": case.study_uid,
        "state": case.state,
        "opened_at": case.opened_at,
        "opened_utc": _utc(opened),
        "turn": turn(case.state, None, None),
    }
    try:
        return {**place, **_contents(case)}
    except (InputError, ValueError, KeyError, TypeError, RecursionError):
        return {**dict.fromkeys(NAMES), **place}


def _contents(case: Any) -> dict[str, Any]:
    """Give what the contents of a case add to its line."""
    file = decoded_file(case, None)
    study, flagged = file.case.study, file.flagged
    return {
        "patient_key": study.patient_key,
        "modality": study.modality.value,
        "body_part": study.body_part.upper(),
        "body_part_words": study.body_part,
        "acquired": study.image_time.moment.isoformat() if study.image_time else None,
        "critical": any(one.critical for one in flagged),
        "suspected": bool(flagged),
        "suspicions": json.dumps(to_json(flagged)),
        "seen_in_part": json.dumps(to_json(seen_in_part(study, file.reading))),
        **_queue(case, file),
    }


def _queue(case: Any, file: CaseFile) -> dict[str, str | None]:
    """Give what says when a case comes to its turn, and where."""
    given, drafted = file.priority, case.waiting_since
    level = None if given is None else given.level.value
    first = None if drafted is None else _utc(datetime.fromisoformat(drafted))
    waiting = first if file.state in WAITING else None
    untold = first if file.state in TO_TELL and file.uncommunicated else None
    return {
        "priority": level,
        "priority_reason": None if given is None else given.reason,
        "waiting_since": waiting,
        "site": None if case.site is None else noun(str, case.site),
        "critical_since": untold,
        "turn": turn(case.state, level, waiting, untold),
    }


def _utc(at: datetime) -> str:
    """Format a moment as text that sorts."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _digest(line: Mapping[str, Any]) -> str:
    """Digest a line as the database shows it: every value is text, a truth is 0 or 1.

    A line without what came later has the digest that it had before. Its turn follows from the
    others and is compared itself.
    """
    shown = {
        name: str(int(value)) if isinstance(value, bool) else value
        for name, value in line.items()
        if name != "turn" and not (name in LATER and value is None)
    }
    return integrity.digest(shown)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", errors="replace")

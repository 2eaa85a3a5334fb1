"""Leases on cases: a reader's, which the log tells of, and a process's.

A process's is held while a model runs, in place of a lock.

An expired lease is free. A process renews its own while it works; of one that died the lease
expires by itself. Leases keep two from working on the same thing unawares. What is kept is guarded
by the steps themselves, so no lease stands under the log.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from medmm.domain.errors import MedmmError, StateError, Unavailable
from medmm.domain.lease import Lease
from medmm.store import tables

LEASES = tables.leases
LEASE = sa.select(LEASES).where(
    LEASES.c.subject == sa.bindparam("of_subject"), LEASES.c.purpose == sa.bindparam("of_purpose")
)
REVIEW, DRAFT, ADMISSION, DELIVERY = "review", "draft", "admission", "delivery"
WORK_S = 30.0  # how long a process's lease counts without being renewed
BEATS = 3  # renewals in that time
POLL_S = 0.05  # between two looks at a lease that another process holds
Transaction = Callable[[Callable[[sa.Connection], Any]], Any]


def active(connection: sa.Connection, case_id: str, at: datetime) -> Lease | None:
    """Find the reader's lease on a case that counts at this time."""
    row = _row(connection, case_id, REVIEW)
    lease = None if row is None else _lease(row)
    return lease if lease is not None and lease.holds(at) else None


def claim(
    connection: sa.Connection,
    case_id: str,
    holder: str,
    at: datetime,
    until: datetime,
    since: datetime | None = None,
) -> Lease:
    """Take the lease on a case for a reader, or renew the reader's own.

    Of two who claim at once one gets it.

    Args:
        since: the beginning of the lease that is renewed: then none is begun in its place.

    Raises: StateError naming the holder while another holds it, or as `refuse_lost`.
    """
    if since is not None:
        refuse_lost(connection, case_id, holder, since)
        kept = Lease(case_id=case_id, holder=holder, since=since, renewed=at, until=until)
        _put(connection, REVIEW, "", kept, LEASES.c.holder == holder)
        return kept
    held = active(connection, case_id, at)
    since = held.since if held is not None and held.holder == holder else at
    wanted = Lease(case_id=case_id, holder=holder, since=min(since, at), renewed=at, until=until)
    if not _put(connection, REVIEW, "", wanted, LEASES.c.holder == holder):
        refuse_others(connection, case_id, holder, at)
        raise Unavailable("another claimed the case just now", remedy="try again", case=case_id)
    return wanted


def unclaim(connection: sa.Connection, case_id: str) -> None:
    """End the reader's lease on a case, if there is one."""
    where = (LEASES.c.subject == case_id) & (LEASES.c.purpose == REVIEW)
    connection.execute(LEASES.delete().where(where))


def refuse_lost(connection: sa.Connection, case_id: str, holder: str, since: datetime) -> None:
    """Refuse to go on by a reader's lease that another took, or that ended.

    One that has expired and that nobody took since is not lost.

    Raises: StateError that says so, with `lease` and who holds the case now in `where`.
    """
    row = _row(connection, case_id, REVIEW)
    held = None if row is None else _lease(row)
    if held is None or (held.holder, held.since) != (holder, since):
        raise StateError(
            "the claim on this case was lost while it was open",
            remedy="look at the case as it is now, then claim it again",
            case=case_id,
            lease="lost",
            holder="nobody" if held is None else held.holder,
        )


def refuse_others(connection: sa.Connection, case_id: str, by: str, at: datetime) -> None:
    """Refuse a case on which another reader's lease counts at this time.

    Raises: StateError naming the holder if so.
    """
    held = active(connection, case_id, at)
    if held is not None and held.holder != by:
        raise StateError(
            "another reader works on this case",
            remedy="wait until then, or have the holder give it back (`medmm case unclaim`)",
            case=case_id,
            holder=held.holder,
            until=held.until.isoformat(timespec="seconds"),
        )


def drafting(connection: sa.Connection, case_id: str, at: datetime) -> Lease | None:
    """Find the lease of the process that drafts a case at this time."""
    row = _row(connection, case_id, DRAFT)
    lease = None if row is None else _lease(row)
    return lease if lease is not None and lease.holds(at) else None


def refuse_delivering(
    connection: sa.Connection, case_id: str, destination: str, at: datetime
) -> None:
    """Refuse to change what a process is sending at this time.

    Raises: Unavailable if so.
    """
    row = _row(connection, of_delivery(case_id, destination).subject, DELIVERY)
    if row is not None and _lease(row).holds(at):
        raise Unavailable(
            "a version of this report is being sent there", remedy="try again in a minute"
        )


def refuse_drafting(connection: sa.Connection, case_id: str, at: datetime) -> None:
    """Refuse a case that is being drafted: a decision now would fall with the earlier draft.

    Raises: Unavailable if so.
    """
    if drafting(connection, case_id, at) is not None:
        raise Unavailable(
            "the case is being drafted",
            remedy="wait for the draft, look at it, then try again",
            case=case_id,
        )


@dataclass(slots=True)
class Work:
    """A process's lease on what it works on."""

    subject: str
    purpose: str
    holder: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    beats: int = 0

    @property
    def stamp(self) -> str:
        """What its row says now.

        It is another text at every renewal, so that others see it live whatever their clocks say.
        """
        return f"{self.token} {self.beats}"

    @property
    def mine(self) -> sa.ColumnElement[bool]:
        """The condition that a row is this lease."""
        return (
            (LEASES.c.subject == self.subject)
            & (LEASES.c.purpose == self.purpose)
            & LEASES.c.token.startswith(self.token)
        )

    def take(self, connection: sa.Connection, at: datetime, stale: str | None) -> bool:
        """Take it if it is free or its row is still the `stale` one; tell whether it is ours."""
        until = at + timedelta(seconds=WORK_S)
        wanted = Lease(case_id=self.subject, holder=self.holder, since=at, renewed=at, until=until)
        dead = sa.false() if stale is None else LEASES.c.token == stale
        return _put(connection, self.purpose, self.stamp, wanted, dead)

    def renew(self, connection: sa.Connection, at: datetime) -> bool:
        """Renew it, and tell whether it is still ours."""
        self.beats += 1
        values = _times(at, at + timedelta(seconds=WORK_S)) | {"token": self.stamp}
        return connection.execute(LEASES.update().where(self.mine).values(**values)).rowcount == 1

    def end(self, connection: sa.Connection) -> None:
        """End it in the step that keeps what was worked on.

        Raises: StateError if another took it over meanwhile.
        """
        if connection.execute(LEASES.delete().where(self.mine)).rowcount == 0 and _row(
            connection, self.subject, self.purpose
        ):
            raise StateError(
                "another process took this work over, since this one was not heard of",
                remedy="look at the result of the other one, or try again",
                subject=self.subject,
            )


def of_delivery(case_id: str, destination: str, holder: str = "") -> Work:
    """Make the lease on the way of a case's report to a destination, whatever its version."""
    return Work(f"{case_id} {destination}", DELIVERY, holder)


@contextmanager
def working(
    work: Work, clock: Callable[[], datetime], read: Transaction, write: Transaction
) -> Iterator[Work]:
    """Hold a process's lease while the body works.

    Wait while another process holds it and is alive.

    The step that keeps what was worked on ends it (`Work.end`); if the body fails it is ended
    too.

    Args:
        read, write: do something in a transaction of its own.
    Raises: Unavailable if the database can't be written to.
    """
    _wait(work, clock, read, write)
    with _renewed(work, clock, read, write):
        yield work


@contextmanager
def working_if_free(
    work: Work, clock: Callable[[], datetime], read: Transaction, write: Transaction
) -> Iterator[bool]:
    """Hold a process's lease while the body works, as `working`, if nobody holds it now.

    Yields: whether it is held; else the body has nothing to do.
    """
    if not write(partial(work.take, at=clock(), stale=None)):
        yield False
        return
    with _renewed(work, clock, read, write):
        yield True


@contextmanager
def _renewed(
    work: Work, clock: Callable[[], datetime], read: Transaction, write: Transaction
) -> Iterator[None]:
    """Renew a lease that was taken while the body works, and end it if the body did not."""
    over = threading.Event()
    pulse = threading.Thread(target=_pulse, args=(work, clock, write, over), daemon=True)
    pulse.start()
    try:
        yield
    finally:
        over.set()
        pulse.join()
        with suppress(MedmmError):  # else it expires: the body's own error must be seen
            if read(lambda c: c.scalar(sa.select(LEASES.c.token).where(work.mine))) is not None:
                write(lambda c: c.execute(LEASES.delete().where(work.mine)))


def _wait(work: Work, clock: Callable[[], datetime], read: Transaction, write: Transaction) -> None:
    """Wait for a lease and take it once it is free.

    It expired, or nothing was heard of its holder for as long as it counts.
    """
    seen, heard = None, time.monotonic()
    while True:
        row = read(lambda c: _row(c, work.subject, work.purpose))
        stamp = None if row is None else row.token
        if stamp != seen:
            seen, heard = stamp, time.monotonic()
        silent = stamp if time.monotonic() - heard > WORK_S else None
        free = row is None or silent is not None or not _lease(row).holds(clock())
        if free and write(partial(work.take, at=clock(), stale=silent)):
            return
        time.sleep(POLL_S)


def _pulse(
    work: Work, clock: Callable[[], datetime], write: Transaction, over: threading.Event
) -> None:
    """Renew a lease until the work is over, or the lease is lost."""
    while not over.wait(WORK_S / BEATS):
        with suppress(Unavailable):  # the next beat may do
            if not write(lambda c: work.renew(c, clock())):
                return


def _put(
    connection: sa.Connection, purpose: str, token: str, wanted: Lease, also: sa.ColumnElement[bool]
) -> bool:
    """Write a lease if there is none, or the one there does not count, or `also` holds.

    Returns: whether it was written. One statement decides, so that of two at once one wins on any
        database.
    """
    now = _text(wanted.renewed)
    free = (LEASES.c.until <= now) | (LEASES.c.counts_from > now) | also
    key = {"subject": wanted.case_id, "purpose": purpose}
    values = {"holder": wanted.holder, "token": token, "since": _text(wanted.since)}
    values |= _times(wanted.renewed, wanted.until)
    there = (LEASES.c.subject == key["subject"]) & (LEASES.c.purpose == purpose)
    if connection.execute(LEASES.update().where(there & free).values(**values)).rowcount:
        return True
    if connection.scalar(sa.select(LEASES.c.holder).where(there)) is not None:
        return False
    try:
        with connection.begin_nested():
            connection.execute(LEASES.insert().values(**key, **values))
    except sa.exc.IntegrityError:  # another was first, where writers do not wait for each other
        return False
    return True


def claimed(case_id: sa.ColumnElement[str], at: datetime | None) -> sa.ColumnElement[bool]:
    """Make the condition that a row is the reader's lease on a case and counts at this time.

    It is never met without a row.
    """
    if at is None:
        return sa.false()
    now = _text(at)
    counts = (LEASES.c.counts_from <= now) & (LEASES.c.until > now)
    return (LEASES.c.subject == case_id) & (LEASES.c.purpose == REVIEW) & counts


def _row(connection: sa.Connection, subject: str, purpose: str) -> Any:
    return connection.execute(LEASE, {"of_subject": subject, "of_purpose": purpose}).first()


def _lease(row: Any) -> Lease:
    since, renewed, until = map(datetime.fromisoformat, (row.since, row.renewed, row.until))
    return Lease(case_id=row.subject, holder=row.holder, since=since, renewed=renewed, until=until)


def _times(renewed: datetime, until: datetime) -> dict[str, str]:
    return {
        "renewed": _text(renewed),
        "counts_from": _text(renewed - (until - renewed)),
        "until": _text(until),
    }


def _text(at: datetime) -> str:
    """Format a moment as text that sorts: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")

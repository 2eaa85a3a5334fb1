"""What happened, and whether the log of it and what it covers are whole."""

from __future__ import annotations

from datetime import datetime

from medmm.domain.audit_event import AuditEvent, AuditProof, AuditTrail, AuditVerification
from medmm.domain.errors import InputError
from medmm.domain.session_event import SessionEvent
from medmm.store.audit_trail import Span
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import By, look

MOST_AT_ONCE = 10_000


@look("history", lambda case_id: case_id)
def history(house: House, call: VerbCall, case_id: str) -> tuple[AuditEvent, ...]:
    """Tell what happened to a case and its study, oldest first."""
    return house.store.events(house.store.study_of(case_id), case_id)


@look("note_session", lambda event, person: "sessions")
def note_session(house: House, call: VerbCall, event: SessionEvent, person: str) -> None:
    """Keep that somebody signed in or out; see `Assistant.note_session`."""
    call.seen = {"event": event.value, "person": person}


@look("audit_trail", lambda after, limit, since, until: "audit")
def audit_trail(
    house: House,
    call: VerbCall,
    after: int,
    limit: int,
    since: datetime | None,
    until: datetime | None,
) -> AuditTrail:
    """Read a part of the log, with whom each event concerns; see `Assistant.audit_trail`."""
    if not 1 <= limit <= MOST_AT_ONCE:
        raise InputError(
            f"{limit} events at once", remedy=f"ask for 1 to {MOST_AT_ONCE}, and then go on"
        )
    if any(at is not None and at.tzinfo is None for at in (since, until)):
        raise InputError("a time without its zone", remedy="use aware times")
    found = house.store.audit_trail(after, limit, Span(since, until))
    numbers = [one.event.number for one in found.events]
    call.seen = {"entries": len(numbers)}
    if numbers:
        call.seen |= {"first": numbers[0], "last": numbers[-1]}
    return found


def verify(house: House, by: By | None) -> AuditVerification:
    """Check the whole log against its tree heads, and what it covers; see `Assistant.verify`."""
    with house.calls.call("verify", by) as call:
        verification = house.store.verify()
        # nothing is appended to a log that is already broken, which is evidence, nor to a read-only
        # copy
        if verification.ok and not house.store.read_only:
            with house.store.step() as step:
                call.done(step, None, "audit", size=verification.size)
        return verification


def prove(house: House, number: int, since: int | None, by: By | None) -> AuditProof:
    """Prove that an entry stands in the log; see `Assistant.prove`."""
    with house.calls.call("prove", by) as call:
        proof = house.store.prove(number, since)
        if not house.store.read_only:
            with house.store.step() as step:
                call.done(step, None, "audit", entry=number, size=proof.size)
        return proof

"""What the audit page shows of a case. Pure functions: no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from medmm.domain.audit_event import AuditEvent, AuditProof, AuditVerification
from ui.presenter import details_words

LOOKS = {  # verbs that show something of a case, and change nothing
    "case": "the case",
    "history": "its history",
    "influence": "what its record does to the draft",
}
ELSEWHERE = (
    "A page of the worklist names all its cases in one entry, and a look at who a patient is "
    "stands under the patient's key: neither is among these."
)


def moment(at: datetime) -> str:
    """Write a time with its zone."""
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or f'{at:%z}'}"


def event_rows(
    events: Sequence[AuditEvent], readers: Mapping[str, str]
) -> list[dict[str, str | int]]:
    """List what happened, newest first."""
    return [
        {
            "entry": event.number or 0,
            "when": moment(event.at),
            "who": who(event.actor, readers),
            "role": event.role,
            "did": event.verb,
            "outcome": event.outcome,
            "details": details_words(event),
        }
        for event in reversed(events)
    ]


def people_rows(
    events: Sequence[AuditEvent], readers: Mapping[str, str]
) -> list[dict[str, str | int]]:
    """List who saw and who did what, each person once, the first to come on top."""
    found: dict[str, list[AuditEvent]] = {}
    for event in events:
        found.setdefault(event.actor, []).append(event)
    return [
        {
            "who": who(actor, readers),
            "role": ", ".join(dict.fromkeys(event.role for event in own)),
            "looked at": ", ".join(
                dict.fromkeys(LOOKS[e.verb] for e in own if e.verb in LOOKS and e.outcome == "done")
            ),
            "did": ", ".join(
                dict.fromkeys(e.verb for e in own if e.verb not in LOOKS and e.outcome == "done")
            ),
            "failed": sum(event.outcome == "failed" for event in own),
            "first": moment(own[0].at),
            "last": moment(own[-1].at),
        }
        for actor, own in found.items()
    ]


def who(actor: str, readers: Mapping[str, str]) -> str:
    """Name who acted: by name where the directory still knows it, and always by id."""
    return f"{readers[actor]} ({actor})" if actor in readers else actor


def verification_lines(found: AuditVerification) -> tuple[str, ...]:
    """Say whether the log is sound, and what is not."""
    if found.ok:
        uncovered = (
            f" {found.uncovered} of them are not yet under a signed head."
            if found.uncovered
            else " All of them are under a signed head."
        )
        return (f"The log is sound: {found.size} entries.{uncovered}", *found.not_covered)
    shown = found.problems[:20]
    more = len(found.problems) - len(shown)
    return (
        f"The log, or what it covers, was altered: {len(found.problems)} problems. Stop, keep the "
        "files as they are, and call your administrator.",
        *(f"{one.place}: {one.kind} ({one.text})" for one in shown),
        *((f"And {more} more; `medmm audit verify` names all.",) if more else ()),
    )


def proof_lines(proof: AuditProof) -> tuple[str, ...]:
    """Say what was proved, by which signed head."""
    return (
        f"Entry {proof.number} stands in the log of {proof.size} entries: {len(proof.path)} "
        "digests lead from it to the root.",
        f"Root: {proof.root}",
        f"Signed head of size {proof.size}: {proof.signature}",
        f"Public key of this installation: {proof.public_key}",
    )

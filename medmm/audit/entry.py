"""An event as canonical bytes: what is hashed, and what is kept."""

from __future__ import annotations

import json

from medmm.domain.audit_event import AuditEvent
from medmm.domain.codec import from_json, to_json


def entry_bytes(event: AuditEvent) -> bytes:
    """Encode an event without its number: sorted keys, no spaces, UTF-8 (canonical JSON)."""
    said = {name: value for name, value in to_json(event).items() if name != "number"}
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def event_of(entry: bytes) -> AuditEvent:
    """Decode the event of an entry.

    Raises: InputError, or ValueError if the bytes are not even JSON.
    """
    return from_json(AuditEvent, json.loads(entry))


def subject_of(entry: bytes) -> bytes | None:
    """Return the subject that an entry names, as UTF-8; None if the bytes name none."""
    try:
        return str(json.loads(entry)["subject"]).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return None

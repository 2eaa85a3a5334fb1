"""Events of the log as FHIR AuditEvents: one event for each patient whom it concerns.

A patient is named by the key alone. Of a request the log keeps a digest, never the words, and of
where somebody sat nothing: both ends of the exchange are this installation.

Source: IHE Basic Audit Log Patterns 1.1 (Create, Read, Update, Query, each with and without a
patient; the roles of client and server swap); FHIR R4 AuditEvent; PS3.16 CID 400 for signing in and
for looks at the log. Those patterns are of successes; what was refused or failed claims none.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from medmm.domain.audit_event import AuditedEvent, AuditEvent
from medmm.domain.session_event import SessionEvent

Json = dict[str, Any]
PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
SOURCE, DESTINATION = ("110153", "Source Role ID"), ("110152", "Destination Role ID")
SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"


class Pattern(Enum):
    """What an event is to whoever collects the logs of many systems."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    QUERY = "search"
    SIGN_IN = "sign-in"
    LOG_USED = "log used"


ACTIONS = {Pattern.CREATE: "C", Pattern.READ: "R", Pattern.UPDATE: "U"}  # all else is executed
# Of each verb, so that a verb without a row fails a test
PATTERNS: Mapping[str, Pattern] = {
    **dict.fromkeys(
        (
            "admit", "open_case", "draft", "sign", "amend", "addendum", "withdraw", "read",
            "record_first_read", "order_double_reading", "communicate", "propose", "confirm",
            "take_order", "add_model", "save_filter", "keep_unfinished", "transcribe",
        ),
        Pattern.CREATE,
    ),
    **dict.fromkeys(
        (
            "release", "prioritise", "claim", "unclaim", "decide", "accept_passing", "undo",
            "drop_double_reading", "drop_filter", "remove_model", "calibrate_model",
            "accept_model", "shadow_model", "probe_writer", "retry_delivery",
        ),
        Pattern.UPDATE,
    ),
    **dict.fromkeys(
        (
            "case", "identity", "influence", "publish", "first_reads", "inspect", "record",
            "deliver", "models", "check_model", "capabilities", "model_card", "watch_model",
        ),
        Pattern.READ,
    ),
    **dict.fromkeys(
        (
            "cases", "worklist", "insight", "insight_of_all", "export_insight", "recall_list",
            "deliveries",
        ),
        Pattern.QUERY,
    ),
    "note_session": Pattern.SIGN_IN,
    **dict.fromkeys(("history", "verify", "prove", "audit_trail"), Pattern.LOG_USED),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSource:
    """Whose events these are.

    Attributes:
        installation: its public key in hex.
        site: the host or site name that collectors know it by.
    """

    installation: str
    site: str


def audit_events(audited: AuditedEvent, source: AuditSource) -> Iterator[Json]:
    """Yield an event as AuditEvents: one a patient, or one if it concerns none."""
    for patient in audited.patients or (None,):
        yield _audit_event(audited.event, patient, source)


def _audit_event(event: AuditEvent, patient: str | None, source: AuditSource) -> Json:
    pattern = PATTERNS[event.verb]
    made: Json = {"resourceType": "AuditEvent", "id": _id(event, patient, source)}
    if (profile := _profile(pattern, event, patient)) is not None:
        made["meta"] = {"profile": [profile]}
    made |= {
        **_kind(pattern, event),
        "action": ACTIONS.get(pattern, "E"),
        "recorded": event.at.isoformat(),
        **_outcome(event),
        "agent": list(_agents(pattern, event, source)),
        "source": {
            "site": source.site,
            "observer": _who("key", source.installation, source, of="Device"),
            "type": [_coding(f"{TERMINOLOGY}/security-source-type", "4", "Application Server")],
        },
    }
    entities = list(_entities(pattern, event, patient, source))
    return {**made, "entity": entities} if entities else made


def _id(event: AuditEvent, patient: str | None, source: AuditSource) -> str:
    """Name an event, the same whenever it is exported: a collector that has it finds it again."""
    name = f"{source.installation}/entry {event.number}/{patient or ''}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def _profile(pattern: Pattern, event: AuditEvent, patient: str | None) -> str | None:
    names = {
        Pattern.CREATE: "Create",
        Pattern.READ: "Read",
        Pattern.UPDATE: "Update",
        Pattern.QUERY: "Query",
    }
    if pattern not in names or event.outcome != "done":
        return None
    return f"{PROFILES}.{'Patient' if patient else ''}{names[pattern]}"


def _kind(pattern: Pattern, event: AuditEvent) -> Json:
    if pattern is Pattern.LOG_USED:
        return {"type": _coding(DCM, "110101", "Audit Log Used")}
    if pattern is Pattern.SIGN_IN:
        starts = (SessionEvent.SIGNED_IN.value, SessionEvent.NOT_LET_IN.value)
        out = event.details.get("event") not in starts
        login = ("110123", "Logout") if out else ("110122", "Login")
        return {
            "type": _coding(DCM, "110114", "User Authentication"),
            "subtype": [_coding(DCM, *login)],
        }
    return {
        "type": _coding(f"{TERMINOLOGY}/audit-event-type", "rest", "RESTful Operation"),
        "subtype": [_coding(INTERACTION, pattern.value, pattern.value)],
    }


def _outcome(event: AuditEvent) -> Json:
    if event.outcome == "done":
        if event.details.get("event") == SessionEvent.NOT_LET_IN.value:
            return {"outcome": MINOR_FAILURE, "outcomeDesc": SessionEvent.NOT_LET_IN.value}
        return {"outcome": SUCCESS}
    if event.outcome == "refused":
        why = event.details.get("code", "not evaluable")  # of a delivery, what its receiver said
        return {"outcome": MINOR_FAILURE, "outcomeDesc": f"{event.verb}: {why}"}
    why = event.details.get("error", event.details.get("code", "failed"))
    return {"outcome": SERIOUS_FAILURE, "outcomeDesc": f"{event.verb}: {why}"}


def _agents(pattern: Pattern, event: AuditEvent, source: AuditSource) -> Iterator[Json]:
    """Yield client, server and person; of a read the server is the source of what flows."""
    reads = pattern is Pattern.READ
    for role in (DESTINATION, SOURCE) if reads else (SOURCE, DESTINATION):
        yield {
            "type": {"coding": [_coding(DCM, *role)]},
            "who": _who("key", source.installation, source, of="Device"),
            "requestor": False,
            "network": {"address": source.site, "type": "1"},
        }
    service = event.role == "service"
    taking = pattern in (Pattern.READ, Pattern.QUERY, Pattern.LOG_USED)
    person = ("IRCP", "information recipient") if taking else ("AUT", "author (originator)")
    yield {
        "type": {"coding": [_coding(f"{TERMINOLOGY}/v3-ParticipationType", *person)]},
        "role": [{"text": event.role}],
        "who": _who("service" if service else "reader", event.actor, source),
        "requestor": True,
    }


def _entities(
    pattern: Pattern, event: AuditEvent, patient: str | None, source: AuditSource
) -> Iterator[Json]:
    if patient is not None:
        yield {
            "what": _who("patient", patient, source, of="Patient"),
            "type": _coding(f"{TERMINOLOGY}/audit-entity-type", "1", "Person"),
            "role": _coding(f"{TERMINOLOGY}/object-role", "1", "Patient"),
        }
    if pattern is Pattern.SIGN_IN:
        return
    kind = {"type": _coding(f"{TERMINOLOGY}/audit-entity-type", "2", "System Object")}
    if pattern is Pattern.QUERY:
        asked = f"{event.verb} sha256={event.details.get('request', '')}"
        role = _coding(f"{TERMINOLOGY}/object-role", "24", "Query")
        yield {**kind, "role": role, "query": base64.b64encode(asked.encode()).decode()}
        return
    details = [
        {"type": name, "valueString": value} for name, value in event.details.items() if value
    ]
    yield {
        "what": _who("subject", event.subject, source),
        **kind,
        "role": _coding(f"{TERMINOLOGY}/object-role", "4", "Domain Resource"),
        "description": event.verb,
        **({"detail": details} if details else {}),
    }


def _who(kind: str, value: str, source: AuditSource, *, of: str | None = None) -> Json:
    """Refer to something by what it is called at this installation, and nowhere else."""
    system = uuid.uuid5(uuid.NAMESPACE_OID, f"{source.installation}/{kind}").urn
    return {**({"type": of} if of else {}), "identifier": {"system": system, "value": value}}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}

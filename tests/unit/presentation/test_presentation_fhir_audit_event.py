"""AuditEvents held against the constraints of IHE BALP, written down here a second time."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent as R4AuditEvent

from medmm.domain.audit_event import AuditedEvent, AuditEvent
from medmm.domain.roles import role_table
from medmm.domain.session_event import SessionEvent
from medmm.presentation.fhir_audit_event import PATTERNS, AuditSource, Pattern, audit_events

Json = dict[str, Any]
SOURCE = AuditSource(installation="ab" * 32, site="reading-room-1")
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
# (action, DICOM role of the client, of the server, participation of the person)
REST = {
    "create": ("C", "110153", "110152", "AUT"),
    "update": ("U", "110153", "110152", "AUT"),
    "read": ("R", "110152", "110153", "IRCP"),
    "search": ("E", "110153", "110152", "IRCP"),
}


def made(
    verb: str,
    *patients: str,
    outcome: str = "done",
    actor: str = "reader-1",
    role: str = "reader",
    **details: str,
) -> list[Json]:
    event = AuditEvent(
        at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        verb=verb,
        outcome=outcome,
        actor=actor,
        role=role,
        subject="case-1",
        details={"request": "00ff", **details},
        number=7,
    )
    return list(audit_events(AuditedEvent(event=event, patients=patients), SOURCE))


def codes(event: Json) -> list[str]:
    return [agent["type"]["coding"][0]["code"] for agent in event["agent"]]


def test_every_verb_has_a_pattern() -> None:
    assert set(PATTERNS) == set(role_table())


@pytest.mark.parametrize("patients", [(), ("pk-1",)])
@pytest.mark.parametrize("verb", sorted(PATTERNS))
def test_an_event_is_r4_and_keeps_the_profile_that_it_claims(
    verb: str, patients: tuple[str, ...]
) -> None:
    (event,) = made(verb, *patients, event=SessionEvent.SIGNED_IN.value)
    R4AuditEvent.model_validate(event)
    claimed = event.get("meta", {}).get("profile", [])
    if PATTERNS[verb] in (Pattern.SIGN_IN, Pattern.LOG_USED):
        assert claimed == []
        return
    interaction = event["subtype"][0]["code"]
    action, client, server, person = REST[interaction]
    name = {"search": "Query"}.get(interaction, interaction.capitalize())
    assert claimed == [f"{BALP}{'Patient' if patients else ''}{name}"]
    assert (event["action"], event["outcome"]) == (action, "0")
    assert codes(event) == [client, server, person]
    assert all("network" in agent for agent in event["agent"][:2])
    assert event["agent"][2]["requestor"] is True
    assert "network" not in event["agent"][2]
    *before, data = event["entity"]
    assert data["type"]["code"] == "2"
    if interaction == "search":
        assert data["role"]["code"] == "24"
        assert "what" not in data
        assert b"00ff" in base64.b64decode(data["query"])
    else:
        assert data["role"]["code"] in {"3", "4", "20"}
        assert data["what"]["identifier"]["value"] == "case-1"
    assert [one["what"]["identifier"]["value"] for one in before] == list(patients)
    for one in before:
        assert (one["type"]["code"], one["role"]["code"]) == ("1", "1")
        assert one["what"]["type"] == "Patient"


def test_there_is_one_event_for_each_patient_each_with_its_own_lasting_id() -> None:
    found = made("worklist", "pk-1", "pk-2", "pk-3")
    assert [one["entity"][0]["what"]["identifier"]["value"] for one in found] == [
        "pk-1",
        "pk-2",
        "pk-3",
    ]
    ids = [one["id"] for one in found]
    assert len(set(ids)) == 3
    assert ids == [one["id"] for one in made("worklist", "pk-1", "pk-2", "pk-3")]


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [("failed", "8", "sign: StateError"), ("refused", "4", "sign: not evaluable")],
)
def test_what_did_not_succeed_says_so_and_claims_no_profile(
    outcome: str, code: str, said: str
) -> None:
    (event,) = made("sign", outcome=outcome, error="StateError")
    assert (event["outcome"], event["outcomeDesc"]) == (code, said)
    assert "meta" not in event


@pytest.mark.parametrize(("outcome", "severity"), [("refused", "4"), ("failed", "8")])
def test_what_did_not_arrive_says_what_its_receiver_answered(outcome: str, severity: str) -> None:
    (event,) = made("deliver", outcome=outcome, code="MSA AE 101 at PID-1-5")
    assert (event["outcome"], event["outcomeDesc"]) == (severity, "deliver: MSA AE 101 at PID-1-5")


@pytest.mark.parametrize(
    ("said", "subtype", "outcome"),
    [
        (SessionEvent.SIGNED_IN, "110122", "0"),
        (SessionEvent.NOT_LET_IN, "110122", "4"),
        (SessionEvent.REFUSED, "110123", "0"),
        (SessionEvent.SIGNED_OUT, "110123", "0"),
        (SessionEvent.IDLE, "110123", "0"),
        (SessionEvent.EXPIRED, "110123", "0"),
    ],
)
def test_signing_in_and_out_are_dicom_s(said: SessionEvent, subtype: str, outcome: str) -> None:
    (event,) = made("note_session", event=said.value, person="reader-1")
    assert event["type"]["code"] == "110114"
    assert (event["subtype"][0]["code"], event["outcome"]) == (subtype, outcome)


def test_a_service_is_no_reader() -> None:
    (event,) = made("draft", "pk-1", actor="medmm-service", role="service")
    (reader,) = made("draft", "pk-1")
    who = [one["agent"][2]["who"]["identifier"] for one in (event, reader)]
    assert who[0]["system"] != who[1]["system"]
    assert event["agent"][2]["role"] == [{"text": "service"}]

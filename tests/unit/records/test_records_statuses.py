"""Statuses of FHIR R4: every code of the table, several codings, words, other systems, spellings, modifiers at any depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.record import FactStatus
from medmm.records import read_record
from medmm.records.statuses import STATUSES, status_of
from tests.unit.records.test_records_document import (
    OWN,
    bundle,
    concept,
    condition,
    observation,
    only_fact,
    reasons,
)

VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
LOCAL = "urn:local"
MEDICINE = {"subject": OWN, "medicationCodeableConcept": {"text": "Warfarin"}, "id": "m1"}


def coded(*pairs: tuple[str | None, str], text: str | None = None) -> dict[str, Any]:
    codings = [{"code": code, **({"system": system} if system else {})} for system, code in pairs]
    return {"coding": codings, **({"text": text} if text else {})}


def verified(value: Any) -> tuple[FactStatus | None, str]:
    """Status and marks of a condition with this verification status; no status if it is left out."""
    facts = read_record(bundle(condition(verificationStatus=value))).facts
    return (facts[0].status, "; ".join(facts[0].marks)) if facts else (None, "")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (coded((VERIFIED, "confirmed")), FactStatus.ACTIVE),
        (coded((LOCAL, "RO"), (VERIFIED, "refuted")), FactStatus.REFUTED),
        (coded((VERIFIED, "refuted"), (LOCAL, "RO")), FactStatus.REFUTED),
        (coded((VERIFIED, "confirmed"), (VERIFIED, "refuted")), FactStatus.REFUTED),
        (coded((VERIFIED, "refuted"), (VERIFIED, "entered-in-error")), None),
        (coded((LOCAL, "x"), (VERIFIED, "entered-in-error")), None),
        (coded((VERIFIED, "provisional"), (VERIFIED, "confirmed")), FactStatus.UNCONFIRMED),
        (
            coded(("http://hl7.org/fhir/condition-ver-status", "refuted")),
            FactStatus.REFUTED,
        ),  # STU3 system
        (coded((None, "refuted")), FactStatus.REFUTED),
        (
            [coded((VERIFIED, "confirmed")), coded((VERIFIED, "refuted"))],
            FactStatus.REFUTED,
        ),  # a list, not one concept
        ("refuted", FactStatus.REFUTED),
        ("Refuted", FactStatus.REFUTED),
        ("ENTERED_IN_ERROR", None),
        (coded((VERIFIED, "Entered in error")), None),
        (coded(("http://snomed.info/sct", "410594000")), FactStatus.REFUTED),
        (coded(("http://snomed.info/sct", "415684004")), FactStatus.UNCONFIRMED),
        (
            coded(("http://snomed.info/sct", "410594000"), (VERIFIED, "provisional")),
            FactStatus.UNCONFIRMED,
        ),
        ({}, FactStatus.ACTIVE),
        (None, FactStatus.ACTIVE),
    ],
)
def test_the_coding_of_hl7_counts_and_the_most_negative_wins(
    value: Any, status: FactStatus | None
) -> None:
    assert verified(value)[0] is status


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"text": "refuted"}, "in words alone: refuted"),
        ({"text": "confirmed"}, "in words alone: confirmed"),
        (coded((LOCAL, "suspected")), "unknown verification status"),
        (coded((LOCAL, "refuted")), "unknown verification status"),
        (coded((VERIFIED, "made-up")), "unknown verification status"),
        ("CONFIRMED", "unknown verification status"),
        (
            coded((VERIFIED, "confirmed"), text="ruled out by CT"),
            "contradicted by other words for it: ruled out by CT",
        ),
        (coded((VERIFIED, "confirmed"), (LOCAL, "refuted")), "contradicted by other words"),
        (7, "unknown verification status"),
        (True, "unknown verification status"),
    ],
)
def test_words_and_unknown_codes_confirm_nothing_and_say_so(value: Any, words: str) -> None:
    status, marks = verified(value)
    assert status is FactStatus.UNCONFIRMED
    assert words in marks


@pytest.mark.parametrize(
    ("clinical", "status"),
    [
        (coded((LOCAL, "A"), (CLINICAL, "resolved")), FactStatus.INACTIVE),
        (coded((CLINICAL, "recurrence"), (CLINICAL, "resolved")), FactStatus.INACTIVE),
        (coded((CLINICAL, "remission")), FactStatus.INACTIVE),
        (coded((VERIFIED, "refuted")), FactStatus.UNCONFIRMED),  # a code of the other element
        ({"text": "active"}, FactStatus.UNCONFIRMED),
    ],
)
def test_the_clinical_status_is_read_alike(clinical: Any, status: FactStatus) -> None:
    assert only_fact(read_record(bundle(condition(clinicalStatus=clinical)))).status is status


@pytest.mark.parametrize(
    ("letter", "status"),
    [
        ("A", FactStatus.REFUTED),
        ("V", FactStatus.UNCONFIRMED),
        ("Z", FactStatus.INACTIVE),
        ("G", FactStatus.ACTIVE),
    ],
)
def test_the_certainty_of_a_german_code_counts(letter: str, status: FactStatus) -> None:
    url = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
    code = concept("Pneumothorax")
    code["coding"][0]["extension"] = [
        {"url": url, "valueCoding": {"system": "urn:x", "code": letter}}
    ]
    assert only_fact(read_record(bundle(condition(code=code)))).status is status


@pytest.mark.parametrize(
    ("kind", "changes", "status"),
    [
        ("MedicationStatement", {"status": "not-taken"}, FactStatus.REFUTED),
        ("MedicationStatement", {"status": "intended"}, FactStatus.UNCONFIRMED),
        ("MedicationStatement", {"status": "on-hold"}, FactStatus.INACTIVE),
        (
            "MedicationStatement",
            {"status": "final"},
            FactStatus.UNCONFIRMED,
        ),  # a code of another resource
        ("MedicationStatement", {"status": "active", "taken": "n"}, FactStatus.REFUTED),  # STU3
        (
            "MedicationStatement",
            {"status": "active", "wasNotTaken": True},
            FactStatus.REFUTED,
        ),  # DSTU2
        (
            "MedicationRequest",
            {"status": "active", "intent": "order", "doNotPerform": "true"},
            FactStatus.REFUTED,
        ),
        ("MedicationRequest", {"status": "stopped", "intent": "order"}, FactStatus.INACTIVE),
        (
            "Procedure",
            {"status": "stopped", "code": {"text": "Thoracentesis"}},
            FactStatus.UNCONFIRMED,
        ),
        (
            "Procedure",
            {"status": "completed", "notDone": True, "code": {"text": "X"}},
            FactStatus.REFUTED,
        ),  # STU3
        (
            "Procedure",
            {"status": "not-done", "code": {"text": "Thoracentesis"}},
            FactStatus.REFUTED,
        ),
        (
            "ServiceRequest",
            {"status": "revoked", "intent": "order", "code": {"text": "X"}},
            FactStatus.INACTIVE,
        ),
        ("Observation", {"status": "cancelled", "code": {"text": "X"}}, FactStatus.INACTIVE),
        ("Observation", {"status": "completed", "code": {"text": "X"}}, FactStatus.UNCONFIRMED),
        ("DiagnosticReport", {"status": "corrected", "code": {"text": "X"}}, FactStatus.ACTIVE),
    ],
)
def test_negations_of_other_resources_are_never_lost(
    kind: str, changes: dict[str, Any], status: FactStatus
) -> None:
    resource = {"resourceType": kind, **MEDICINE, **changes}
    assert only_fact(read_record(bundle(resource))).status is status


def test_every_required_code_of_r4_is_in_the_table(shared_data: Path) -> None:
    bindings = json.loads(
        (shared_data / "fhir" / "required_bindings.json").read_text(encoding="utf-8")
    )["resources"]
    missing, seen = {}, 0
    for kind, elements in STATUSES.items():
        for element, codes in elements.items():
            bound = bindings[kind].get(f"{kind}.{element}")
            if bound is not None and bound["codes"] is not None:
                seen += 1
                missing[f"{kind}.{element}"] = set(bound["codes"]) - set(codes)
    assert seen >= 10
    assert {path: codes for path, codes in missing.items() if codes} == {}


CODES = st.sampled_from(
    ["confirmed", "unconfirmed", "provisional", "differential", "refuted", "made-up"]
)
SYSTEMS = st.sampled_from([VERIFIED, LOCAL, None])
ORDER = (FactStatus.REFUTED, FactStatus.UNCONFIRMED, FactStatus.INACTIVE, FactStatus.ACTIVE)


@given(st.lists(st.tuples(SYSTEMS, CODES), min_size=1, max_size=4))
def test_more_codings_never_make_a_fact_surer(pairs: list[tuple[str | None, str]]) -> None:
    whole = status_of(condition(verificationStatus=coded(*pairs)), "Condition")[0]
    own = [(s, c) for s, c in pairs if s != LOCAL and c != "made-up"]
    for pair in own:
        alone = status_of(condition(verificationStatus=coded(pair)), "Condition")[0]
        assert ORDER.index(whole) <= ORDER.index(alone)
    if not own:
        assert whole is FactStatus.UNCONFIRMED


DEEP = {"url": "http://x.example/not", "valueBoolean": True}


@pytest.mark.parametrize(
    "resource",
    [
        condition(modifierExtension=[DEEP]),
        condition(implicitRules="http://x.example/rules"),
        condition(stage=[{"summary": {"text": "2"}, "modifierExtension": [DEEP]}]),
        condition(evidence=[{"code": [{"text": "x"}], "modifierExtension": [DEEP]}]),
        {
            "resourceType": "MedicationStatement",
            **MEDICINE,
            "status": "active",
            "dosage": [{"text": "3 mg", "modifierExtension": [DEEP]}],
        },
        {
            **{
                "resourceType": "MedicationStatement",
                "id": "m1",
                "subject": OWN,
                "status": "active",
            },
            "medicationReference": {"reference": "#m"},
            "contained": [
                {
                    "resourceType": "Medication",
                    "id": "m",
                    "code": {"text": "X"},
                    "ingredient": [{"modifierExtension": [DEEP]}],
                }
            ],
        },
        {
            **{
                "resourceType": "MedicationStatement",
                "id": "m1",
                "subject": OWN,
                "status": "active",
            },
            "medicationReference": {"reference": "#m"},
            "contained": [
                {
                    "resourceType": "Medication",
                    "id": "m",
                    "code": {"text": "X"},
                    "implicitRules": "http://x.example/rules",
                }
            ],
        },
    ],
)
def test_what_may_turn_the_meaning_round_is_left_out_at_any_depth(resource: dict[str, Any]) -> None:
    document = read_record(bundle(resource))
    assert document.facts == ()
    assert "may turn" in reasons(document)


def test_a_referred_medicine_with_a_modifier_takes_what_refers_to_it_along() -> None:
    medicine = {
        "resourceType": "Medication",
        "id": "med",
        "code": {"text": "X"},
        "modifierExtension": [DEEP],
    }
    statement = {
        **{"resourceType": "MedicationStatement", "id": "m1", "subject": OWN, "status": "active"},
        "medicationReference": {"reference": "Medication/med"},
    }
    document = read_record(bundle(statement, medicine))
    assert document.facts == ()
    assert "may turn round what the medicine is" in reasons(document)


def test_of_components_only_the_modified_one_goes() -> None:
    parts = [
        {"code": {"text": "Systolic"}, "valueString": "120", "modifierExtension": [DEEP]},
        {"code": {"text": "Diastolic"}, "valueString": "80"},
    ]
    document = read_record(bundle(observation(valueQuantity=None, component=parts)))
    assert [fact.label for fact in document.facts] == ["Diastolic"]
    assert "component[1]" in " ".join(o.source for o in document.left_out)


@pytest.mark.parametrize("around", [{"implicitRules": "http://x.example/rules"}, {}])
def test_modifiers_around_a_resource_count_too(around: dict[str, Any]) -> None:
    whole = json.loads(bundle(condition()))
    whole |= around
    if not around:
        whole["entry"][1]["modifierExtension"] = [DEEP]
    document = read_record(json.dumps(whole).encode())
    assert document.facts == ()
    assert "may turn" in reasons(document)


def test_a_withdrawn_document_holds_no_fact() -> None:
    composition = {"resourceType": "Composition", "id": "x", "status": "entered-in-error"}
    document = read_record(bundle(composition, condition()))
    assert document.facts == ()
    assert "entered in error" in reasons(document)

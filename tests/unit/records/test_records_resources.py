"""Which elements of each resource reach a fact: what a clinician would miss, and that the table says it all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medmm.domain.record import Fact, FactStatus
from medmm.records import facts, read_record
from medmm.records.resources import DATES, ELEMENTS, KINDS, within_reach
from tests.unit.records.test_records_document import (
    OWN,
    PATIENT,
    bundle,
    concept,
    condition,
    observation,
    only_fact,
    reasons,
)

SITE = {"text": "Left"}
REASON = {"reasonCode": [{"text": "Cough"}], "reasonReference": [{"display": "Old tuberculosis"}]}
PERIOD = {"start": "2019-01-01", "end": "2019-02-01"}
STATED = {"id": "x1", "status": "active", "subject": OWN}
CODED = {**STATED, "code": concept("Something")}
RICH: dict[str, dict[str, Any]] = {
    "Condition": condition(
        verificationStatus={"coding": [{"code": "confirmed"}]},
        severity={"text": "severe"},
        bodySite=[SITE],
        onsetDateTime=None,
        onsetPeriod=PERIOD,
        abatementDateTime="2020-01-01",
        recordedDate="2019-06-01",
        assertedDate="2019-06-01",
        category=[{"text": "problem"}],
        stage=[{"summary": {"text": "stage 2"}}],
    ),
    "Observation": observation(
        bodySite=SITE,
        component=[{"code": concept("Part"), "valueString": "high"}],
        referenceRange=[{"low": {"value": 12}}],
        effectiveDateTime="2020-02-02",
        issued="2020-02-03T10:00:00Z",
        interpretation=[{"text": "Critical low"}],
        category=[{"text": "laboratory"}],
        method={"text": "by hand"},
    ),
    "MedicationRequest": {
        **STATED,
        **REASON,
        "medicationReference": {"reference": "#m"},
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "Warfarin"}}],
        "doNotPerform": False,
        "intent": "plan",
        "authoredOn": "2020-01-01",
        "priority": "urgent",
        "dosageInstruction": [{"text": "3 mg daily", "asNeededBoolean": True}],
    },
    "MedicationStatement": {
        **STATED,
        **REASON,
        "medicationReference": {"reference": "#m"},
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "Warfarin"}}],
        "effectivePeriod": PERIOD,
        "dateAsserted": "2019-03-01",
        "dosage": [{"doseAndRate": [{"doseQuantity": {"value": 3, "unit": "mg"}}]}],
    },
    "AllergyIntolerance": {
        "id": "a1",
        "patient": OWN,
        "code": concept("Iodinated contrast"),
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "criticality": "high",
        "type": "allergy",
        "category": ["medication"],
        "onsetDateTime": "2018-01-01",
        "recordedDate": "2019-01-01",
        "assertedDate": "2019-01-01",
        "reaction": [
            {
                "manifestation": [{"text": "Anaphylaxis"}],
                "severity": "severe",
                "substance": {"text": "Iohexol"},
            }
        ],
    },
    "Procedure": {
        **CODED,
        **REASON,
        "status": "completed",
        "bodySite": [SITE],
        "performedPeriod": PERIOD,
        "category": {"text": "surgical"},
        "outcome": {"text": "healed"},
        "complication": [{"text": "bleeding"}],
        "statusReason": {"text": "done"},
    },
    "ServiceRequest": {
        **CODED,
        **REASON,
        "doNotPerform": False,
        "intent": "proposal",
        "bodySite": [SITE],
        "authoredOn": "2020-01-01",
        "priority": "stat",
        "category": [{"text": "imaging"}],
        "orderDetail": [{"text": "erect"}],
    },
    "DiagnosticReport": {
        **CODED,
        "status": "final",
        "conclusion": "No pneumothorax.",
        "conclusionCode": [{"text": "Normal chest"}],
        "category": [{"text": "radiology"}],
        "effectiveDateTime": "2019-01-01",
        "issued": "2019-01-02T10:00:00Z",
    },
}
EXPECTED = {
    "Condition": (
        "Heart failure (Left)",
        "category: problem",
        "stage: stage 2",
        "onset: 2019-01-01 to 2019-02-01",
    ),
    "Observation": (
        "Hemoglobin (Left)",
        "interpretation: Critical low",
        "category: laboratory",
        "method: by hand",
    ),
    "MedicationRequest": (
        "Warfarin",
        "intent: plan",
        "priority: urgent",
        "dosage: 3 mg daily (as needed)",
    ),
    "MedicationStatement": (
        "Warfarin",
        "reason: Old tuberculosis",
        "dosage: 3 mg, how often is not read",
    ),
    "AllergyIntolerance": (
        "Iodinated contrast",
        "criticality: high",
        "severity of a reaction: severe",
    ),
    "Procedure": ("Something (Left)", "outcome: healed", "complication: bleeding", "reason: Cough"),
    "ServiceRequest": (
        "Something (Left)",
        "priority: stat",
        "detail: erect",
        "reason: Old tuberculosis",
    ),
    "DiagnosticReport": ("Something", "coded conclusion: Normal chest", "category: radiology"),
}


def first_fact(kind: str) -> Fact:
    return read_record(bundle({**RICH[kind], "resourceType": kind})).facts[0]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_a_clinician_would_miss_is_kept(kind: str) -> None:
    fact = first_fact(kind)
    label, *details = EXPECTED[kind]
    assert fact.label == label
    assert set(details) <= set(fact.details)
    assert fact.when is not None


def test_values_are_those_of_each_kind() -> None:
    values = {
        kind: first_fact(kind).value
        for kind in ("Condition", "AllergyIntolerance", "ServiceRequest")
    }
    assert values == {
        "Condition": "severe",
        "AllergyIntolerance": "Anaphylaxis",
        "ServiceRequest": "Cough",
    }
    assert first_fact("DiagnosticReport").value == "No pneumothorax."


class Watched(dict[str, Any]):
    """A resource that remembers which of its elements were asked for."""

    def __init__(self, resource: dict[str, Any], asked: set[str]) -> None:
        super().__init__(resource)
        self.asked = asked

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_table_of_elements_is_what_is_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    monkeypatch.setattr(facts, "within_reach", lambda r, k: Watched(within_reach(r, k), asked))
    resource = {**RICH[kind], "resourceType": kind}
    assert set(within_reach(resource, kind)) == set(resource) - {"resourceType"}
    without_value = {
        name: value
        for name, value in resource.items()
        if name not in ("valueQuantity", "component")
    }
    read_record(bundle(resource, without_value))
    stems = {name.removesuffix("[x]") for name in ELEMENTS[kind]}
    exact = {stem for stem in stems if any(name == stem or name.startswith(stem) for name in asked)}
    before = {"subject", "patient", "focus", "extension"}  # whose it is
    before |= {"meta", "implicitRules", "modifierExtension"}  # whether it counts
    before |= {
        stem for stem in stems if any(path.startswith(stem) for path in DATES[kind])
    }  # what dates it
    assert stems - exact - before == set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_date_is_of_an_element_that_is_read(kind: str) -> None:
    for path in DATES[kind]:
        assert within_reach({path.partition(".")[0]: 1}, kind)


def test_what_is_not_in_the_table_is_out_of_reach() -> None:
    odd = {"valueX": 1, "value": 2, "valuex": 3, "encounter": 4, "id": "x"}
    assert set(within_reach(odd, "Observation")) == {"valueX", "id"}


def test_a_medicine_in_another_entry_is_named_and_not_said_to_be_left_out() -> None:
    medicine = {"resourceType": "Medication", "id": "med1", "code": {"text": "Apixaban"}}
    request = {**RICH["MedicationRequest"], "resourceType": "MedicationRequest", "contained": None}
    document = read_record(
        bundle({**request, "medicationReference": {"reference": "Medication/med1"}}, medicine)
    )
    assert only_fact(document).label == "Apixaban"
    assert "Medication is not read" not in reasons(document)
    document = read_record(
        bundle({**request, "medicationReference": {"reference": "Medication/other"}}, medicine)
    )
    assert document.facts == ()
    assert "Medication is not read" in reasons(document)
    assert "lead out of the record" in reasons(document)


@pytest.mark.parametrize(
    ("kind", "changes", "status"),
    [
        ("MedicationRequest", {"intent": "order"}, FactStatus.ACTIVE),
        ("MedicationRequest", {"intent": "proposal"}, FactStatus.UNCONFIRMED),
        ("MedicationRequest", {"intent": "order", "status": "completed"}, FactStatus.INACTIVE),
        (
            "MedicationRequest",
            {"intent": "order", "status": "entered-in-error", "doNotPerform": True},
            None,
        ),
        ("MedicationRequest", {"intent": "plan", "doNotPerform": True}, FactStatus.REFUTED),
        ("ServiceRequest", {"intent": "plan"}, FactStatus.UNCONFIRMED),
        ("DiagnosticReport", {"status": "appended"}, FactStatus.ACTIVE),
        ("DiagnosticReport", {"status": "preliminary"}, FactStatus.UNCONFIRMED),
        ("Procedure", {"status": "not-done"}, FactStatus.REFUTED),
        (
            "AllergyIntolerance",
            {"verificationStatus": {"coding": [{"code": "refuted"}]}},
            FactStatus.REFUTED,
        ),
    ],
)
def test_a_status_is_kept_or_the_resource_is_not(
    kind: str, changes: dict[str, Any], status: FactStatus | None
) -> None:
    found = read_record(bundle({**RICH[kind], **changes, "resourceType": kind})).facts
    assert [fact.status for fact in found] == ([status] if status else [])


@pytest.mark.parametrize(
    ("reference", "address", "kept", "mark"),
    [
        ("Patient/p1", None, True, False),
        ("Patient/p1/_history/3", None, True, False),
        ("http://a.example/fhir/Patient/p1", "http://a.example/fhir/Patient/p1", True, False),
        ("http://b.example/fhir/Patient/p1", "http://a.example/fhir/Patient/p1", False, False),
        ("http://b.example/fhir/Patient/p1", None, True, True),
        ("urn:uuid:1", "urn:uuid:1", True, False),
        ("Patient/p11", None, False, False),
        ("x/Patient/p1", None, False, False),
    ],
)
def test_whose_a_resource_is(reference: str, address: str | None, kept: bool, mark: bool) -> None:
    entries: list[dict[str, Any]] = [
        {"resource": PATIENT},
        {"resource": condition(subject={"reference": reference})},
    ]
    if address:
        entries[0]["fullUrl"] = address
    document = read_record(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())
    assert bool(document.facts) is kept
    assert any("address" in m for f in document.facts for m in f.marks) is mark
    assert kept or "another patient's" in reasons(document)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1 : 128"),
        ({"valueRange": {"low": {"value": 5, "unit": "mg"}}}, "5 mg to …"),
        ({"valuePeriod": {"start": "2019"}}, "2019 to …"),
        ({"valueBoolean": False}, "no"),
        ({"valueInteger": 3}, "3"),
        ({"valueCodeableConcept": {"text": "Positive"}}, "Positive"),
    ],
)
def test_values_that_are_no_quantity_are_words(value: dict[str, Any], words: str) -> None:
    fact = only_fact(read_record(bundle(observation(valueQuantity=None, **value))))
    assert (fact.value, fact.marks) == (words, ())


def test_a_value_of_a_type_that_is_not_read_is_said() -> None:
    sampled = {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 3"}
    fact = only_fact(read_record(bundle(observation(valueQuantity=None, valueSampledData=sampled))))
    assert fact.marks == ("a value of this type is not read",)

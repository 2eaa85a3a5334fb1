"""What is read of FHIR R4: resource types, their dates and elements, and which deviations are tolerated.

`ELEMENTS` is the reach of the readers: what is not in it is taken away before they see a resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medmm.domain.record import FactKind

KINDS = {
    "Condition": FactKind.CONDITION,
    "Observation": FactKind.OBSERVATION,
    "MedicationRequest": FactKind.MEDICATION,
    "MedicationStatement": FactKind.MEDICATION,
    "AllergyIntolerance": FactKind.ALLERGY,
    "Procedure": FactKind.PROCEDURE,
    "ServiceRequest": FactKind.ORDER,
    "DiagnosticReport": FactKind.PRIOR_REPORT,
}
# What dates a resource: it counts from the latest of these, when it was known, not from when it began.
DATES = {
    "Condition": ("onsetDateTime", "onsetPeriod.start", "recordedDate", "assertedDate"),
    "Observation": ("effectiveDateTime", "effectiveInstant", "effectivePeriod.end", "effectivePeriod.start", "issued"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod.start", "dateAsserted"),
    "AllergyIntolerance": ("onsetDateTime", "recordedDate", "assertedDate"),
    "Procedure": ("performedDateTime", "performedPeriod.end", "performedPeriod.start"),
    "ServiceRequest": ("authoredOn",),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod.end", "effectivePeriod.start", "issued"),
}
# Elements whose words stand beside a fact, by path, and under which name.
DETAILS = {
    "Condition": {"category": "category", "stage.summary": "stage"},
    "Observation": {"interpretation": "interpretation", "category": "category", "method": "method"},
    "MedicationRequest": {
        "intent": "intent",
        "priority": "priority",
        "reasonCode": "reason",
        "reasonReference.display": "reason",
        "dosageInstruction": "dosage",
    },
    "MedicationStatement": {"reasonCode": "reason", "reasonReference.display": "reason", "dosage": "dosage"},
    "AllergyIntolerance": {
        "criticality": "criticality",
        "type": "type",
        "category": "category",
        "reaction.severity": "severity of a reaction",
        "reaction.substance": "substance of a reaction",
    },
    "Procedure": {
        "category": "category",
        "reasonCode": "reason",
        "reasonReference.display": "reason",
        "outcome": "outcome",
        "complication": "complication",
        "statusReason": "reason of the status",
    },
    "ServiceRequest": {
        "intent": "intent",
        "priority": "priority",
        "category": "category",
        "orderDetail": "detail",
        "reasonReference.display": "reason",
    },
    "DiagnosticReport": {"category": "category", "conclusionCode": "coded conclusion"},
}
_ALL = {"id": "id of the fact", "modifierExtension": "never used if there is one", "code": "label and codes"}
_ABOUT = {"subject": "whose it is", **_ALL}
_MEDICINE = {
    "id": "id of the fact",
    "modifierExtension": "never used if there is one",
    "subject": "whose it is",
    "status": "status",
    "medication[x]": "label and codes; a reference is followed within the Bundle or the resource",
    "contained": "the medicine that is referred to",
}
_SITE = "in the label: a side is never lost"
# Resource type -> element -> what it becomes. `[x]` stands for any type of that element.
ELEMENTS: Mapping[str, Mapping[str, str]] = {
    "Patient": {
        "id": "references to the patient",
        "identifier": "identity check (MR first); value with system as issuer",
        "name": "identity check (official, usual, else the first)",
        "gender": "identity check; sex",
        "birthDate": "identity check; age at the study",
        "deceased[x]": "said",
        "extension": "patient-animal: no human patient",
        "animal": "STU3: no human patient",
    },
    "Condition": {
        **_ABOUT,
        "clinicalStatus": "status",
        "verificationStatus": "status: a refuted or unconfirmed one stays that",
        "severity": "value",
        "bodySite": _SITE,
        "onset[x]": "date; said beside the fact where another date is later",
        "abatement[x]": "said; by date, a condition that ended after the study was active",
        "recordedDate": "date",
        "assertedDate": "date (STU3)",
        "category": "said beside the fact",
        "stage": "said beside the fact",
    },
    "Observation": {
        **_ABOUT,
        "status": "status",
        "value[x]": "value; SampledData and Attachment are not read",
        "component": "each a fact of its own",
        "dataAbsentReason": "mark",
        "referenceRange": "normal range, in the unit of the value",
        "bodySite": _SITE,
        "effective[x]": "date",
        "issued": "date",
        "interpretation": "said beside the fact",
        "category": "said beside the fact",
        "method": "said beside the fact",
    },
    "MedicationRequest": {
        **_MEDICINE,
        "doNotPerform": "status: must not be given",
        "intent": "status: what is only proposed or planned is unconfirmed",
        "authoredOn": "date",
        "priority": "said beside the fact",
        "reasonCode": "said beside the fact",
        "reasonReference": "its words, beside the fact",
        "dosageInstruction": "its text, else the dose, beside the fact",
    },
    "MedicationStatement": {
        **_MEDICINE,
        "effective[x]": "date",
        "dateAsserted": "date",
        "reasonCode": "said beside the fact",
        "reasonReference": "its words, beside the fact",
        "dosage": "its text, else the dose, beside the fact",
    },
    "AllergyIntolerance": {
        **_ALL,
        "patient": "whose it is",
        "clinicalStatus": "status",
        "verificationStatus": "status: a refuted or unconfirmed one stays that",
        "reaction": "value: its manifestations; severity and substance beside the fact",
        "criticality": "said beside the fact",
        "type": "said beside the fact",
        "category": "said beside the fact",
        "onset[x]": "date; said beside the fact where another date is later",
        "recordedDate": "date",
        "assertedDate": "date (STU3)",
    },
    "Procedure": {
        **_ABOUT,
        "status": "status",
        "bodySite": _SITE,
        "performed[x]": "date",
        "category": "said beside the fact",
        "reasonCode": "said beside the fact",
        "reasonReference": "its words, beside the fact",
        "outcome": "said beside the fact",
        "complication": "said beside the fact",
        "statusReason": "said beside the fact",
    },
    "ServiceRequest": {
        **_ABOUT,
        "status": "status",
        "doNotPerform": "status: must not be done",
        "intent": "status: what is only proposed or planned is unconfirmed",
        "reasonCode": "value",
        "bodySite": _SITE,
        "authoredOn": "date",
        "priority": "said beside the fact",
        "category": "said beside the fact",
        "orderDetail": "said beside the fact",
        "reasonReference": "its words, beside the fact",
    },
    "DiagnosticReport": {
        **_ABOUT,
        "status": "status",
        "conclusion": "value",
        "conclusionCode": "said beside the fact",
        "category": "said beside the fact",
        "effective[x]": "date",
        "issued": "date",
    },
    "Medication": {"code": "label and codes of what refers to it"},
}
# What a sender may do against R4, and what is made of it. Strictness is checked with the R4B classes.
DEVIATIONS = (
    ("an element that R4 has not, or of another type", "named in what was left out; the rest is read"),
    ("STU3: statuses as plain codes, assertedDate, Patient.animal", "read as meant, and named"),
    ("R5: medication as CodeableReference", "the medicine is not read, and said"),
    ("a resource type that is not read (also of DSTU2, STU3 and R5)", "left out, and said"),
    ("an object where a list is due", "read as a list of one"),
    ("null values and empty strings", "absent"),
    ("a resource without id", "named by its content"),
    ("one id with different contents", "both are read and marked"),
    ("a date without time zone", "counts as the whole day, marked"),
    ("a text that is no FHIR date", "undated, marked"),
    ("more than one value[x]", "none is read, marked"),
    ("a unit in words or without system", "read as UCUM by a table, said; else as written, marked"),
    ("UTF-16, a byte order mark", "read; UTF-16 is said"),
    ("NDJSON with broken lines", "the other lines are read, and said"),
    ("a Bundle inside a Bundle, an entry without resource", "left out, and said"),
    ("narrative, notes, attachments, extensions", "not read; narratives and notes are said"),
    ("references to what is not in the Bundle", "never followed, and said"),
)


def within_reach(resource: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A resource without the elements that are not read."""
    reach = ELEMENTS[kind]
    stems = tuple(name.removesuffix("[x]") for name in reach if name.endswith("[x]"))
    return {name: value for name, value in resource.items() if name in reach or _typed(name, stems)}


def _typed(name: str, stems: tuple[str, ...]) -> bool:
    return any(name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper() for stem in stems)

"""What is read of FHIR R4: resource types, dates, elements, tolerated deviations.

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
# What dates a resource: the latest of these, when it was known, not when it began.
DATES = {
    "Condition": ("onsetDateTime", "onsetPeriod.start", "recordedDate", "assertedDate"),
    "Observation": (
        "effectiveDateTime",
        "effectiveInstant",
        "effectivePeriod.end",
        "effectivePeriod.start",
        "effectiveTiming.event",
        "issued",
    ),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod.start", "dateAsserted"),
    "AllergyIntolerance": ("onsetDateTime", "onsetPeriod.start", "recordedDate", "assertedDate"),
    "Procedure": ("performedDateTime", "performedPeriod.end", "performedPeriod.start"),
    "ServiceRequest": ("authoredOn",),
    "DiagnosticReport": (
        "effectiveDateTime",
        "effectivePeriod.end",
        "effectivePeriod.start",
        "issued",
    ),
}
# Choice elements that may be an age or a range of ages: they date by the patient's birth date.
AGES = {"Condition": ("onset",), "AllergyIntolerance": ("onset",), "Procedure": ("performed",)}
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
    "MedicationStatement": {
        "reasonCode": "reason",
        "reasonReference.display": "reason",
        "dosage": "dosage",
    },
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
_EVERY = {
    "id": "id of the fact; of several versions of an id the newest alone is read",
    "meta": (
        "versionId and lastUpdated: which version is the newest; SUBSETTED, REDACTED, MASKED: "
        "marked"
    ),
    "implicitRules": "never used if there is one, at any depth",
    "modifierExtension": (
        "never used if there is one, at any depth; a component with one alone is left out"
    ),
}
_ALL = {**_EVERY, "code": "label and codes; icd-10-gm-diagnosesicherheit of a coding: status"}
_ABOUT = {"subject": "whose it is: by reference, by identifier, or a contained Patient", **_ALL}
_MEDICINE = {
    **_EVERY,
    "subject": "whose it is: by reference, by identifier, or a contained Patient",
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
        "name": (
            "identity check: all names, also former ones and other scripts (shown: official, "
            "usual, else the first)"
        ),
        "gender": "identity check; sex",
        "birthDate": "identity check, at the precision that it has; age at the study",
        "deceased[x]": "said; before the study: a person must confirm the patient",
        "active": "false: said",
        "link": "replaced-by: a person must confirm the patient; seealso, refer: said",
        "meta": "versionId and lastUpdated: which version is the newest",
        "implicitRules": "a person must confirm the patient",
        "modifierExtension": "a person must confirm the patient",
        "extension": (
            "patient-animal: no human patient; birth sex and gender identity: identity check"
        ),
        "animal": "STU3: no human patient",
    },
    "Condition": {
        **_ABOUT,
        "clinicalStatus": "status",
        "verificationStatus": "status: a refuted or unconfirmed one stays that",
        "severity": "value",
        "bodySite": _SITE,
        "onset[x]": (
            "date, an age by the birth date; said beside the fact where another date is later"
        ),
        "abatement[x]": (
            "said; by date or age, what ended after the study was active, and what ended before "
            "it was not"
        ),
        "recordedDate": "date",
        "assertedDate": "date (STU3)",
        "category": "said beside the fact",
        "stage": "said beside the fact",
    },
    "Observation": {
        **_ABOUT,
        "focus": "left out where it is about anything but the patient",
        "extension": "observation-focusCode: left out",
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
        "dosageInstruction": (
            "its text, else the dose, beside the fact; by its bounds, when it ended"
        ),
    },
    "MedicationStatement": {
        **_MEDICINE,
        "taken": "STU3: status",
        "wasNotTaken": "DSTU2: status",
        "effective[x]": "date; by its end, what ended before the study is inactive",
        "dateAsserted": "date",
        "reasonCode": "said beside the fact",
        "reasonReference": "its words, beside the fact",
        "dosage": "its text, else the dose, beside the fact; by its bounds, when it ended",
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
        "notDone": "STU3: status",
        "notPerformed": "DSTU2: status",
        "bodySite": _SITE,
        "performed[x]": "date, an age by the birth date",
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
    "Medication": {
        "code": "label and codes of what refers to it",
        "implicitRules": "what refers to it is left out",
        "modifierExtension": "what refers to it is left out",
    },
}
# What a sender may do against R4, and what is made of it; the R4B classes check it.
DEVIATIONS = (
    (
        "an element that R4 has not, or of another type",
        "named in what was left out; the rest is read",
    ),
    ("STU3: statuses as plain codes, assertedDate, Patient.animal", "read as meant, and named"),
    ("R5: medication as CodeableReference", "the medicine is not read, and said"),
    ("a resource type that is not read (also of DSTU2, STU3 and R5)", "left out, and said"),
    ("an object where a list is due", "read as a list of one"),
    ("null values and empty strings", "absent"),
    ("a resource without id", "named by its content"),
    ("several versions of one type and id", "the newest alone is read; of a deletion nothing"),
    (
        "versions of unknown order",
        "all are read and marked; where their statuses differ, or one is deleted, none is active",
    ),
    ("statuses in words or codes of another system", "unconfirmed, marked"),
    ("more digits than a float holds", "kept as written"),
    ("a date without time zone", "counts as the whole day, marked"),
    ("a text that is no FHIR date", "undated, marked"),
    ("more than one value[x]", "none is read, marked"),
    ("a unit in words or without system", "read as UCUM by a table, said; else as written, marked"),
    ("UTF-16, a byte order mark", "read; UTF-16 is said"),
    ("NDJSON with broken lines", "the other lines are read, and said"),
    ("a Bundle inside a Bundle, an entry without resource", "left out, and said"),
    ("narrative, notes, attachments, other extensions", "not read; narratives and notes are said"),
    ("references to what is not in the Bundle", "never followed, and said"),
)


def within_reach(resource: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a resource without the elements that are not read."""
    reach = ELEMENTS[kind]
    stems = tuple(name.removesuffix("[x]") for name in reach if name.endswith("[x]"))
    return {name: value for name, value in resource.items() if name in reach or _typed(name, stems)}


def _typed(name: str, stems: tuple[str, ...]) -> bool:
    return any(
        name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper() for stem in stems
    )

"""What becomes of the statuses of FHIR R4 resources: one table.

It goes by resource, element and code.

A CodeableConcept may hold several codings: those of HL7's own systems count wherever they stand,
and of several the most negative. Words and unknown codes leave a fact unconfirmed, and that is
marked: they may be a denial.
Source: FHIR R4 value sets condition-clinical, condition-ver-status, allergyintolerance-clinical,
allergyintolerance-verification, observation-status, diagnostic-report-status, event-status,
request-status, medicationrequest-status, medication-statement-status, request-intent; further codes
name theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from medmm.domain.record import FactStatus
from medmm.records.fhir_access import at, items, text_of

Resource = dict[str, Any]
ACTIVE, INACTIVE, REFUTED = FactStatus.ACTIVE, FactStatus.INACTIVE, FactStatus.REFUTED
UNCONFIRMED, IN_ERROR = FactStatus.UNCONFIRMED, FactStatus.ENTERED_IN_ERROR


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """What a code makes of a fact, and the mark that it leaves, if any."""

    status: FactStatus
    mark: str = ""


def _all(status: FactStatus, *codes: str, mark: str = "") -> dict[str, StatusMeaning]:
    return dict.fromkeys(codes, StatusMeaning(status, mark))


_WITHDRAWN = _all(IN_ERROR, "entered-in-error")
_VERIFICATION = {
    **_all(ACTIVE, "confirmed"),
    **_all(UNCONFIRMED, "unconfirmed", "provisional", "differential"),
    **_all(REFUTED, "refuted"),
    **_WITHDRAWN,
}
# A request of another intent is only thought of.
NOT_ORDERED = ("proposal", "plan", "option")
_INTENT = {
    **_all(
        ACTIVE,
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
        "directive",
    ),
    **_all(UNCONFIRMED, *NOT_ORDERED),
}
_MUST_NOT = {
    "true": StatusMeaning(REFUTED, "must not be done or given"),
    "false": StatusMeaning(ACTIVE),
}
_RESULT = {
    **_all(ACTIVE, "final", "amended", "corrected"),
    **_all(INACTIVE, "cancelled"),
    **_all(UNCONFIRMED, "registered", "preliminary", "unknown"),
    **_WITHDRAWN,
}
# Resource -> element -> code -> what becomes of the fact; the first element must be there.
STATUSES: Mapping[str, Mapping[str, Mapping[str, StatusMeaning]]] = {
    "Condition": {
        "clinicalStatus": {
            **_all(ACTIVE, "active", "recurrence", "relapse"),
            **_all(INACTIVE, "inactive", "remission", "resolved"),
            **_WITHDRAWN,
        },
        "verificationStatus": _VERIFICATION,
    },
    "AllergyIntolerance": {
        "clinicalStatus": {
            **_all(ACTIVE, "active"),
            **_all(INACTIVE, "inactive", "resolved"),
            **_WITHDRAWN,
        },
        "verificationStatus": _VERIFICATION,
    },
    "Observation": {"status": _RESULT},
    "DiagnosticReport": {
        "status": {**_RESULT, **_all(ACTIVE, "appended"), **_all(UNCONFIRMED, "partial")}
    },
    "MedicationRequest": {
        "status": {
            **_all(ACTIVE, "active"),
            **_all(INACTIVE, "on-hold", "cancelled", "completed", "stopped"),
            **_all(UNCONFIRMED, "draft", "unknown"),
            **_WITHDRAWN,
        },
        "intent": _INTENT,
        "doNotPerform": _MUST_NOT,
    },
    "MedicationStatement": {
        "status": {
            **_all(ACTIVE, "active"),
            **_all(INACTIVE, "completed", "stopped", "on-hold"),
            **_all(REFUTED, "not-taken"),
            **_all(UNCONFIRMED, "intended", "unknown"),
            **_WITHDRAWN,
        },
        "taken": {  # STU3
            **_all(REFUTED, "n", mark="not taken"),
            **_all(UNCONFIRMED, "unk"),
            **_all(ACTIVE, "y", "na"),
        },
        # DSTU2
        "wasNotTaken": {
            "true": StatusMeaning(REFUTED, "not taken"),
            "false": StatusMeaning(ACTIVE),
        },
    },
    "Procedure": {
        "status": {
            **_all(ACTIVE, "in-progress", "completed"),
            **_all(UNCONFIRMED, "preparation", "unknown"),
            # "suspended": STU3
            **_all(UNCONFIRMED, "on-hold", "suspended", mark="begun and put on hold"),
            # "aborted": STU3
            **_all(UNCONFIRMED, "stopped", "aborted", mark="stopped before it was complete"),
            **_all(REFUTED, "not-done"),
            **_WITHDRAWN,
        },
        # STU3
        "notDone": {"true": StatusMeaning(REFUTED, "not done"), "false": StatusMeaning(ACTIVE)},
        # DSTU2
        "notPerformed": {
            "true": StatusMeaning(REFUTED, "not done"),
            "false": StatusMeaning(ACTIVE),
        },
    },
    "ServiceRequest": {
        "status": {
            **_all(ACTIVE, "active", "completed"),
            **_all(INACTIVE, "on-hold", "revoked", "stopped", "cancelled"),
            **_all(UNCONFIRMED, "draft", "unknown"),
            **_WITHDRAWN,
        },
        "intent": _INTENT,
        "doNotPerform": _MUST_NOT,
    },
}
# Codes of other systems that say how sure a diagnosis is: system, code, what becomes of the fact.
# Each with its source.
OTHER_CODES: tuple[tuple[str, str, FactStatus, str], ...] = (
    ("http://snomed.info/sct", "410605003", ACTIVE, "SNOMED CT: confirmed present"),
    ("http://snomed.info/sct", "415684004", UNCONFIRMED, "SNOMED CT: suspected"),
    ("http://snomed.info/sct", "410592001", UNCONFIRMED, "SNOMED CT: probably present"),
    ("http://snomed.info/sct", "410590009", UNCONFIRMED, "SNOMED CT: known possible"),
    ("http://snomed.info/sct", "410593003", REFUTED, "SNOMED CT: probably not present"),
    ("http://snomed.info/sct", "410594000", REFUTED, "SNOMED CT: definitely not present"),
    ("http://snomed.info/sct", "410516002", REFUTED, "SNOMED CT: known absent"),
)
# The certainty of a German ICD-10-GM code, an extension of the coding (basisprofil-de-r4,
# icd-10-gm-diagnosesicherheit).
CERTAINTY_URL = "icd-10-gm-diagnosesicherheit"
CERTAINTY = {"G": ACTIVE, "V": UNCONFIRMED, "Z": INACTIVE, "A": REFUTED}
HL7 = re.compile(
    r"https?://(?:terminology\.hl7\.org/CodeSystem|hl7\.org/fhir(?:/ValueSet)?)"
    r"/(?:condition-clinical|condition-ver-status|allergy(?:intolerance)?-clinical(?:-status)?"
    r"|allergy(?:intolerance)?-verification(?:-status)?)"
)
NEGATIVE = re.compile(
    r"\b(?:refuted|ruled?[ -]?out|excluded|not present|absent|negated|denied|"
    r"entered[ _-]in[ _-]error|in error|error)\b",
    re.IGNORECASE,
)
# Which status prevails where several are stated of one fact.
ORDER = (IN_ERROR, REFUTED, UNCONFIRMED, INACTIVE, ACTIVE)
NAMES = {
    "verificationStatus": "verification status",
    "doNotPerform": "statement whether it may be done",
    "taken": "statement whether it was taken",
    "intent": "intent",
}


def status_of(resource: Resource, kind: str) -> tuple[FactStatus, tuple[str, ...]]:
    """Return the status of a fact with the marks that it leaves.

    What is missing, in words or unknown leaves it unconfirmed.
    """
    main = next(iter(STATUSES[kind]))
    stated = {
        element: _stated(resource.get(element), element, codes)
        for element, codes in STATUSES[kind].items()
    }
    stated["code"] = _certainty(resource.get("code"))
    found = [meaning for meanings in stated.values() for meaning in meanings]
    worst = _worst(found)
    if worst is None or (not stated[main] and worst in (ACTIVE, INACTIVE)):
        return UNCONFIRMED, ("no status",)
    return worst, tuple(dict.fromkeys(m.mark for m in found if m.mark and m.status is worst))


def _worst(meanings: list[StatusMeaning]) -> FactStatus | None:
    return min((m.status for m in meanings), key=ORDER.index, default=None)


def _stated(value: Any, element: str, codes: Mapping[str, StatusMeaning]) -> list[StatusMeaning]:
    """Return what an element says: a code, a flag, or one or several concepts.

    Nothing is said if it is absent or empty.
    """
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, bool):
        return [_of_code(str(value).casefold(), element, codes)]
    if isinstance(value, str):
        return [_of_code(value, element, codes)]
    if isinstance(value, list):
        return [meaning for item in value for meaning in _stated(item, element, codes)]
    if isinstance(value, dict):
        return _of_concept(value, element, codes)
    return [_unknown(element)]


def _of_code(code: str, element: str, codes: Mapping[str, StatusMeaning]) -> StatusMeaning:
    """Return the meaning of one code.

    A denial is understood in any spelling, since the error would be to overlook it.
    """
    if code in codes:
        return codes[code]
    loose = codes.get(re.sub(r"[\s_]+", "-", code.strip()).casefold())
    return loose if loose and loose.status in (IN_ERROR, REFUTED) else _unknown(element)


def _unknown(element: str) -> StatusMeaning:
    return StatusMeaning(UNCONFIRMED, f"unknown {_name(element)}")


def _name(element: str) -> str:
    return NAMES.get(element, "status")


def _of_concept(
    concept: Resource, element: str, codes: Mapping[str, StatusMeaning]
) -> list[StatusMeaning]:
    codings = list(items(concept.get("coding")))
    own = [c for c in codings if c.get("system") is None or HL7.fullmatch(str(c["system"]))]
    known = [meaning for c in own if (meaning := _known(c.get("code"), element, codes)) is not None]
    known = known or [
        StatusMeaning(s)
        for c in codings
        for system, code, s, _ in OTHER_CODES
        if (system, code) == _key(c)
    ]
    others = [c for c in codings if c not in own]
    said = [
        text_of(concept.get("text")),
        *(text_of(c.get(part)) for c in others for part in ("code", "display")),
    ]
    words = [word for word in said if word]
    name = _name(element)
    if known:
        denied = next((word for word in words if NEGATIVE.search(word)), None)
        if denied and _worst(known) in (ACTIVE, INACTIVE):
            return [
                *known,
                StatusMeaning(
                    UNCONFIRMED, f"its {name} is contradicted by other words for it: {denied}"
                ),
            ]
        return known
    if not codings:
        return [StatusMeaning(UNCONFIRMED, f"{name} in words alone: {words[0]}")] if words else []
    return [_unknown(element)]


def _known(code: Any, element: str, codes: Mapping[str, StatusMeaning]) -> StatusMeaning | None:
    if not isinstance(code, str):
        return None
    found = _of_code(code, element, codes)
    return None if found == _unknown(element) else found


def _key(coding: Resource) -> tuple[Any, Any]:
    return coding.get("system"), coding.get("code")


def _certainty(concept: Any) -> list[StatusMeaning]:
    """Return what an extension of the coding says of how sure a diagnosis is."""
    return list(_certainties(concept))


def _certainties(concept: Any) -> Iterator[StatusMeaning]:
    for extension in at(concept, "coding.extension"):
        if isinstance(extension, dict) and str(extension.get("url", "")).endswith(CERTAINTY_URL):
            code = next(at(extension, "valueCoding.code"), None)
            if isinstance(code, str) and code in CERTAINTY:
                yield StatusMeaning(CERTAINTY[code])

"""The identity that a FHIR R4 Patient states."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from medmm.domain.identity import PatientIdentity
from medmm.records.elements import code_of, items, moment, text_of

SEX = {"male": "M", "female": "F", "other": "O"}  # AdministrativeGender; unknown stays unknown
NAME_USES = ("official", "usual", None)


def identity_of(patient: dict[str, Any]) -> PatientIdentity:
    """Who a Patient resource is."""
    identifiers = [
        (text_of(i.get("system")), value, code_of(i.get("type")))
        for i in items(patient.get("identifier"))
        if (value := text_of(i.get("value")))
    ]
    first = next((i for i in identifiers if i[2] == "MR"), identifiers[0] if identifiers else None)
    born, mark = moment(patient.get("birthDate"))
    name = _name(patient)
    given = name.get("given")
    return PatientIdentity(
        patient_id=first[1] if first else None,
        issuer=first[0] if first else None,
        family_name=text_of(name.get("family")),
        given_name=" ".join(g for g in map(text_of, given if isinstance(given, list) else [given]) if g) or None,
        birth_date=born if isinstance(born, date) and not isinstance(born, datetime) and mark is None else None,
        sex=SEX.get(str(patient.get("gender"))),
        identifiers=tuple((system, value) for system, value, _ in identifiers),
    )


def is_animal(patient: dict[str, Any]) -> bool:
    """Whether a Patient is marked as an animal (STU3 element, R4 extension patient-animal)."""
    urls = [str(e.get("url", "")) for e in items(patient.get("extension"))]
    return "animal" in patient or any(url.endswith("patient-animal") for url in urls)


def doubts(patient: dict[str, Any]) -> Iterator[str]:
    """What a reader must know of who the record is of: what is not stated, or can't be."""
    who = identity_of(patient)
    if who.birth_date is None:
        yield "no whole birth date: the age is not stated"
    elif who.birth_date > datetime.now(UTC).date():
        yield "born in the future: the age is not stated"
    if not (who.family_name or who.given_name):
        yield "no name"
    if who.sex is None:
        yield "no sex that R4 knows"
    died, _ = moment(patient.get("deceasedDateTime"))
    if patient.get("deceasedBoolean") is True or died is not None:
        yield "the patient has died" + (f" ({died.isoformat()[:10]})" if died else "")


def _name(patient: dict[str, Any]) -> dict[str, Any]:
    names = list(items(patient.get("name")))
    for use in NAME_USES:
        for name in names:
            if name.get("use") == use:
                return name
    return names[0] if names else {}

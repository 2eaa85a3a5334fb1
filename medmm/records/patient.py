"""The identity that a FHIR R4 Patient states, and what makes it doubtful."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from medmm.domain.identity import PatientIdentity, PersonName
from medmm.records.fhir_access import at, code_of, items, moment, text_of
from medmm.records.modifiers import MODIFIERS

Resource = dict[str, Any]
SEX = {"male": "M", "female": "F", "other": "O"}  # AdministrativeGender; unknown stays unknown
NAME_USES = ("official", "usual", None)
FORMER_USES = ("old", "maiden", "temp")
# Extensions that say more of sex and gender, by the end of their URL: US Core, R5 and its
# cross-version ones, R4.
SEX_EXTENSIONS = (
    "us-core-birthsex",
    "us-core-sex",
    "patient-birthSex",
    "individual-recordedSexOrGender",
    "individual-genderIdentity",
    "patient-genderIdentity",
    "us-core-genderIdentity",
    "patient-sexParameterForClinicalUse",
)
SEX_WORDS = {
    # SNOMED CT: male; identifies as male
    **dict.fromkeys(("m", "male", "248153007", "446151000124109"), "M"),
    **dict.fromkeys(("f", "female", "248152002", "446141000124107"), "F"),
}
SILENT = ("unk", "unknown", "asked-declined", "asku", "non-disclose")
REPLACED = "the patient's record was replaced by another one"


def identity_of(patient: Resource, merged: Sequence[Resource] = ()) -> PatientIdentity:
    """Return who a Patient is, with numbers and names of those `merged` into it."""
    identifiers = list(_identifiers(patient))
    first = next((i for i in identifiers if i[2] == "MR"), identifiers[0] if identifiers else None)
    born, mark = moment(patient.get("birthDate"))
    whole = isinstance(born, date) and not isinstance(born, datetime) and mark is None
    name = _name(patient)
    numbers = [*identifiers, *(i for other in merged for i in _identifiers(other))]
    names = [*_names(patient), *(n for other in merged for n in _names(other))]
    main = PersonName(family=text_of(name.get("family")), given=_given(name))
    return PatientIdentity(
        patient_id=first[1] if first else None,
        issuer=first[0] if first else None,
        family_name=main.family,
        given_name=main.given,
        birth_date=born if whole else None,
        sex=SEX.get(str(patient.get("gender"))),
        identifiers=tuple(dict.fromkeys((system, value) for system, value, _ in numbers)),
        names=tuple(n for n in dict.fromkeys(names) if n != main),
        birth_date_coarse=None if whole else _coarse(patient.get("birthDate")),
        further_sexes=tuple(dict.fromkeys(_further_sexes(patient))),
    )


def is_animal(patient: Resource) -> bool:
    """Tell whether a Patient is marked as an animal.

    Source: the STU3 element, or the R4 extension patient-animal.
    """
    urls = [str(e.get("url", "")) for e in items(patient.get("extension"))]
    return "animal" in patient or any(url.endswith("patient-animal") for url in urls)


def doubts(patient: Resource) -> Iterator[str]:
    """Yield what a reader must know of who the record is of: not stated, or impossible."""
    who = identity_of(patient)
    if who.birth_date is None:
        yield "no whole birth date: the age is not stated"
    elif who.birth_date > datetime.now(UTC).date():
        yield "born in the future: the age is not stated"
    if not (who.family_name or who.given_name or who.names):
        yield "no name"
    if who.sex is None:
        yield "no sex that R4 knows"
    died = died_of(patient)
    if patient.get("deceasedBoolean") is True or died is not None:
        yield "the patient has died" + (f" ({died.isoformat()[:10]})" if died else "")
    if patient.get("active") is False:
        yield "its sender no longer uses this record of the patient"
    own = (f"Patient/{patient.get('id')}", patient.get("_fullUrl"))
    if any(kind in ("seealso", "refer") and name not in own for kind, name in links(patient)):
        yield "its sender keeps a further record of the patient"


def died_of(patient: Resource) -> datetime | date | None:
    """Return the last moment at which the patient can have died, if a date is stated."""
    return moment(patient.get("deceasedDateTime"))[0]


def questions(patient: Resource, *, replaced: bool, deleted: bool) -> Iterator[str]:
    """Yield what a person must confirm before this patient's record joins any study."""
    if replaced:
        yield REPLACED
    if deleted:
        yield (
            "the patient's record was deleted, and whether before or after what is there is not "
            "said"
        )
    if any(patient.get(name) for name in MODIFIERS):
        yield (
            f"the patient's record holds {' and '.join(n for n in MODIFIERS if patient.get(n))} "
            "that may change who is meant"
        )


def links(patient: Resource) -> Iterator[tuple[str, str]]:
    """Yield type and reference of each link to another Patient (FHIR R4 Patient.link)."""
    for link in items(patient.get("link")):
        reference = next(at(link, "other.reference"), None)
        yield str(link.get("type")), str(reference).partition("/_history/")[0]


def the_one(patients: Sequence[Resource]) -> tuple[list[Resource], list[Resource]]:
    """Return who remains of several Patients after merges, and who was merged.

    Links in a circle, or to a Patient that is not there, merge nobody.
    """
    by_name = {
        name: p for p in patients for name in (f"Patient/{p.get('id')}", p.get("_fullUrl")) if name
    }
    into: dict[int, Resource] = {}
    for patient in patients:
        for kind, name in links(patient):
            other = by_name.get(name)
            if other is not None and other is not patient and kind in ("replaced-by", "replaces"):
                old, new = (patient, other) if kind == "replaced-by" else (other, patient)
                into[id(old)] = new
    remaining = [p for p in patients if id(p) not in into]
    merged = [p for p in patients if id(p) in into and _end(p, into) is not None]
    return (
        (remaining, merged)
        if len(remaining) + len(merged) == len(patients)
        else (list(patients), [])
    )


def is_replaced(patient: Resource) -> bool:
    """Tell whether a Patient says that another one stands for it."""
    return any(kind == "replaced-by" for kind, _ in links(patient))


def _end(patient: Resource, into: dict[int, Resource]) -> Resource | None:
    """Return who a Patient was merged into in the end; None in a circle."""
    for _ in range(len(into) + 1):
        if id(patient) not in into:
            return patient
        patient = into[id(patient)]
    return None


def _identifiers(patient: Resource) -> Iterator[tuple[str | None, str, str | None]]:
    for identifier in items(patient.get("identifier")):
        if value := text_of(identifier.get("value")):
            yield text_of(identifier.get("system")), value, code_of(identifier.get("type"))


def _coarse(value: Any) -> str | None:
    """Return a birth date of which only the year or the month is known."""
    known = isinstance(value, str) and re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?", value, re.ASCII)
    return value if known else None


def _further_sexes(patient: Resource) -> Iterator[str]:
    """Yield what extensions say of birth sex, gender identity and recorded sex.

    It is M, F, or O for anything else that is said.
    """
    for extension in items(patient.get("extension")):
        if str(extension.get("url", "")).endswith(SEX_EXTENSIONS):
            parts = [
                p
                for p in items(extension.get("extension"))
                if p.get("url") in ("value", "sex", "sexOrGender")
            ]
            for part in [extension, *parts]:
                yield from _sexes(part)


def _sexes(extension: Resource) -> Iterator[str]:
    said = [
        extension.get("valueCode"),
        extension.get("valueString"),
        *at(extension, "valueCoding.code"),
    ]
    concept = extension.get("valueCodeableConcept")
    said += [*at(concept, "coding.code"), *at(concept, "text")]
    words = [word.casefold() for word in said if isinstance(word, str)]
    known = [SEX_WORDS[word] for word in words if word in SEX_WORDS]
    yield from known or (["O"] if any(word not in SILENT for word in words) else [])


def _names(patient: Resource) -> Iterator[PersonName]:
    for name in items(patient.get("name")):
        family, given = text_of(name.get("family")), _given(name)
        if not (family or given):
            given = text_of(name.get("text"))
        if family or given:
            yield PersonName(family=family, given=given, former=_is_former(name))


def _is_former(name: Resource) -> bool:
    ended = moment(next(at(name, "period.end"), None))[0]
    over = ended is not None and ended.isoformat()[:10] < datetime.now(UTC).date().isoformat()
    return name.get("use") in FORMER_USES or over


def _given(name: Resource) -> str | None:
    given = name.get("given")
    return (
        " ".join(g for g in map(text_of, given if isinstance(given, list) else [given]) if g)
        or None
    )


def _name(patient: Resource) -> Resource:
    names = list(items(patient.get("name")))
    for use in NAME_USES:
        for name in names:
            if name.get("use") == use:
                return name
    return names[0] if names else {}

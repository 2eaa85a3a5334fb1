"""Who the image says the patient is: identity, age, species."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import date

from medmm.domain.identity import PatientIdentity
from medmm.imaging.sources import LIBRARY_ERRORS, quiet
from medmm.imaging.tags import Tags

OLDEST_YEARS = 120
_YEARS_PER = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_HUMAN = ("HUMAN", "HOMO SAPIENS")


def identity_of(tags: Tags) -> PatientIdentity:
    """Identity from the Patient Module (PS3.3 C.7.1.1); what is missing or malformed is None."""
    family, given = _name(tags)
    sex = tags.word("PatientSex")
    others = tuple(
        (item.text("IssuerOfPatientID"), value)
        for item in tags.items("OtherPatientIDsSequence")
        if (value := item.text("PatientID"))
    )
    return PatientIdentity(
        patient_id=tags.text("PatientID"),
        issuer=tags.text("IssuerOfPatientID"),
        family_name=family,
        given_name=given,
        birth_date=tags.date("PatientBirthDate"),
        sex=sex if sex in ("M", "F", "O") else None,
        identifiers=others,
    )


def _name(tags: Tags) -> tuple[str | None, str | None]:
    with quiet:
        try:
            name = tags.dataset.get("PatientName")
            family, given = (getattr(name, part, "") for part in ("family_name", "given_name"))
        except LIBRARY_ERRORS:  # undecodable: unknown, and the identity check will ask a person
            return None, None
    clean = (re.sub(r"[^\w\s'.-]+", " ", part or "").strip()[:200] for part in (family, given))
    first, second = (part or None for part in clean)
    return first, second


def same_patient(one: PatientIdentity, other: PatientIdentity) -> bool:
    """Whether two files of one study may be of one patient: no stated element contradicts."""
    if one.patient_id != other.patient_id:
        return False
    pairs = (
        (one.issuer, other.issuer),
        (_plain(one.family_name), _plain(other.family_name)),
        (one.birth_date, other.birth_date),
        (one.sex, other.sex),
    )
    return all(a is None or b is None or a == b for a, b in pairs)


def _plain(text: str | None) -> str | None:
    return " ".join(text.casefold().split()) if text else None


def age_years(tags: Tags, acquired: date | None) -> float | None:
    """Age at acquisition in years: Patient's Age with its unit, else from the birth date; None if unknown.

    An age above 120 years is impossible and counts as unknown.
    """
    match = re.fullmatch(r"(\d{1,3})([DWMY])", tags.word("PatientAge"))
    birth = tags.date("PatientBirthDate")
    if match:
        age = int(match[1]) * _YEARS_PER[match[2]]
    elif birth and acquired:
        age = (acquired - birth).days / 365.25
    else:
        return None
    return age if 0 <= age <= OLDEST_YEARS else None


def is_animal(tags: Tags) -> bool:
    """Whether the file says that the patient is an animal (PS3.3 C.7.1.1, veterinary attributes)."""
    species = tags.word("PatientSpeciesDescription")
    coded = tags.first_item("PatientSpeciesCodeSequence")
    named = (coded.word("CodeMeaning") if coded else "") or species
    if named:
        return named not in _HUMAN
    return any(tags.text(k) for k in ("PatientBreedDescription", "PatientSexNeutered"))


def pseudonym(prefix: str, text: str | None, secret: bytes) -> str | None:
    """A keyed pseudonym of a text: HMAC-SHA256, 128 bits in hex."""
    if not text:
        return None
    return f"{prefix}-" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]

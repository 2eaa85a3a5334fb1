"""Who the image says the patient is: identity, age, species."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import date

from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName as DicomName

from medmm.domain.identity import PatientIdentity, PersonName
from medmm.domain.patient_age import ADULT_YEARS, CAPPED_YEARS, OLDEST_YEARS, age_by_birth
from medmm.domain.study import StatedAge
from medmm.imaging.dicom.acquisition_time import study_time
from medmm.imaging.dicom.files import LIBRARY_ERRORS, quiet
from medmm.imaging.dicom.header import Tags

MOST_NAMES = 20
_YEARS_PER = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
BIRTH_DATE = "birth date"
_HUMAN = ("HUMAN", "HOMO SAPIENS")


def identity_of(tags: Tags) -> PatientIdentity:
    """Read the identity of the Patient Module (PS3.3 C.7.1.1).

    What is missing or malformed is None.
    """
    names = [
        *_groups(tags, "PatientName", former=False),
        *_groups(tags, "PatientBirthName", former=True),
    ]
    names += _groups(tags, "OtherPatientNames", former=True)
    first = next((name for name in names if not name.former), PersonName())
    born = tags.date("PatientBirthDate")
    sex = tags.word("PatientSex")
    others = tuple(
        (item.text("IssuerOfPatientID"), value)
        for item in tags.items("OtherPatientIDsSequence")
        if (value := item.text("PatientID"))
    )
    return PatientIdentity(
        patient_id=tags.text("PatientID"),
        issuer=tags.text("IssuerOfPatientID"),
        family_name=first.family,
        given_name=first.given,
        birth_date=born,
        sex=sex if sex in ("M", "F", "O") else None,
        identifiers=others,
        names=tuple(name for name in dict.fromkeys(names) if name != first),
        birth_date_coarse=None if born else _coarse(tags.text("PatientBirthDate") or ""),
    )


def _groups(tags: Tags, keyword: str, *, former: bool) -> list[PersonName]:
    """Return the component groups of a name: alphabetic, ideographic, phonetic.

    Source: PS3.5 section 6.2.1. Returns: none if the name can't be decoded.
    """
    with quiet:
        try:
            value = tags.dataset.get(keyword)
            values = value if isinstance(value, MultiValue) else [value]
            groups = [
                group for name in values if isinstance(name, DicomName) for group in name.components
            ]
        except LIBRARY_ERRORS:  # unknown, and the identity check will ask a person
            return []
    found = []
    for group in groups[:MOST_NAMES]:
        family, given, *_ = (*(_clean(part) for part in group.split("^")[:2]), None, None)
        if family or given:
            found.append(PersonName(family=family, given=given, former=former))
    return found


def _clean(part: str) -> str | None:
    return re.sub(r"[^\w\s'.-]+", " ", part).strip()[:200] or None


def _coarse(text: str) -> str | None:
    """Return a birth date of which only the year, or year and month, is written.

    Such as "1940", "194003" and "19400000".
    """
    match = re.fullmatch(r"(\d{4})(?:-?(\d\d))?(?:-?00)?", text.strip(), re.ASCII)
    if match is None or int(match[1]) == 0:
        return None
    return f"{match[1]}-{match[2]}" if match[2] and 1 <= int(match[2]) <= 12 else match[1]


def same_patient(one: PatientIdentity, other: PatientIdentity) -> bool:
    """Tell whether two files of one study may be of one patient: nothing contradicts."""
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
    """Compute the age at acquisition in years; return None if it is unknown.

    Patient's Age with its unit counts first, then the birth date.

    An age above 120 years is impossible and counts as unknown.
    """
    match = re.fullmatch(r"(\d{1,3})([DWMY])", tags.word("PatientAge"))
    if match:
        age = int(match[1]) * _YEARS_PER[match[2]]
        return age if age <= OLDEST_YEARS else None
    born = age_by_birth(tags.date("PatientBirthDate"), acquired, BIRTH_DATE)
    return born.least_years if born else None


def stated_ages(images: Iterable[Tags]) -> tuple[StatedAge, ...]:
    """Return the age at the study by every source of every image, each once.

    Sources are Patient's Age (0010,1010), and the birth date (0010,0030) at the image's own date.
    An age above 120 years is impossible and counts as not stated.
    """
    found: dict[StatedAge, None] = {}
    for tags in images:
        when, _ = study_time(tags)
        day = when.moment.date() if when else None
        for age in (
            _patient_age(tags),
            age_by_birth(tags.date("PatientBirthDate"), day, BIRTH_DATE),
        ):
            if age is not None:
                found[age] = None
    return _each_once(found)


def _each_once(ages: Iterable[StatedAge]) -> tuple[StatedAge, ...]:
    """Keep the youngest of the ages that one source states on different days of a study."""
    youngest: dict[tuple[str, int], StatedAge] = {}
    for age in sorted(ages, key=lambda one: (one.source, one.least_years)):
        youngest.setdefault((age.source, int(age.least_years)), age)
    return tuple(youngest.values())


def _patient_age(tags: Tags) -> StatedAge | None:
    """Return Patient's Age with its unit, as the range that a whole number leaves.

    From 89 years on it may have been capped. A number without a unit is a child's age in any unit
    if it is below 18, and says nothing otherwise.
    """
    match = re.fullmatch(r"0*(\d{1,3}) ?([DWMY]?)[+]?", tags.word("PatientAge"))
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    if not unit and number >= ADULT_YEARS:
        return None
    least, most = number * _YEARS_PER[unit or "Y"], (number + 1) * _YEARS_PER[unit or "Y"]
    if least > OLDEST_YEARS:
        return None
    capped = unit == "Y" and number >= CAPPED_YEARS
    return StatedAge(
        source="Patient's Age",
        least_years=CAPPED_YEARS if capped else least,
        most_years=None if capped else most,
    )


def is_animal(tags: Tags) -> bool:
    """Tell whether the file calls the patient an animal.

    Source: PS3.3 C.7.1.1, veterinary attributes.
    """
    species = tags.word("PatientSpeciesDescription")
    coded = tags.first_item("PatientSpeciesCodeSequence")
    named = (coded.word("CodeMeaning") if coded else "") or species
    if named:
        return named not in _HUMAN
    return any(tags.text(k) for k in ("PatientBreedDescription", "PatientSexNeutered"))


def pseudonym(prefix: str, text: str | None, secret: bytes) -> str | None:
    """Compute a keyed pseudonym of a text: HMAC-SHA256, 128 bits in hex."""
    if not text:
        return None
    return f"{prefix}-" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]

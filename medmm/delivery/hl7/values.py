"""Values of HL7 v2.5.1 data types: codes, times, people, identifiers and their owners.

Source: HL7 v2.5.1 chapter 2A; tables 0200 (name type), 0203 (identifier type), 0301 (universal ID
type), 0396 (coding systems); DICOM PS3.3 C.7.1.1, by which Issuer of Patient ID is the namespace of
an assigning authority.
"""

from __future__ import annotations

from datetime import date, datetime

from pydicom.sr.coding import Code

from medmm.connections.hl7_text import Component, Value
from medmm.delivery.fhir.joins import Joins
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import ISSUER_URI
from medmm.domain.report import Reader

OID = "urn:oid:"
LONGEST_NAMESPACE = 20  # HD.1
SEXES = {"M": "M", "F": "F", "O": "O", None: "U"}
UNKNOWN_NAME = ("", "", "", "", "", "", "U")  # table 0200: unspecified


def coded(code: Code) -> Value:
    """Write a code as CE: code, words, coding system."""
    return code.value, code.meaning, code.scheme_designator


def time_words(moment: datetime, *, exact: bool = True) -> str:
    """Write a time to the second with its offset from UTC; the date alone if it is not exact."""
    return moment.strftime("%Y%m%d%H%M%S%z")[:19] if exact else moment.strftime("%Y%m%d")


def authority(system: str | None, namespace: str = "") -> tuple[str, ...]:
    """Write whose numbers these are as HD, from an absolute URI and a local name."""
    if system is None:
        return (namespace,) if namespace else ()
    if system.startswith(OID):
        return namespace, system.removeprefix(OID), "ISO"
    return namespace, system, "URI"


def number(value: str, system: str | None) -> Value:
    """Write an order's number as EI, with the system that it is of, if that is known."""
    return (value, *(authority(system) or ())) if value else ""


def namespace_of(identity: PatientIdentity) -> str:
    """Give the local name of who issued the patient ID; "" if there is none that fits."""
    issuer = " ".join((identity.issuer or "").split())
    local = issuer and not ISSUER_URI.fullmatch(issuer)
    return issuer if local and len(issuer) <= LONGEST_NAMESPACE else ""


def patient_id(identity: PatientIdentity, joins: Joins) -> Value:
    """Write the patient ID as CX with its assigning authority; "" if the image states none."""
    value = (identity.patient_id or "").strip()
    if not value:
        return ""
    owner: Component = authority(joins.patient_system(identity), namespace_of(identity)) or ""
    return value, "", "", owner, "MR" if owner else ""


def patient_name(identity: PatientIdentity) -> Value:
    """Write the patient's name as XPN: legal, or of unspecified type if there is none."""
    family, given = (
        " ".join((part or "").split()) for part in (identity.family_name, identity.given_name)
    )
    if not family and not given:
        return UNKNOWN_NAME
    return family, given, "", "", "", "", "L"


def birth_date(identity: PatientIdentity) -> str:
    """Write the date of birth, as coarsely as it is known."""
    born: date | None = identity.birth_date
    return born.strftime("%Y%m%d") if born else (identity.birth_date_coarse or "").replace("-", "")


def interpreter(reader: Reader) -> Value:
    """Write a reader as NDL, of which CNN is the first component.

    The name stands where the family's does, because nothing says which part that is.
    """
    return ((reader.id, _name(reader)),)


def observer(reader: Reader) -> Value:
    """Write a reader as XCN; the name as in `interpreter`."""
    return reader.id, _name(reader)


def _name(reader: Reader) -> str:
    return " ".join(reader.name.split())

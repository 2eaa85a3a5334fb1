"""Who the patient is: given away once at the door, kept beside the data, never in it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date

from medmm.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonName:
    """A further name of a person: in another script, or one that was borne before (`former`).

    A name that its source does not take apart stands in `given` alone.
    """

    family: str | None = None
    given: str | None = None
    former: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientIdentity:
    """The identity that an image or a record states (DICOM PS3.3 C.7.1.1; FHIR R4 Patient).

    Attributes:
        sex: one of M, F, O or None.
        identifiers: further (issuer, value) pairs.
        names: further names: component groups of a DICOM PN (PS3.5 section 6.2.1), all of
            Patient.name, birth name.
        birth_date_coarse: "YYYY" or "YYYY-MM" where the source knows no day; then `birth_date` is
            None.
        further_sexes: what else the source says: birth sex, gender identity, recorded sex, each M,
            F or O.
    """

    patient_id: str | None
    issuer: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    identifiers: tuple[tuple[str | None, str], ...] = ()
    names: tuple[PersonName, ...] = ()
    birth_date_coarse: str | None = None
    further_sexes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sex not in (None, "M", "F", "O"):
            raise InputError(
                "sex is not one of M, F, O", remedy="map the source's code or leave it out"
            )

    def key(self, secret: bytes) -> str:
        """Compute a keyed pseudonym of the patient: HMAC-SHA256 over issuer and ID.

        It has 128 bits, in hex.

        Without a PatientID the name and birth date stand in, so that two films of nobody in
        particular do not fall together under one empty key.
        """
        parts: tuple[str, ...] = (self.issuer or "", self.patient_id or "")
        if not self.patient_id:
            parts = ("no-id", self.family_name or "", self.given_name or "", str(self.birth_date))
        text = "\x1f".join(parts)
        return "pk-" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]

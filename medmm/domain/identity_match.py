"""Whether the patient of an image and the patient of a record are one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Reader
from medmm.domain.study import Notice

FIELDS = ("patient_id", "birth_date", "sex", "name")
CONFIRM = (
    "compare the two, then `medmm --by READER draft STUDY --record RECORD --confirm-patient` "
    "or admit(…, confirmed=True, by=reader); or admit the study without the record"
)
NEARLY = 0.8  # similarity of two spellings of one name


class MatchVerdict(Enum):
    """What a comparison of two identities means for joining them."""

    MATCH = "match"
    NEAR = "near"  # join with a warning
    MISMATCH = "mismatch"  # never join
    UNCONFIRMED = "unconfirmed"  # image or record names no patient ID: a person must confirm


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityMatch:
    """The verdict and the names of the fields that differ, never their values."""

    verdict: MatchVerdict
    differing: tuple[str, ...] = ()

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The names of the fields that both sides state alike."""
        return tuple(name for name in FIELDS if name not in self.differing)


def compare_identities(image: PatientIdentity, record: PatientIdentity) -> IdentityMatch:
    """Compare what an image and a record say of their patient.

    A different ID, birth date or sex is a mismatch, and so is a name of which no part agrees. Nearly equal spellings,
    one changed part of the name, swapped day and month of the birth date, an equal ID of which both sides name an
    issuer and not the same, or a field that only one side has are near. Without an ID on both sides nothing is
    confirmed, however well the rest agrees.
    """
    compared = (
        _compare_ids(image, record),
        _compare_birth_dates(image, record),
        _compare_values(image.sex, record.sex),
        _compare_names(image, record),
    )
    fields = dict(zip(FIELDS, compared, strict=True))
    differing = tuple(name for name, verdict in fields.items() if verdict is not MatchVerdict.MATCH)
    if MatchVerdict.MISMATCH in fields.values():
        verdict = MatchVerdict.MISMATCH
    elif not image.patient_id or not _ids(record):
        verdict = MatchVerdict.UNCONFIRMED
    else:
        verdict = MatchVerdict.NEAR if differing else MatchVerdict.MATCH
    return IdentityMatch(verdict=verdict, differing=differing)


def _ids(identity: PatientIdentity) -> set[tuple[str | None, str]]:
    own = {(identity.issuer, identity.patient_id)} if identity.patient_id else set()
    return {*identity.identifiers, *own}


def _compare_ids(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    known = _ids(record)
    if not image.patient_id or not known:
        return MatchVerdict.NEAR
    issuers = {issuer for issuer, value in known if value == image.patient_id}
    if not issuers:
        return MatchVerdict.MISMATCH
    same_issuer = image.issuer is None or None in issuers or image.issuer in issuers
    return MatchVerdict.MATCH if same_issuer else MatchVerdict.NEAR


def _compare_values(image: str | None, record: str | None) -> MatchVerdict:
    if image is None or record is None:
        return MatchVerdict.NEAR
    return MatchVerdict.MATCH if image == record else MatchVerdict.MISMATCH


def _compare_birth_dates(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    one, other = image.birth_date, record.birth_date
    if one is None or other is None:
        return MatchVerdict.NEAR
    if one == other:
        return MatchVerdict.MATCH
    swapped = (one.year, one.month, one.day) == (other.year, other.day, other.month)
    return MatchVerdict.NEAR if swapped else MatchVerdict.MISMATCH


def _compare_names(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    one, other = _words(image), _words(record)
    if not one or not other:
        return MatchVerdict.NEAR
    if _raw(image) == _raw(record):
        return MatchVerdict.MATCH
    if set(one) & set(other) or SequenceMatcher(None, " ".join(one), " ".join(other)).ratio() >= NEARLY:
        return MatchVerdict.NEAR
    return MatchVerdict.MISMATCH


def _raw(identity: PatientIdentity) -> tuple[str, ...]:
    parts = (identity.family_name or "", identity.given_name or "")
    return tuple(" ".join(part.split()).casefold() for part in parts)


def _words(identity: PatientIdentity) -> list[str]:
    """Words of the name without case, accents and order."""
    text = unicodedata.normalize("NFKD", " ".join(_raw(identity)))
    plain = "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return sorted(plain.split())


def joined(match: IdentityMatch, confirmed_by: Reader | None = None) -> Notice | None:
    """What a reader must know of a join of image and record that may stand; None where all agrees.

    `confirmed_by` is the person who says that both are one patient. It counts only where a patient ID is missing: no
    word turns a mismatch into a match.

    Raises: InputError if the two must not be joined.
    """
    fields = ", ".join(match.differing)
    if match.verdict is MatchVerdict.MISMATCH:
        raise InputError(
            f"the record is of another patient: {fields} differ",
            remedy="send the record of the patient on the image",
        )
    if match.verdict is MatchVerdict.UNCONFIRMED:
        if confirmed_by is None:
            raise InputError("image and record share no patient ID, so a person must confirm the join", remedy=CONFIRM)
        agreeing = ", ".join(match.agreeing) or "nothing"
        return Notice(
            code="identity-confirmed",
            text=f"image and record share no patient ID; {confirmed_by.id} ({confirmed_by.role}) confirmed that they "
            f"are of one patient; {agreeing} agree{'s' if len(match.agreeing) < 2 else ''}",
        )
    near = match.verdict is MatchVerdict.NEAR
    return Notice(code="identity-near", text=f"image and record differ slightly in {fields}") if near else None

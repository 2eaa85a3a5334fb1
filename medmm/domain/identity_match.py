"""Whether the patient of an image and the patient of a record are one."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import Enum

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity, PersonName
from medmm.domain.report import Reader
from medmm.domain.study import Notice

FIELDS = ("patient_id", "birth_date", "sex", "name")
CONFIRM = (
    "compare the two, then `medmm --by READER draft STUDY --record RECORD --confirm-patient` or "
    "the box in the dashboard's form or admit(…, confirmed=True, by=reader); or admit the study "
    "without the record"
)
NEARLY = 0.8  # similarity of two spellings of one name
NO_SHARED_ID = "image and record share no patient ID"
QUESTIONS = {
    "patient_id": "the patient ID differs in padding, case or separators",
    "sex": "the sex of the image and what the record says of sex and gender differ",
    "name": "the names are written in scripts that can't be compared, or agree in an initial alone",
}
MOST_NAMES = 20  # of one identity; each is compared with each


class MatchVerdict(Enum):
    """What a comparison of two identities means for joining them."""

    MATCH = "match"
    NEAR = "near"  # join with a warning
    UNCONFIRMED = "unconfirmed"  # it can't be told without a person: a person must confirm
    MISMATCH = "mismatch"  # never join


# From what is best for a join to what is worst.
_ORDER = (MatchVerdict.MATCH, MatchVerdict.NEAR, MatchVerdict.UNCONFIRMED, MatchVerdict.MISMATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityMatch:
    """The verdict, fields that differ by name, never value, and what a person must confirm."""

    verdict: MatchVerdict
    differing: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The names of the fields that both sides state alike."""
        return tuple(name for name in FIELDS if name not in self.differing)


def compare_identities(image: PatientIdentity, record: PatientIdentity) -> IdentityMatch:
    """Compare what an image and a record say of their patient.

    A different ID, birth date or sex is a mismatch, and so is a name of which no part agrees. All
    names of the one are compared with all names of the other, and birth dates at the coarser
    precision. Nearly equal spellings, one changed part of the name, a former name, swapped day and
    month of the birth date, an equal ID of which both sides name an issuer and not the same, or a
    field that only one side has are near.

    A person must confirm where there is no ID on both sides, however well the rest agrees, and
    where an ID differs in padding or case alone, the image's sex is the record's birth sex or
    gender identity and not its gender, or names stand in scripts that can't be compared.
    """
    compared = (
        _compare_ids(image, record),
        _compare_birth_dates(image, record),
        _compare_sexes(image, record),
        _compare_names(image, record),
    )
    fields = dict(zip(FIELDS, compared, strict=True))
    differing = tuple(name for name, verdict in fields.items() if verdict is not MatchVerdict.MATCH)
    no_id = not image.patient_id or not _ids(record)
    asked = tuple(
        QUESTIONS[name] for name, verdict in fields.items() if verdict is MatchVerdict.UNCONFIRMED
    )
    match = IdentityMatch(verdict=_worst(fields.values()), differing=differing)
    return asking(match, *((NO_SHARED_ID,) if no_id else ()), *asked)


def asking(match: IdentityMatch, *questions: str) -> IdentityMatch:
    """Add to a match what else a person must confirm; a mismatch stays one."""
    if not questions:
        return match
    verdict = _worst((match.verdict, MatchVerdict.UNCONFIRMED))
    return replace(match, verdict=verdict, questions=(*match.questions, *questions))


def plain_id(value: str) -> str:
    """Reduce an ID to what systems write alike.

    Case, width, separators, and leading zeros of each run of digits go.
    """
    folded = unicodedata.normalize("NFKC", value).casefold()
    joined = "".join(c for c in folded if c.isalnum())
    return re.sub(r"(?<!\d)0+(?=\w)", "", joined)


def _worst(verdicts: Iterable[MatchVerdict]) -> MatchVerdict:
    return max(verdicts, key=_ORDER.index)


def _ids(identity: PatientIdentity) -> set[tuple[str | None, str]]:
    own = {(identity.issuer, identity.patient_id)} if identity.patient_id else set()
    return {*identity.identifiers, *own}


def _compare_ids(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    known = _ids(record)
    if not image.patient_id or not known:
        return MatchVerdict.NEAR
    issuers = {issuer for issuer, value in known if value == image.patient_id}
    if not issuers:
        alike = any(plain_id(value) == plain_id(image.patient_id) != "" for _, value in known)
        return MatchVerdict.UNCONFIRMED if alike else MatchVerdict.MISMATCH
    same_issuer = image.issuer is None or None in issuers or image.issuer in issuers
    return MatchVerdict.MATCH if same_issuer else MatchVerdict.NEAR


def _compare_sexes(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    """Compare sex with sex.

    DICOM's sex and FHIR's administrative gender may rightly differ if more is said of either.
    """
    if image.sex is None or record.sex is None:
        return MatchVerdict.NEAR
    if image.sex == record.sex:
        return MatchVerdict.MATCH
    one, other = {image.sex, *image.further_sexes}, {record.sex, *record.further_sexes}
    return MatchVerdict.UNCONFIRMED if one & other or "O" in one | other else MatchVerdict.MISMATCH


def _compare_birth_dates(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    """Compare birth dates at the coarser precision.

    A year that holds the date is no difference, another year is another patient.
    """
    one, other = _born(image), _born(record)
    if one is None or other is None:
        return MatchVerdict.NEAR
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return MatchVerdict.MATCH
    if image.birth_date is None or record.birth_date is None:
        return MatchVerdict.MISMATCH
    swapped = (image.birth_date.year, image.birth_date.month, image.birth_date.day) == (
        record.birth_date.year,
        record.birth_date.day,
        record.birth_date.month,
    )
    return MatchVerdict.NEAR if swapped else MatchVerdict.MISMATCH


def _born(identity: PatientIdentity) -> str | None:
    return identity.birth_date.isoformat() if identity.birth_date else identity.birth_date_coarse


def _compare_names(image: PatientIdentity, record: PatientIdentity) -> MatchVerdict:
    """Compare all pairs of names that can be compared; return the best verdict."""
    one, other = list(_names(image)), list(_names(record))
    if not one or not other:
        return MatchVerdict.NEAR
    verdicts = {_compare_name(a, b) for a, b in itertools.product(one, other)} - {None}
    return min(
        (v for v in verdicts if v is not None), key=_ORDER.index, default=MatchVerdict.UNCONFIRMED
    )


def _names(identity: PatientIdentity) -> Iterator[PersonName]:
    first = PersonName(family=identity.family_name, given=identity.given_name)
    found = (name for name in (first, *identity.names) if _words(name))
    yield from itertools.islice(found, MOST_NAMES)


def _compare_name(one: PersonName, other: PersonName) -> MatchVerdict | None:
    """Compare two names of one script; return None if their scripts differ."""
    first, second = _words(one), _words(other)
    if not _scripts(first) & _scripts(second):
        return None
    if _raw(one) == _raw(other) or (
        _undivided(one) == _undivided(other) and "LATIN" not in _scripts(first)
    ):
        return MatchVerdict.NEAR if one.former or other.former else MatchVerdict.MATCH
    if first == second and None in (one.family, other.family):
        return MatchVerdict.NEAR if one.former or other.former else MatchVerdict.MATCH
    if (
        set(first) & set(second)
        or SequenceMatcher(None, " ".join(first), " ".join(second)).ratio() >= NEARLY
    ):
        return MatchVerdict.NEAR
    return MatchVerdict.UNCONFIRMED if _initials_agree(first, second) else MatchVerdict.MISMATCH


def _initials_agree(first: list[str], second: list[str]) -> bool:
    """Tell whether a word of one name is the initial of a word of the other.

    As in "H." for Hanako.
    """
    pairs = itertools.product(first, second)
    return any(a[:1] == b[:1] and 1 in (len(a), len(b)) for a, b in pairs)


def _raw(name: PersonName) -> tuple[str, ...]:
    return tuple(" ".join(_folded(part).split()) for part in (name.family or "", name.given or ""))


def _undivided(name: PersonName) -> str:
    return "".join(_raw(name)).replace(" ", "")


def _folded(text: str) -> str:
    """Fold spellings of the same: case, width, hiragana for katakana."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(chr(ord(c) - 0x60) if "\u30a1" <= c <= "\u30f6" else c for c in folded)


def _words(name: PersonName) -> list[str]:
    """List the words of the name without case, accents and order."""
    text = unicodedata.normalize("NFKD", " ".join(_raw(name)))
    plain = "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return sorted(plain.split())


def _scripts(words: list[str]) -> set[str]:
    """Return the scripts of some words ("LATIN", "CJK", "HIRAGANA").

    They are the first words of their letters' Unicode names.
    """
    letters = {c for word in words for c in word if c.isalpha()}
    return {unicodedata.name(c, "UNKNOWN").partition(" ")[0] for c in letters} or {"NONE"}


def joined(match: IdentityMatch, confirmed_by: Reader | None = None) -> Notice | None:
    """Say what a reader must know of a join of image and record that may stand.

    `confirmed_by` is the person who says that both are one patient. It counts only if that can't
    be told without a person: no word turns a mismatch into a match.

    Returns: None if all agrees.
    Raises: InputError if the two must not be joined.
    """
    fields = ", ".join(match.differing)
    if match.verdict is MatchVerdict.MISMATCH:
        raise InputError(
            f"the record is of another patient: {fields} differ",
            remedy="send the record of the patient on the image",
        )
    if match.verdict is MatchVerdict.UNCONFIRMED:
        asked = "; ".join(match.questions)
        if confirmed_by is None:
            raise InputError(f"{asked}, so a person must confirm the join", remedy=CONFIRM)
        agreeing = ", ".join(match.agreeing) or "nothing"
        return Notice(
            code="identity-confirmed",
            text=f"{asked}; {confirmed_by.id} ({confirmed_by.role}) confirmed that they "
            f"are of one patient; {agreeing} agree{'s' if len(match.agreeing) < 2 else ''}",
        )
    near = match.verdict is MatchVerdict.NEAR
    return (
        Notice(
            code="identity-near",
            text="image and record differ slightly, or only one of them says anything, "
            f"in {fields}",
        )
        if near
        else None
    )

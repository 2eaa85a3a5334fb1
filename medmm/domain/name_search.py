"""Names and numbers as they are searched for: case, accents and ways of writing folded.

What is folded alike is found by each other. A search may find too much, never too little: a person
sees the names that were found.
"""

from __future__ import annotations

import re
import unicodedata

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity

LONGEST_PART = 100  # characters of a part of a name; the rest tells nobody apart
LONGEST = 200  # characters of what is searched for
MOST_PARTS = 8  # of a name; a longer text is searched for as a number alone
# Letters that no Unicode decomposition takes apart (Latin-1 Supplement, Latin Extended-A)
LETTERS = str.maketrans(
    {"ø": "o", "æ": "a", "œ": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "t", "ı": "i"}
)
# Müller is written Mueller where a device knows no umlauts (DIN 5007-2 sorts the two alike); both
# become muller, as does Muller
DIGRAPHS = re.compile(r"(?<=[aou])e")
APOSTROPHES = re.compile("['`\u00b4\u02b9\u02bb\u02bc\u2018\u2019\u201b]")
PARTS = re.compile(r"[^\W_]+")


def name_parts(text: str) -> tuple[str, ...]:
    """Take a name apart into its folded parts, in order: "Meyer-Müller" gives meyer, muller."""
    plain = unicodedata.normalize("NFKD", APOSTROPHES.sub("", text).casefold())
    letters = "".join(c for c in plain if not unicodedata.category(c).startswith("M"))
    parts = PARTS.findall(letters.translate(LETTERS))
    return tuple(DIGRAPHS.sub("", part)[:LONGEST_PART] for part in parts)


def names_of(identity: PatientIdentity) -> frozenset[str]:
    """List the folded parts of every name of a person, in whatever script."""
    names = [identity.family_name, identity.given_name]
    names += [text for name in identity.names for text in (name.family, name.given)]
    return frozenset(part for text in names if text for part in name_parts(text))


def numbers_of(identity: PatientIdentity) -> frozenset[str]:
    """List the folded identifiers of a person: the patient ID and those of other issuers."""
    numbers = (identity.patient_id, *(value for _, value in identity.identifiers))
    return frozenset(filter(None, (number(one) for one in numbers if one)))


def number(text: str) -> str:
    """Fold an identifier: without blanks around it, in small letters."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def searched_parts(text: str) -> tuple[str, ...]:
    """Take what a person searches for apart, as names are; () of more than a name has.

    Raises: InputError if it is too long, or nothing is left of it.
    """
    parts = tuple(dict.fromkeys(name_parts(text)))
    if not parts or len(text) > LONGEST:
        raise InputError(
            "nothing can be searched for by these words",
            remedy=f"give parts of a name or one number, in up to {LONGEST} characters",
        )
    return parts if len(parts) <= MOST_PARTS else ()

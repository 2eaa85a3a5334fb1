"""Words that speak to a program or a reader instead of telling of a patient.

`data/program_words.csv` holds what orders a program about or asks for words in an answer: it is
looked for in records and in drafts. `data/address_words.csv` holds what is out of place in a draft
alone, such as a second person, thanks or markup; records address patients and physicians as a
matter of course. Both are written by hand: what they miss is not measured.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from medmm.language.patterns import undisguised
from medmm.language.word_tables import rows_of


def addressing_words(text: str) -> tuple[str, ...]:
    """Return what of a text instructs, addresses somebody, or is markup or code.

    Words to a program are given in lower case, the others as they stand.
    """
    plain = undisguised(text)
    matches = [p.search(text) for p in _patterns("address_words")]
    matches += [p.search(plain) for p in _patterns("program_words")]
    return tuple(dict.fromkeys(match.group().strip() for match in matches if match))


@lru_cache(maxsize=65536)
def addresses_a_program(text: str) -> bool:
    """Tell whether a text of a record speaks to a program instead of telling of the patient."""
    plain = undisguised(text)
    return any(p.search(plain) for p in _patterns("program_words"))


@cache
def _patterns(table: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(row["pattern"], re.IGNORECASE | re.MULTILINE) for row in rows_of(table))

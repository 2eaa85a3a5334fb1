"""Words that by themselves state nothing of a patient, from `data/plain_words.csv`."""

from __future__ import annotations

import re
from functools import cache

from medmm.language.word_tables import rows_of

_WORD = re.compile(r"[^\W\d_]+")


def says_nothing(clause: str) -> bool:
    """Tell whether every word of a clause is one that states nothing by itself."""
    return all(word.casefold() in _plain() for word in _WORD.findall(clause))


@cache
def _plain() -> frozenset[str]:
    return frozenset(word for row in rows_of("plain_words") for word in row["words"].split("|"))

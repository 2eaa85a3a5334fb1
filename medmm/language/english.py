"""Whether words are English, by their script and their function words."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from medmm.language.word_tables import rows_of

ENGLISH = "English"
_WORD = re.compile(r"[^\W\d_]+")
_ABBREVIATION = 4  # letters: "LA", "ED" and "DES" are no words of another language


def foreign_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that are of another language than English.

    Words of another script are; function words of another language are where the text has more
    of them than of English. A single Greek letter is a sign of a unit.
    """
    words = _WORD.findall(text)
    scripts = [w for w in words if len(w) > 1 and not _is_latin(w)]
    if scripts:
        return tuple(dict.fromkeys(scripts))
    plain = [w.casefold() for w in words if not (w.isupper() and len(w) < _ABBREVIATION)]
    english, others = _stop_words()
    foreign = [w for w in plain if w in others and w not in english]
    known = sum(w in english for w in plain)
    return tuple(dict.fromkeys(foreign)) if len(foreign) > known else ()


def _is_latin(word: str) -> bool:
    return all("LATIN" in unicodedata.name(letter, "") for letter in word)


@cache
def _stop_words() -> tuple[frozenset[str], frozenset[str]]:
    by_language = {
        row["language"]: frozenset(w.casefold() for w in row["words"].split("|"))
        for row in rows_of("stop_words")
    }
    english = by_language.pop(ENGLISH)
    return english, frozenset().union(*by_language.values())

"""The record's own words, told from the writer's."""

from __future__ import annotations

import re
from collections.abc import Iterable

from medmm.domain.plain_text import clean
from medmm.domain.record import Fact
from medmm.language.patterns import blank


def fact_words(fact: Fact) -> tuple[str, ...]:
    """Return the record's own words in a fact, cleaned: label, marks, a value in words."""
    words = [fact.label, *fact.marks]
    if isinstance(fact.value, str):
        words.append(fact.value)
    return tuple(clean(w) for w in words if w.strip())


def without_words_of(text: str, facts: Iterable[Fact]) -> str:
    """Blank verbatim words of these facts: what is left is the writer's own."""
    words = sorted({w for fact in facts for w in fact_words(fact)}, key=len, reverse=True)
    for word in words:
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", blank, text, flags=re.IGNORECASE)
    return text

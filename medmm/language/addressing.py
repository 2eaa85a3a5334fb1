"""Words that speak to the reader or to a system instead of describing an image."""

from __future__ import annotations

import re
from functools import cache

from medmm.language.word_tables import rows_of


def addressing_words(text: str) -> tuple[str, ...]:
    """Return what of a text instructs, addresses somebody, or is markup or code, as it stands."""
    found = (match.group().strip() for p in _patterns() if (match := p.search(text)))
    return tuple(dict.fromkeys(found))


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(row["pattern"], re.IGNORECASE | re.MULTILINE) for row in rows_of("address_words")
    )

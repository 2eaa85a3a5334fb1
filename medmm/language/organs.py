"""The organs that words name: where they are imaged, who has them, what removes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from medmm.language.word_tables import rows_of, whole_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Organ:
    """One row of `data/organ_words.csv`.

    Attributes:
        body_parts: the parts of the body whose images show it; empty of organs that no check of
            the body part looks at.
        sex: "male" or "female" if the other sex has none, else empty.
        removed_by: procedures after which the patient has none.
    """

    name: str
    words: re.Pattern[str]
    body_parts: frozenset[str]
    sex: str
    removed_by: re.Pattern[str] | None


@cache
def organs() -> tuple[Organ, ...]:
    """Read all organs."""
    return tuple(
        Organ(
            name=row["organ"],
            words=whole_words(row["phrases"]),
            body_parts=frozenset(filter(None, row["body_parts"].split("|"))),
            sex=row["sex"],
            removed_by=whole_words(row["removed_by"]) if row["removed_by"] else None,
        )
        for row in rows_of("organ_words")
    )


def organs_named(text: str) -> tuple[Organ, ...]:
    """Return the organs that a text names."""
    if not _any_organ().search(text):
        return ()
    return tuple(organ for organ in organs() if organ.words.search(text))


@cache
def _any_organ() -> re.Pattern[str]:
    return whole_words("|".join(row["phrases"] for row in rows_of("organ_words")))

"""The claims of a text: each finding of each clause with its side, place and size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from medmm.domain.claim import Assertion, Claim, Size
from medmm.domain.vocabulary import finding_terms
from medmm.language.comparison import comparing_words
from medmm.language.normality import says_normal
from medmm.language.numbers import numbers_named
from medmm.language.report_parser import (
    Polarity,
    clauses_of_sentence,
    findings_of_clause,
    polarity,
)
from medmm.language.sentences import sentences_of
from medmm.language.sides import named_side
from medmm.language.word_tables import phrase_patterns

ASSERTIONS = {
    Polarity.AFFIRMED: Assertion.PRESENT,
    Polarity.HEDGED: Assertion.POSSIBLE,
    Polarity.DENIED: Assertion.ABSENT,
}
LENGTH_UNITS = frozenset(
    f"{prefix}{unit}"
    for unit in ("m", "m2", "m3", "metre", "metres", "meter", "meters")
    for prefix in ("m", "c", "milli", "centi")
) | {"ml", "mL", "cc", "inch", "inches"}
# "2.3 x 1.5 cm": the unit after the last number is that of all.
_BY = re.compile(r"(\d+(?:\.\d+)?)\s*(?:x|×|by|to|-|–)\s*(?=\d)", re.IGNORECASE)
_UNIT_OF_ALL = re.compile(
    r"(?:\d+(?:\.\d+)?\s*(?:x|×|by|to|-|–)\s*)*\d+(?:\.\d+)?\s?([A-Za-z]+\d?)"
)
_PLACELESS = re.compile(
    r"\W*(?:(?:the|a|an|left|right|bilateral|small|large|mild|of)\W*)+", re.IGNORECASE
)


@lru_cache(maxsize=512)  # the statements of a few drafts: each check asks for their claims
def claims_of(text: str) -> tuple[Claim, ...]:
    """Split a text into what its clauses claim, in their order.

    A clause that names several findings gives a claim of each; one that names none gives a claim
    without a finding.
    """
    return tuple(
        claim
        for sentence in sentences_of(text)
        for clause in _whole(clauses_of_sentence(sentence))
        for claim in _claims(clause)
    )


def places_named(text: str) -> tuple[str, ...]:
    """Return the parts of the chest that a text names, in the order of `chest_places.csv`."""
    return tuple(
        place for place, pattern in phrase_patterns("chest_places", "place") if pattern.search(text)
    )


def sizes_named(text: str) -> tuple[Size, ...]:
    """Return the lengths, areas and volumes of a text; of "2.3 x 1.5 cm" both numbers."""
    found = []
    for number in numbers_named(_with_units(text)):
        if number.unit in LENGTH_UNITS:
            found.append(Size(value=number.value, unit=number.unit))
    return tuple(found)


def _claims(clause: str) -> Iterator[Claim]:
    named: dict[str | None, Polarity] = dict(findings_of_clause(clause).items())
    named = named or {None: Polarity.DENIED if says_normal(clause) else polarity(clause)}
    changes, places = comparing_words(clause), places_named(clause)
    any_sided = any(_sided(finding) for finding in named)
    for finding, said in named.items():
        yield Claim(
            finding=finding,
            assertion=ASSERTIONS[said],
            side=named_side(clause) if _sided(finding) or not any_sided else None,
            place=places[0] if places else None,
            sizes=sizes_named(clause),
            change=changes[0] if changes else None,
            text=clause,
        )


def _sided(finding: str | None) -> bool:
    return finding is None or finding_terms()[finding].sided


def _whole(parts: tuple[str, ...]) -> Iterator[str]:
    """Put what is no clause before the next, as "the left" in "the left and right lungs"."""
    held = ""
    for part in parts:
        if _PLACELESS.fullmatch(part):
            held = f"{held} {part} and".strip()
            continue
        yield f"{held} {part}".strip()
        held = ""
    if held:
        yield held.removesuffix(" and")


def _with_units(text: str) -> str:
    """Write the unit of a product or a range after each of its numbers."""

    def written(match: re.Match[str]) -> str:
        unit = match[1]
        return _BY.sub(lambda number: f"{number[1]} {unit} ", match.group())

    return _UNIT_OF_ALL.sub(written, text)

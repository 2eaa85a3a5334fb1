"""Report texts as statements: one finding each, without what one film cannot show.

A sentence of a report teaches only what a draft may say: it names one finding of the vocabulary,
with one polarity, and no side, place, size, number, removed word or comparison. Sides and places
are stated from regions, sizes from measurements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from medmm.language.numbers import numbers_named
from medmm.language.report_labeller import PRESENT, UNCERTAIN, labeller, sentences
from medmm.language.report_parser import Polarity, findings_named
from medmm.language.sides import named_side

# The labeller's names and the vocabulary's.
VOCABULARY: Mapping[str, str] = {
    "Cardiomegaly": "Cardiomegaly", "Lung Opacity": "Lung_Opacity", "Edema": "Edema",
    "Consolidation": "Consolidation", "Pneumonia": "Pneumonia", "Atelectasis": "Atelectasis",
    "Pneumothorax": "Pneumothorax", "Pleural Effusion": "Effusion",
    "Pleural Other": "Pleural_Thickening", "Fracture": "Fracture",
    "Support Devices": "Support_Devices",
}  # fmt: skip


class FindingSaid(Enum):
    """What a statement says of its finding; the value is its token."""

    PRESENT = "<present>"
    POSSIBLE = "<possible>"
    ABSENT = "<absent>"
    NOTHING = "<nothing>"


RANK = (FindingSaid.PRESENT, FindingSaid.POSSIBLE, FindingSaid.ABSENT, FindingSaid.NOTHING)
BY_WORDS = frozenset(
    {"Nodule", "Mass", "Granuloma", "Emphysema", "Fibrosis", "Hernia", "Infiltration"}
)
POLARITY = {
    Polarity.AFFIRMED: FindingSaid.PRESENT,
    Polarity.HEDGED: FindingSaid.POSSIBLE,
    Polarity.DENIED: FindingSaid.ABSENT,
}
# Words of comparison: what they claim needs an earlier film (the check on comparisons has the same
# list in mind).
COMPARING = re.compile(
    r"\b(?:new|newly|unchanged|unaltered|chang\w*|interval|increas\w*|decreas\w*|diminish\w*|"
    r"reduced|enlarging|growing|shr[iu]nk\w*|stable|stability|improv\w*|worse\w*|better|"
    r"progress\w*|regress\w*|resolv\w*|resolution|clearing|cleared|compar\w*|previous\w*|prior|"
    r"earlier|formerly|again|persist\w*|remain\w*|still|redemonstrat\w*|recurr\w*|residual|"
    r"evolving|no longer|since|last|follow\w*[- ]?up|baseline|serial|long-?standing|now|old|"
    r"healed|healing|acute|chronic|post\w*|known|history|patient\w*|lateral view|ct|"
    r"recommend\w*|correlat\w*)\b"
)
SIDES = re.compile(
    r"\b(?:left|right|bilateral\w*|both|bibasilar|bibasal|biapical|(?:left|right)[- ]sided|"
    r"unilateral|lul|lll|rul|rml|rll)\b[- ]?"
)
SIZES = re.compile(
    r"\b(?:small|tiny|trace|minimal(?:ly)?|mild(?:ly)?|moderate(?:ly)?|large|marked(?:ly)?|"
    r"severe(?:ly)?|massive|slight(?:ly)?|subtle|borderline|significant(?:ly)?|gross(?:ly)?|few|"
    r"multiple|several|scattered|numerous|one|two|three|single)\b ?"
)
PLACES = re.compile(
    r",? ?\b(?:in|at|within|over|overlying|involving|along|near|projecting over|"
    r"projected over)\b (?:the |a )?[^,;]*?\b(?:lobes?|bases?|apex|apices|lungs?|zones?|"
    r"hemithora\w+|angles?|sulc\w+|hil[aiu]\w*|regions?|areas?|midlung|spine|ribs?|thorax|chest|"
    r"atrium|svc|cava|ventricle|stomach|carina|space)\b[^,;]*"
)
PLACED = re.compile(
    r"\b(?:basilar|basal|apical|perihilar|hilar|retrocardiac|lingular?|"
    r"(?:upper|lower|middle) (?:lobe|lung)|midlung)\b ?"
)
VERB = re.compile(r"\b(?:is|are|has|have|shows?|demonstrates?)\b")
HEDGES = {
    "is": "may be",
    "are": "may be",
    "has": "may have",
    "have": "may have",
    "show": "may show",
    "shows": "may show",
    "demonstrate": "may show",
    "demonstrates": "may show",
}
WORDS = (2, 14)
REMOVED = "#"  # stands for a removed word, so that no sentence with a hole in it is learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One sentence about one finding, as a draft may write it."""

    finding: str
    said: FindingSaid
    text: str


def report_findings(text: str) -> dict[str, FindingSaid]:
    """Read what a report says of each finding; unmentioned ones are not in the result.

    By the labeller of report words where it has the finding; the findings that it does not tell
    apart (nodule, mass, granuloma) or does not have (emphysema, fibrosis, hernia, infiltrate) by
    the vocabulary's own words.
    """
    said: dict[str, FindingSaid] = {}
    labels = labeller().label(text)
    for name, finding in VOCABULARY.items():
        if (value := labels[name]) is not None:
            said[finding] = (
                FindingSaid.PRESENT
                if value == PRESENT
                else FindingSaid.POSSIBLE
                if value == UNCERTAIN
                else FindingSaid.ABSENT
            )
    for sentence in sentences(text):
        for finding, polarity in _named(sentence):
            if finding in BY_WORDS and RANK.index(POLARITY[polarity]) < RANK.index(
                said.get(finding, FindingSaid.NOTHING)
            ):
                said[finding] = POLARITY[polarity]
    return said


@lru_cache(maxsize=100_000)
def _named(sentence: str) -> tuple[tuple[str, Polarity], ...]:
    """Return what a sentence names, cached since reports repeat themselves."""
    return tuple(findings_named(sentence).items())


def phrases_of(text: str) -> Iterator[Phrase]:
    """Yield the statements that a report teaches, without sides, places and sizes.

    They are in its own words.
    """
    for sentence in sentences(text.replace("XXXX", REMOVED)):
        plain = _plain(sentence)
        if plain is None:
            continue
        for candidate in (plain, _hedged(plain)):
            phrase = _phrase(candidate) if candidate else None
            if phrase is not None:
                yield phrase


def _plain(sentence: str) -> str | None:
    """Strip sides, places and sizes from a sentence; return None if it compares or counts."""
    if COMPARING.search(sentence) or numbers_named(sentence) or re.search(r"[^a-z ,'-]", sentence):
        return None
    for pattern in (SIDES, PLACES, PLACED, SIZES):
        sentence = pattern.sub("", sentence)
    sentence = re.sub(r"\ba (?=[aeiou])", "an ", re.sub(r"\ban (?=[^aeiou])", "a ", sentence))
    sentence = " ".join(sentence.split()).strip(" ,-")
    return (
        sentence
        if WORDS[0] <= len(sentence.split()) <= WORDS[1] or sentence in ("cardiomegaly",)
        else None
    )


def _hedged(sentence: str) -> str | None:
    """Turn a sentence that affirms into one that leaves open.

    "is" becomes "may be", a sentence without a verb "possible …".
    """
    if {polarity for _, polarity in _named(sentence)} != {Polarity.AFFIRMED}:
        return None
    verb = VERB.search(sentence)
    if verb is None:
        return f"possible {sentence}"
    return sentence[: verb.start()] + HEDGES[verb.group()] + sentence[verb.end() :]


def _phrase(sentence: str) -> Phrase | None:
    named = _named(sentence)
    if len(named) != 1 or named_side(sentence) is not None:
        return None
    ((finding, polarity),) = named
    return Phrase(
        finding=finding, said=POLARITY[polarity], text=sentence[0].upper() + sentence[1:] + "."
    )


def phrase_book(texts: Iterable[str]) -> dict[tuple[str, FindingSaid], list[str]]:
    """Collect all statements of reports by finding and what they say, as often as they occur."""
    book: dict[tuple[str, FindingSaid], list[str]] = {}
    for text in texts:
        for phrase in phrases_of(text):
            book.setdefault((phrase.finding, phrase.said), []).append(phrase.text)
    return book

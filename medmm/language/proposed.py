"""Sentences of a model that writes free text, each with the finding that its words name."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from medmm.domain.draft import Assertion, Generation, Proposal
from medmm.language.report_parser import Polarity, findings_named, polarity

ASSERTIONS = {
    Polarity.AFFIRMED: Assertion.PRESENT,
    Polarity.HEDGED: Assertion.POSSIBLE,
    Polarity.DENIED: Assertion.ABSENT,
}


def proposals_of(sentence: str, generation: Generation) -> Iterator[Proposal]:
    """Yield what a sentence proposes of each finding that it names, in its own words.

    One that names none gives a proposal without a finding, which is never stated.
    """
    named: dict[str | None, Polarity] = {**findings_named(sentence)}
    for finding, said in (named or {None: polarity(sentence)}).items():
        yield Proposal(
            finding=finding, assertion=ASSERTIONS[said], text=sentence, generation=generation
        )


@cache
def words_of(finding: str) -> frozenset[str]:
    """Return the words of all names that a finding of the vocabulary goes by."""
    text = files("medmm.language").joinpath("data/finding_words.csv").read_text(encoding="utf-8")
    named = [row for row in csv.DictReader(text.splitlines()) if row["name"] == finding]
    phrases = [f"{row['phrases']}|{row['normal_phrases']}" for row in named]
    return frozenset(re.findall(r"[^\W\d_]+", " ".join(phrases).lower()))

"""G11: a statement from the record says nothing beside it.

Its words are the record's or those of the templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from medmm.domain.draft import Assertion, Case, FactEvidence, Statement
from medmm.domain.reading import Reading
from medmm.domain.record import Fact, Quantity
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable
from medmm.language.record_words import fact_words, without_words_of
from medmm.language.report_parser import findings_named
from medmm.presentation.value_words import unit_words

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# What a sentence says around the record's words: its kind, its status, its time, and words that
# carry no content.
_AROUND = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "had",
        "has",
        "have",
        "her",
        "his",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "patient",
        "patients",
        "reported",
        "record",
        "records",
        "recorded",
        "since",
        "than",
        "that",
        "the",
        "their",
        "there",
        "this",
        "to",
        "up",
        "was",
        "were",
        "which",
        "with",
        "order",
        "ordered",
        "request",
        "requested",
        "indication",
        "reason",
        "clinical",
        "information",
        "condition",
        "conditions",
        "procedure",
        "value",
        "result",
        "allergy",
        "medication",
        "medicine",
        "report",
        "active",
        "inactive",
        "former",
        "formerly",
        "past",
        "history",
        "resolved",
        "previous",
        "previously",
        "no",
        "longer",
        "not",
        "denied",
        "denies",
        "without",
        "completed",
        "stopped",
        "ruled",
        "out",
        "refuted",
        "excluded",
        "unconfirmed",
        "suspected",
        "possible",
        "possibly",
        "probable",
        "provisional",
        "differential",
        "doubt",
        "doubtful",
        "implausible",
        "questionable",
        "plausible",
        "check",
        "normal",
        "range",
        "high",
        "low",
        "above",
        "below",
        "age",
        "aged",
        "old",
        "sex",
        "years",
        "year",
        "months",
        "month",
        "weeks",
        "week",
        "days",
        "day",
        "hours",
        "hour",
        "born",
    ]
)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for words of a reported statement that stand neither in its facts nor around them."""
    if statement.assertion is not Assertion.REPORTED:
        return not_applicable("not reported from the record")
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    facts = [f for f in case.context.facts if f.id in ids] if case.context else []
    return judged(
        _problems(without_words_of(statement.text, facts), facts), "the words are the record's"
    )


def _problems(own_words: str, facts: list[Fact]) -> Iterator[str]:
    known = _AROUND | set(_words(" ".join(_said(facts))))
    foreign = tuple(dict.fromkeys(word for word in _words(own_words) if word not in known))
    if foreign:
        yield f"not in the record named here: {', '.join(foreign)}"
    named = findings_named(" . ".join(_said(facts)))
    for finding in findings_named(own_words):
        if finding not in named:
            yield f"{finding} is named, and the record named here does not speak of it"


def _said(facts: Iterable[Fact]) -> Iterator[str]:
    for fact in facts:
        yield from fact_words(fact)
        yield from (coding.display for coding in fact.codings if coding.display)
        if isinstance(fact.value, Quantity):
            yield fact.value.unit
            yield unit_words(fact.value.unit)


def _words(text: str) -> Iterator[str]:
    return (match.group().casefold() for match in _WORD.finditer(text))

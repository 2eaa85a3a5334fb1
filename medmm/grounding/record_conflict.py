"""G5: statement and record don't contradict each other, or a person looks at both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from medmm.domain.draft import Assertion, Case, FactEvidence, Statement
from medmm.domain.reading import Reading
from medmm.domain.record import Fact, FactKind, FactStatus, Quantity
from medmm.domain.vocabulary import finding_terms
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable, of_a_reader
from medmm.language.record_words import without_words_of
from medmm.language.report_parser import Polarity, findings_named

# How a reported fact must be worded so that its status is not lost.
_STATUS_WORDS = {
    FactStatus.REFUTED: re.compile(
        r"\b(?:ruled out|refuted|excluded|no|not|denied|without)\b", re.IGNORECASE
    ),
    FactStatus.INACTIVE: re.compile(
        r"\b(?:inactive|former|formerly|past|history|resolved|previous|no longer|procedure|"
        r"completed|stopped)\b",
        re.IGNORECASE,
    ),
    FactStatus.UNCONFIRMED: re.compile(
        r"\b(?:unconfirmed|suspected|possible|possibly|probable|provisional|differential)\b",
        re.IGNORECASE,
    ),
}
_DOUBT = re.compile(
    r"\b(?:doubt|doubtful|implausible|questionable|not plausible|check)\b", re.IGNORECASE
)
_MALE = re.compile(r"\b(?:male|man|he|his|him|gentleman|boy)\b", re.IGNORECASE)
_FEMALE = re.compile(r"\b(?:female|woman|she|her|hers|lady|girl|pregnan\w+)\b", re.IGNORECASE)
_AGE = re.compile(r"\b(\d{1,3})[-\s]years?[-\s]old\b|\bage[d:]?\s*(\d{1,3})\b", re.IGNORECASE)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare with the record's conditions, status of facts, and the patient's age and sex."""
    if case.context is None or not case.context.facts:
        return not_applicable("no record was given")
    facts = case.context.facts
    problems = list(_person_problems(statement, facts))
    if statement.assertion is Assertion.REPORTED:
        problems += _status_problems(statement, facts)
    elif of_a_reader(statement):
        for name, said in findings_named(statement.text).items():
            problems += _condition_problems(name, said is Polarity.DENIED, facts)
    elif statement.finding is not None:
        problems += _condition_problems(
            statement.finding, statement.assertion is Assertion.ABSENT, facts
        )
    return judged(problems, "nothing in the record contradicts it")


def _condition_problems(finding: str, denied: bool, facts: Iterable[Fact]) -> Iterator[str]:
    against = FactStatus.ACTIVE if denied else FactStatus.REFUTED
    for fact in facts:
        if fact.kind is FactKind.CONDITION and fact.status is against and _means(fact, finding):
            yield f"the record says {against.value}: look at {fact.id}"


def _means(fact: Fact, finding: str | None) -> bool:
    """Tell whether a condition of the record is this finding, by code or undenied words."""
    term = finding_terms().get(finding or "")
    codes = {(c.system, c.code) for c in term.codings} if term else set()
    if codes & {(c.system, c.code) for c in fact.codings}:
        return True
    names = " . ".join([fact.label, *(c.display or "" for c in fact.codings)])
    return findings_named(names).get(finding or "", Polarity.DENIED) is not Polarity.DENIED


def _status_problems(statement: Statement, facts: Iterable[Fact]) -> Iterator[str]:
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    named = [f for f in facts if f.id in ids]
    own_words = without_words_of(statement.text, named)
    for fact in named:
        if fact.status is FactStatus.ENTERED_IN_ERROR:
            yield f"{fact.id} was entered in error"
        pattern = _STATUS_WORDS.get(fact.status)
        if pattern is not None and not pattern.search(own_words):
            yield f"{fact.id} is {fact.status.value} in the record and stated as if it were not"
        if fact.status is FactStatus.ACTIVE and _STATUS_WORDS[FactStatus.REFUTED].search(own_words):
            yield f"{fact.id} is active in the record and stated as denied"
        if fact.marks and not _DOUBT.search(own_words):
            yield f"{fact.id} is marked as doubtful and stated without the doubt"


def _person_problems(statement: Statement, facts: Iterable[Fact]) -> Iterator[str]:
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    demographic = [f for f in facts if f.kind is FactKind.DEMOGRAPHIC]
    others = [f for f in facts if f.id in ids and f.kind is not FactKind.DEMOGRAPHIC]
    own_words = without_words_of(statement.text, others)
    for fact in demographic:
        if isinstance(fact.value, str):
            yield from _sex_problems(fact, own_words)
        elif isinstance(fact.value, Quantity) and fact.value.unit == "a":
            for match in _AGE.finditer(own_words):
                if int(match[1] or match[2]) != int(fact.value.value):
                    yield f"another age than {fact.id}"


def _sex_problems(fact: Fact, text: str) -> Iterator[str]:
    recorded = str(fact.value).strip().casefold()
    if recorded in ("female", "f") and _MALE.search(text):
        yield f"another sex than {fact.id}"
    if recorded in ("male", "m") and _FEMALE.search(text):
        yield f"another sex than {fact.id}"

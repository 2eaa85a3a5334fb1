"""What stays coded of an edited statement: only what the reader's own words still say.

A code must never travel beside words that say something else: "Possible left pleural effusion"
edited to "No pleural effusion" would otherwise leave as a coded suspicion. Where words and code
part, the code, the side and the evidence are dropped and the words go alone; `drafted_text` keeps
what was drafted.
"""

from __future__ import annotations

from dataclasses import replace

from medmm.domain.draft import Assertion, FactEvidence, MeasurementEvidence, Statement
from medmm.domain.record import ClinicalContext
from medmm.domain.report import SignedStatement
from medmm.language.numbers import numbers_named
from medmm.language.record_words import fact_words
from medmm.language.report_parser import Polarity, findings_named, polarity
from medmm.language.sides import named_side

_ASSERTION = {
    Polarity.AFFIRMED: Assertion.PRESENT,
    Polarity.HEDGED: Assertion.POSSIBLE,
    Polarity.DENIED: Assertion.ABSENT,
}


def edited_statement(
    statement: Statement, text: str, context: ClinicalContext | None
) -> SignedStatement:
    """Put a statement in the reader's words, with its coding if the words still carry it."""
    signed = SignedStatement(
        id=statement.id,
        section=statement.section,
        text=text,
        assertion=statement.assertion,
        finding=statement.finding,
        side=statement.side,
        evidence=statement.evidence,
        drafted_text=statement.text,
        summarises=statement.summarises,
    )
    if keeps_coding(statement, text, context):
        return signed
    reported = statement.assertion is Assertion.REPORTED
    assertion = statement.assertion if reported else _ASSERTION[polarity(text)]
    return replace(signed, assertion=assertion, finding=None, side=None, evidence=())


def keeps_coding(statement: Statement, text: str, context: ClinicalContext | None) -> bool:
    """Tell whether edited words say what is coded: finding, assertion, side, numbers, fact."""
    if statement.assertion is Assertion.REPORTED:
        return _names_its_facts(statement, text, context)
    named = findings_named(text)
    if statement.finding is not None:
        said = named.get(statement.finding)
        if (
            set(named) != {statement.finding}
            or said is None
            or _ASSERTION[said] is not statement.assertion
        ):
            return False
    elif set(named) != set(findings_named(statement.text)):
        return False
    if any(isinstance(e, MeasurementEvidence) for e in statement.evidence):
        return (
            sorted(_figures(text)) == sorted(_figures(statement.text))
            and named_side(text) is statement.side
        )
    return named_side(text) is statement.side and polarity(text) is polarity(statement.text)


def _names_its_facts(statement: Statement, text: str, context: ClinicalContext | None) -> bool:
    ids = {e.fact_id for e in statement.evidence if isinstance(e, FactEvidence)}
    facts = [f for f in context.facts if f.id in ids] if context else []
    line = " ".join(text.split()).casefold()
    return (
        bool(facts)
        and all(any(word.casefold() in line for word in fact_words(f)) for f in facts)
        and polarity(text) is polarity(statement.text)
        and _figures(text) == _figures(statement.text)
    )


def _figures(text: str) -> list[tuple[str, str]]:
    return [(number.text, number.unit) for number in numbers_named(text)]

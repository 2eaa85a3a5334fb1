"""What a language model proposes, what speaks against it, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from medmm.domain.draft import (
    CLAIMS,
    Assertion,
    Case,
    Draft,
    Evidence,
    Fate,
    Proposal,
    ScoreEvidence,
    Section,
    SentenceRecord,
    Statement,
)
from medmm.domain.reading import Finding, Reading, Side
from medmm.drafting.image_statements import evidence_of
from medmm.language.certainty_words import says_too_much
from medmm.language.comparison import comparing_words
from medmm.language.numbers import dates_named, numbers_named
from medmm.language.report_parser import Polarity, clauses, findings_named, polarity
from medmm.language.sides import named_side

DENIAL = frozenset({Assertion.ABSENT})
PRESENT_FROM = 0.5  # what a model takes for less likely than not is never said to be present
_POLARITY = {
    Assertion.PRESENT: Polarity.AFFIRMED,
    Assertion.POSSIBLE: Polarity.HEDGED,
    Assertion.ABSENT: Polarity.DENIED,
}
SIDED = "a side is named, which comes from a region and never from a language model"
UNLIKELY = "it states what the language model itself takes for less likely than not"
OTHER_FINDING = "its words say something else than is coded"
OTHER_CLAUSE = "a part of it is not of its finding"
NAMES_SIDE = "its words name a side"
NAMES_NUMBER = "its words name a number or a date"
COMPARES = "its words compare with an earlier image"
TOO_SURE = "its words are surer than the probability of the finding bears"
NO_FINDING = "it names no finding of the vocabulary"
SAID_AGAIN = "the language model said something else of the same finding after it"
NOT_READ = "no network read its finding"
SUSPECTED = "the reading suspects its finding"
RULED_OUT = "the reading rules its finding out"
UNDECIDED = "the reading neither suspects its finding nor rules it out"
NO_CLAIM = "it neither claims nor denies its finding"
Objection = Callable[[Proposal, Side | None, Sequence[Evidence]], str | None]


def objection(said: Proposal, side: Side | None, evidence: Sequence[Evidence]) -> str | None:
    """Say why a sentence can't be stated in its own words; None if it can.

    It must say of its finding what is coded and nothing else: no other finding, side, number or
    comparison.

    Args:
        side: the side that the statement is to name.
        evidence: what the statement rests on.
    """
    return next(_objections(said, side, evidence), None)


def _objections(said: Proposal, side: Side | None, evidence: Sequence[Evidence]) -> Iterator[str]:
    likely = said.generation.probability
    if said.assertion is Assertion.PRESENT and likely is not None and likely < PRESENT_FROM:
        yield UNLIKELY
    if side is not None:
        yield SIDED
    if findings_named(said.text) != {said.finding: _POLARITY.get(said.assertion)}:
        yield OTHER_FINDING
    if not all(_of_the_finding(clause, said) for clause in clauses(said.text)):
        yield OTHER_CLAUSE
    if named_side(said.text) is not None:
        yield NAMES_SIDE
    if numbers_named(said.text) or dates_named(said.text):
        yield NAMES_NUMBER
    if comparing_words(said.text):
        yield COMPARES
    scores = [e for e in evidence if isinstance(e, ScoreEvidence) and e.finding == said.finding]
    if any(says_too_much(said.text, e.finding, e.probability) for e in scores):
        yield TOO_SURE


def _of_the_finding(clause: str, said: Proposal) -> bool:
    """Tell whether a clause names the finding; one beside a denial may deny something else."""
    return bool(findings_named(clause)) or (
        said.assertion is Assertion.ABSENT and polarity(clause) is Polarity.DENIED
    )


def sentence_records(
    proposals: Sequence[Proposal],
    case: Case,
    reading: Reading,
    draft: Draft,
    object_to: Objection = objection,
) -> tuple[SentenceRecord, ...]:
    """Say what became in a draft of each sentence that was proposed for it, in their order.

    `object_to` is what kept the words of a sentence out of the draft.
    """
    last = {said.finding: said for said in proposals}
    return tuple(
        _record(f"p{number}", said, last[said.finding] is said, case, reading, draft, object_to)
        for number, said in enumerate(proposals, start=1)
    )


def _record(
    number: str,
    said: Proposal,
    last: bool,
    case: Case,
    reading: Reading,
    draft: Draft,
    object_to: Objection,
) -> SentenceRecord:
    statement = next((s for s in draft.statements if _is_of(s, said)), None)
    also = next((a.statement for a in draft.also_suspected if _is_of(a.statement, said)), None)
    instead = statement or also
    if statement is not None and last and _has_words_of(statement, said):
        fate, reason = Fate.STATED, ""
    else:
        fate = Fate.WITHHELD if statement is None else Fate.REPLACED
        side, rests_on = (instead.side, instead.evidence) if instead else (None, ())
        reason = _not_borne_out(said, last, reading) or object_to(said, side, rests_on) or ""
    found = reading.finding(said.finding) if said.finding is not None else None
    return SentenceRecord(
        id=number,
        proposal=said,
        evidence=instead.evidence if instead else _evidence(found, case, reading),
        fate=fate,
        statement_id=instead.id if instead else None,
        reason=reason,
    )


def _evidence(found: Finding | None, case: Case, reading: Reading) -> tuple[Evidence, ...]:
    return () if found is None else evidence_of(found, case.study, reading)


def _is_of(statement: Statement, said: Proposal) -> bool:
    """Tell whether a statement of the findings is of what a sentence is of."""
    of_findings = statement.section is Section.FINDINGS and statement.finding is not None
    return of_findings and statement.finding == said.finding


def _has_words_of(statement: Statement, said: Proposal) -> bool:
    own = (statement.text, statement.assertion, statement.generation)
    return own == (said.text, said.assertion, said.generation)


def _not_borne_out(said: Proposal, last: bool, reading: Reading) -> str | None:
    """Say why a sentence is not stated whatever its words; None if the reading bears it out."""
    if said.finding is None:
        return NO_FINDING
    if not last:
        return SAID_AGAIN
    found = reading.finding(said.finding)
    if found is None:
        return NOT_READ
    if found.undecided:
        return UNDECIDED
    if said.assertion not in CLAIMS | DENIAL:
        return NO_CLAIM
    if (said.assertion in CLAIMS) != found.suspected:
        return SUSPECTED if found.suspected else RULED_OUT
    return None

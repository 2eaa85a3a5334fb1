"""G3: what the words affirm, hedge or deny is what is coded, and the score bears it out."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.draft import Assertion, Case, MeasurementEvidence, Statement
from medmm.domain.reading import Finding, Reading
from medmm.grounding.claims import of_the_other_side
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable, of_a_reader
from medmm.language.claims import claims_of
from medmm.language.normality import findings_denied, says_normal
from medmm.language.report_parser import Polarity, clauses, findings_named, polarity

_POLARITY = {
    Assertion.PRESENT: Polarity.AFFIRMED,
    Assertion.POSSIBLE: Polarity.HEDGED,
    Assertion.ABSENT: Polarity.DENIED,
}


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Compare words, code and score of an image statement.

    G5 looks at what is reported from the record.
    """
    if statement.assertion is Assertion.REPORTED:
        return not_applicable("reported from the record")
    if statement.finding is None and evidence_of(statement, MeasurementEvidence):
        return not_applicable("a measurement is stated")
    if of_a_reader(statement):
        return judged(_own_denials(statement, reading), "no score says otherwise than the reader")
    said = findings_named(statement.text).get(statement.finding or "", _as_a_whole(statement.text))
    return judged(
        [*_wording_problems(statement, said), *_score_problems(statement, reading)],
        f"{said.value} in words and code, and borne out by the score",
    )


def _as_a_whole(text: str) -> Polarity:
    """Return the polarity of words that name no finding; what is called normal is denied."""
    if all(says_normal(clause) for clause in clauses(text)):
        return Polarity.DENIED
    return polarity(text)


def _own_denials(statement: Statement, reading: Reading) -> Iterator[str]:
    """Yield what a reader denies and a score suspects.

    What a reader sees beyond the scores needs none.
    """
    for name, said in findings_named(statement.text).items():
        found = reading.finding(name)
        if said is Polarity.DENIED and found is not None and found.suspected:
            yield f"{name} is at or above its operating point"


def _wording_problems(statement: Statement, said: Polarity) -> Iterator[str]:
    if said is not _POLARITY[statement.assertion]:
        yield f"the words say {said.value}, the code says {statement.assertion.value}"


def _score_problems(statement: Statement, reading: Reading) -> Iterator[str]:
    suspected = tuple(f for f in reading.findings if f.suspected)
    if statement.finding is not None:
        above = {statement.finding} & {f.name for f in suspected}
    else:
        above = _denied_by_structures(statement, suspected)
    if statement.assertion is Assertion.ABSENT:
        for name in sorted(above):
            yield f"{name} is at or above its operating point"
        found = reading.finding(statement.finding) if statement.finding else None
        if found is not None and found.undecided:
            yield f"{found.name} is denied although its score is not below a rule-out point"
    elif statement.finding is not None and not above:
        yield f"{statement.finding} is below its operating point"
    elif statement.finding is None and not suspected:
        yield "something is affirmed although no finding reached its operating point"


def _denied_by_structures(statement: Statement, suspected: tuple[Finding, ...]) -> set[str]:
    """Return what a sentence without a finding denies: all, unless it names structures alone."""
    everything = {found.name for found in suspected}
    if statement.assertion is not Assertion.ABSENT:
        return everything
    denied: set[str] = set()
    for claim in claims_of(statement.text):
        of_structures = findings_denied(claim.text)
        if of_structures is None:
            return everything
        denied |= {
            found.name
            for found in suspected
            if found.name in of_structures and not of_the_other_side(claim, found)
        }
    return denied

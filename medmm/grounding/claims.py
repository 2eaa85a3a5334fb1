"""G12: every finding that the words name is borne out by the reading, with its side."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medmm.domain.claim import Assertion, Claim
from medmm.domain.draft import Case, MeasurementEvidence, Statement
from medmm.domain.reading import Finding, Reading, Side
from medmm.domain.vocabulary import finding_terms
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable
from medmm.language.claims import claims_of
from medmm.language.normality import findings_denied

# "Otherwise clear" denies the rest alone.
_THE_REST = re.compile(
    r"\b(?:otherwise|other|else|remainder|rest|remaining|elsewhere)\b", re.IGNORECASE
)


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Hold each claim of the words against the score and the region of its finding."""
    if statement.assertion is Assertion.REPORTED:
        return not_applicable("reported from the record")
    if statement.finding is None and evidence_of(statement, MeasurementEvidence):
        return not_applicable("a measurement is stated")
    claims = claims_of(statement.text)
    if not any(claim.finding for claim in claims):
        return judged(_general(statement.text, claims, reading), "no finding is named")
    problems = [p for claim in claims if claim.finding for p in _problems(claim, case, reading)]
    problems += _general(statement.text, claims, reading)
    return judged(problems, "every finding that is named is borne out by the reading")


def _problems(claim: Claim, case: Case, reading: Reading) -> Iterator[str]:
    name = claim.finding or ""
    found = reading.finding(name)
    if found is None:
        yield f"no network read {name}"
    elif claim.assertion is Assertion.ABSENT:
        if not found.ruled_out and not of_the_other_side(claim, found):
            yield f"{name} is denied, and its score does not rule it out"
    else:
        if not found.suspected:
            yield f"{name} is below its operating point"
        elif claim.side is not None and finding_terms()[name].sided:
            yield from _wrong_side(claim, found, case)


def _wrong_side(claim: Claim, found: Finding, case: Case) -> Iterator[str]:
    seen = found.region.side if found.region else found.extent.side if found.extent else None
    if seen is None or (found.region is not None and not case.study.orientation_known):
        yield f"a side of {found.name} is named without a region whose side is known"
    elif claim.side is not seen:
        named = claim.side.value if claim.side else "of no side"
        yield f"{found.name} is named {named}, and its region lies {seen.value}"


def of_the_other_side(claim: Claim, found: Finding) -> bool:
    """Tell whether a denial is of the one side where the region of the finding does not lie."""
    seen = found.region.side if found.region else None
    sides = {Side.LEFT, Side.RIGHT}
    return {claim.side, seen} == sides


def _general(text: str, claims: tuple[Claim, ...], reading: Reading) -> Iterator[str]:
    """Object to "the lungs are normal" beside a suspected finding of the lungs."""
    if _THE_REST.search(text):
        return
    named = {claim.finding for claim in claims if claim.finding is not None}
    for claim in claims:
        if claim.finding is not None or claim.assertion is not Assertion.ABSENT:
            continue
        denied = findings_denied(claim.text) or frozenset()
        for found in reading.findings:
            elsewhere = of_the_other_side(claim, found)
            if found.suspected and found.name in denied - named and not elsewhere:
                yield f"{claim.text!r} denies {found.name}, which is suspected"

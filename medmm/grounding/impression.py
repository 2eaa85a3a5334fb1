"""G20: the impression claims what the findings state, and of the same side."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.claim import CLAIMS, Assertion, Claim
from medmm.domain.draft import Case, Draft, Section, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, judged, not_applicable
from medmm.language.claims import claims_of


def examine(statement: Statement, draft: Draft, case: Case, reading: Reading) -> Result:
    """Hold each finding of the impression against the statements of the findings."""
    if statement.section is not Section.IMPRESSION:
        return not_applicable("not of the impression")
    findings = [s for s in draft.decidable if s.section is Section.FINDINGS]
    stated = [c for s in findings for c in claims_of(s.text) if c.finding is not None]
    named = [c for c in claims_of(statement.text) if c.finding is not None]
    if not named:
        return not_applicable("no finding is named")
    problems = [p for claim in named for p in _problems(claim, stated)]
    return judged(problems, "the findings state what the impression says")


def _problems(claim: Claim, stated: list[Claim]) -> Iterator[str]:
    same = [c for c in stated if c.finding == claim.finding]
    if not same:
        yield f"the findings do not speak of {claim.finding}"
        return
    claimed = [c for c in same if c.assertion in CLAIMS]
    if claim.assertion is Assertion.ABSENT:
        if claimed and len(claimed) == len(same):
            yield f"the findings state {claim.finding}, the impression denies it"
    elif not claimed:
        yield f"the findings deny {claim.finding}"
    elif all(claim.side not in (None, c.side) for c in claimed):
        sides = " and ".join(sorted({c.side.value if c.side else "no side" for c in claimed}))
        yield f"the findings say {sides} of {claim.finding}, the impression another side"

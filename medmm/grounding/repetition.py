"""G21: nothing is said twice in one section, and no two statements contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.claim import CLAIMS, Assertion, Claim
from medmm.domain.draft import Case, Draft, Statement
from medmm.domain.reading import Reading, Side
from medmm.grounding.verdicts import Result, judged
from medmm.language.claims import claims_of

_SIDES = frozenset({Side.LEFT, Side.RIGHT})


def examine(statement: Statement, draft: Draft, case: Case, reading: Reading) -> Result:
    """Compare a statement with the others of its section; of two alike the later one fails."""
    own = _named(statement)
    problems: list[str] = []
    earlier = True
    for other in draft.statements:
        if other.id == statement.id:
            earlier = False
        elif other.section is statement.section:
            problems += _problems(statement, own, other, earlier=earlier)
    return judged(problems, "said once, and not contradicted")


def _problems(
    statement: Statement, own: list[Claim], other: Statement, *, earlier: bool
) -> Iterator[str]:
    if earlier and _words(statement) == _words(other):
        yield f"says the same as {other.id}"
        return
    if not own or Assertion.REPORTED in (statement.assertion, other.assertion):
        return
    its = _named(other)
    if earlier and {_key(c) for c in own} <= {_key(c) for c in its}:
        yield f"says the same as {other.id}"
    for claim in own:
        for against in its:
            if _contradict(claim, against):
                here, there = claim.assertion.value, against.assertion.value
                yield f"{claim.finding} is {here} here and {there} in {other.id}"


def _named(statement: Statement) -> list[Claim]:
    return [c for c in claims_of(statement.text) if c.finding is not None]


def _words(statement: Statement) -> str:
    return " ".join(statement.text.casefold().split()).rstrip(".")


def _key(claim: Claim) -> tuple[object, ...]:
    return claim.finding, claim.assertion, claim.side, claim.place, claim.sizes


def _contradict(one: Claim, other: Claim) -> bool:
    """Tell whether one claims what the other denies, unless they speak of different sides."""
    apart = {one.side, other.side} == _SIDES
    return (
        one.finding == other.finding
        and (one.assertion in CLAIMS) != (other.assertion in CLAIMS)
        and not apart
    )

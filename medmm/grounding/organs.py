"""G17: no organ is stated that the patient does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medmm.domain.claim import Assertion
from medmm.domain.draft import Case, Statement
from medmm.domain.reading import Reading
from medmm.domain.record import Fact, FactKind, FactStatus
from medmm.grounding.verdicts import Result, judged, not_applicable, writers_words
from medmm.language.claims import claims_of
from medmm.language.organs import Organ, organs_named
from medmm.language.record_words import fact_words

_SEX = {"female": "female", "f": "female", "male": "male", "m": "male"}


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Hold the organs that are named against the recorded sex and what was removed."""
    if case.context is None or not case.context.facts:
        return not_applicable("no record was given")
    facts, text = case.context.facts, writers_words(statement, case)
    named = organs_named(text)
    if not named:
        return not_applicable("no organ is named")
    problems = [*_of_other_sex(named, facts), *_removed(text, facts)]
    return judged(problems, "the patient may have every organ that is named")


def _of_other_sex(named: Iterable[Organ], facts: Iterable[Fact]) -> Iterator[str]:
    for fact in facts:
        sex = (
            _SEX.get(str(fact.value).strip().casefold())
            if fact.kind is FactKind.DEMOGRAPHIC
            else None
        )
        for organ in named if sex else ():
            if organ.sex not in ("", sex):
                yield f"{organ.name}: {fact.id} says {sex}"


def _removed(text: str, facts: Iterable[Fact]) -> Iterator[str]:
    """Yield organs that a recorded procedure removed and that the words do not call absent."""
    done = [
        f
        for f in facts
        if f.kind is FactKind.PROCEDURE and f.status in (FactStatus.ACTIVE, FactStatus.INACTIVE)
    ]
    for claim in claims_of(text) if done else ():
        if claim.assertion is Assertion.ABSENT and claim.finding is None:
            continue
        for organ in organs_named(claim.text):
            for fact in done:
                said = " . ".join([*fact_words(fact), *(c.display or "" for c in fact.codings)])
                if organ.removed_by is not None and organ.removed_by.search(said):
                    yield f"{organ.name}: removed, see {fact.id}"

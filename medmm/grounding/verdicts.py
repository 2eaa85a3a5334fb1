"""What one check gives for one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from medmm.domain.draft import Case, Draft, FactEvidence, Outcome, ReaderEvidence, Statement
from medmm.domain.reading import Reading
from medmm.language.record_words import without_words_of

Result = tuple[Outcome, str]
Examine = Callable[[Statement, Case, Reading], Result]
ExamineInDraft = Callable[[Statement, Draft, Case, Reading], Result]
E = TypeVar("E")


def passed(reason: str) -> Result:
    """Return that the statement holds."""
    return Outcome.PASSED, reason


def failed(*problems: str) -> Result:
    """Return that the statement does not hold: every problem, in one line."""
    return Outcome.FAILED, "; ".join(problems)


def not_applicable(reason: str) -> Result:
    """Return that the statement holds nothing that this check looks at."""
    return Outcome.NOT_APPLICABLE, reason


def judged(problems: Iterable[str], fine: str) -> Result:
    """Return a failure with all problems, or a pass."""
    found = list(problems)
    return failed(*found) if found else passed(fine)


def of_a_reader(statement: Statement) -> bool:
    """Tell whether it is what a reader added: nothing but their own look bears it out."""
    return bool(evidence_of(statement, ReaderEvidence))


def evidence_of(statement: Statement, kind: type[E]) -> list[E]:
    """Return the statement's evidence of one kind."""
    return [item for item in statement.evidence if isinstance(item, kind)]


def writers_words(statement: Statement, case: Case) -> str:
    """Return the words of a statement without those of the facts that it reports."""
    ids = {e.fact_id for e in evidence_of(statement, FactEvidence)}
    facts = [f for f in case.context.facts if f.id in ids] if case.context else []
    return without_words_of(statement.text, facts)

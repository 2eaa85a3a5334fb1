"""G16: the words speak of the part of the body that was imaged."""

from __future__ import annotations

from medmm.domain.claim import Assertion
from medmm.domain.draft import Case, Statement
from medmm.domain.reading import Reading
from medmm.grounding.verdicts import Result, judged, not_applicable
from medmm.language.organs import organs_named


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Look for organs that an image of this part of the body does not show."""
    if statement.assertion is Assertion.REPORTED:
        return not_applicable("reported from the record")
    part = case.study.body_part
    others = [
        organ.name
        for organ in organs_named(statement.text)
        if organ.body_parts and part not in organ.body_parts
    ]
    problems = [f"an image of the {part.casefold()} does not show: {', '.join(others)}"]
    return judged(problems if others else [], "no organ of another part of the body is named")

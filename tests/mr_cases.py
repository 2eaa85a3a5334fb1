"""Whole MR cases for tests: written by the rules and checked, as the assistant would."""

from __future__ import annotations

from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.reading import Reading
from medmm.domain.report import CaseFile, CaseState
from medmm.domain.study import Study
from medmm.drafting import RuleWriter
from medmm.grounding import check
from tests.factories import make_mr_case, make_mr_reading, make_mr_study


def drafted(study: Study, reading: Reading | None = None) -> tuple[Case, Reading, CheckedDraft]:
    """A case of this study, its reading and its checked draft."""
    case = make_mr_case(study)
    reading = reading or make_mr_reading(study)
    return case, reading, check(RuleWriter().write(case, reading), case, reading)


def case_file(body_part: str, *, oriented: bool = True) -> CaseFile:
    """A drafted case of one of the phantoms."""
    case, reading, draft = drafted(make_mr_study(body_part, oriented=oriented))
    return CaseFile(
        case=case, state=CaseState.DRAFTED, reading=reading, draft=draft, decisions=(), report=None
    )

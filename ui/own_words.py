"""What a reader writes without a draft: additions, forms, and what checks object to."""

from __future__ import annotations

from medmm.domain.draft import Outcome, Section
from medmm.domain.report import CaseFile
from medmm.domain.study import Study
from medmm.domain.vocabulary import FindingTerm, finding_terms
from medmm.presentation.case_view import CaseView
from medmm.presentation.draft_words import mark_words


def all_marks(file: CaseFile) -> tuple[str, ...]:
    """List what the checks have against readers' words, for a last look before signing."""
    failed = (v for v in file.rechecked if v.outcome is Outcome.FAILED)
    return tuple(f"{v.statement_id}, {mark_words(v)}" for v in failed)


def vocabulary(study: Study) -> tuple[FindingTerm, ...]:
    """List the findings that a reader may add to a study, by their words."""
    fitting = (
        t
        for t in finding_terms().values()
        if (t.modality, t.body_part) == (study.modality.value, study.body_part)
    )
    return tuple(sorted(fitting, key=lambda term: term.words))


def drafted_impression(view: CaseView) -> str:
    """Take the impression as it stands, a sentence a line, for a reader who writes their own."""
    if view.impression is not None:
        return view.impression.text
    found = view.in_section(Section.IMPRESSION)
    return "\n".join(s.text for s in found if s.decision != "rejected")

"""Whole drafts with their verdicts, as a reader would compare them: any change of a draft shows as a diff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from medmm.domain.draft import Assertion, Case, CheckedDraft
from medmm.domain.reading import Reading, Side
from medmm.domain.study import Notice, View
from medmm.drafting import LanguageWriter, RuleWriter
from medmm.grounding import check
from tests.factories import (
    STUDY_UID,
    make_case,
    make_finding,
    make_mr_case,
    make_mr_reading,
    make_mr_study,
    make_ratio,
    make_reading,
    make_region,
    make_study,
    make_volume,
)
from tests.language_models import Told, say


def page(checked: CheckedDraft) -> str:
    """A draft as plain text: statements, evidence, verdicts, what was not evaluated, warnings."""
    draft = checked.draft
    lines = [f"{draft.id} by {draft.writer}"]
    for s in draft.statements:
        code = f"{s.finding or '-'} {s.assertion.value} {s.side.value if s.side else '-'}"
        lines += [f"\n{s.id} {s.section.value}: {s.text}", f"   code      {code}"]
        lines += [f"   evidence  {item}" for item in s.evidence]
        lines += [f"   {v.check} {v.outcome.value}: {v.reason}" for v in checked.verdicts_on(s.id)]
    for also in draft.also_suspected:
        s = also.statement
        lines += [f"\n{s.id} also suspected, not stated: {s.text}", f"   why       {also.why}"]
        lines += [f"   evidence  {item}" for item in s.evidence]
        lines += [f"   {v.check} {v.outcome.value}: {v.reason}" for v in checked.verdicts_on(s.id)]
    lines += ["\nnot evaluated:", *(f"- {line}" for line in draft.not_evaluated)]
    lines += ["\nwarnings:", *(f"- {w.code}: {w.text}" for w in draft.warnings)]
    return "\n".join(lines) + "\n"


BEDSIDE = make_study(
    volumes=(make_volume(view=View.AP, patient_left_on=None, spacing_yx_mm=None),),
    warnings=(Notice(code="ap-view", text="AP film: the heart looks larger than it is."),),
)
CALM = make_reading(
    findings=(make_finding("Effusion", 0.02), make_finding("Pneumothorax", 0.01, 0.15)),
    measurements=(make_ratio(0.45),),
)
CRITICAL = make_reading(
    findings=(
        make_finding("Effusion", 0.8, region=make_region(Side.BILATERAL)),
        make_finding("Pneumothorax", 0.4, region=make_region(Side.RIGHT)),
    )
)
CASES: dict[str, tuple[Case, Reading]] = {
    "suspected_with_record": (make_case(), make_reading()),
    "critical_first": (make_case(context=None), CRITICAL),
    "nothing_suspected": (make_case(context=None), CALM),
    "bedside_film_of_unknown_side": (make_case(study=BEDSIDE, context=None), make_reading()),
    "record_alone": (make_case(), Reading(study_uid=STUDY_UID)),
}
MR_STUDIES = {
    "mr_brain": make_mr_study(),
    "mr_brain_of_unknown_side": make_mr_study(oriented=False),
    "mr_heart": make_mr_study("HEART"),
    "mr_hippocampus": make_mr_study("HIPPOCAMPUS"),
}
CASES |= {name: (make_mr_case(study), make_mr_reading(study)) for name, study in MR_STUDIES.items()}


def test_a_draft_in_a_language_models_words_is_as_it_was(
    golden: Callable[[str, str], None],
) -> None:
    """It states the effusion too surely, the heart not at all, and denies the pneumothorax."""
    said = (say("Effusion", Assertion.PRESENT), say("Pneumothorax", Assertion.ABSENT))
    found = (make_finding("Effusion", 0.62, 0.35), *make_reading().findings[1:])
    case, reading = make_case(context=None), make_reading(findings=found)
    checked = check(LanguageWriter(Told(*said)).write(case, reading), case, reading)
    golden("draft_language_model.txt", page(checked))


@pytest.mark.parametrize("name", sorted(CASES))
def test_drafts_are_as_they_were(name: str, golden: Callable[[str, str], None]) -> None:
    case, reading = CASES[name]
    if name.startswith("bedside"):  # a film of unknown orientation gives regions without a side
        found = [
            replace(f, region=f.region and replace(f.region, side=None)) for f in reading.findings
        ]
        reading = replace(reading, findings=tuple(found))
    golden(f"draft_{name}.txt", page(check(RuleWriter().write(case, reading), case, reading)))

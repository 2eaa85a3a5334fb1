"""Hand-made statements, good and bad, against every check: whoever writes, the checks are the same."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from medmm.domain.draft import (
    Assertion,
    Case,
    FactEvidence,
    MeasurementEvidence,
    Outcome,
    RegionEvidence,
    ScoreEvidence,
    Section,
    Statement,
)
from medmm.domain.errors import InputError
from medmm.domain.frame_reference import FrameReference, frame_of
from medmm.domain.reading import Mask, Measurement, Side
from medmm.domain.record import Coding, Fact, FactKind, FactStatus, Quantity
from medmm.domain.study import View
from medmm.domain.vocabulary import SNOMED_CT
from medmm.grounding import CHECKS, check
from medmm.presentation.value_words import unit_words
from tests.factories import (
    FILM,
    MODEL,
    make_case,
    make_context,
    make_draft,
    make_fact,
    make_facts,
    make_finding,
    make_ratio,
    make_reading,
    make_region,
    make_study,
    make_volume,
)

PASSED, FAILED, NOT_APPLICABLE = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_APPLICABLE
PRESENT, POSSIBLE = Assertion.PRESENT, Assertion.POSSIBLE
ABSENT, REPORTED = Assertion.ABSENT, Assertion.REPORTED

SCORES = {"Effusion": (0.62, 0.35), "Cardiomegaly": (0.41, 0.25), "Nodule": (0.18, 0.2)} | {
    "Pneumothorax": (0.01, 0.15)
}


def score(finding: str = "Effusion", **changes: Any) -> ScoreEvidence:
    probability, threshold = SCORES[finding]
    evidence = ScoreEvidence(
        finding=finding, probability=probability, threshold=threshold, model=MODEL.name
    )
    return replace(evidence, **changes)


def region(finding: str = "Effusion", side: Side | None = Side.LEFT) -> RegionEvidence:
    return RegionEvidence(
        finding=finding, box_xyxy=make_region(side).box_xyxy, side=side, image=FILM
    )


def ratio(**changes: Any) -> MeasurementEvidence:
    measured = MeasurementEvidence(
        name="cardiothoracic ratio", value=0.54, unit="1", interval=(0.51, 0.57)
    )
    return replace(measured, **changes)


def facts_named(*ids: str) -> tuple[FactEvidence, ...]:
    return tuple(FactEvidence(fact_id=i, source=f"entry {i}") for i in ids)


def image(text: str, assertion: Assertion = POSSIBLE, **changes: Any) -> Statement:
    """An image statement on the left pleural effusion unless told otherwise."""
    statement = Statement(
        id="s1",
        section=Section.FINDINGS,
        text=text,
        assertion=assertion,
        evidence=(score(), region()),
        finding="Effusion",
        side=Side.LEFT,
    )
    return replace(statement, **changes)


def absent(text: str, finding: str = "Pneumothorax", **changes: Any) -> Statement:
    changes = {"evidence": (score(finding),), "finding": finding, "side": None} | changes
    return image(text, ABSENT, **changes)


def reported(text: str, *fact_ids: str) -> Statement:
    return Statement(
        id="s1",
        section=Section.CLINICAL_INFORMATION,
        text=text,
        assertion=REPORTED,
        evidence=facts_named(*fact_ids),
    )


def measured(text: str, **changes: Any) -> Statement:
    return image(text, PRESENT, evidence=(ratio(**changes),), finding=None, side=None)


def verdict(
    number: str, statement: Statement, case: Case | None = None, **reading: Any
) -> tuple[Outcome, str]:
    case = case or make_case()
    checked = check(make_draft(statements=(statement,)), case, make_reading(**reading))
    (found,) = [v for v in checked.verdicts if v.check == number]
    return found.outcome, found.reason


def outcome(number: str, statement: Statement, case: Case | None = None, **reading: Any) -> Outcome:
    return verdict(number, statement, case, **reading)[0]


# ---- the table ------------------------------------------------------------------------------------------


def test_checks_are_numbered_in_order_and_described() -> None:
    assert [c.number for c in CHECKS] == [f"G{n}" for n in range(1, len(CHECKS) + 1)]
    assert all(c.name and c.what.endswith(".") for c in CHECKS)


def test_the_number_stands_at_the_top_of_each_file() -> None:
    for one in CHECKS:
        examine = one.examine or one.examine_in
        assert examine is not None
        assert bool(one.examine) != bool(one.examine_in)
        module = __import__(examine.__module__, fromlist=["x"])
        assert re.match(rf"{one.number}: ", module.__doc__ or "")


def test_every_check_gives_a_verdict_with_a_reason_on_every_statement() -> None:
    checked = check(make_draft(), make_case(), make_reading())
    assert len(checked.verdicts) == len(CHECKS) * len(checked.statements)
    for statement in checked.statements:
        assert [v.check for v in checked.verdicts_on(statement.id)] == [c.number for c in CHECKS]
    assert all(v.reason for v in checked.verdicts)
    assert {v.check: v.reason for v in checked.verdicts if v.outcome is FAILED} == {}


def test_draft_case_and_reading_must_belong_together() -> None:
    with pytest.raises(InputError, match="belong together"):
        check(make_draft(), make_case(id="case-2"), make_reading())
    with pytest.raises(InputError, match="belong together"):
        check(make_draft(), make_case(), make_reading(study_uid="1.2.3"))


# ---- G1 evidence ----------------------------------------------------------------------------------------

G1_BAD = [
    (
        image("Possible left effusion.", evidence=(score(probability=0.63), region())),
        "score of Effusion differs",
    ),
    (
        image("Possible left effusion.", evidence=(score(threshold=0.3), region())),
        "score of Effusion differs",
    ),
    (
        image("Possible left effusion.", evidence=(score(model="another"), region())),
        "not made by another",
    ),
    (
        image("Possible left effusion.", evidence=(replace(score(), finding="Mass"), region())),
        "no finding Mass",
    ),
    (image("Possible left effusion.", evidence=(region(),)), "no score of Effusion"),
    (
        image("Possible left effusion.", evidence=(score(), replace(region(), side=Side.RIGHT))),
        "region of Effusion differs",
    ),
    (
        image(
            "Possible left effusion.",
            evidence=(score(), replace(region(), box_xyxy=(0.1, 0.1, 0.2, 0.2))),
        ),
        "region of Effusion differs",
    ),
    (
        image("Possible left effusion.", evidence=(score(), region("Nodule", Side.RIGHT))),
        "the region is of Nodule",
    ),
    (
        image(
            "No pneumothorax.",
            evidence=(score("Pneumothorax"), region("Pneumothorax")),
            finding="Pneumothorax",
        ),
        "no region for Pneumothorax",
    ),
    (image("Possible left mass."), "the text names Mass"),
    (image("Possible left abnormality."), "does not name Effusion"),
    (image("Possible left effusion and pneumonia."), "the text names Pneumonia"),
    (image("Possible left effusion.", finding=None), "the text names Effusion"),
    (
        image("Possible left effusion.", evidence=(score(), *facts_named("Condition/c1"))),
        "fact of the record",
    ),
    (measured("Cardiothoracic ratio 0.55.", value=0.55), "differs from the reading's"),
    (measured("Cardiothoracic ratio 0.54.", unit="mm"), "differs from the reading's"),
    (measured("Cardiothoracic ratio 0.54.", name="aortic width"), "no measurement aortic width"),
    (reported("Heart failure.", "Condition/c9"), "no fact Condition/c9"),
    (
        replace(reported("Heart failure.", "Condition/c1"), evidence=(score(),)),
        "no fact of the record is named",
    ),
    (
        replace(reported("Pneumonia.", "Condition/c1"), finding="Pneumonia"),
        "coded as a finding of the image",
    ),
]


@pytest.mark.parametrize(("statement", "reason"), G1_BAD, ids=range(len(G1_BAD)))
def test_g1_finds_missing_or_altered_evidence(statement: Statement, reason: str) -> None:
    found, why = verdict("G1", statement)
    assert found is FAILED
    assert reason in why


@pytest.mark.parametrize(
    "statement",
    [
        image("Possible left pleural effusion."),
        absent("No pneumothorax suspected."),
        measured("Cardiothoracic ratio 0.54."),
        reported("Heart failure.", "Condition/c1"),
    ],
)
def test_g1_passes_what_is_there(statement: Statement) -> None:
    assert outcome("G1", statement) is PASSED


LATERAL = make_volume(sha256="c" * 64, sop_uids=("1.2.3",), view=View.LATERAL)
ELSEWHERE = [
    (FrameReference(volume_sha256="d" * 64, sop_uid=FILM.sop_uid), "an image that the study does"),
    (replace(FILM, sop_uid="1.2.3.4"), "an image that the study does not have"),
    (replace(FILM, sop_uid=None), "an image that the study does not have"),
    (replace(FILM, frame_number=2), "an image that the study does not have"),
    (frame_of(LATERAL), "an image that was not read"),
]


@pytest.mark.parametrize(("elsewhere", "reason"), ELSEWHERE, ids=range(len(ELSEWHERE)))
def test_g1_fails_a_region_of_another_image(elsewhere: FrameReference, reason: str) -> None:
    case = make_case(study=make_study(volumes=(make_volume(), LATERAL)))
    seen = replace(make_region(), image=elsewhere)
    findings = (make_finding("Effusion", 0.62, 0.35, region=seen),)
    read = {"findings": findings, "volumes_read": (make_volume().sha256,)}
    there = image("Possible left effusion.", evidence=(score(), replace(region(), image=elsewhere)))
    found, why = verdict("G1", there, case, **read)
    assert (found, reason in why) == (FAILED, True)
    here = image("Possible left effusion.")
    found, why = verdict("G1", here, case, **read)
    assert (found, "differs from the reading's" in why) == (FAILED, True)
    assert outcome("G1", here, case, volumes_read=(make_volume().sha256,)) is PASSED


def test_g1_passes_a_region_of_an_earlier_release_that_names_no_image() -> None:
    findings = (make_finding("Effusion", 0.62, 0.35, region=replace(make_region(), image=None)),)
    early = image("Possible left effusion.", evidence=(score(), replace(region(), image=None)))
    assert outcome("G1", early, findings=findings) is PASSED


def test_g1_fails_a_measurement_of_a_network_that_did_not_read() -> None:
    foreign = (replace(make_ratio(), model="another"),)
    found, why = verdict("G1", measured("Cardiothoracic ratio 0.54."), measurements=foreign)
    assert (found, "not made by another" in why) == (FAILED, True)


def test_g1_fails_a_fact_when_there_is_no_record_and_a_fact_at_another_place() -> None:
    statement = reported("Heart failure.", "Condition/c1")
    assert outcome("G1", statement, make_case(context=None)) is FAILED
    moved = replace(statement, evidence=(FactEvidence(fact_id="Condition/c1", source="entry 5"),))
    assert outcome("G1", moved) is FAILED


def test_g1_lets_clear_lungs_deny_several_findings_and_one_sentence_affirm_only_one() -> None:
    findings = (make_finding("Consolidation", 0.01), make_finding("Lung_Opacity", 0.5))
    evidence = (
        ScoreEvidence(finding="Consolidation", probability=0.01, threshold=0.3, model=MODEL.name),
    )
    clear = replace(absent("The lungs are clear."), evidence=evidence, finding="Consolidation")
    assert outcome("G1", clear, findings=findings) is PASSED
    both = replace(clear, text="Possible consolidation and lung opacity.", assertion=POSSIBLE)
    assert outcome("G1", both, findings=findings) is FAILED


# ---- G2 side --------------------------------------------------------------------------------------------

G2 = [
    (image("Possible left pleural effusion."), PASSED),
    (image("Possible effusion of the left side."), PASSED),
    (image("Possible left-sided effusion."), PASSED),
    (image("Possible LLL effusion."), PASSED),
    (image("Possible right pleural effusion."), FAILED),
    (image("Possible bilateral pleural effusion."), FAILED),
    (image("Possible pleural effusion, left and right."), FAILED),
    (image("Possible pleural effusion."), FAILED),  # coded left, words without a side
    (image("Possible pleural effusion; a drain was left in place."), FAILED),
    (image("Possible right effusion.", side=Side.RIGHT), FAILED),  # the region lies left
    (image("Possible left effusion.", side=None), FAILED),
    (image("Possible effusion.", side=None), NOT_APPLICABLE),
    (image("Possible effusion in what is left of the lung.", side=None), NOT_APPLICABLE),
    (image("Possible left effusion.", evidence=(score(),)), FAILED),  # no region
    (image("Possible left effusion.", evidence=(score(), region(side=None))), FAILED),
    (absent("No left pneumothorax."), FAILED),
    (absent("No pneumothorax."), NOT_APPLICABLE),
    (measured("Cardiothoracic ratio 0.54."), NOT_APPLICABLE),
    (measured("Cardiothoracic ratio 0.54 on the right."), FAILED),
    (
        image(
            "Possible left cardiomegaly.",
            evidence=(score("Cardiomegaly"), region("Cardiomegaly")),
            finding="Cardiomegaly",
        ),
        FAILED,  # the heart has no side
    ),
    (reported("Pain on the left.", "Condition/c1"), FAILED),  # the record names no side
    (replace(reported("Heart failure.", "Condition/c1"), side=Side.LEFT), FAILED),
    (reported("Heart failure.", "Condition/c1"), NOT_APPLICABLE),
]


@pytest.mark.parametrize(("statement", "expected"), G2, ids=[s.text for s, _ in G2])
def test_g2_side(statement: Statement, expected: Outcome) -> None:
    assert outcome("G2", statement) is expected


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("seen", list(Side))
def test_g2_every_side_against_every_region(side: Side, seen: Side) -> None:
    statement = image(
        f"Possible {side.value} effusion.", side=side, evidence=(score(), region(side=seen))
    )
    assert outcome("G2", statement) is (PASSED if side is seen else FAILED)


def test_g2_no_side_when_the_orientation_is_unknown() -> None:
    unknown = make_case(study=make_study(volumes=(make_volume(patient_left_on=None),)))
    assert outcome("G2", image("Possible left effusion."), unknown) is FAILED
    assert outcome("G2", image("Possible effusion.", side=None), unknown) is NOT_APPLICABLE


def test_g2_says_that_there_is_no_region() -> None:
    _, why = verdict("G2", image("Possible left effusion.", evidence=(score(),)))
    assert "without evidence whose side is known" in why


def test_g2_leaves_the_record_its_own_sides_but_not_others() -> None:
    fact = make_fact(FactKind.CONDITION, "Left ventricular failure", id="Condition/l1")
    case = make_case(context=make_context((fact,)))
    assert outcome("G2", reported('Recorded: "Left ventricular failure".', fact.id), case) is PASSED
    assert (
        outcome("G2", reported('Recorded: "Right ventricular failure".', fact.id), case) is FAILED
    )
    twisted = reported('Recorded on the right: "Left ventricular failure".', fact.id)
    assert outcome("G2", twisted, case) is FAILED


# ---- G3 negation ----------------------------------------------------------------------------------------

G3 = [
    (image("Possible left effusion."), PASSED),
    (image("Left effusion is suspected."), PASSED),
    (image("Left effusion cannot be excluded."), PASSED),
    (image("Left effusion."), FAILED),  # more certain than coded
    (image("No left effusion."), FAILED),
    (image("Left effusion is not seen."), FAILED),
    (image("Left effusion.", PRESENT), PASSED),
    (image("Possible left effusion.", PRESENT), FAILED),
    (image("No left effusion.", PRESENT), FAILED),
    (image("No effusion.", ABSENT), FAILED),  # suspected
    (image("Effusion is ruled out.", ABSENT), FAILED),
    (absent("No pneumothorax."), PASSED),
    (absent("Pneumothorax is not seen."), PASSED),
    (absent("Pneumothorax."), FAILED),
    (absent("Possible pneumothorax."), FAILED),
    (absent("Pneumothorax cannot be excluded."), FAILED),
    (absent("No effusion but pneumothorax."), FAILED),
    (absent("No nodule.", "Nodule"), FAILED),  # undecided
    (
        image("Possible nodule.", evidence=(score("Nodule"),), finding="Nodule", side=None),
        FAILED,  # below its operating point
    ),
    (
        image("Pneumothorax.", PRESENT, evidence=(score("Pneumothorax"),), finding="Pneumothorax"),
        FAILED,
    ),
    (image("No finding reached its operating point.", ABSENT, finding=None, side=None), FAILED),
    (measured("Cardiothoracic ratio 0.54."), NOT_APPLICABLE),
    (reported("No fever.", "Condition/c1"), NOT_APPLICABLE),
]


@pytest.mark.parametrize(
    ("statement", "expected"), G3, ids=[f"{s.text}-{s.assertion.name}" for s, _ in G3]
)
def test_g3_negation(statement: Statement, expected: Outcome) -> None:
    assert outcome("G3", statement) is expected


def test_g3_a_score_that_lies_about_its_size_does_not_help() -> None:
    lying = image(
        "Possible nodule.",
        evidence=(score("Nodule", probability=0.9),),
        finding="Nodule",
        side=None,
    )
    assert outcome("G1", lying) is FAILED
    hiding = absent("No effusion.", "Effusion", evidence=(score("Effusion", probability=0.1),))
    assert outcome("G3", hiding) is FAILED


def test_g3_a_denial_needs_a_rule_out_point_above_the_score() -> None:
    for rule_out, expected in ((0.02, PASSED), (0.01, FAILED), (None, FAILED)):
        findings = (make_finding("Pneumothorax", 0.01, 0.15, rule_out=rule_out),)
        assert outcome("G3", absent("No pneumothorax."), findings=findings) is expected


def test_g3_nothing_suspected_holds_only_where_nothing_is() -> None:
    calm = (make_finding("Pneumothorax", 0.01, 0.15),)
    nothing = image(
        "No finding reached its operating point.",
        ABSENT,
        evidence=(score("Pneumothorax"),),
        finding=None,
        side=None,
    )
    assert outcome("G3", nothing, findings=calm) is PASSED
    something = replace(nothing, text="The film may be abnormal.", assertion=POSSIBLE)
    assert outcome("G3", something, findings=calm) is FAILED


# ---- G4 comparison --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Possible new left effusion.",
        "Newly possible left effusion.",
        "Possible left effusion, unchanged.",
        "Possible left effusion with interval increase.",
        "Possible left effusion, interval development.",
        "Possibly increased left effusion.",
        "Possible left effusion, decreasing.",
        "Possible stable left effusion.",
        "Possible left effusion, improved.",
        "Possible left effusion, worse.",
        "Possible progression of the left effusion.",
        "Possible left effusion, partly resolved.",
        "Possible left effusion compared with the last film.",
        "In comparison, possible left effusion.",
        "Possible left effusion, previously larger.",
        "Possible left effusion as on the prior study.",
        "Possible left effusion again.",
        "Possible persistent left effusion.",
        "Possible left effusion remains.",
        "Still a possible left effusion.",
        "Possible residual left effusion.",
        "Possible left effusion, no longer large.",
        "Possible left effusion since the last examination.",
        "Possible left effusion; follow-up of the earlier one.",
    ],
)
def test_g4_comparing_words_fail(text: str) -> None:
    assert outcome("G4", image(text)) is FAILED


@pytest.mark.parametrize(
    "text",
    [
        "Possible left effusion.",
        "Cardiothoracic ratio 0.54 (95 % interval 0.51 to 0.57).",
        "Possible left effusion, limited by spatial resolution.",
        "Possible left effusion; the renewed New York criteria do not apply.",
        "Possible left effusion, since the angle is blunted.",
    ],
)
def test_g4_words_that_compare_nothing_pass(text: str) -> None:
    assert outcome("G4", image(text)) is PASSED


def test_g4_only_an_earlier_report_may_compare_and_only_as_reported() -> None:
    fact = make_fact(
        FactKind.PRIOR_REPORT, "Chest film report", id="DiagnosticReport/d1", value="Small effusion"
    )
    case = make_case(context=make_context((*make_facts(), fact)))
    assert (
        outcome("G4", reported("The earlier report names a small effusion.", fact.id), case)
        is PASSED
    )
    assert (
        outcome("G4", reported("Compared with before, heart failure.", "Condition/c1"), case)
        is FAILED
    )
    smuggled = image(
        "Possible new left effusion.", evidence=(score(), region(), *facts_named(fact.id))
    )
    assert outcome("G4", smuggled, case) is FAILED


def test_g4_words_of_the_record_are_the_records() -> None:
    fact = make_fact(FactKind.CONDITION, "Stable angina", id="Condition/a1")
    case = make_case(context=make_context((fact,)))
    assert outcome("G4", reported('Recorded condition: "Stable angina".', fact.id), case) is PASSED
    assert outcome("G4", reported('Stable: "Stable angina".', fact.id), case) is FAILED


# ---- G5 record ------------------------------------------------------------------------------------------


def with_fact(kind: FactKind, label: str, **changes: Any) -> tuple[Case, Fact]:
    fact = make_fact(kind, label, id="Condition/x1", **changes)
    return make_case(context=make_context((*make_facts(), fact))), fact


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("Pneumothorax", {}),
        ("Spontaneous pneumothorax, left", {}),
        ("Collapsed lung", {"codings": (Coding(system=SNOMED_CT, code="36118008"),)}),
        (
            "Diagnosis",
            {"codings": (Coding(system="urn:x", code="1", display="Tension pneumothorax"),)},
        ),
    ],
)
def test_g5_an_absent_finding_that_is_active_in_the_record_is_held_up(
    label: str, changes: Any
) -> None:
    case, fact = with_fact(FactKind.CONDITION, label, **changes)
    found, why = verdict("G5", absent("No pneumothorax."), case)
    assert found is FAILED
    assert fact.id in why
    assert label not in why  # a verdict names the fact, it doesn't repeat the record


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("Pneumothorax", {"status": FactStatus.INACTIVE}),
        ("Pneumothorax", {"status": FactStatus.REFUTED}),
        ("Pneumothorax", {"status": FactStatus.ENTERED_IN_ERROR}),
        ("No pneumothorax", {}),
        ("Pneumonia", {}),
        ("Pneumothorax", {"codings": (), "status": FactStatus.UNCONFIRMED}),
    ],
)
def test_g5_what_is_not_active_does_not_hold_it_up(label: str, changes: Any) -> None:
    case, _ = with_fact(FactKind.CONDITION, label, **changes)
    assert outcome("G5", absent("No pneumothorax."), case) is PASSED


def test_g5_a_suspected_finding_that_the_record_refutes_is_held_up() -> None:
    case, _ = with_fact(FactKind.CONDITION, "Pleural effusion", status=FactStatus.REFUTED)
    assert outcome("G5", image("Possible left effusion."), case) is FAILED
    case, _ = with_fact(FactKind.CONDITION, "Pleural effusion")
    assert outcome("G5", image("Possible left effusion."), case) is PASSED


G5_STATUS = [
    (FactStatus.REFUTED, 'Recorded condition: "Asthma".', FAILED),
    (FactStatus.REFUTED, 'Recorded as ruled out: "Asthma".', PASSED),
    (FactStatus.INACTIVE, 'Recorded condition: "Asthma".', FAILED),
    (FactStatus.INACTIVE, 'Recorded as inactive: "Asthma".', PASSED),
    (FactStatus.UNCONFIRMED, 'Recorded condition: "Asthma".', FAILED),
    (FactStatus.UNCONFIRMED, 'Recorded as unconfirmed: "Asthma".', PASSED),
    (FactStatus.ENTERED_IN_ERROR, 'Recorded condition: "Asthma".', FAILED),
    (FactStatus.ENTERED_IN_ERROR, 'Recorded as ruled out: "Asthma".', FAILED),
    (FactStatus.ACTIVE, 'Recorded condition: "Asthma".', PASSED),
    (FactStatus.ACTIVE, 'Recorded as ruled out: "Asthma".', FAILED),
    (FactStatus.ACTIVE, 'No "Asthma".', FAILED),
]


@pytest.mark.parametrize(("status", "text", "expected"), G5_STATUS)
def test_g5_the_status_of_a_fact_is_never_lost(
    status: FactStatus, text: str, expected: Outcome
) -> None:
    case, fact = with_fact(FactKind.CONDITION, "Asthma", status=status)
    assert outcome("G5", reported(text, fact.id), case) is expected


def test_g5_words_inside_a_label_do_not_stand_for_its_status() -> None:
    case, fact = with_fact(FactKind.CONDITION, "Not excluded asthma", status=FactStatus.REFUTED)
    assert outcome("G5", reported('Recorded: "Not excluded asthma".', fact.id), case) is FAILED


def test_g5_a_doubtful_value_is_stated_with_its_doubt() -> None:
    assert outcome("G5", reported("Hemoglobin 1400 g/L.", "Observation/o3")) is FAILED
    assert outcome("G5", reported("Hemoglobin 1400 g/L, doubtful.", "Observation/o3")) is PASSED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A 64-year-old woman, possible left effusion.", PASSED),
        ("A 46-year-old woman, possible left effusion.", FAILED),
        ("A 64-year-old man, possible left effusion.", FAILED),
        ("He has a possible left effusion.", FAILED),
        ("She has a possible left effusion.", PASSED),
    ],
)
def test_g5_age_and_sex(text: str, expected: Outcome) -> None:
    assert outcome("G5", image(text)) is expected


def test_g5_a_pregnancy_of_a_man_is_held_up() -> None:
    sex = make_fact(FactKind.DEMOGRAPHIC, "Sex", value="male")
    case = make_case(context=make_context((sex,)))
    assert outcome("G5", image("Possible left effusion in pregnancy."), case) is FAILED


@pytest.mark.parametrize("context", [None, make_context(())])
def test_g5_without_a_record_has_nothing_to_say(context: Any) -> None:
    assert outcome("G5", absent("No pneumothorax."), make_case(context=context)) is NOT_APPLICABLE


# ---- G6 measurement -------------------------------------------------------------------------------------

G6 = [
    (measured("Cardiothoracic ratio 0.54 (95 % interval 0.51 to 0.57)."), PASSED),
    (measured("Cardiothoracic ratio 54 %."), PASSED),
    (measured("Cardiothoracic ratio 0.45."), FAILED),
    (measured("Cardiothoracic ratio 0.54 (95 % interval 0.50 to 0.57)."), FAILED),
    (measured("Cardiothoracic ratio 0.54 mm."), FAILED),
    (measured("Cardiothoracic ratio 54."), FAILED),
    (measured("Cardiothoracic ratio 1."), FAILED),
    (measured("Cardiothoracic ratio 5.4."), FAILED),
    (measured("The cardiothoracic ratio was measured."), FAILED),
    (image("Possible left effusion."), NOT_APPLICABLE),
    (image("Possible left effusion of 3 cm."), FAILED),
    (image("Possible left effusion of 200 ml."), FAILED),
    (image("Possible left effusion, 2 of them."), FAILED),
    (image("Possible left effusion (probability 0.62, operating point 0.35)."), PASSED),
    (image("Possible left effusion (probability 62 %)."), PASSED),
    (image("Possible left effusion (probability 0.26)."), FAILED),
    (image("Possible left effusion on 2024-05-01."), FAILED),
    (reported("C-reactive protein 87 mg/L.", "Observation/o1"), PASSED),
    (
        reported("C-reactive protein 87 mg/L (2025-12-30; normal range 0 to 5).", "Observation/o1"),
        PASSED,
    ),
    (reported("C-reactive protein 87 mg/dL.", "Observation/o1"), FAILED),
    (reported("C-reactive protein 87.", "Observation/o1"), FAILED),  # a value without its unit
    (reported("C-reactive protein 78 mg/L.", "Observation/o1"), FAILED),
    (reported("C-reactive protein 8.7 mg/L.", "Observation/o1"), FAILED),
    (reported("C-reactive protein 87 mg/L (2025-12-31).", "Observation/o1"), FAILED),
    (reported("Age: 64 years.", "Patient/p1#age"), PASSED),
    (reported("Age: 64 months.", "Patient/p1#age"), FAILED),
    (reported("Heart failure.", "Condition/c1"), NOT_APPLICABLE),
    (reported("Heart failure since 2024-05-01.", "Condition/c1"), PASSED),
    (reported("Heart failure, class 3.", "Condition/c1"), FAILED),
]


@pytest.mark.parametrize(("statement", "expected"), G6, ids=[s.text for s, _ in G6])
def test_g6_measurement(statement: Statement, expected: Outcome) -> None:
    assert outcome("G6", statement) is expected


@pytest.mark.parametrize(("spacing", "expected"), [((0.2, 0.2), PASSED), (None, FAILED)])
def test_g6_no_size_without_a_pixel_spacing(spacing: Any, expected: Outcome) -> None:
    width = Measurement(name="aortic width", value=31.0, unit="mm", interval=(29.0, 33.0))
    evidence = MeasurementEvidence(
        name="aortic width", value=31.0, unit="mm", interval=(29.0, 33.0)
    )
    case = make_case(study=make_study(volumes=(make_volume(spacing_yx_mm=spacing),)))
    statement = image("Aortic width 31 mm.", PRESENT, evidence=(evidence,), finding=None, side=None)
    assert outcome("G6", statement, case, measurements=(width,)) is expected


@pytest.mark.parametrize(
    "unit", ["10*3/uL", "{score}", "%", "Cel", "mm[Hg]", "1", "ug/mL", "mL/min/{1.73_m2}"]
)
def test_g6_knows_units_as_ucum_and_people_write_them(unit: str) -> None:
    fact = make_fact(
        FactKind.OBSERVATION,
        "Some value",
        id="Observation/u",
        value=Quantity(value=12.5, unit=unit),
    )
    case = make_case(context=make_context((fact,)))
    for written in ("" if unit == "1" else unit, unit_words(unit)):
        shown = f" {written}".rstrip()
        assert (
            outcome("G6", reported(f'Recorded value: "Some value" 12.5{shown}.', fact.id), case)
            is PASSED
        )
    assert (
        outcome("G6", reported('Recorded value: "Some value" 12.5 mg/dL.', fact.id), case) is FAILED
    )


def test_g6_numbers_in_the_records_own_words_are_the_records() -> None:
    fact = make_fact(
        FactKind.CONDITION,
        "Vitamin B 12 deficiency, 3 episodes",
        id="Condition/v",
        when=date(2020, 1, 2),
    )
    case = make_case(context=make_context((fact,)))
    quoted = 'Recorded condition: "Vitamin B 12 deficiency, 3 episodes".'
    assert outcome("G6", reported(quoted, fact.id), case) is NOT_APPLICABLE
    altered = quoted.replace("3", "4")
    assert outcome("G6", reported(altered, fact.id), case) is FAILED


# ---- G7 size --------------------------------------------------------------------------------------------

ENLARGED = image(
    "Possible cardiomegaly.", evidence=(score("Cardiomegaly"),), finding="Cardiomegaly", side=None
)
NOT_ENLARGED = absent("No cardiomegaly suspected.", "Cardiomegaly")


@pytest.mark.parametrize(
    ("statement", "value", "view", "expected"),
    [
        (ENLARGED, 0.46, View.PA, FAILED),  # 0.43 to 0.49
        (ENLARGED, 0.46, View.AP, FAILED),  # an AP film would enlarge it
        (ENLARGED, 0.47, View.PA, PASSED),  # 0.44 to 0.50: its interval reaches the limit
        (ENLARGED, 0.54, View.PA, PASSED),
        (replace(ENLARGED, assertion=PRESENT, text="Cardiomegaly."), 0.46, View.PA, FAILED),
        (NOT_ENLARGED, 0.54, View.PA, FAILED),  # 0.51 to 0.57
        (NOT_ENLARGED, 0.54, View.AP, PASSED),
        (NOT_ENLARGED, 0.53, View.PA, PASSED),
        (NOT_ENLARGED, 0.42, View.PA, PASSED),
        (image("Possible left effusion."), 0.42, View.PA, NOT_APPLICABLE),
        (measured("Cardiothoracic ratio 0.42."), 0.42, View.PA, PASSED),
        (measured("Cardiothoracic ratio 1.70."), 1.7, View.PA, FAILED),
        (measured("Cardiothoracic ratio 0.22."), 0.22, View.AP, FAILED),
        (
            reported("Recorded condition: cardiomegaly.", "Condition/c1"),
            0.42,
            View.PA,
            NOT_APPLICABLE,
        ),
    ],
)
def test_g7_the_heart_beside_its_ratio(
    statement: Statement, value: float, view: View, expected: Outcome
) -> None:
    case = make_case(study=make_study(volumes=(make_volume(view=view),)))
    assert outcome("G7", statement, case, measurements=(make_ratio(value),)) is expected


def outlined_chest(heart_columns: tuple[int, int]) -> tuple[Mask, ...]:
    """Lungs from column 10 to 89 of 100, and a heart between these columns."""
    lungs, heart = np.zeros((80, 100), bool), np.zeros((80, 100), bool)
    lungs[10:60, 10:40] = lungs[10:60, 60:90] = True
    heart[40:60, slice(*heart_columns)] = True
    return Mask.from_array("lungs", lungs), Mask.from_array("heart", heart)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((30, 70), PASSED),  # 40 of 80 columns
        ((30, 69), FAILED),  # 0.49
        ((5, 45), FAILED),  # as wide, but beyond the lungs
        ((0, 0), FAILED),  # no heart at all
    ],
)
def test_g7_a_ratio_is_the_one_that_the_outlines_give(
    columns: tuple[int, int], expected: Outcome
) -> None:
    statement = measured("Cardiothoracic ratio 0.50.", value=0.5, interval=(0.47, 0.53))
    given = {"measurements": (make_ratio(0.5),), "masks": outlined_chest(columns)}
    assert outcome("G7", statement, **given) is expected


@pytest.mark.parametrize(
    ("of_lungs", "of_heart", "expected"),
    [
        (FILM, FILM, PASSED),
        (FILM, None, FAILED),
        (FILM, replace(FILM, volume_sha256="d" * 64), FAILED),
        (replace(FILM, sop_uid="1.2.3"), replace(FILM, sop_uid="1.2.3"), FAILED),
    ],
)
def test_g7_outlines_are_of_one_image_of_the_study(
    of_lungs: FrameReference | None, of_heart: FrameReference | None, expected: Outcome
) -> None:
    statement = measured("Cardiothoracic ratio 0.50.", value=0.5, interval=(0.47, 0.53))
    masks = zip(outlined_chest((30, 70)), (of_lungs, of_heart), strict=True)
    given = tuple(replace(mask, image=image) for mask, image in masks)
    assert outcome("G7", statement, measurements=(make_ratio(0.5),), masks=given) is expected


def test_g7_an_interval_that_says_nothing_is_not_stated() -> None:
    wide = Measurement(name="cardiothoracic ratio", value=0.5, unit="1", interval=(0.38, 0.62))
    assert outcome("G7", measured("Cardiothoracic ratio 0.50."), measurements=(wide,)) is FAILED
    assert outcome("G7", measured("Cardiothoracic ratio 0.50."), measurements=()) is FAILED


def test_g7_has_nothing_to_say_without_a_ratio() -> None:
    assert outcome("G7", ENLARGED, measurements=()) is NOT_APPLICABLE

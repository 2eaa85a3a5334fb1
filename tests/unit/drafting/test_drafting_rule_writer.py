from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from medmm.domain.draft import (
    Assertion,
    Case,
    Draft,
    FactEvidence,
    MeasurementEvidence,
    RegionEvidence,
    ScoreEvidence,
    Section,
    Statement,
)
from medmm.domain.errors import InputError
from medmm.domain.reading import Measurement, Reading, Side
from medmm.domain.record import Fact, FactKind, FactStatus, Quantity
from medmm.domain.study import Modality, Notice, View
from medmm.drafting import RuleWriter, Writer
from tests.factories import (
    STUDY_UID,
    make_case,
    make_context,
    make_fact,
    make_finding,
    make_ratio,
    make_reading,
    make_region,
    make_study,
    make_volume,
)


def draft(case: Case | None = None, **reading: Any) -> Draft:
    writer: Writer = RuleWriter()
    return writer.write(case or make_case(), make_reading(**reading))


def texts(one: Draft, section: Section) -> list[str]:
    return [s.text for s in one.statements if s.section is section]


def recorded(*facts: Fact, body_part: str = "CHEST") -> list[str]:
    case = make_case(context=make_context(facts), study=make_study(body_part=body_part))
    return texts(draft(case), Section.CLINICAL_INFORMATION)


# ---- findings and impression ----------------------------------------------------------------------------


def test_statements_are_numbered_through_and_the_draft_names_case_writer_and_models() -> None:
    one = draft()
    assert [s.id for s in one.statements] == [f"s{n}" for n in range(1, len(one.statements) + 1)]
    assert (one.case_id, one.writer, one.models) == ("case-1", "rule-writer", make_reading().models)


def test_a_suspected_finding_is_possible_with_score_and_region() -> None:
    statement = next(s for s in draft().statements if s.finding == "Effusion")
    assert statement.text == "Possible left pleural effusion."
    assert (statement.assertion, statement.side) == (Assertion.POSSIBLE, Side.LEFT)
    score, region = statement.evidence
    assert isinstance(score, ScoreEvidence)
    assert (score.probability, score.threshold, score.model) == (0.62, 0.35, "chest-test")
    assert isinstance(region, RegionEvidence)
    assert (region.box_xyxy, region.side) == (make_region().box_xyxy, Side.LEFT)


@pytest.mark.parametrize(
    ("probability", "assertion"),
    [
        (1.0, Assertion.POSSIBLE),
        (0.4, Assertion.POSSIBLE),
        (0.3999, None),
        (0.2001, None),
        (0.15, None),
        (0.1499, Assertion.ABSENT),
        (0.0, Assertion.ABSENT),
    ],
)
def test_operating_and_rule_out_point(probability: float, assertion: Assertion | None) -> None:
    one = draft(findings=(make_finding("Mass", probability, 0.4, rule_out=0.15),), measurements=())
    found = [s.assertion for s in one.statements if s.section is Section.FINDINGS]
    assert found == ([assertion] if assertion else [])
    undecided = [line for line in one.not_evaluated if line.startswith("undecided")]
    assert undecided == (
        []
        if assertion
        else ["undecided, neither suspected nor low enough in score to be denied: lung mass"]
    )


def test_without_a_rule_out_point_no_score_denies() -> None:
    one = draft(findings=(make_finding("Mass", 0.0, 0.4, rule_out=None),), measurements=())
    assert [s for s in one.statements if s.finding] == []
    assert any(line.startswith("undecided") and "lung mass" in line for line in one.not_evaluated)


def test_no_finding_is_ever_stated_as_certain() -> None:
    findings = tuple(make_finding(n, 1.0) for n in ("Pneumothorax", "Mass", "Effusion"))
    assert {
        s.assertion for s in draft(findings=findings, measurements=()).statements if s.finding
    } == {Assertion.POSSIBLE}


def test_critical_findings_come_first_then_the_more_probable() -> None:
    scores = {"Effusion": 0.9, "Mass": 0.5, "Pneumothorax": 0.35, "Nodule": 0.5}
    one = draft(findings=tuple(make_finding(n, p) for n, p in scores.items()), measurements=())
    expected = ["Pneumothorax", "Effusion", "Mass", "Nodule"]
    for section in (Section.FINDINGS, Section.IMPRESSION):
        assert [s.finding for s in one.statements if s.section is section] == expected


@pytest.mark.parametrize(
    ("side", "text"),
    [
        (Side.LEFT, "Possible left lung mass."),
        (Side.RIGHT, "Possible right lung mass."),
        (Side.BILATERAL, "Possible bilateral lung mass."),
        (None, "Possible lung mass."),
    ],
)
def test_the_side_is_the_regions(side: Side | None, text: str) -> None:
    one = draft(findings=(make_finding("Mass", 0.9, region=make_region(side)),))
    statement = next(s for s in one.statements if s.finding == "Mass")
    assert (statement.text, statement.side) == (text, side)


def test_no_side_without_region_for_unsided_findings_or_where_unknown() -> None:
    for finding, case in (
        (make_finding("Mass", 0.9), make_case()),
        (make_finding("Cardiomegaly", 0.9, region=make_region(Side.LEFT)), make_case()),
        (
            make_finding("Mass", 0.9, region=make_region(Side.LEFT)),
            make_case(study=make_study(volumes=(make_volume(patient_left_on=None),))),
        ),
    ):
        for statement in draft(case, findings=(finding,)).statements:
            assert statement.side is None
            assert "left" not in statement.text


def test_nothing_suspected_names_the_score_nearest_its_operating_point() -> None:
    calm = (
        make_finding("Mass", 0.1, 0.3),
        make_finding("Nodule", 0.09, 0.1),
        make_finding("Edema", 0.2, 0.9),
    )
    one = draft(findings=calm)
    (impression,) = [s for s in one.statements if s.section is Section.IMPRESSION]
    assert impression.text == "No finding of the reading model reached its operating point."
    assert (impression.assertion, impression.finding) == (Assertion.ABSENT, None)
    (score,) = impression.evidence
    assert isinstance(score, ScoreEvidence)
    assert score.finding == "Nodule"


@pytest.mark.parametrize(
    ("view", "warned"), [(View.PA, False), (View.AP, True), (View.UNKNOWN, True)]
)
def test_the_ratio_is_stated_with_its_interval_and_the_warning_of_its_view(
    view: View, warned: bool
) -> None:
    case = make_case(study=make_study(volumes=(make_volume(view=view),)))
    (statement,) = [
        s for s in draft(case).statements if isinstance(s.evidence[0], MeasurementEvidence)
    ]
    assert statement.text.startswith("Cardiothoracic ratio 0.54 (95 % interval 0.51 to 0.57).")
    assert ("overstate the heart" in statement.text) is warned
    assert statement.assertion is Assertion.PRESENT


def test_another_measurement_is_stated_with_its_unit() -> None:
    width = Measurement(name="aortic width", value=31.5, unit="mm", interval=(29.0, 33.0))
    assert "Aortic width 31.50 mm (95 % interval 29.00 to 33.00 mm)." in texts(
        draft(measurements=(width,)), Section.FINDINGS
    )


def test_a_reading_without_findings_says_that_nothing_was_read() -> None:
    one = RuleWriter().write(make_case(), Reading(study_uid=STUDY_UID))
    assert {s.section for s in one.statements} == {Section.CLINICAL_INFORMATION}
    assert one.not_evaluated[0].startswith("findings in the image: no reading model")
    assert [w.code for w in one.warnings] == ["nothing-read"]


def test_a_measurement_without_findings_claims_no_calm_impression() -> None:
    one = draft(findings=())
    assert texts(one, Section.IMPRESSION) == []


def test_warnings_of_study_and_reading_travel_once() -> None:
    rotated, shared = Notice(code="rotated", text="Rotated."), Notice(code="age", text="A child.")
    case = make_case(study=make_study(warnings=(rotated, shared)))
    low = Notice(code="low", text="Poor contrast.")
    assert draft(case, warnings=(shared, low)).warnings == (rotated, shared, low)


@pytest.mark.parametrize(
    "reading",
    [
        {"study_uid": "1.2.3"},
        {"models": ()},
        {"findings": (replace(make_finding("Mass", 0.9), name="Unknown_Thing"),)},
    ],
)
def test_a_reading_that_does_not_fit_is_refused(reading: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        draft(**reading)


# ---- what is not evaluated ------------------------------------------------------------------------------


def test_what_was_not_looked_at_is_said() -> None:
    lines = "\n".join(draft().not_evaluated)
    for words in (
        "fracture",
        "diaphragmatic hernia",
        "lines, tubes",
        "bones",
        "comparison with earlier images",
    ):
        assert words in lines
    assert "pleural effusion" not in lines
    assert "pulmonary nodule" in lines.split("undecided", 1)[1].splitlines()[0]


def test_missing_record_orientation_spacing_and_further_films_are_said() -> None:
    blind = make_volume(patient_left_on=None, spacing_yx_mm=None)
    lateral = make_volume(view=View.LATERAL)
    case = make_case(context=None, study=make_study(volumes=(blind, lateral)))
    lines = draft(case).not_evaluated
    assert "clinical information: no record was given" in lines
    assert "1 further image of the study: LATERAL" in lines
    assert any(line.startswith("sides:") for line in lines)
    assert any(line.startswith("sizes in millimetres:") for line in lines)


def test_an_empty_record_is_not_the_same_as_none() -> None:
    lines = draft(make_case(context=make_context(()))).not_evaluated
    assert "clinical information: the record holds no fact that could be used" in lines


def test_an_earlier_report_is_counted_and_never_compared() -> None:
    report = make_fact(FactKind.PRIOR_REPORT, "Chest film", value="Large effusion, increased")
    one = draft(make_case(context=make_context((report,))))
    assert "comparison with earlier images (1 earlier report in the record)" in one.not_evaluated
    assert texts(one, Section.CLINICAL_INFORMATION) == []


def test_facts_that_are_not_stated_are_counted() -> None:
    facts = (
        make_fact(FactKind.MEDICATION, "Aspirin"),
        make_fact(FactKind.ALLERGY, "Nuts"),
        make_fact(FactKind.ALLERGY, "Latex"),
    )
    lines = draft(make_case(context=make_context(facts))).not_evaluated
    assert "in the record but not stated here: 2 allergies, 1 medication" in lines


def test_a_study_that_is_no_chest_film_is_drafted_from_the_record_alone() -> None:
    study = make_study(
        modality=Modality.MR, body_part="BRAIN", volumes=(make_volume(view=View.UNKNOWN),)
    )
    one = RuleWriter().write(make_case(study=study), Reading(study_uid=STUDY_UID))
    assert all(s.assertion is Assertion.REPORTED for s in one.statements)


# ---- the record -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (FactStatus.ACTIVE, ['Recorded condition: "Lung cancer".']),
        (FactStatus.INACTIVE, ['Recorded as inactive: "Lung cancer".']),
        (FactStatus.REFUTED, ['Recorded as ruled out: "Lung cancer".']),
        (FactStatus.UNCONFIRMED, ['Recorded as unconfirmed: "Lung cancer".']),
        (FactStatus.ENTERED_IN_ERROR, []),
    ],
)
def test_the_status_of_a_condition_stands_in_its_words(
    status: FactStatus, expected: list[str]
) -> None:
    assert recorded(make_fact(FactKind.CONDITION, "Lung cancer", status=status)) == expected


@pytest.mark.parametrize("status", list(FactStatus))
def test_what_has_no_bearing_on_the_film_is_counted_and_not_repeated(status: FactStatus) -> None:
    fact = make_fact(FactKind.CONDITION, "Has a criminal record", status=status)
    assert recorded(fact) == []
    lines = draft(make_case(context=make_context((fact,)))).not_evaluated
    assert "in the record but not stated here: 1 condition" in lines


def test_a_body_part_without_a_list_gets_no_conditions() -> None:
    assert recorded(make_fact(FactKind.CONDITION, "Lung cancer"), body_part="KNEE") == []


def test_conditions_are_few_the_newest_first_each_once() -> None:
    facts = [
        make_fact(FactKind.CONDITION, f"Asthma {n}", when=date(2025, 1, n + 1)) for n in range(9)
    ]
    twice = make_fact(FactKind.CONDITION, "Asthma 8", id="again")
    lines = recorded(*facts, twice)
    assert lines == [f'Recorded condition: "Asthma {n}".' for n in (8, 7, 6, 5, 4, 3)]


def test_what_holds_comes_before_what_is_over() -> None:
    over = make_fact(
        FactKind.CONDITION, "Asthma", status=FactStatus.INACTIVE, when=date(2025, 1, 1)
    )
    holds = make_fact(FactKind.CONDITION, "Lung cancer", when=date(2001, 1, 1))
    assert recorded(over, holds) == [
        'Recorded condition: "Lung cancer".',
        'Recorded as inactive: "Asthma".',
    ]


def value(number: float, **changes: Any) -> Fact:
    quantity = {"unit": "mg/L", "low": 1.0, "high": 5.0} | changes
    when = quantity.pop("when", date(2025, 12, 30))
    marks = quantity.pop("marks", ())
    label = quantity.pop("label", "C-reactive protein")
    return make_fact(
        FactKind.OBSERVATION,
        label,
        id=f"o/{number}/{when}",
        value=Quantity(value=number, **quantity),
        when=when,
        marks=marks,
    )


@pytest.mark.parametrize(
    ("fact", "stated"),
    [
        (value(5.1), "5.1 mg/L (2025-12-30; normal range 1 to 5)."),
        (value(0.9), "0.9 mg/L (2025-12-30; normal range 1 to 5)."),
        (value(0.9, high=None), "0.9 mg/L (2025-12-30; normal from 1)."),
        (value(7.0, low=None), "7 mg/L (2025-12-30; normal up to 5)."),
        (value(7.0, comparator=">"), ">7 mg/L"),
        (value(250000.0), "250000 mg/L"),
        (value(0.00012), "0.00012 mg/L"),
        (value(7.0, when=None), "7 mg/L (normal range 1 to 5)."),
        (value(7.0, when=datetime(2025, 12, 29, 23, 0, tzinfo=UTC)), "7 mg/L (2025-12-29;"),
        (value(3.0, marks=("implausible unit",)), 'Doubtful: "implausible unit".'),
        (value(5.0), None),
        (value(1.0), None),
        (value(7.0, comparator="<"), None),  # below 7 may be normal
        (value(0.5, comparator=">"), None),
        (value(99.0, low=None, high=None), None),  # the source gives no range
    ],
)
def test_values_are_stated_when_out_of_range_or_doubtful(fact: Fact, stated: str | None) -> None:
    lines = recorded(fact)
    assert len(lines) == (stated is not None)
    if stated:
        assert lines[0].startswith('Recorded value: "C-reactive protein" ')
        assert stated in lines[0]


def test_only_the_newest_value_of_a_kind_counts() -> None:
    assert recorded(value(87.0, when=date(2025, 1, 1)), value(3.0)) == []
    (line,) = recorded(value(3.0, when=date(2025, 1, 1)), value(87.0), value(50.0, when=None))
    assert "87 mg/L" in line


def test_a_value_older_than_a_year_is_not_stated() -> None:
    assert len(recorded(value(87.0, when=date(2025, 1, 2)))) == 1
    assert recorded(value(87.0, when=date(2025, 1, 1))) == []


def test_a_refuted_value_is_not_stated() -> None:
    assert recorded(replace(value(87.0), status=FactStatus.ENTERED_IN_ERROR)) == []


def test_the_reason_of_the_order_age_and_sex_come_first() -> None:
    lines = texts(draft(), Section.CLINICAL_INFORMATION)
    assert lines[:2] == [
        'Ordered: "Chest radiograph", for "Cough and fever".',
        "Age: 64 years; Sex: female.",
    ]


def test_orders_are_the_two_newest_active_ones_with_their_reason() -> None:
    def order(label: str, month: int, **changes: Any) -> Fact:
        return make_fact(FactKind.ORDER, label, when=date(2025, month, 1), **changes)

    revoked = order("Ward round", 12, status=FactStatus.INACTIVE)
    assert recorded(order("One", 2), order("Two", 3, value="Fall"), revoked, order("Three", 4)) == [
        'Ordered: "Three".',
        'Ordered: "Two", for "Fall".',
    ]


def test_an_order_that_nobody_closed_is_not_this_study_s_for_ever() -> None:
    """The record may keep it active for years; an order without a date may be of today."""

    def stated(when: date | None) -> list[str]:
        return recorded(make_fact(FactKind.ORDER, "Chest radiograph", when=when))

    assert stated(date(2025, 1, 2)) == stated(None) == ['Ordered: "Chest radiograph".']
    assert stated(date(2025, 1, 1)) == stated(date(2020, 1, 1)) == []


def test_procedures_are_stated_if_they_change_how_a_film_is_read() -> None:
    pacemaker = make_fact(FactKind.PROCEDURE, "Pacemaker implantation", when=date(2020, 1, 1))
    tonsils = make_fact(FactKind.PROCEDURE, "Tonsillectomy")
    denied = make_fact(FactKind.PROCEDURE, "Lobectomy of lung", status=FactStatus.REFUTED)
    assert recorded(pacemaker, tonsils, denied) == ['Recorded procedure: "Pacemaker implantation".']


def test_words_of_the_record_stay_on_one_line_and_in_their_quotes() -> None:
    (line,) = recorded(make_fact(FactKind.CONDITION, 'Asthma". Possible\n"pneumothorax'))
    assert line == "Recorded condition: \"Asthma'. Possible 'pneumothorax\"."


def test_every_reported_statement_names_its_facts() -> None:
    reported: list[Statement] = [s for s in draft().statements if s.assertion is Assertion.REPORTED]
    assert reported
    for statement in reported:
        assert all(isinstance(item, FactEvidence) for item in statement.evidence)
        assert statement.finding is None


# ---- determinism ----------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_draft_and_id() -> None:
    assert draft() == draft()


def test_the_id_follows_the_content() -> None:
    ids = {
        draft().id,
        draft(make_case(id="case-2")).id,
        draft(make_case(context=None)).id,
        draft(measurements=(make_ratio(0.55),)).id,
        draft(warnings=(Notice(code="x", text="x"),)).id,
    }
    assert len(ids) == 5
    assert all(i.startswith("draft-") and len(i) == 38 for i in ids)

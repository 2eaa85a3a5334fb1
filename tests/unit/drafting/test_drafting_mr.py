"""What is said of MR: by rules alone, a number with its interval, a side only where it is known, never a lobe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from medmm.domain.draft import (
    Assertion,
    Case,
    Draft,
    ExtentEvidence,
    MeasurementEvidence,
    Opinion,
    ScoreEvidence,
    Section,
    Statement,
)
from medmm.domain.reading import Reading, Side
from medmm.domain.record import FactKind
from medmm.domain.study import SequenceRole, Study
from medmm.domain.vocabulary import measurement_terms
from medmm.drafting import WRITERS, RuleWriter, Speakers, influence
from tests.factories import make_context, make_fact, make_mr_case, make_mr_reading, make_mr_study
from tests.mr_phantoms import unspaced
from tests.mr_readings import measured_as


def draft(study: Study, reading: Reading | None = None) -> Draft:
    return RuleWriter().write(make_mr_case(study), reading or make_mr_reading(study))


def texts(one: Draft) -> list[str]:
    return [s.text for s in one.statements if s.section is Section.FINDINGS]


def first(one: Draft) -> Statement:
    return one.statements[0]


class Talkative:
    """A language model that must not be asked."""

    name = "talkative"

    def opinions(
        self, cases: Sequence[Case], permitted: Any, measurements: Any = (), **how: Any
    ) -> list[Opinion] | None:
        raise AssertionError("asked about MR")

    def facts_read(self, case: Case) -> frozenset[str]:
        raise AssertionError("asked about MR")


def test_a_lesion_is_possible_with_its_slices_its_side_and_no_lobe() -> None:
    statement = first(draft(make_mr_study()))
    assert statement.text == (
        "Possible left brain lesion. Marked on slices 5 to 9 of 12 of the FLAIR series. Lobe not determined."
    )
    assert (statement.assertion, statement.side) == (Assertion.POSSIBLE, Side.LEFT)
    assert [type(e) for e in statement.evidence] == [ScoreEvidence, ExtentEvidence]


def test_without_orientation_half_of_the_columns_is_told_and_no_side() -> None:
    one = draft(make_mr_study(oriented=False))
    statement = first(one)
    assert statement.side is None
    assert (
        "Orientation unknown, so no side is named: it lies in the last half of the columns as the file stores"
        in (statement.text)
    )
    assert not {"left", "right"} & set(statement.text.lower().replace(".", "").split())
    assert "sides: the image does not say where the patient's left is" in one.not_evaluated


def test_a_side_of_a_reading_is_dropped_where_its_volume_has_no_orientation() -> None:
    known = make_mr_reading(make_mr_study())
    statement = first(draft(make_mr_study(oriented=False), known))
    assert statement.side is None
    assert all(e.extent.side is None for e in statement.evidence if isinstance(e, ExtentEvidence))


def test_another_series_without_orientation_takes_no_side_away() -> None:
    study = make_mr_study()
    study = replace(
        study, volumes=(study.volumes[0], replace(study.volumes[1], affine_lps_mm=None))
    )
    one = draft(study, make_mr_reading(make_mr_study()))
    assert first(one).side is Side.LEFT
    assert not any(line.startswith("sides:") for line in one.not_evaluated)


def test_what_was_measured_of_a_lesion_is_stated_only_where_one_is_suspected() -> None:
    study = make_mr_study()
    reading = make_mr_reading(study)
    assert texts(draft(study))[1:] == [
        "Marked as lesion: 2.1 % of the head (95 % interval 1.9 to 2.3 %).",
        "Marked as lesion: volume 30.8 ml (95 % interval 27.7 to 33.9 ml).",
    ]
    low = replace(reading, findings=(replace(reading.findings[0], probability=0.3),))
    one = draft(study, low)
    assert texts(one) == []
    assert "lesion volume: nothing is suspected where it was measured" in one.not_evaluated


def test_hippocampi_have_sides_no_norm_and_an_asymmetry_of_both() -> None:
    study = make_mr_study("HIPPOCAMPUS")
    one = draft(study)
    right, left, asymmetry = one.statements
    assert right.text.startswith(
        "Right hippocampus volume 3.10 ml (95 % interval 2.79 to 3.41 ml). No norm applied"
    )
    assert left.text.startswith("Left hippocampus volume 2.48 ml")
    assert asymmetry.text.startswith(
        "Hippocampus asymmetry -22.3 % (95 % interval -41.9 to -2.4 %): left minus right"
    )
    assert [s.side for s in one.statements] == [Side.RIGHT, Side.LEFT, Side.BILATERAL]
    assert {s.assertion for s in one.statements} == {Assertion.PRESENT}
    assert "whether a volume is small or large for age, sex and head size" in one.not_evaluated
    assert not any(n.code == "nothing-read" for n in one.warnings)


def test_one_side_alone_has_no_asymmetry() -> None:
    study = make_mr_study("HIPPOCAMPUS")
    reading = make_mr_reading(study)
    one = draft(study, replace(reading, measurements=reading.measurements[1:]))
    assert [s.side for s in one.statements] == [Side.LEFT]
    assert "hippocampus asymmetry: not both sides were found" in one.not_evaluated


def test_a_hippocampus_of_unknown_side_says_so() -> None:
    study = make_mr_study("HIPPOCAMPUS")
    reading = make_mr_reading(study)
    bare = replace(reading.measurements[0], side=None, extents=())
    (statement,) = draft(study, replace(reading, measurements=(bare,))).statements
    assert statement.side is None
    assert statement.text.startswith("Hippocampus volume 3.10 ml")
    assert statement.text.endswith("Which of the two it is, the image does not say.")


def test_the_heart_is_stated_in_numbers_and_its_pattern_as_a_suggestion() -> None:
    one = draft(make_mr_study("HEART"))
    assert texts(one) == [
        "Possible dilated cardiomyopathy pattern. Suggested with probability 0.62 from the measured chambers; "
        "a pattern is not a diagnosis.",
        "Left ventricular ejection fraction (LVEF) 55 % (95 % interval 50 to 61 %).",
        "Left ventricular end-diastolic volume 77 ml (95 % interval 69 to 85 ml).",
        "Left ventricular end-systolic volume 34 ml (95 % interval 31 to 38 ml).",
        "Right ventricular ejection fraction (RVEF) 26 % (95 % interval 23 to 28 %).",
        "Right ventricular end-diastolic volume 82 ml (95 % interval 74 to 90 ml).",
        "Right ventricular end-systolic volume 61 ml (95 % interval 55 to 67 ml).",
        "Left ventricular mass 85 g (95 % interval 76 to 93 g).",
    ]
    assert {s.side for s in one.statements} == {None}
    undecided = "undecided, neither suspected nor low enough in score to be denied: previous myocardial infarction pattern"
    assert undecided in one.not_evaluated


@pytest.mark.parametrize("body_part", ["BRAIN", "HEART", "HIPPOCAMPUS"])
def test_every_measurement_names_the_voxels_it_was_measured_on(body_part: str) -> None:
    for statement in draft(make_mr_study(body_part)).statements:
        if any(isinstance(e, MeasurementEvidence) for e in statement.evidence):
            assert any(isinstance(e, ExtentEvidence) for e in statement.evidence)


@pytest.mark.parametrize("body_part", ["BRAIN", "HEART", "HIPPOCAMPUS"])
def test_what_mr_reading_never_looks_at_is_said(body_part: str) -> None:
    lines = draft(make_mr_study(body_part)).not_evaluated
    assert (
        "wording by the language model: it does not write MR; fixed rules wrote what is said of the image"
        in lines
    )
    words = {
        "BRAIN": "stroke, bleeding",
        "HEART": "valves, flow",
        "HIPPOCAMPUS": "all of the brain but",
    }[body_part]
    assert any(words in line for line in lines)


def test_missing_sequences_and_unread_series_are_listed() -> None:
    lines = draft(make_mr_study(missing=(SequenceRole.T1_CONTRAST, SequenceRole.T1))).not_evaluated
    assert "sequences that the study lacks: T1 post-contrast, T1" in lines
    assert "series that no model marked anything on: T1" in lines


def test_unknown_distance_of_slices_leaves_no_volume_and_says_so() -> None:
    study = make_mr_study()
    study = replace(study, volumes=tuple(unspaced(v) for v in study.volumes))
    one = draft(study)
    assert not any(" ml" in text for text in texts(one))
    assert (
        "volumes in millilitres where the distance of the slices is unknown or uneven"
        in one.not_evaluated
    )


@pytest.mark.parametrize("body_part", ["BRAIN", "HEART", "HIPPOCAMPUS"])
def test_the_language_model_is_never_asked_about_mr(body_part: str) -> None:
    study = make_mr_study(body_part)
    case, reading = make_mr_case(study), make_mr_reading(study)
    one = WRITERS["language-model"].make(Speakers(language_model=Talkative())).write(case, reading)
    assert one.writer == "rule-writer"
    assert [n.code for n in one.warnings] == ["language-model-not-of-mr"]
    assert one.statements == draft(study).statements
    assert not any(s.generation for s in one.statements)


def test_no_fact_of_a_record_changes_an_mr_draft() -> None:
    study = make_mr_study()
    context = make_context((make_fact(FactKind.CONDITION, "Epilepsy"),))
    found = influence(make_mr_case(study, context=context), make_mr_reading(study), Talkative())
    assert (found.facts, found.changes) == ((), ())
    assert 'Recorded condition: "Epilepsy".' in [s.text for s in found.both.statements]


@pytest.mark.parametrize(
    "name", sorted(n for n, t in measurement_terms().items() if t.modality == "MR")
)
def test_every_measurement_of_the_vocabulary_is_stated_in_its_own_unit(name: str) -> None:
    study = make_mr_study()
    found = make_mr_reading(study).findings
    reading = replace(
        make_mr_reading(study), findings=found, measurements=(measured_as(name, 12.5),)
    )
    _, *told = texts(draft(study, reading))
    if name == "hippocampus asymmetry":
        assert told == []
        return
    (text,) = told
    assert text[0].isupper()
    unit = measurement_terms()[name].unit
    assert (
        f"12.50 {unit}".removesuffix(" 1") in text or f"12.5 {unit}" in text or f"12 {unit}" in text
    )

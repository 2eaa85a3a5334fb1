"""MR statements against every check: what the labels and the geometry do not bear out is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medmm.domain.draft import Draft, ExtentEvidence, MeasurementEvidence, Outcome, Statement
from medmm.domain.reading import Extent, Finding, ImageHalf, LabelMap, Measurement, Reading, Side
from medmm.domain.study import Study
from medmm.drafting import RuleWriter
from medmm.grounding import check
from tests.factories import make_mr_case, make_mr_reading, make_mr_study
from tests.mr_phantoms import axial, unspaced
from tests.mr_readings import measured_as

BODY_PARTS = ["BRAIN", "HEART", "HIPPOCAMPUS"]


def failures(study: Study, reading: Reading, draft: Draft | None = None) -> dict[str, set[str]]:
    """Failed checks, by the sentence's words."""
    case = make_mr_case(study)
    draft = draft or RuleWriter().write(case, reading)
    checked = check(draft, case, reading)
    text = {s.id: s.text for s in draft.statements}
    found: dict[str, set[str]] = {}
    for verdict in checked.verdicts:
        if verdict.outcome is Outcome.FAILED:
            found.setdefault(text[verdict.statement_id], set()).add(verdict.check)
    return found


def failed(study: Study, reading: Reading, draft: Draft | None = None) -> set[str]:
    return (
        set().union(*failures(study, reading, draft).values())
        if failures(study, reading, draft)
        else set()
    )


def with_extent(reading: Reading, change: Callable[[Extent], Extent]) -> Reading:
    """The reading with all its extents changed alike."""

    def finding(one: Finding) -> Finding:
        return replace(one, extent=one.extent and change(one.extent))

    def measured(one: Measurement) -> Measurement:
        return replace(one, extents=tuple(change(e) for e in one.extents))

    return replace(
        reading,
        findings=tuple(map(finding, reading.findings)),
        measurements=tuple(map(measured, reading.measurements)),
    )


def valued(reading: Reading, name: str, value: float, **changes: object) -> Reading:
    """The reading with another value of one measurement."""

    def one(m: Measurement) -> Measurement:
        made = replace(m, value=value, interval=(value - abs(value) / 10, value + abs(value) / 10))
        return replace(made, **changes) if m.name == name else m  # type: ignore[arg-type]

    return replace(
        reading, measurements=tuple(one(m) if m.name == name else m for m in reading.measurements)
    )


@pytest.mark.parametrize("body_part", BODY_PARTS)
def test_what_the_rules_write_of_true_labels_passes_every_check(body_part: str) -> None:
    study = make_mr_study(body_part)
    assert failures(study, make_mr_reading(study)) == {}


def test_it_passes_without_orientation_too() -> None:
    study = make_mr_study(oriented=False)
    assert failures(study, make_mr_reading(study)) == {}


WRONG: dict[str, Callable[[Extent], Extent]] = {
    "other slices": lambda e: replace(e, slices=(e.slices[0] - 1, e.slices[1])),
    "fewer slices": lambda e: replace(e, slice_count=e.slice_count - 1),
    "another centre": lambda e: replace(e, centroid_index_zyx=(e.centroid_index_zyx[0], 1.0, 1.0)),
    "another place in the patient": lambda e: replace(e, centroid_lps_mm=(0.0, 0.0, 0.0)),
    "another half": lambda e: replace(e, image_half=ImageHalf.LOW_COLUMNS),
    "both halves": lambda e: replace(e, image_half=ImageHalf.BOTH),
    "the other side": lambda e: replace(e, side=Side.RIGHT),
    "no such map": lambda e: replace(e, label_map="tumour"),
    "no such label": lambda e: replace(e, label="tumour"),
    "no such volume": lambda e: replace(e, volume_sha256="f" * 64),
    "another volume": lambda e: replace(e, volume_sha256="2" * 64),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_extent_that_its_labels_do_not_bear_out_fails_g8(name: str) -> None:
    study = make_mr_study()
    assert "G8" in failed(study, with_extent(make_mr_reading(study), WRONG[name]))


def test_a_side_in_a_volume_without_orientation_fails_g8() -> None:
    study = make_mr_study(oriented=False)
    reading = with_extent(make_mr_reading(study), lambda e: replace(e, side=Side.LEFT))
    draft = RuleWriter().write(make_mr_case(study), reading)
    sided = replace(
        draft.statements[0],
        evidence=(draft.statements[0].evidence[0], ExtentEvidence(extent=reading.extents[0])),
    )
    assert "G8" in failed(study, reading, replace(draft, statements=(sided,)))


@pytest.mark.parametrize("change", ["emptied", "other grid", "moved"])
def test_a_label_map_that_changed_fails_g8(change: str) -> None:
    study = make_mr_study()
    reading = make_mr_reading(study)
    values = reading.label_maps[0].array()
    values = {
        "emptied": np.zeros_like(values),
        "other grid": values[:, :, :-1],
        "moved": np.roll(values, 1, axis=0),
    }[change]
    altered = LabelMap.from_array("brain-lesion", "1" * 64, ("lesion",), values)
    assert "G8" in failed(study, replace(reading, label_maps=(altered,)))


def test_two_hippocampi_in_the_wrong_order_fail_g8() -> None:
    study = make_mr_study("HIPPOCAMPUS")
    reading = make_mr_reading(study)

    def swapped(one: Measurement) -> Measurement:
        extents = tuple(replace(e, side=e.side and e.side.mirrored) for e in one.extents)
        return replace(one, side=one.side and one.side.mirrored, extents=extents)

    reading = replace(reading, measurements=tuple(swapped(m) for m in reading.measurements[:2]))
    assert "G8" in failed(study, reading)


MEASURED = [
    ("BRAIN", "lesion volume", 40.0),
    ("BRAIN", "lesion share of head", 0.01),
    ("BRAIN", "lesion share of head", 101.0),
    ("HIPPOCAMPUS", "hippocampus asymmetry", 22.3),
    ("HEART", "LVEF", 62.0),
    ("HEART", "RVEF", 62.0),
    ("HEART", "LV EDV", 120.0),
    ("HEART", "LV ESV", 20.0),
    ("HEART", "RV EDV", 120.0),
    ("HEART", "RV ESV", 20.0),
    ("HEART", "LV mass", 100.0),
]


@pytest.mark.parametrize(("body_part", "name", "value"), MEASURED)
def test_a_value_that_the_labels_do_not_give_fails_g9(
    body_part: str, name: str, value: float
) -> None:
    study = make_mr_study(body_part)
    assert "G9" in failed(study, valued(make_mr_reading(study), name, value))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("LV stroke volume", 42.4, 50.0),
        ("RV stroke volume", 21.1, 30.0),
        ("LV mass to LV EDV ratio", 1.106, 1.2),
        ("RV EDV to LV EDV ratio", 1.07, 1.2),
    ],
)
def test_quantities_of_two_measurements_are_recomputed(
    name: str, right: float, wrong: float
) -> None:
    study = make_mr_study("HEART")
    reading = make_mr_reading(study)
    where = reading.measurements[1].extents
    for value, expected in ((right, set()), (wrong, {"G9"})):
        more = (*reading.measurements, measured_as(name, value, *where))
        assert failed(study, replace(reading, measurements=more)) == expected


def test_the_ratio_of_wall_to_cavity_is_that_of_its_voxels() -> None:
    study = make_mr_study("HEART")
    reading = make_mr_reading(study)
    by_name = {m.name: m.extents[0] for m in reading.measurements}
    ratio = reading.measurements[6].value / 1.05 / reading.measurements[1].value
    for value, expected in ((ratio, set()), (2 * ratio, {"G9"})):
        one = measured_as(
            "myocardium to LV cavity ratio", value, by_name["LV mass"], by_name["LV EDV"]
        )
        assert failed(study, replace(reading, measurements=(one,))) == expected


def test_an_ejection_fraction_without_volumes_is_held_against_the_voxels() -> None:
    study = make_mr_study("HEART")
    study = replace(study, volumes=tuple(unspaced(v) for v in study.volumes))
    whole = make_mr_reading(make_mr_study("HEART"))
    bare = replace(whole, measurements=whole.measurements[:1])
    assert failed(study, bare) == set()
    assert failed(study, valued(bare, "LVEF", 70.0)) == {"G9"}


@pytest.mark.parametrize("body_part", BODY_PARTS)
def test_no_millilitres_without_the_distance_of_slices(body_part: str) -> None:
    study = make_mr_study(body_part)
    reading = make_mr_reading(study)
    blind = replace(study, volumes=tuple(unspaced(v) for v in study.volumes))
    for text, checks in failures(blind, reading).items():
        assert "G9" in checks
        assert " ml" in text or " g " in text
    assert failures(blind, reading)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unit": "L"}, "is measured in 'ml', not in 'L'"),
        ({"extents": ()}, "names no labelled voxels"),
    ],
)
def test_g9_says_what_is_wrong(change: dict[str, object], why: str) -> None:
    study = make_mr_study()
    reading = valued(make_mr_reading(study), "lesion volume", 30.78, **change)
    case = make_mr_case(study)
    checked = check(RuleWriter().write(case, reading), case, reading)
    assert any(why in v.reason for v in checked.verdicts if v.check == "G9")


def test_a_measurement_outside_the_vocabulary_fails_g9() -> None:
    study = make_mr_study()
    reading = make_mr_reading(study)
    other = replace(reading.measurements[1], name="tumour load")
    assert "G9" in failed(study, replace(reading, measurements=(other,)))


def statement_of(study: Study, number: int) -> tuple[Draft, Statement]:
    draft = RuleWriter().write(make_mr_case(study), make_mr_reading(study))
    return draft, draft.statements[number]


@pytest.mark.parametrize(
    ("old", "new", "number"),
    [
        ("left", "right", "G2"),
        ("Possible left", "Possible", "G2"),
        ("slices 5 to 9", "slices 4 to 9", "G6"),
        ("of 12", "of 155", "G6"),
        ("Possible", "Definite", "G3"),
        ("brain lesion", "lung mass", "G1"),
        ("Lobe not determined.", "It has grown.", "G4"),
        ("Lobe not determined.", "Smaller than on the previous study.", "G4"),
    ],
)
def test_other_words_than_the_evidence_bears_out_are_caught(
    old: str, new: str, number: str
) -> None:
    study = make_mr_study()
    draft, statement = statement_of(study, 0)
    assert old in statement.text
    altered = replace(
        draft, statements=(replace(statement, text=statement.text.replace(old, new)),)
    )
    assert number in failed(study, make_mr_reading(study), altered)


@pytest.mark.parametrize(
    ("old", "new"), [("30.8 ml", "38.0 ml"), ("30.8 ml", "30.8 cm"), ("27.7", "20.1")]
)
def test_another_number_or_unit_in_the_words_fails_g6(old: str, new: str) -> None:
    study = make_mr_study()
    draft, statement = statement_of(study, 2)
    altered = replace(
        draft, statements=(replace(statement, text=statement.text.replace(old, new)),)
    )
    assert failed(study, make_mr_reading(study), altered) == {"G6"}


def test_a_changed_value_of_the_evidence_fails_g1() -> None:
    study = make_mr_study()
    draft, statement = statement_of(study, 2)
    measured, where = statement.evidence
    assert isinstance(measured, MeasurementEvidence)
    other = replace(statement, evidence=(replace(measured, value=31.0), where))
    assert "G1" in failed(study, make_mr_reading(study), replace(draft, statements=(other,)))


def test_voxels_of_another_statement_fail_g1() -> None:
    study = make_mr_study("HEART")
    draft, statement = statement_of(study, 2)
    foreign = draft.statements[5].evidence[1]
    other = replace(statement, evidence=(statement.evidence[0], foreign))
    assert "G1" in failed(study, make_mr_reading(study), replace(draft, statements=(other,)))


def test_a_lesion_s_volume_beside_no_suspected_lesion_fails_g9() -> None:
    study = make_mr_study()
    reading = make_mr_reading(study)
    draft, statement = statement_of(study, 2)
    low = replace(reading, findings=(replace(reading.findings[0], probability=0.1),))
    assert failed(study, low, replace(draft, statements=(statement,))) == {"G9"}


def test_g2_asks_the_volume_that_was_marked_not_the_others() -> None:
    study = make_mr_study()
    other = replace(study.volumes[1], affine_lps_mm=None)
    assert failures(replace(study, volumes=(study.volumes[0], other)), make_mr_reading(study)) == {}
    blind = replace(
        study, volumes=(replace(study.volumes[0], affine_lps_mm=None), study.volumes[1])
    )
    draft = RuleWriter().write(make_mr_case(study), make_mr_reading(study))
    assert {"G2", "G8"} <= failed(blind, make_mr_reading(study), draft)


@pytest.mark.parametrize(("shift_mm", "caught"), [(-15.0, False), (-55.0, True)])
def test_a_side_counted_from_the_scanner_fails_only_where_the_head_lies_far_beside_it(
    shift_mm: float, caught: bool
) -> None:
    study = make_mr_study()
    beside = replace(
        study.volumes[0], affine_lps_mm=axial((8.0, 4.5, 4.5), (-87.75 + shift_mm, -105.0, -40.0))
    )
    moved = replace(study, volumes=(beside, study.volumes[1]))
    assert ("G8" in failed(moved, make_mr_reading(moved))) is caught


def test_a_previous_infarction_is_no_comparison() -> None:
    study = make_mr_study("HEART")
    reading = make_mr_reading(study)
    scar = replace(reading.findings[1], probability=0.7)
    assert failures(study, replace(reading, findings=(scar,))) == {}

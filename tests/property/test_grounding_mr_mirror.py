"""A mirrored head mirrors every side in its draft; a head that is stored the other way round keeps them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.draft import CheckedDraft, Draft, ExtentEvidence, MeasurementEvidence, Outcome
from medmm.domain.label_location import centre_x_lps_mm
from medmm.domain.measurement_formulas import voxel_count, voxel_ml
from medmm.domain.reading import LabelMap, Reading, Side
from medmm.domain.study import Affine, Study
from medmm.drafting import RuleWriter
from medmm.grounding import check
from tests.factories import MR_MODEL, make_mr_case, make_mr_study
from tests.mr_phantoms import Labels
from tests.mr_readings import finding, measured_as, place

SHAPE = (5, 12, 13)
STEP_MM = (6.0, 11.0, 12.0)


class Head(NamedTuple):
    """Labels on a grid, and how it lies in the patient; None: unknown."""

    labels: Labels
    affine: Affine | None


@st.composite
def heads(draw: st.DrawFn) -> Head:
    """A box of marked voxels; columns run toward the patient's left or right, whole heads 144 mm wide."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    box = []
    for size in SHAPE:
        first = draw(st.integers(0, size - 1))
        box.append(slice(first, draw(st.integers(first + 1, size))))
    labels[tuple(box)] = 1
    toward_left = draw(st.booleans())
    middle = draw(st.floats(-60, 60))
    half = STEP_MM[2] * (SHAPE[2] - 1) / 2
    x, first_x = (STEP_MM[2], middle - half) if toward_left else (-STEP_MM[2], middle + half)
    affine = (
        (x, 0.0, 0.0, first_x),
        (0.0, STEP_MM[1], 0.0, -60.0),
        (0.0, 0.0, STEP_MM[0], 4.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    return Head(labels, affine)


def study_and_reading(head: Head) -> tuple[Study, Reading]:
    """What an honest network gives for the labels: all is computed from them."""
    study = make_mr_study()
    flair = replace(
        study.volumes[0],
        shape_zyx=SHAPE,
        affine_lps_mm=head.affine,
        spacing_yx_mm=STEP_MM[1:],
        spacing_z_mm=STEP_MM[0],
        loader=None,
        signal_loader=None,
    )
    marked = LabelMap.from_array("brain-lesion", flair.sha256, ("lesion",), head.labels)
    extent = place(marked, "lesion", flair, centre_x_lps_mm(flair))
    size = voxel_ml(flair)
    assert size is not None
    volume = measured_as("lesion volume", voxel_count(marked, "lesion") * size, extent)
    reading = Reading(
        study_uid=study.uid,
        models=(MR_MODEL,),
        findings=(finding("brain lesion", 0.9, extent=extent),),
        measurements=(volume,),
        label_maps=(marked,),
    )
    return replace(study, volumes=(flair,), sequences=study.sequences[:1]), reading


def mirrored(head: Head) -> Head:
    """Another patient: the same geometry, what was on the left is on the right."""
    return Head(head.labels[:, :, ::-1], head.affine)


def stored_otherwise(head: Head) -> Head:
    """The same patient: columns in the other order, and an affine that says so."""
    assert head.affine is not None
    flip = np.eye(4)
    flip[0, 0], flip[0, 3] = -1, SHAPE[2] - 1
    turned = np.array(head.affine) @ flip
    a, b, c, d = (tuple(float(v) for v in row) for row in turned)
    return Head(head.labels[:, :, ::-1], (a, b, c, d))  # type: ignore[arg-type]


def drafted(head: Head) -> CheckedDraft:
    study, reading = study_and_reading(head)
    case = make_mr_case(study)
    return check(RuleWriter().write(case, reading), case, reading)


def sides(draft: Draft | CheckedDraft) -> list[Side | None]:
    return [s.side for s in draft.statements]


def texts(draft: CheckedDraft) -> list[str]:
    return [s.text for s in draft.statements]


def swapped(text: str) -> str:
    return text.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")


def failures(draft: CheckedDraft) -> list[str]:
    return [f"{v.check}: {v.reason}" for v in draft.verdicts if v.outcome is Outcome.FAILED]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads())
def test_a_mirrored_head_flips_every_side_and_nothing_else(head: Head) -> None:
    straight, flipped = drafted(head), drafted(mirrored(head))
    assert failures(straight) == failures(flipped) == []
    assert sides(flipped) == [side and side.mirrored for side in sides(straight)]
    assert texts(flipped) == [swapped(text) for text in texts(straight)]
    assert flipped.draft.not_evaluated == straight.draft.not_evaluated


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads())
def test_a_head_stored_the_other_way_round_keeps_every_side_and_word(head: Head) -> None:
    one, other = drafted(head), drafted(stored_otherwise(head))
    assert failures(other) == []
    assert sides(other) == sides(one)
    assert texts(other) == texts(one)
    for first, second in zip(one.statements, other.statements, strict=True):
        for a, b in zip(first.evidence, second.evidence, strict=True):
            if isinstance(a, ExtentEvidence) and isinstance(b, ExtentEvidence):
                np.testing.assert_allclose(
                    np.array(a.extent.centroid_lps_mm, dtype=float),
                    b.extent.centroid_lps_mm,
                    atol=2e-3,
                )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads())
def test_a_draft_of_the_unmirrored_head_fails_on_the_mirrored_one(head: Head) -> None:
    study, reading = study_and_reading(head)
    draft = RuleWriter().write(make_mr_case(study), reading)
    other_study, other = study_and_reading(mirrored(head))
    checked = check(draft, make_mr_case(other_study), other)
    for statement in draft.statements:
        if statement.side in (Side.LEFT, Side.RIGHT):
            assert {"G1", "G2"} & {v.check for v in checked.failed(statement.id)}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads())
def test_labels_mirrored_behind_a_reading_s_back_are_caught(head: Head) -> None:
    study, reading = study_and_reading(head)
    _, other = study_and_reading(mirrored(head))
    case, draft = make_mr_case(study), RuleWriter().write(make_mr_case(study), reading)
    checked = check(draft, case, replace(reading, label_maps=other.label_maps))
    symmetric = (head.labels == mirrored(head).labels).all()
    assert (
        "G8" in {v.check for v in checked.verdicts if v.outcome is Outcome.FAILED}
    ) is not symmetric


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads())
def test_without_an_affine_no_side_is_named_whatever_is_marked(head: Head) -> None:
    draft = drafted(Head(head.labels, None))
    assert failures(draft) == []
    assert set(sides(draft)) == {None}
    for text in texts(draft):
        assert not {"left", "right", "bilateral"} & set(
            text.lower().replace(".", "").replace(",", "").split()
        )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(heads(), st.floats(1.1, 5))
def test_a_changed_value_is_caught(head: Head, factor: float) -> None:
    study, reading = study_and_reading(head)
    measured = reading.measurements[0]
    value = measured.value * factor
    changed = replace(measured, value=value, interval=(value * 0.9, value * 1.1))
    case = make_mr_case(study)
    altered = replace(reading, measurements=(changed,))
    checked = check(RuleWriter().write(case, altered), case, altered)
    assert "G9" in {v.check for v in checked.verdicts if v.outcome is Outcome.FAILED}
    honest = check(RuleWriter().write(case, reading), case, altered)
    told = [
        s.id
        for s in honest.statements
        if any(isinstance(e, MeasurementEvidence) for e in s.evidence)
    ]
    assert all("G1" in {v.check for v in honest.failed(number)} for number in told)

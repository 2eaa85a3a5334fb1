"""A mirrored film mirrors every side in its draft, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.draft import Assertion, Draft, Outcome, RegionEvidence, Statement
from medmm.domain.reading import Finding, Reading, Region, Side
from medmm.domain.vocabulary import finding_terms
from medmm.drafting import RuleWriter
from medmm.grounding import check
from tests.factories import (
    MODEL,
    STUDY_UID,
    make_case,
    make_finding,
    make_ratio,
    make_study,
    make_volume,
)

EIGHTHS = st.integers(0, 7)
OF_FILMS = sorted(t.name for t in finding_terms().values() if t.modality == "DX")


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Regions on a grid of eighths, so that mirroring twice is exact."""
    x0, y0 = draw(EIGHTHS), draw(EIGHTHS)
    x1, y1 = draw(st.integers(x0 + 1, 8)), draw(st.integers(y0 + 1, 8))
    return Region(
        peak_xy=(x0 / 8, y0 / 8),
        box_xyxy=(x0 / 8, y0 / 8, x1 / 8, y1 / 8),
        heat=((draw(st.integers(0, 255)), 0), (0, 255)),
        side=draw(st.sampled_from(Side)),
    )


@st.composite
def findings(draw: st.DrawFn) -> tuple[Finding, ...]:
    names = draw(st.lists(st.sampled_from(OF_FILMS), unique=True, max_size=16))
    return tuple(
        make_finding(
            name,
            draw(st.floats(0, 1)),
            draw(st.floats(0.01, 0.99)),
            region=draw(st.none() | regions()),
        )
        for name in names
    )


READINGS = st.builds(
    lambda found, measured: Reading(
        study_uid=STUDY_UID,
        models=(MODEL,),
        findings=found,
        measurements=(make_ratio(),) if measured else (),
    ),
    findings(),
    st.booleans(),
)


def mirrored_box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return (1 - box[2], box[1], 1 - box[0], box[3])


def mirrored(reading: Reading) -> Reading:
    def flip(finding: Finding) -> Finding:
        region = finding.region
        if region is None:
            return finding
        flipped = replace(
            region,
            box_xyxy=mirrored_box(region.box_xyxy),
            peak_xy=(1 - region.peak_xy[0], region.peak_xy[1]),
            heat=tuple(row[::-1] for row in region.heat),
            side=region.side and region.side.mirrored,
        )
        return replace(finding, region=flipped)

    return replace(reading, findings=tuple(flip(f) for f in reading.findings))


def expected(statement: Statement) -> Statement:
    """The statement after mirroring, written without the writer: words, code and regions swap sides."""
    text = statement.text
    if statement.side is not None:
        assert f" {statement.side.value} " in text
        text = text.replace(f" {statement.side.value} ", f" {statement.side.mirrored.value} ")

    def flip(item: Any) -> Any:
        if not isinstance(item, RegionEvidence):
            return item
        return replace(
            item, box_xyxy=mirrored_box(item.box_xyxy), side=item.side and item.side.mirrored
        )

    return replace(
        statement,
        text=text,
        side=statement.side and statement.side.mirrored,
        evidence=tuple(flip(item) for item in statement.evidence),
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(READINGS)
def test_a_mirrored_reading_flips_every_side_and_nothing_else(reading: Reading) -> None:
    straight = RuleWriter().write(make_case(), reading)
    flipped = RuleWriter().write(make_case(), mirrored(reading))
    assert flipped.statements == tuple(expected(s) for s in straight.statements)
    assert flipped.not_evaluated == straight.not_evaluated
    assert flipped.warnings == straight.warnings


@settings(max_examples=60, deadline=None, derandomize=True)
@given(READINGS)
def test_what_the_rules_write_passes_every_check_before_and_after_mirroring(
    reading: Reading,
) -> None:
    for one in (reading, mirrored(reading)):
        checked = check(RuleWriter().write(make_case(), one), make_case(), one)
        heart = [
            s.id
            for s in checked.statements
            if (s.finding, s.assertion) == ("Cardiomegaly", Assertion.ABSENT)
        ]
        contradicted = (
            heart if one.measurements else []
        )  # a ratio above 0.5 stands beside the denial
        failed = [
            (v.check, v.statement_id) for v in checked.verdicts if v.outcome is Outcome.FAILED
        ]
        assert failed == [("G7", number) for number in contradicted]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(READINGS)
def test_a_draft_of_the_unmirrored_film_fails_on_the_mirrored_one(reading: Reading) -> None:
    draft: Draft = RuleWriter().write(make_case(), reading)
    checked = check(draft, make_case(), mirrored(reading))
    for statement in draft.statements:
        if statement.side in (Side.LEFT, Side.RIGHT):
            assert checked.failed(statement.id)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(READINGS)
def test_no_side_is_named_where_the_orientation_is_unknown(reading: Reading) -> None:
    case = make_case(study=make_study(volumes=(make_volume(patient_left_on=None),)), context=None)
    draft = RuleWriter().write(case, reading)
    for statement in draft.statements:
        assert statement.side is None
        assert not {"left", "right", "bilateral"} & set(
            statement.text.lower().replace(".", "").split()
        )
        assert all(e.side is None for e in statement.evidence if isinstance(e, RegionEvidence))

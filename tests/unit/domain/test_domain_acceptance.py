"""An acceptance puts the readings of its model on the site's scale, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.acceptance import (
    Acceptance,
    Counted,
    Distribution,
    Figure,
    LabelsFrom,
    Place,
)
from medmm.domain.calibration import (
    AlarmPoint,
    FindingCalibration,
    SiteCalibration,
    any_finding,
    below_alarm_point,
    unfamiliar_image,
)
from medmm.domain.errors import InputError, StateError
from medmm.domain.promise import Promise, Withheld
from medmm.domain.reading import Finding, ModelIdentity, Reading

MODEL = ModelIdentity(name="chest-findings", manifest_sha256="a" * 64)
OTHER = ModelIdentity(name="chest-report", manifest_sha256="b" * 64)
PROMISE = Promise(false_claim_rate=0.1, claimed=0.5, positives=40, negatives=160, prevalence=0.2)
ROW = FindingCalibration(
    name="Effusion", slope=2.0, intercept=1.0, threshold=0.4, rule_out=0.1, promise=PROMISE
)
POINT = AlarmPoint(point=0.5, burden=0.15, studies=120, films="labelled studies of this site")
NOT_COUNTED = Figure(value=None)


def accepted(*rows: FindingCalibration, alarm: AlarmPoint | None = POINT) -> Acceptance:
    return Acceptance(
        model=MODEL,
        place=Place.SITE,
        films="200 labelled studies of this site",
        labels_from=LabelsFrom.TABLE,
        table_sha256="c" * 64,
        calibrated=Counted(studies=100, patients=90),
        measured=Counted(studies=100, patients=91),
        chosen_burden=0.15,
        calibration=SiteCalibration(findings=rows, alarm=alarm),
        auroc=NOT_COUNTED,
        burden=NOT_COUNTED,
        labelled_claimed=NOT_COUNTED,
        measured_at=datetime(2026, 11, 30, tzinfo=UTC),
        version="0.1.0",
    )


def reading(*findings: Finding, models: tuple[ModelIdentity, ...] = (MODEL,)) -> Reading:
    return Reading(study_uid="1.2.3", models=models, findings=findings)


def finding(name: str, probability: float, model: str | None = None) -> Finding:
    return Finding(name=name, probability=probability, threshold=0.5, model=model)


def test_a_finding_gets_the_probability_points_and_promise_of_the_site() -> None:
    read = accepted(ROW).applied(reading(finding("Effusion", 0.5)))
    found = read.findings[0]
    # the logit of 0.5 is 0, so the intercept alone decides: 1 / (1 + exp(-1))
    assert found.probability == 0.7311
    assert (found.threshold, found.rule_out, found.promise) == (0.4, 0.1, PROMISE)
    assert found.suspected
    assert read.alarm is not None
    assert (read.alarm.any_finding, read.alarm.model) == (0.7311, "chest-findings")


def test_a_finding_that_the_site_did_not_measure_is_withheld_and_raises_no_alarm() -> None:
    read = accepted(ROW).applied(reading(finding("Effusion", 0.01), finding("Mass", 0.99)))
    effusion, mass = read.findings
    assert mass.withheld is Withheld.NOT_MEASURED
    assert not mass.suspected
    assert read.alarm is not None
    assert read.alarm.any_finding == effusion.probability


def test_below_the_alarm_point_claims_are_withheld_and_denials_stand() -> None:
    high = replace(POINT, point=0.95)
    low = replace(ROW, name="Mass", slope=1.0, intercept=0.0)
    read = accepted(ROW, low, alarm=high).applied(
        reading(finding("Effusion", 0.5), finding("Mass", 0.01))
    )
    assert [f.withheld for f in read.findings] == [Withheld.BELOW_ALARM_POINT, None]
    assert read.findings[1].ruled_out


def test_the_packaged_alarm_point_gives_way_to_that_of_the_site() -> None:
    packaged = POINT.rule("chest-findings", [0.45])
    assert not packaged.reached
    before = reading(*below_alarm_point([replace(finding("Effusion", 0.5), threshold=0.4)]))
    assert before.findings[0].withheld is Withheld.BELOW_ALARM_POINT
    read = accepted(ROW).applied(replace(before, alarm=packaged))
    assert read.findings[0].suspected
    assert read.alarm is not None
    assert read.alarm.reached


def test_an_unfamiliar_image_stays_unspoken_of() -> None:
    read = accepted(ROW).applied(reading(*unfamiliar_image([finding("Effusion", 0.9)])))
    assert read.findings[0].withheld is Withheld.UNFAMILIAR_IMAGE


def test_findings_of_other_networks_in_the_same_reading_keep_their_scale() -> None:
    theirs = finding("Support_Devices", 0.8, model="chest-report")
    read = accepted(ROW).applied(reading(finding("Effusion", 0.5), theirs, models=(MODEL, OTHER)))
    assert read.findings[1] == theirs


def test_without_a_calibration_of_the_site_a_reading_stays_as_it_is() -> None:
    packaged = replace(accepted(), place=Place.PACKAGED, calibration=None)
    before = reading(finding("Effusion", 0.5))
    assert packaged.applied(before) == before


def test_a_reading_of_another_version_is_refused() -> None:
    newer = replace(MODEL, manifest_sha256="d" * 64)
    with pytest.raises(StateError, match="another version"):
        accepted(ROW).applied(reading(finding("Effusion", 0.5), models=(newer,)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.floats(0.1, 5),
    st.floats(-5, 5),
    st.floats(0.01, 0.99),
)
def test_a_claim_stands_where_its_own_and_the_alarm_point_are_reached(
    probabilities: list[float], slope: float, intercept: float, point: float
) -> None:
    names = ["Effusion", "Mass", "Nodule", "Edema", "Pneumonia"][: len(probabilities)]
    rows = [replace(ROW, name=n, slope=slope, intercept=intercept) for n in names]
    rounded = [round(p, 4) for p in probabilities]
    read = accepted(*rows, alarm=replace(POINT, point=point)).applied(
        reading(*[finding(n, p) for n, p in zip(names, rounded, strict=True)])
    )
    scores = [f.probability for f in read.findings]
    reached = any_finding(scores) >= point
    assert [f.suspected for f in read.findings] == [reached and s >= ROW.threshold for s in scores]
    # recalibration keeps the order of the model's own probabilities
    assert all(
        a <= b
        for (_, a), (_, b) in zip(
            sorted(zip(rounded, scores, strict=True)),
            sorted(zip(rounded, scores, strict=True))[1:],
            strict=False,
        )
    )


def test_the_model_s_own_scale_is_kept_by_a_row_that_changes_nothing() -> None:
    same = FindingCalibration(name="Effusion", threshold=0.5)
    for steps in range(0, 10_001, 7):
        own = steps / 10_000
        assert same.probability(own) == pytest.approx(own, abs=5.1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: replace(ROW, slope=0.0),
        lambda: replace(ROW, slope=float("nan")),
        lambda: replace(ROW, threshold=1.0),
        lambda: replace(ROW, rule_out=0.5),
        lambda: replace(ROW, rule_out=0.0),
        lambda: replace(accepted(ROW), chosen_burden=0.0),
        lambda: Distribution(of="age", edges=(1.0, 1.0), counts=(1, 2, 3)),
        lambda: Distribution(of="age", edges=(1.0,), counts=(1,)),
        lambda: Distribution(of="view", labels=("PA",), counts=(1, 2)),
    ],
)
def test_what_makes_no_sense_cannot_be_built(wrong: object) -> None:
    with pytest.raises(InputError):
        wrong()  # type: ignore[operator]

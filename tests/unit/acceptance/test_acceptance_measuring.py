"""A site's points are set on one half and kept on the other; figures are those that are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from medmm.acceptance import LabelledStudy, LabelTable, ReadStudy, measured
from medmm.acceptance.baselines import DEMOGRAPHICS, PREVALENCE
from medmm.acceptance.labels import Half
from medmm.acceptance.promises import least_studies, upper
from medmm.acceptance.split import half_of
from medmm.domain.acceptance import Acceptance, Attribute, LabelsFrom
from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import InputError
from medmm.domain.input_figures import InputFigures
from medmm.domain.promise import Withheld
from medmm.domain.reading import Finding, Measurement, ModelIdentity, Reading, Side
from medmm.domain.reading_model import Declaration
from medmm.domain.study import Modality

MODEL = ModelIdentity(name="other-findings", manifest_sha256="a" * 64)
IN_USE = ModelIdentity(name="chest-findings", manifest_sha256="b" * 64)
NAMES = ("Effusion", "Cardiomegaly")
PREVALENCE_OF = (0.25, 0.3)
DECLARES = Declaration(
    modality=Modality.RADIOGRAPH, body_parts=("CHEST",), findings=(*NAMES, "Mass")
)
AT = datetime(2026, 11, 30, tzinfo=UTC)
INPUTS = InputFigures(rows=2048, columns=2500, mean_grey=0.5, grey_spread=0.2, view="PA")


def probabilities(random: np.random.Generator, truth: np.ndarray, skill: float) -> list[float]:
    logits = skill * truth - 1 + random.normal(size=len(truth))
    return (1 / (1 + np.exp(-logits))).round(4).tolist()


def reading(uid: str, model: ModelIdentity, values: list[float]) -> Reading:
    found = tuple(
        Finding(name=name, probability=p, threshold=0.5)
        for name, p in zip(NAMES, values, strict=True)
    )
    return Reading(study_uid=uid, models=(model,), findings=found)


def site(count: int, seed: int, *, skill: float = 2.0) -> list[ReadStudy]:
    """Studies of a site whose older patients have cardiomegaly more often."""
    random, found = np.random.default_rng(seed), []
    for n in range(count):
        truth = random.random(2) < PREVALENCE_OF
        labels = LabelledStudy(
            line=n + 2,
            patient=f"patient {random.integers(0, count)}",
            study_uid=str(n),
            findings={name: bool(there) for name, there in zip(NAMES, truth, strict=True)},
            quantities={},
            sex=str(random.choice(["F", "M"])),
            age_years=float(random.integers(20, 60) + 25 * truth[1]),
        )
        found.append(
            ReadStudy(
                labels=replace(labels, sex="FM"[int(labels.patient.split()[1]) % 2]),
                reading=reading(str(n), MODEL, probabilities(random, truth, skill)),
                sha256s=(f"{n:064x}",),
                inputs=INPUTS,
                in_use=reading(str(n), IN_USE, probabilities(random, truth, 0.7)),
            )
        )
    return found


def acceptance(studies: list[ReadStudy], *, burden: float = 0.15, **unread: int) -> Acceptance:
    table = LabelTable(
        studies=tuple(one.labels for one in studies), sha256="c" * 64, origin=LabelsFrom.TABLE
    )
    return measured(MODEL, DECLARES, table, studies, unread=unread, burden=burden, at=AT)


@cache
def of_four_hundred() -> Acceptance:
    return acceptance(site(400, 1), refused=3)


def test_nobody_is_calibrated_and_measured_on() -> None:
    studies = site(400, 1)
    halves = [{one.labels.patient for one in studies if half_of(one.labels) is h} for h in Half]
    assert not halves[0] & halves[1]
    found = of_four_hundred()
    assert found.calibrated.studies + found.measured.studies == 400
    assert found.calibrated.patients == len(halves[0])
    assert found.unread == (("refused", 3),)


def test_an_acceptance_goes_to_json_and_back() -> None:
    found = of_four_hundred()
    assert from_json(Acceptance, json.loads(json.dumps(to_json(found)))) == found


def test_the_alarm_burden_holds_on_the_calibration_half() -> None:
    studies, found = site(400, 1), of_four_hundred()
    bare = [
        one
        for one in studies
        if half_of(one.labels) is Half.CALIBRATE and one.labels.bare_of(NAMES)
    ]
    claims = [any(f.suspected for f in found.applied(one.reading).findings) for one in bare]
    assert found.calibration is not None
    assert found.calibration.alarm is not None
    assert found.calibration.alarm.studies == len(bare)
    assert upper(sum(claims), len(bare)) <= 0.15


def test_the_burden_is_kept_on_other_studies_of_the_site_and_follows_the_choice() -> None:
    later = [one for one in site(2000, 99) if one.labels.bare_of(NAMES)]

    def burden(chosen: float) -> float:
        found = acceptance(site(400, 1), burden=chosen)
        claims = [any(f.suspected for f in found.applied(one.reading).findings) for one in later]
        return sum(claims) / len(claims)

    assert burden(0.05) < burden(0.15) <= 0.15


def test_the_figures_are_those_of_what_drafts_would_claim() -> None:
    studies, found = site(400, 1), of_four_hundred()
    measure = [one for one in studies if half_of(one.labels) is Half.MEASURE]
    claimed = [
        {f.name for f in found.applied(one.reading).findings if f.suspected} for one in measure
    ]
    for row in found.findings:
        there = [one.labels.findings[row.name] for one in measure]
        said = [row.name in names for names in claimed]
        assert row.positives == sum(there)
        hits = sum(a and b for a, b in zip(there, said, strict=True))
        assert row.sensitivity.value == pytest.approx(hits / sum(there), abs=1e-4)
        right = hits / sum(said)
        assert row.right.value == pytest.approx(right, abs=1e-4)
    bare = [names for one, names in zip(measure, claimed, strict=True) if one.labels.bare_of(NAMES)]
    assert found.burden.of == len(bare)
    assert found.burden.value == pytest.approx(sum(map(bool, bare)) / len(bare), abs=1e-4)


def test_an_auroc_is_that_of_the_planted_skill() -> None:
    # two normal distributions with means 2 apart: Phi(2 / sqrt 2)
    for row in acceptance(site(1500, 3)).findings:
        assert row.auroc.low is not None
        assert row.auroc.high is not None
        assert row.auroc.low <= 0.9214 <= row.auroc.high
        assert row.roc[0] == (0, 0)
        assert row.roc[-1] == (1, 1)


def test_a_recalibrated_probability_is_what_it_says() -> None:
    found = acceptance(site(1500, 3))
    for row in found.findings:
        assert row.ece.value is not None
        assert row.brier.value is not None
        assert row.brier_of_prevalence.value is not None
        assert row.ece.value < 0.06
        assert row.brier.value < row.brier_of_prevalence.value


def test_baselines_and_the_model_in_use_stand_beside() -> None:
    rows = {(one.against, one.finding): one for one in of_four_hundred().beside}
    assert {against for against, _ in rows} == {PREVALENCE, DEMOGRAPHICS, "chest-findings"}
    assert rows[PREVALENCE, None].auroc.value == 0.5
    # age tells cardiomegaly here, and not effusion
    age = {name: rows[DEMOGRAPHICS, name].auroc.value for name in NAMES}
    assert age["Cardiomegaly"] is not None
    assert age["Effusion"] is not None
    assert age["Cardiomegaly"] > 0.75 > age["Effusion"]
    better = rows["chest-findings", None].difference
    assert better.low is not None
    assert better.low > 0


def test_a_model_that_knows_nothing_is_found_out() -> None:
    found = acceptance(site(400, 4, skill=0.0))
    chance = next(one for one in found.beside if one.against == PREVALENCE and not one.finding)
    assert chance.difference.low is not None
    assert chance.difference.low < 0


def test_groups_are_all_studies_once() -> None:
    found = of_four_hundred()
    for attribute in Attribute:
        groups = [one for one in found.groups if one.attribute is attribute]
        assert sum(one.studies for one in groups) == found.measured.studies
    assert {g.value for g in found.groups if g.attribute is Attribute.SCANNER} == {"not stated"}


def test_what_nobody_labelled_is_withheld_and_said() -> None:
    found = of_four_hundred()
    assert any(one.of == "Mass" for one in found.not_measured)
    mass = Finding(name="Mass", probability=0.99, threshold=0.5)
    said = found.applied(Reading(study_uid="1", models=(MODEL,), findings=(mass,)))
    assert said.findings[0].withheld is Withheld.NOT_MEASURED


def test_few_positives_promise_nothing_and_it_is_said() -> None:
    found = acceptance(site(120, 7))
    assert found.calibration is not None
    assert all(row.promise is None for row in found.calibration.findings)
    assert {one.of for one in found.not_measured} >= set(NAMES)
    many = of_four_hundred().calibration
    assert many is not None
    assert any(row.promise is not None for row in many.findings)


def test_too_few_bare_studies_are_refused_with_the_count_that_is_needed() -> None:
    few = [one for one in site(400, 1) if any(one.labels.findings.values())]
    with pytest.raises(InputError, match=r"0 of the studies .* 19 at least"):
        acceptance(few)
    with pytest.raises(InputError, match="59 at least"):
        acceptance(few, burden=0.05)


@pytest.mark.parametrize("burden", [0.01, 0.05, 0.1, 0.15, 0.3, 0.5])
def test_the_needed_count_is_the_least_that_bears_out_a_burden(burden: float) -> None:
    needed = least_studies(burden)
    assert upper(0, needed) <= burden < upper(0, needed - 1)


def one_patient(study: ReadStudy) -> ReadStudy:
    return replace(study, labels=replace(study.labels, patient="one"))


def same_images(study: ReadStudy) -> ReadStudy:
    return replace(study, sha256s=("f" * 64,))


@pytest.mark.parametrize(
    ("change", "said"),
    [(one_patient, "there is no study to"), (same_images, "images of line 2 are labelled again")],
)
def test_studies_that_bear_nothing_out_are_refused(
    change: Callable[[ReadStudy], ReadStudy], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        acceptance([change(one) for one in site(100, 1)])


def test_an_unfamiliar_image_counts_as_not_claimed() -> None:
    studies = site(400, 1)
    silent = [
        replace(
            one,
            reading=replace(
                one.reading,
                findings=tuple(
                    replace(f, withheld=Withheld.UNFAMILIAR_IMAGE) for f in one.reading.findings
                ),
            ),
        )
        if n % 2
        else one
        for n, one in enumerate(studies)
    ]
    whole, half = of_four_hundred(), acceptance(silent)
    assert half.labelled_claimed.of == whole.labelled_claimed.of
    claims = [any(f.suspected for f in half.applied(one.reading).findings) for one in silent[1::2]]
    assert not any(claims)


VOLUMES = Declaration(
    modality=Modality.MR, body_parts=("HIPPOCAMPUS",), quantities=("hippocampus volume",)
)


def volumes(count: int, seed: int, *, bias: float) -> list[ReadStudy]:
    random, found = np.random.default_rng(seed), []
    for n in range(count):
        truth = float(random.normal(3.0, 0.4))
        value = truth + bias + float(random.normal(0, 0.1))
        measurement = Measurement(
            name="hippocampus volume",
            value=value,
            unit="ml",
            interval=(value - 0.196, value + 0.196),
            side=Side.LEFT,
        )
        found.append(
            ReadStudy(
                labels=LabelledStudy(
                    line=n + 2,
                    patient=f"p{n}",
                    study_uid=str(n),
                    findings={},
                    quantities={("hippocampus volume", Side.LEFT): truth},
                ),
                reading=Reading(
                    study_uid=str(n),
                    models=(MODEL,),
                    measurements=() if n % 10 == 0 else (measurement,),
                ),
                sha256s=(f"{n:064x}",),
                inputs=INPUTS,
            )
        )
    return found


@pytest.mark.parametrize(("bias", "inside"), [(0.0, 0.95), (0.3, 0.15)])
def test_measurements_stand_beside_reference_values(bias: float, inside: float) -> None:
    studies = volumes(400, 5, bias=bias)
    table = LabelTable(
        studies=tuple(one.labels for one in studies), sha256="c" * 64, origin=LabelsFrom.TABLE
    )
    found = measured(MODEL, VOLUMES, table, studies, unread={}, burden=0.15, at=AT)
    (row,) = found.quantities
    assert (row.name, row.side, row.unit) == ("hippocampus volume", Side.LEFT, "ml")
    assert row.studies == found.measured.studies
    assert row.unmeasured == sum(
        int(one.labels.patient[1:]) % 10 == 0
        for one in studies
        if half_of(one.labels) is Half.MEASURE
    )
    assert row.bias.low is not None
    assert row.bias.high is not None
    assert row.bias.low <= bias <= row.bias.high
    low, high = row.limits
    assert low.value == pytest.approx(bias - 0.196, abs=0.04)
    assert high.value == pytest.approx(bias + 0.196, abs=0.04)
    assert row.inside.value == pytest.approx(inside, abs=0.1)
    assert found.calibration is not None
    assert found.calibration.alarm is None

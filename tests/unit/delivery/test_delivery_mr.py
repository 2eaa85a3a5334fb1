"""MR measurements leave with unit, interval, site and side, as the vocabulary codes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from medmm.delivery import report_bundle, report_text
from medmm.domain.draft import MeasurementEvidence
from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.vocabulary import measurement_terms
from tests.factories import MR_MODEL, make_mr_study, make_signed_report, make_study_reference
from tests.mr_cases import drafted
from tests.mr_readings import measured_as


def signed(body_part: str) -> SignedReport:
    """The report of one of the phantoms, every statement accepted."""
    study = make_mr_study(body_part)
    _, _, draft = drafted(study)
    said = tuple(
        SignedStatement(
            id=s.id,
            section=s.section,
            text=s.text,
            assertion=s.assertion,
            finding=s.finding,
            side=s.side,
            evidence=s.evidence,
            summarises=s.summarises,
        )
        for s in draft.statements
    )
    return make_signed_report(
        study=make_study_reference(study),
        statements=said,
        models=(MR_MODEL,),
        not_evaluated=draft.draft.not_evaluated,
    )


def observations(report: SignedReport) -> list[dict[str, Any]]:
    found = [e["resource"] for e in report_bundle(report, None)["entry"]]
    return [r for r in found if r["resourceType"] == "Observation"]


def test_an_ejection_fraction_has_code_unit_interval_and_chamber() -> None:
    (lvef,) = [o for o in observations(signed("HEART")) if "LVEF" in o["code"]["text"]]
    assert lvef["code"]["coding"] == [
        {
            "system": "http://loinc.org",
            "code": "8811-2",
            "display": "Left ventricular ejection fraction by MR",
        }
    ]
    assert lvef["valueQuantity"]["value"] == pytest.approx(55.4, abs=0.1)
    assert lvef["valueQuantity"] | {"value": 0} == {
        "value": 0,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert [c["code"]["text"] for c in lvef["component"]] == [
        "lower limit of the 95 % interval",
        "upper limit of the 95 % interval",
    ]
    assert [c["valueQuantity"]["value"] for c in lvef["component"]] == pytest.approx(
        [49.9, 61.0], abs=0.1
    )
    assert lvef["bodySite"]["text"] == "left ventricle"


def test_a_hippocampus_has_its_side_and_a_broader_code_keeps_its_display() -> None:
    right, left, asymmetry = observations(signed("HIPPOCAMPUS"))
    assert [o["bodySite"]["text"] for o in (right, left)] == [
        "right hippocampus",
        "left hippocampus",
    ]
    assert {o["bodySite"]["coding"][0]["code"] for o in (right, left, asymmetry)} == {"5366008"}
    assert right["code"] == {
        "coding": [{"system": "http://snomed.info/sct", "code": "118565006", "display": "Volume"}],
        "text": "hippocampus volume",
    }
    assert "coding" not in asymmetry["code"]


def test_a_brain_lesion_has_no_code_and_its_side_is_of_the_brain() -> None:
    lesion, share, volume = observations(signed("BRAIN"))
    assert lesion["code"] == {"text": "brain lesion"}
    assert lesion["valueCodeableConcept"] == {"text": "possible"}
    assert lesion["bodySite"]["text"] == "left side of the brain"
    assert [o["valueQuantity"]["code"] for o in (share, volume)] == ["%", "ml"]


def test_a_pattern_of_the_heart_leaves_as_possible_without_a_code() -> None:
    (pattern,) = [o for o in observations(signed("HEART")) if "valueCodeableConcept" in o]
    assert pattern["code"] == {"text": "dilated cardiomyopathy pattern"}
    assert pattern["valueCodeableConcept"] == {"text": "possible"}
    assert "bodySite" not in pattern


def test_the_text_holds_numbers_and_what_was_not_evaluated() -> None:
    text = " ".join(report_text(signed("HEART"), None).split())
    assert "Left ventricular ejection fraction (LVEF) 55 % (95 % interval 50 to 61 %)." in text
    assert "it does not write MR" in text
    assert "scar, oedema and perfusion" in text


@pytest.mark.parametrize("name", sorted(measurement_terms()))
def test_every_quantity_of_the_vocabulary_leaves_in_its_ucum_unit(name: str) -> None:
    report = make_signed_report()
    told = next(
        s for s in report.statements if any(isinstance(e, MeasurementEvidence) for e in s.evidence)
    )
    one = measured_as(name, 12.5)
    evidence = MeasurementEvidence(name=name, value=one.value, unit=one.unit, interval=one.interval)
    (seen,) = observations(replace(report, statements=(replace(told, evidence=(evidence,)),)))
    term = measurement_terms()[name]
    assert seen["code"]["text"] == term.words
    assert {
        q["code"] for q in [seen["valueQuantity"], *(c["valueQuantity"] for c in seen["component"])]
    } == {term.unit}

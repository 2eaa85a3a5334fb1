"""What a FHIR Bundle says of networks: labels, devices, confidence; and the report as it is read."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from medmm.delivery import report_bundle, report_text
from medmm.delivery.dicom.source_study import ModelEquipment
from medmm.delivery.fhir.transparency import CONFIDENCE
from medmm.delivery.html import report_html
from medmm.domain.draft import Assertion, ScoreEvidence, Section
from medmm.domain.report import SignedReport
from tests.factories import make_signed_report
from tests.signed_studies import signed
from tests.unit.delivery.test_delivery_fhir import IDENTITY, resources
from tests.unit.delivery.test_delivery_own_words import NODULE
from tests.unit.delivery.test_delivery_own_words import report as own_report
from tests.unit.delivery.test_delivery_versions import CHAIN

LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}


def labels(resource: dict[str, Any]) -> list[str]:
    return [label["code"] for label in resource.get("meta", {}).get("security", [])]


def test_what_a_network_said_first_is_labelled_and_what_a_reader_added_is_not() -> None:
    report = own_report(NODULE)
    own = {s.text for s in report.statements if s.author is not None}
    seen = resources(report, "Observation")
    assert {o["note"][0]["text"] for o in seen if not labels(o)} == own & {
        o["note"][0]["text"] for o in seen
    }
    labelled = [o for o in seen if labels(o)]
    assert labelled
    assert all(o["meta"]["security"] == [LABEL] for o in labelled)
    assert all("device" in o for o in labelled)


def test_the_conclusion_is_labelled_inside() -> None:
    (body,) = resources(make_signed_report(), "DiagnosticReport")
    assert labels(body) == ["PROCESSINLINELABEL"]
    assert body["_conclusion"]["extension"][0]["valueCoding"] == LABEL


def test_a_report_without_a_network_says_nothing_of_one() -> None:
    report = make_signed_report(models=())
    bundle = report_bundle(report, IDENTITY)
    assert "AIAST" not in str(bundle)
    assert "PROCESSINLINELABEL" not in str(bundle)
    assert len(resources(report, "Device")) == len(resources(report, "Provenance")) == 1


def test_each_network_is_a_device_under_the_uid_of_its_dicom_objects() -> None:
    report = signed("chest").report
    bundle = report_bundle(report, IDENTITY)
    entries = [e for e in bundle["entry"] if e["resource"]["resourceType"] == "Device"][1:]
    assert len(entries) == len(report.models) == 2
    for entry, model in zip(entries, report.models, strict=True):
        device, uid = entry["resource"], ModelEquipment(identity=model).device_uid
        assert device["deviceName"] == [{"name": model.name, "type": "model-name"}]
        assert device["version"] == [{"value": model.manifest_sha256}]
        assert device["identifier"] == [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}]
        assert device["type"]["coding"][0]["code"] == "Artificial-Intelligence"
        assert uid in entry["request"]["ifNoneExist"], "one device for all its reports"


def test_the_provenance_of_networks_names_them_and_who_attested() -> None:
    report = make_signed_report()
    bundle = report_bundle(report, IDENTITY)
    by_url = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    made = resources(report, "Provenance")[1]
    assert made["reason"][0]["coding"] == [LABEL]
    parts = [
        (a["type"]["coding"][0]["code"], by_url[a["who"]["reference"]]["resourceType"])
        for a in made["agent"]
    ]
    assert parts == [("author", "Device"), ("verifier", "Practitioner")]
    assert made["agent"][0]["role"][0]["coding"][0]["code"] == "Artificial-Intelligence"
    targets = [by_url[one["reference"]] for one in made["target"]]
    assert targets[0]["resourceType"] == "DiagnosticReport"
    assert all(labels(one) == ["AIAST"] for one in targets[1:])
    assert len(targets) == 1 + len([o for o in resources(report, "Observation") if labels(o)])


@pytest.mark.parametrize(
    ("assertion", "text", "expected"),
    [
        (Assertion.POSSIBLE, "Possible left effusion.", 0.83),
        (Assertion.PRESENT, "Left effusion.", 0.83),
        (Assertion.ABSENT, "No effusion suspected.", 0.17),
    ],
)
def test_confidence_is_that_of_what_is_recorded(
    assertion: Assertion, text: str, expected: float
) -> None:
    report = make_signed_report()
    score = ScoreEvidence(finding="Effusion", probability=0.83, threshold=0.5, model="chest-test")
    said = replace(
        report.statements[1], assertion=assertion, text=text, drafted_text=None, evidence=(score,)
    )
    (seen,) = resources(replace(report, statements=(said,)), "Observation")
    assert seen["extension"] == [{"url": CONFIDENCE, "valueDecimal": expected}]
    other = replace(said, evidence=(replace(score, finding="Nodule"),))
    (unsure,) = resources(replace(report, statements=(other,)), "Observation")
    assert "extension" not in unsure


def test_only_what_is_there_has_a_code_in_the_conclusion() -> None:
    report = make_signed_report()
    possible = report.statements[1]
    assert possible.finding is not None
    (body,) = resources(report, "DiagnosticReport")
    assert "conclusionCode" not in body
    there = replace(possible, assertion=Assertion.PRESENT)
    (body,) = resources(replace(report, statements=(there,)), "DiagnosticReport")
    (code,) = body["conclusionCode"]
    assert code["text"] == "pleural effusion"
    assert code["extension"][0]["valueCoding"] == LABEL
    (own,) = resources(
        replace(report, statements=(replace(there, author=report.signed_by),)), "DiagnosticReport"
    )
    assert "extension" not in own["conclusionCode"][0]
    assert "_conclusion" not in own


def forms(report: SignedReport) -> dict[str, tuple[dict[str, Any], bytes]]:
    (body,) = resources(report, "DiagnosticReport")
    return {
        form["contentType"].split(";")[0]: (form, base64.b64decode(form["data"]))
        for form in body["presentedForm"]
    }


def test_the_report_is_there_as_text_page_and_pdf_with_size_and_hash() -> None:
    report = make_signed_report()
    found = forms(report)
    assert list(found) == ["text/plain", "text/html", "application/pdf"]
    for form, data in found.values():
        assert form["size"] == len(data)
        assert base64.b64decode(form["hash"]) == hashlib.sha1(data, usedforsecurity=False).digest()
    assert found["text/html"][1].decode() == report_html(report, IDENTITY)
    assert found["text/plain"][1].decode() == report_text(report, IDENTITY)
    assert found["application/pdf"][1].startswith(b"%PDF-")


def test_the_page_says_what_the_text_says_and_escapes_it() -> None:
    report = make_signed_report()
    odd = "<script>alert(1)</script> & ≤ 3 mm"
    words = replace(report.statements[1], text=odd)
    page = report_html(replace(report, statements=(words,)), IDENTITY)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "≤ 3 mm" in page
    assert 'charset="utf-8"' in page
    assert "default-src 'none'" in page
    whole = report_html(report, IDENTITY)
    for statement in report.statements:
        assert statement.text in whole
    for section in {s.section for s in report.statements}:
        assert section.value.upper() in whole
    assert "NOT EVALUATED BY THE MODELS" in whole
    assert "ZZFAKE" in whole


def test_a_withdrawn_report_says_so_on_its_page_and_asserts_nothing() -> None:
    page = report_html(CHAIN[3], IDENTITY, None, CHAIN)
    assert "WITHDRAWN" in page
    assert not [s.text for s in CHAIN[0].statements if s.section is Section.FINDINGS and s.text in page]  # fmt: skip
    bundle = report_bundle(CHAIN[3], IDENTITY, versions=CHAIN)
    (body,) = (r["resource"] for r in bundle["entry"] if r["resource"]["resourceType"] == "DiagnosticReport")  # fmt: skip
    assert "_conclusion" not in body

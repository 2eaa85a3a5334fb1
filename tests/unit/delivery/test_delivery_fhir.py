"""The signed report as a FHIR R4 transaction Bundle."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from medmm.delivery import render, report_bundle, report_text
from medmm.domain.draft import Assertion
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Reader, SignedReport
from tests.factories import (
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    make_amended_report,
    make_signed_report,
)

IDENTITY = PatientIdentity(
    patient_id="ZZFAKE-1",
    issuer="urn:oid:1.2.3",
    family_name="ZZFAKE",
    given_name="Alpha",
    birth_date=date(1950, 1, 10),
    sex="F",
)


def resources(
    report: SignedReport, kind: str, identity: PatientIdentity | None = IDENTITY
) -> list[dict[str, Any]]:
    entries = report_bundle(report, identity)["entry"]
    return [e["resource"] for e in entries if e["resource"]["resourceType"] == kind]


def requests(report: SignedReport, identity: PatientIdentity | None) -> dict[str, str | None]:
    """Type -> its conditional create, for types that stand once."""
    entries = report_bundle(report, identity)["entry"]
    return {e["request"]["url"]: e["request"].get("ifNoneExist") for e in entries}


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(make_signed_report(), IDENTITY, "fhir") == render(
        make_signed_report(), IDENTITY, "fhir"
    )


def test_every_reference_points_into_the_bundle() -> None:
    bundle = report_bundle(make_signed_report(), IDENTITY)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["reference"]] if "reference" in value else []
            return own + [r for item in value.values() for r in references(item)]
        return [r for item in value for r in references(item)] if isinstance(value, list) else []

    found = references(bundle)
    assert found
    assert set(found) <= set(urls)


def test_a_finding_has_its_codes_its_side_and_its_verdict() -> None:
    finding = resources(make_signed_report(), "Observation")[0]
    assert finding["bodySite"]["coding"][0]["code"] == "7771000"
    assert finding["valueCodeableConcept"] == {"text": "possible"}
    assert {c["system"] for c in finding["code"]["coding"]} <= {
        "http://radlex.org",
        "http://snomed.info/sct",
    }


@pytest.mark.parametrize(
    ("text", "drafted", "said", "codes"),
    [
        ("No pleural effusion suspected.", None, "not suspected", []),
        (
            "No effusion suspected on this film.",
            "No pleural effusion suspected.",
            "not suspected",
            [],
        ),
        ("No pleural effusion.", "No pleural effusion suspected.", "absent", ["272519000"]),
    ],
)
def test_only_a_readers_own_denial_is_coded_absent(
    text: str, drafted: str | None, said: str, codes: list[str]
) -> None:
    report = make_signed_report()
    denied = replace(
        report.statements[1], assertion=Assertion.ABSENT, text=text, drafted_text=drafted, side=None
    )
    (seen,) = resources(replace(report, statements=(denied,)), "Observation")
    value = seen["valueCodeableConcept"]
    assert value["text"] == said
    assert [c["code"] for c in value.get("coding", [])] == codes
    assert seen["note"] == [{"text": text}]


def test_a_broader_code_is_sent_with_its_own_display() -> None:
    report = make_signed_report()
    thick = replace(report.statements[1], finding="Pleural_Thickening")
    (seen,) = resources(replace(report, statements=(thick,)), "Observation")
    assert seen["code"]["text"] == "pleural thickening"
    assert [c["display"] for c in seen["code"]["coding"]] == ["thickening"]


def test_a_measurement_has_its_unit() -> None:
    measured = [o for o in resources(make_signed_report(), "Observation") if "valueQuantity" in o]
    assert [(m["valueQuantity"]["value"], m["valueQuantity"]["system"]) for m in measured] == [
        (0.54, "http://unitsofmeasure.org")
    ]


def test_what_the_record_reports_is_no_observation_of_the_image() -> None:
    report = make_signed_report()
    told = [s for s in report.statements if s.assertion is Assertion.REPORTED]
    assert told
    notes = {o["note"][0]["text"] for o in resources(report, "Observation")}
    assert not notes & {s.text for s in told}


def test_the_study_names_series_and_instances() -> None:
    (study,) = resources(make_signed_report(), "ImagingStudy")
    assert study["identifier"][0] == {"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY_UID}"}
    assert study["series"][0]["uid"] == SERIES_UID
    assert study["series"][0]["instance"][0]["uid"] == SOP_UID


def test_the_report_carries_its_whole_text() -> None:
    report = make_signed_report()
    (body,) = resources(report, "DiagnosticReport")
    text = base64.b64decode(body["presentedForm"][0]["data"]).decode()
    assert text == report_text(report, IDENTITY)
    assert body["conclusion"] == "Possible small left pleural effusion."
    assert body["status"] == "final"
    assert resources(make_amended_report(report), "DiagnosticReport")[0]["status"] == "amended"


def test_software_drafted_and_a_person_verified() -> None:
    report = make_signed_report()
    provenance = resources(report, "Provenance")[0]
    kinds = [agent["type"]["coding"][0]["code"] for agent in provenance["agent"]]
    assert kinds == ["author", "verifier"]
    device = resources(report, "Device")[0]
    assert device["version"][1]["value"] == f"chest-test {'0' * 64}"


def test_what_is_created_is_searched_first() -> None:
    found = requests(make_signed_report(), IDENTITY)
    assert found["Patient"] == "identifier=urn%3Aoid%3A1.2.3|ZZFAKE-1"
    assert found["ImagingStudy"] == f"identifier=urn%3Adicom%3Auid|urn%3Aoid%3A{STUDY_UID}"
    assert [kind for kind, search in found.items() if search is None] == ["Provenance"]


def test_a_bare_number_is_never_searched_for_as_a_patient() -> None:
    for identity in (None, replace(IDENTITY, issuer=None), replace(IDENTITY, issuer="HOSPITAL")):
        search = requests(make_signed_report(), identity)["Patient"]
        assert search is not None
        assert search.startswith("identifier=urn%3Aietf%3Arfc%3A3986|urn%3Auuid%3A")


def test_without_an_identity_nothing_names_the_patient() -> None:
    (patient,) = resources(make_signed_report(), "Patient", None)
    assert set(patient) == {"resourceType", "identifier", "gender"}


def test_a_reader_without_a_name_is_an_id() -> None:
    report = make_signed_report(signed_by=Reader(id="reader-1", name="", role="attending"))
    (reader,) = resources(report, "Practitioner")
    assert reader["identifier"][0] == {"value": "reader-1"}
    assert "name" not in reader


def test_no_narrative_is_written() -> None:
    report = make_signed_report()
    marked = replace(report.statements[1], text='<script>alert("x")</script> & more')
    bundle = report_bundle(replace(report, statements=(marked,)), IDENTITY)
    assert not [e for e in bundle["entry"] if "text" in e["resource"]]
    assert marked.text in {e["resource"].get("conclusion") for e in bundle["entry"]}


def test_a_time_without_its_zone_leaves_as_a_date_alone() -> None:
    """FHIR asks for a zone where a time of day is given; a wall clock of an unknown zone called UTC may be hours off."""
    exact = make_signed_report()
    series = tuple(
        replace(one, acquired=exact.study.acquired, exact=False) for one in exact.study.series
    )
    report = replace(exact, study=replace(exact.study, exact=False, series=series))
    assert exact.study.acquired is not None
    day = exact.study.acquired.date().isoformat()
    (study,), (diagnostic,) = (
        resources(report, "ImagingStudy"),
        resources(report, "DiagnosticReport"),
    )
    assert (
        study["started"] == study["series"][0]["started"] == diagnostic["effectiveDateTime"] == day
    )
    assert {o["effectiveDateTime"] for o in resources(report, "Observation")} == {day}
    assert f"{day}, time of day or its zone not stated" in report_text(report, IDENTITY)
    stated = resources(exact, "DiagnosticReport")[0]["effectiveDateTime"]
    assert datetime.fromisoformat(stated) == exact.study.acquired

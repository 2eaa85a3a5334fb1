"""A published Bundle finds the hospital's patient and order by configured systems; what it lacks is said, and nothing invented."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from medmm.delivery import Joins, render, report_bundle
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import IdentifierSystems, OrderIdentifier, OrderRequest, StudyOrder
from medmm.domain.printed_report import Printed
from medmm.domain.study import Study
from tests.factories import make_mr_study, make_signed_report, make_study
from tests.unit.delivery.test_delivery_fhir import IDENTITY

SYSTEMS = IdentifierSystems(
    mrn="https://hospital.example/mrn",
    mrn_issuers=("HOSPITAL",),
    accession="https://hospital.example/accession",
    placer_order="https://hospital.example/placer",
)
REQUEST = OrderRequest(
    reference="ServiceRequest/r1",
    identifiers=(
        OrderIdentifier(value="A-1", kind="ACSN"),
        OrderIdentifier(value="P-1", kind="PLAC"),
    ),
)
ORDER = StudyOrder(accession="A-1", placer_order="P-1", request=REQUEST)
LOCAL = replace(IDENTITY, issuer=None)


def joins(
    study: Study | None = None, order: StudyOrder = ORDER, systems: IdentifierSystems = SYSTEMS
) -> Joins:
    printed = Printed(
        report=make_signed_report(), identity=LOCAL, study=study or make_study(), order=order
    )
    return Joins.of(printed, systems)


def entry(kind: str, identity: PatientIdentity, made: Joins) -> dict[str, Any]:
    bundle = report_bundle(make_signed_report(), identity, made)
    (found,) = [e for e in bundle["entry"] if e["resource"]["resourceType"] == kind]
    return found


@pytest.mark.parametrize(
    ("issuer", "system"),
    [
        (None, "https://hospital.example/mrn"),
        ("HOSPITAL", "https://hospital.example/mrn"),
        ("urn:oid:1.2.3", "urn:oid:1.2.3"),
        ("ANOTHER HOSPITAL", None),
    ],
)
def test_the_patient_is_found_by_the_number_under_its_own_system(
    issuer: str | None, system: str | None
) -> None:
    found = entry("Patient", replace(IDENTITY, issuer=issuer), joins())
    assert found["resource"]["identifier"][0].get("system") == system
    search = found["request"]["ifNoneExist"]
    own = "identifier=urn%3Aietf%3Arfc%3A3986|urn%3Auuid%3A"
    assert search.endswith("|ZZFAKE-1") if system else search.startswith(own)


def test_without_a_setting_no_system_is_invented_and_it_is_said() -> None:
    made = joins(systems=IdentifierSystems())
    bundle = json.dumps(report_bundle(make_signed_report(), LOCAL, made))
    assert "hospital.example" not in bundle
    said = "\n".join(made.notices(LOCAL))
    assert "identifiers.mrn;" in said
    assert "identifiers.accession;" in said
    assert "issuer" in "\n".join(made.notices(replace(LOCAL, issuer="ANOTHER HOSPITAL")))
    assert "no patient ID" in "\n".join(made.notices(replace(LOCAL, patient_id=None)))


def test_nothing_is_said_where_nothing_lacks() -> None:
    assert list(joins().notices(LOCAL)) == []
    outcome = json.loads(render(make_signed_report(), LOCAL, "outcome", joins()))
    assert [issue["severity"] for issue in outcome["issue"]] == ["information"]


def test_what_contradicts_or_fits_no_request_is_said() -> None:
    order = StudyOrder(
        contradicting=("accession number",), request_note="2 requests of the record fit the study"
    )
    outcome = json.loads(render(make_signed_report(), LOCAL, "outcome", joins(order=order)))
    said = [issue["details"]["text"] for issue in outcome["issue"]]
    assert ["accession number" in said[0], "2 requests" in said[1]] == [True, True]
    assert {issue["severity"] for issue in outcome["issue"]} == {"warning"}


@pytest.mark.parametrize("kind", ["ImagingStudy", "DiagnosticReport"])
def test_study_and_report_bear_the_accession_number_and_their_request(kind: str) -> None:
    resource = entry(kind, LOCAL, joins())["resource"]
    accession = [i for i in resource["identifier"] if i["value"] == "A-1"]
    assert [i["system"] for i in accession] == ["https://hospital.example/accession"]
    assert [i["type"]["coding"][0]["code"] for i in accession] == ["ACSN"]
    (based_on,) = resource["basedOn"]
    assert based_on["reference"] == "ServiceRequest/r1"
    assert based_on["identifier"]["value"] == "P-1"
    assert based_on["identifier"]["system"] == "https://hospital.example/placer"


def test_a_request_of_a_message_is_named_by_its_identifier_alone() -> None:
    order = replace(ORDER, request=replace(REQUEST, reference=None))
    (based_on,) = entry("DiagnosticReport", LOCAL, joins(order=order))["resource"]["basedOn"]
    assert "reference" not in based_on
    assert based_on["identifier"]["value"] == "P-1"


def test_publishing_again_creates_nothing_a_second_time() -> None:
    """Every entry that has an identifier is created only where none of it is there yet, by the same search each time."""
    first, second = (report_bundle(make_signed_report(), LOCAL, joins()) for _ in range(2))
    searches = [e["request"].get("ifNoneExist") for e in first["entry"]]
    assert searches == [e["request"].get("ifNoneExist") for e in second["entry"]]
    (report,) = [e for e in first["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
    own = report["resource"]["identifier"][-1]["value"]
    assert report["request"]["ifNoneExist"].partition("|")[2].replace("%3A", ":") == own


def test_no_full_url_is_an_identifier() -> None:
    """A server that puts the place of a resource wherever its fullUrl stands would never find it again."""
    made = report_bundle(make_signed_report(), LOCAL, joins())
    places = {one["fullUrl"] for one in made["entry"]}
    assert len(places) == len(made["entry"])
    for one in made["entry"]:
        identifiers = {i.get("value") for i in one["resource"].get("identifier", [])}
        assert not places & identifiers


CODES = {
    "head before contrast": (make_mr_study("BRAIN"), StudyOrder(contrast="none"), "30657-1"),
    "head after contrast": (make_mr_study("BRAIN"), StudyOrder(contrast="all"), "24589-4"),
    "head before and after": (make_mr_study("BRAIN"), StudyOrder(contrast="some"), "24587-8"),
    "head of which nobody can tell": (make_mr_study("BRAIN"), StudyOrder(), "24590-2"),
    "heart": (make_mr_study("HEART"), StudyOrder(contrast="none"), "36482-8"),
    "hippocampus": (make_mr_study("HIPPOCAMPUS"), StudyOrder(contrast="none"), "30657-1"),
}


@pytest.mark.parametrize("name", CODES)
def test_mr_has_the_code_of_its_body_part_and_contrast(name: str) -> None:
    study, order, code = CODES[name]
    coding = entry("DiagnosticReport", LOCAL, joins(study, order))["resource"]["code"]["coding"]
    assert [(c["system"], c["code"]) for c in coding] == [("http://loinc.org", code)]


def test_without_what_it_was_printed_from_the_general_code_stays() -> None:
    bundle = report_bundle(make_signed_report(), LOCAL)
    (report,) = [
        e["resource"]
        for e in bundle["entry"]
        if e["resource"]["resourceType"] == "DiagnosticReport"
    ]
    assert report["code"]["coding"][0]["code"] == "18748-4"


def test_a_name_that_was_stated_anew_after_signing_is_printed_with_a_word() -> None:
    printed = Printed(
        report=make_signed_report(),
        identity=LOCAL,
        study=make_study(),
        order=ORDER,
        restated_entry=12,
    )
    made = Joins.of(printed, SYSTEMS)
    assert "stated anew after the report was signed (audit entry 12)" in render(
        printed.report, LOCAL, "text", made
    )
    assert json.loads(render(printed.report, LOCAL, "json", made))["patient_restated_entry"] == 12
    assert "patient_restated_entry" not in json.loads(
        render(printed.report, LOCAL, "json", joins())
    )

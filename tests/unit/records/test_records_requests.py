"""The request of a record that ordered a study is found by numbers or by the record's own ImagingStudy; else it is said why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medmm.domain.imaging_order import StudyOrder
from medmm.records import read_record, with_request

UID = "1.2.826.0.1.3680043.8.498.1"
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"value": "ZZ-1"}],
    "birthDate": "1950-01-01",
}
ACSN, PLAC, FILL = ({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": c}]}
                    for c in ("ACSN", "PLAC", "FILL"))  # fmt: skip


def request(own: str, *identifiers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": own,
        "status": "active",
        "intent": "order",
        "code": {"text": "Chest radiograph"},
        "subject": {"reference": "Patient/p"},
        "identifier": list(identifiers),
        **changes,
    }


def found(order: StudyOrder, *resources: dict[str, Any], **urls: str) -> tuple[str | None, str]:
    entries = [
        {"resource": r, **({"fullUrl": urls[r["id"]]} if r["id"] in urls else {})}
        for r in (PATIENT, *resources)
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    document = read_record(json.dumps(bundle).encode())
    got, why = with_request(order, UID, document.requests)
    assert (got is None) == bool(why)
    return (None if got is None else got.reference or got.identifiers[0].value), why


@pytest.mark.parametrize(
    ("stated", "read"), [("stat", "stat"), ("routine", "routine"), ("soon", None), (3, None)]
)
def test_a_request_states_its_priority_by_the_codes_of_fhir(
    stated: object, read: str | None
) -> None:
    entries = [{"resource": r} for r in (PATIENT, request("r1", priority=stated))]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (found,) = read_record(json.dumps(bundle).encode()).requests
    assert found.request.priority == read


ORDER = StudyOrder(accession="A-1", placer_order="P-1")


@pytest.mark.parametrize(
    "identifier",
    [
        {"value": "A-1", "type": ACSN},
        {"value": "P-1", "type": PLAC},
        {"value": "A-1"},
        {"value": "P-1", "system": "https://hospital.example/placer"},
    ],
)
def test_a_request_with_a_number_of_the_images_is_found(identifier: dict[str, Any]) -> None:
    other = request("r2", {"value": "A-2", "type": ACSN})
    assert found(ORDER, request("r1", identifier), other) == ("ServiceRequest/r1", "")


def test_the_requisition_counts_as_a_number() -> None:
    assert found(ORDER, request("r1", requisition={"value": "A-1"})) == ("ServiceRequest/r1", "")


@pytest.mark.parametrize(
    ("order", "resources", "why"),
    [
        (
            ORDER,
            (request("r1", {"value": "A-1", "type": FILL}),),
            "bears the numbers",
        ),  # another number's type
        (ORDER, (request("r1", {"value": "A-1"}), request("r2", {"value": "P-1"})), "2 requests"),
        (ORDER, (request("r1", {"value": "A-1"}, status="entered-in-error"),), "holds no request"),
        (
            ORDER,
            (request("r1", {"value": "A-1"}, subject={"reference": "Patient/other"}),),
            "holds no request",
        ),
        (ORDER, (request("r1", {"value": "A-1", "use": "old"}),), "bears the numbers"),
        (ORDER, (), "holds no request"),
        (StudyOrder(), (request("r1", {"value": "A-1"}),), "state no number"),
        (StudyOrder(contradicting=("accession number",)), (request("r1"),), "several values"),
        (
            ORDER,
            (request("r1", {"value": 17, "type": "ACSN"}),),
            "bears the numbers",
        ),  # not of the expected shape
        (ORDER, (request("r1", identifier="A-1"),), "bears the numbers"),
    ],
)
def test_where_none_or_several_fit_none_is_named_and_it_is_said(
    order: StudyOrder, resources: tuple[dict[str, Any], ...], why: str
) -> None:
    got, said = found(order, *resources)
    assert got is None
    assert why in said


def study(own: str, based_on: str, uid: str = UID) -> dict[str, Any]:
    return {
        "resourceType": "ImagingStudy",
        "id": own,
        "status": "available",
        "subject": {"reference": "Patient/p"},
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "basedOn": [{"reference": based_on}],
    }


def test_the_records_own_study_says_for_which_request_it_was_made() -> None:
    resources = (
        request("r1", {"value": "X"}),
        request("r2", {"value": "A-1"}),
        study("s", "ServiceRequest/r1"),
    )
    assert found(ORDER, *resources) == ("ServiceRequest/r1", "")


def test_a_request_that_was_made_for_another_study_does_not_fit_by_its_number() -> None:
    resources = (request("r1", {"value": "A-1"}), study("s", "ServiceRequest/r1", uid="1.2.3"))
    assert "bears the numbers" in found(ORDER, *resources)[1]


def test_a_cycle_of_references_ends() -> None:
    one = request("r1", {"value": "A-1"}, basedOn=[{"reference": "ServiceRequest/r2"}])
    two = request("r2", {"value": "X"}, basedOn=[{"reference": "ServiceRequest/r1"}])
    assert found(ORDER, one, two, study("s", "ImagingStudy/s")) == ("ServiceRequest/r1", "")


def test_an_id_of_a_message_is_no_place_on_a_server() -> None:
    message = {"r1": "urn:uuid:0d3c2f0e-1111-4222-8333-444455556666"}
    assert found(ORDER, request("r1", {"value": "A-1"}), **message) == ("A-1", "")
    server = {"r1": "https://hospital.example/fhir/ServiceRequest/r1"}
    assert found(ORDER, request("r1", {"value": "A-1"}), **server) == ("ServiceRequest/r1", "")
    resources = (request("r1"), study("s", message["r1"]))
    assert "neither an address nor an identifier" in found(ORDER, *resources, **message)[1]

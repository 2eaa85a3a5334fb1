"""Signed reports on their whole way to other systems: a DICOM node and a FHIR server, which are away and come back."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from medmm.domain.delivery import Delivery, DeliveryFilter, DeliveryState
from tests.dicom_node import KINDS, node
from tests.fhir_peer import FhirStore, fhir_server, outcome
from tests.http_peer import Request
from tests.kept import kept
from tests.unit.assistant.test_assistant_delivering import BY, NAME, House

SENT, WAITING, DEAD = DeliveryState.SENT, DeliveryState.WAITING, DeliveryState.DEAD


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def pacs(port: int, **more: Any) -> dict[str, Any]:
    said = {"name": "pacs", "kind": "dicom", "host": "127.0.0.1", "port": port, "title": "PACS"}
    return {**said, "answer_timeout_s": 10, **more}


def ehr(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "ehr", "kind": "fhir", "url": url, "plain_http_on_loopback": True, **more}


def told(found: Delivery | None) -> tuple[DeliveryState, str]:
    assert found is not None
    return found.state, found.code


def test_every_version_reaches_a_node_and_a_server(house: House) -> None:
    store = FhirStore()
    with (
        node() as one,
        fhir_server(store) as server,
        house.opened(pacs(one.port), ehr(server.url)) as assistant,
    ):
        report = house.signed(assistant)
        assert {told(found) for found in assistant.deliver()} == {
            (SENT, "0000"),
            (SENT, "HTTP 200"),
        }
        first = {uid for uid, _ in one.came}
        assistant.addendum(report.case_id, "Told.", reason="Asked for.", by=BY)
        assistant.withdraw(report.case_id, reason="Another patient's film.", by=BY)
        assert {found.state for found in assistant.deliver()} == {SENT}
    assert len(first) == 3  # SR, key object, page: no network drew a mask
    assert len({uid for uid, _ in one.came}) == len(one.came)
    note = dcmread(BytesIO(one.came[-1][1]), force=True)
    assert note.ConceptNameCodeSequence[0].CodeValue in ("113001", "113037", "113038", "113039")
    (held,) = store.of("DiagnosticReport")
    assert held["status"] == "entered-in-error"
    assert store.versions("DiagnosticReport") == [3]
    assert store.of("Patient")[0]["name"][0]["family"] == NAME


def test_a_node_without_a_kind_and_a_faulty_bundle_are_dead_letters(house: House) -> None:
    said = f"{NAME}: no such patient"

    def guard(request: Request) -> bool:
        if request.method == "POST":
            request.answer(422, outcome("business-rule", said))
        return request.method == "GET"

    known = {kind: ["1.2.840.10008.1.2"] for kind in KINDS[:1]}
    with (
        node(classes=known) as one,
        fhir_server(FhirStore(), guard) as server,
        house.opened(pacs(one.port), ehr(server.url)) as assistant,
    ):
        house.signed(assistant)
        found = {each.destination: each for each in assistant.deliver()}
        assert told(found["pacs"]) == (DEAD, "CONTEXT REFUSED 3")
        assert told(found["ehr"]) == (DEAD, "HTTP 422 business-rule")
        (dead,) = assistant.deliveries(DeliveryFilter(destination="ehr"), by=BY)
        assert said in dead.reason
        entries = str([event.details for event in kept(assistant).events()])
        assert "HTTP 422 business-rule" in entries
        assert NAME not in entries


def test_systems_that_are_away_get_it_when_they_are_back(house: House) -> None:
    store = FhirStore()
    away = [True]

    def guard(request: Request) -> bool:
        if away[0]:
            request.answer(503, b"", Retry_After="600")
        return not away[0]

    with (
        node(lambda number: 0xA700 if away[0] else 0) as one,
        fhir_server(store, guard) as server,
        house.opened(pacs(one.port), ehr(server.url)) as assistant,
    ):
        house.signed(assistant)
        found = {each.destination: each for each in assistant.deliver()}
        assert told(found["pacs"]) == (WAITING, "A700")
        assert told(found["ehr"]) == (WAITING, "HTTP 503")
        away[0] = False
        house.clock.pass_(seconds=31)
        assert [each.destination for each in assistant.deliver()] == ["pacs"]
        house.clock.pass_(seconds=600)  # as the server asked
        assert [each.destination for each in assistant.deliver()] == ["ehr"]
        assert {each.state for each in assistant.deliveries(by=BY)} == {SENT}
    assert len(store.of("DiagnosticReport")) == 1
    assert len({uid for uid, _ in one.came}) * 2 == len(one.came)

"""`docs/hook-ehr.md` is followed to the letter, with a FHIR server and an MLLP receiver on loopback."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dicom_files import film_file
from tests.fhir_peer import FhirStore, fhir_server, r4_checker, r4_faults
from tests.hook_pages import HookPage
from tests.listener import until
from tests.mllp_receiver import MllpPeer, mllp_peer
from tests.unit.records.test_records_bulk_export import OF_A, OF_B, A, B
from tests.warm_parent import WarmParent

ONE, TWO, THREE = "1. Settings", "2. A study with its record", "3. The report"
FOUR, FIVE = "4. An amendment", "5. What happened, for the collector of logs"
REQUEST = {
    "resourceType": "ServiceRequest",
    "id": "r1",
    "status": "active",
    "intent": "order",
    "priority": "urgent",
    "subject": {"reference": "Patient/a"},
    "identifier": [{"system": "urn:oid:1.2.4", "value": "ACC-1"}],
    "authoredOn": "2020-03-01",
    "code": {"text": "Chest film"},
    "reasonCode": [{"text": "Short of breath for a week"}],
}


@pytest.fixture
def ehr() -> FhirStore:
    """An EHR that knows two patients, and of the first an order."""
    store = FhirStore()
    for one in (A, B, OF_A, OF_B, REQUEST):
        store.keep(one)
    return store


@pytest.fixture
def engine() -> Iterator[MllpPeer]:
    with mllp_peer() as made:
        yield made


@pytest.fixture
def page(
    tmp_path: Path, warm_parent: WarmParent, ehr: FhirStore, engine: MllpPeer
) -> Iterator[HookPage]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with fhir_server(ehr) as server:
        replaced = {
            "/etc/medmm/": f"{tmp_path}/",
            "/var/lib/medmm": f"{tmp_path}/data",
            "http://127.0.0.1:8080/fhir": server.url,
            "2575": str(engine.port),
        }
        made = HookPage("hook-ehr.md", warm_parent, tmp_path, replaced)
        try:
            yield made
        finally:
            made.stop()


def only(answer: str) -> dict[str, Any]:
    (entry,) = json.loads(answer)["entry"]
    resource: dict[str, Any] = entry["resource"]
    return resource


def sent(page: HookPage, count: int) -> bool:
    return page.printed("deliver").count('"sent"') == count


def test_the_page_is_followed(
    page: HookPage, ehr: FhirStore, engine: MllpPeer, tmp_path: Path, shared_data: Path
) -> None:
    film_file(tmp_path, PatientName="ZZBULK^A", AccessionNumber="ACC-1", StudyDate="20200304")
    page.file(ONE, "yaml", tmp_path / "hospital.yaml")
    page.run(ONE, 0)
    assert "valid" in page.run(ONE, 1)
    assert only(page.run(ONE, 2))["id"] == "a"

    (case,) = set(re.findall(r"case-\w{8,}", page.run(TWO, 0)))
    page.replaced["CASE"] = case
    draft = page.run(TWO, 1)
    assert "DRAFT, not signed" in draft
    assert 'for "Short of breath for a week"' in draft
    facts = json.loads(page.medmm("case", "show", case, "--json"))["case"]["context"]["facts"]
    assert {one["id"] for one in facts} == {"Condition/c1", "ServiceRequest/r1", "Patient#age"}

    page.run(THREE, 0)
    assert "Signed: report-" in page.run(THREE, 1)
    until(lambda: sent(page, 2), 30)
    assert page.run(THREE, 2).count("arrived") == 2
    report = only(page.run(THREE, 3))
    assert report["subject"]["reference"] == "Patient/a", "whom the EHR knew"
    assert report["status"] == "final"
    assert report["basedOn"][0]["identifier"]["value"] == "ACC-1"
    (first,) = engine.came
    for words in ("OBR|1|", "|F\r", "|ED|"):
        assert words in first

    assert "version 2" in page.run(FOUR, 0)
    until(lambda: sent(page, 4), 30)
    assert page.run(FOUR, 1).count("arrived") == 4
    assert only(page.run(THREE, 3))["status"] == "corrected"
    assert len(ehr.of("DiagnosticReport")) == 1
    assert len(ehr.of("Patient")) == 2
    assert len(engine.came) == 2
    assert page.stop() == {"deliver": 0}

    assert "Go on with: --after" in page.run(FIVE, 0)
    page.run(FIVE, 1)
    events = ehr.of("AuditEvent")
    assert len(events) == len((tmp_path / "events.ndjson").read_text().splitlines())
    assert "ZZ" not in json.dumps(events), "a collector gets no names and no patient IDs"
    assert page.left() == []
    if (checker := r4_checker(shared_data)) is not None:
        (tmp_path / "event.json").write_text(json.dumps(events[0]))
        assert r4_faults(checker, tmp_path / "event.json") == ""

"""What a reader adds leaves as the reader's: text, JSON and FHIR."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from medmm.delivery import render, report_bundle, report_text
from medmm.domain.draft import Assertion, ReaderEvidence, Section
from medmm.domain.reading import Side
from medmm.domain.report import Reader, SignedReport, SignedStatement
from tests.factories import ATTENDING, make_signed_report
from tests.unit.delivery.test_delivery_fhir import IDENTITY, resources

RESIDENT = Reader(id="resident-1", name="ZZREADER Two", role="resident")


def own(text: str, **changes: Any) -> SignedStatement:
    statement = SignedStatement(
        id="r1",
        section=Section.FINDINGS,
        text=text,
        assertion=Assertion.PRESENT,
        finding=None,
        side=None,
        evidence=(ReaderEvidence(reader_id=RESIDENT.id),),
        author=RESIDENT,
    )
    return replace(statement, **changes)


NODULE = own(
    "Left pulmonary nodule, upper zone.", finding="Nodule", side=Side.LEFT, place="upper zone"
)
SCAR = own("Apical scar.", id="r2", author=ATTENDING)
IMPRESSION = own("Nodule; CT advised.", id="impression", section=Section.IMPRESSION)


def report(*statements: SignedStatement) -> SignedReport:
    drafted = [s for s in make_signed_report().statements if s.section is not Section.IMPRESSION]
    return make_signed_report(statements=(*drafted, *statements))


def performer(bundle: dict[str, Any], observation: dict[str, Any]) -> dict[str, Any]:
    by_url = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    (reference,) = observation["performer"]
    found: dict[str, Any] = by_url[reference["reference"]]
    return found


def test_an_added_finding_is_the_readers_observation_and_no_devices() -> None:
    bundle = report_bundle(report(NODULE, SCAR, IMPRESSION), IDENTITY)
    observed = {
        o["note"][0]["text"]: o for o in resources(report(NODULE, SCAR, IMPRESSION), "Observation")
    }
    nodule, scar = observed[NODULE.text], observed[SCAR.text]
    assert performer(bundle, nodule)["name"] == [{"text": "ZZREADER Two"}]
    assert performer(bundle, scar)["identifier"][0]["value"] == ATTENDING.id
    assert "device" not in nodule
    assert "device" not in scar
    assert nodule["code"]["text"] == "pulmonary nodule"
    assert nodule["valueCodeableConcept"]["coding"][0]["display"] == "Present"
    assert nodule["bodySite"]["text"] == "left side of the chest, upper zone"
    assert (scar["valueString"], "coding" in scar["code"]) == ("Apical scar.", False)
    drafted = observed["Possible left pleural effusion."]
    assert "device" in drafted
    assert performer(bundle, drafted)["identifier"][0]["value"] == ATTENDING.id
    assert IMPRESSION.text not in observed
    assert (
        resources(report(NODULE, IMPRESSION), "DiagnosticReport")[0]["conclusion"]
        == IMPRESSION.text
    )


def test_the_provenance_names_every_author_and_every_reference_holds() -> None:
    bundle = report_bundle(report(NODULE, SCAR), IDENTITY)
    by_url = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    provenance = next(r for r in by_url.values() if r["resourceType"] == "Provenance")
    agents = [
        (a["type"]["coding"][0]["code"], by_url[a["who"]["reference"]]["resourceType"])
        for a in provenance["agent"]
    ]
    assert agents == [
        ("author", "Device"), ("author", "Practitioner"), ("author", "Practitioner"), ("verifier", "Practitioner")
    ]  # fmt: skip


def test_an_own_denial_is_coded_absent_and_a_suspicion_possible() -> None:
    none = own("No pneumothorax.", finding="Pneumothorax", assertion=Assertion.ABSENT)
    some = own("Possible nodule.", finding="Nodule", assertion=Assertion.POSSIBLE)
    assert resources(report(none), "Observation")[-1]["valueCodeableConcept"]["text"] == "absent"
    assert resources(report(some), "Observation")[-1]["valueCodeableConcept"] == {
        "text": "possible"
    }


def test_a_place_without_a_side_is_text_alone() -> None:
    nodule = replace(NODULE, side=None, place="upper zone")
    assert resources(report(nodule), "Observation")[-1]["bodySite"] == {"text": "upper zone"}


def test_critical_findings_are_marked_and_nothing_else_is() -> None:
    critical = own("Right pneumothorax.", finding="Pneumothorax", side=Side.RIGHT)
    free = own("Large pneumothorax.", id="r3")
    denied = own("No pneumothorax.", id="r4", finding="Pneumothorax", assertion=Assertion.ABSENT)
    for statement, marked in ((critical, True), (free, True), (denied, False), (NODULE, False)):
        observation = resources(report(statement), "Observation")[-1]
        codes = [c["coding"][0]["code"] for c in observation.get("interpretation", [])]
        assert codes == (["AA"] if marked else [])
        assert json.loads(render(report(statement), None, "json"))["critical"] == (
            [statement.id] if marked else []
        )


def test_the_text_says_how_many_statements_are_the_readers_own() -> None:
    text = " ".join(report_text(report(NODULE, IMPRESSION), None).split())
    assert "accepted 3, edited 0 and rejected 0 statements; 2 are the reader's own." in text
    assert NODULE.text in text
    assert "reader's own" not in report_text(report(), None)

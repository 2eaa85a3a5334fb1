"""Who had a part in a report, and who was told of it, as FHIR R4 has words for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from medmm.delivery import report_bundle
from medmm.domain.critical_result import Communication, Route
from medmm.domain.report import IndependentRead, Preliminary, Reader, SignedReport
from tests.factories import make_amended_report, make_signed_report
from tests.unit.delivery.test_delivery_fhir import IDENTITY

AT = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)
RESIDENT, ONE, OTHER = (
    Reader(id=i, name=f"ZZ{i.upper()}", role=i.split("-")[0])
    for i in ("resident-1", "reader-7", "reader-8")
)


def told(
    how: Route = Route.PHONE, *, read_back: bool = True, by: Reader = RESIDENT
) -> Communication:
    return Communication(
        findings=("Effusion",),
        category=2,
        to="ZZWARD Three",
        how=how,
        read_back=read_back,
        by=by.id,
        reader=by.name,
        at=AT,
    )


def read_by_many() -> SignedReport:
    """A resident's read, an attending's signature, two independent readers, somebody told."""
    return replace(
        make_signed_report(),
        preliminary=Preliminary(by=RESIDENT, at=AT),
        independent_reads=(IndependentRead(by=ONE, at=AT), IndependentRead(by=OTHER, at=AT)),
        communications=(told(), told(Route.SECURE_MESSAGE, read_back=False, by=ONE)),
    )


class Sent:
    """A Bundle that is looked into by reference."""

    def __init__(self, *versions: SignedReport) -> None:
        entries = report_bundle(versions[-1], IDENTITY, versions=versions)["entry"]
        self.by_url = {entry["fullUrl"]: entry["resource"] for entry in entries}
        self.requests = {entry["fullUrl"]: entry["request"] for entry in entries}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.by_url.values() if one["resourceType"] == kind]

    def name(self, reference: dict[str, str]) -> str:
        resource = self.by_url[reference["reference"]]
        return str(resource.get("name", [{"text": "medmm"}])[0]["text"])


def test_who_signed_and_who_read_for_the_signature_answer_for_the_conclusions() -> None:
    report = read_by_many()
    sent = Sent(report)
    (diagnostic,) = sent.of("DiagnosticReport")
    signer = report.signed_by.name
    assert [sent.name(one) for one in diagnostic["resultsInterpreter"]] == [signer, "ZZRESIDENT-1"]
    assert [sent.name(one) for one in diagnostic["performer"]] == [signer]
    provenance, _of_networks = sent.of("Provenance")
    parts = [
        (
            agent["type"]["coding"][0]["code"],
            agent.get("role", [{"text": ""}])[0]["text"],
            sent.name(agent["who"]),
        )
        for agent in provenance["agent"]
    ]
    assert parts == [
        ("author", "", "medmm"),
        ("author", "preliminary read", "ZZRESIDENT-1"),
        ("informant", "independent read of a double reading", "ZZREADER-7"),
        ("informant", "independent read of a double reading", "ZZREADER-8"),
        ("verifier", "", signer),
    ]
    ids = [one["identifier"][0]["value"] for one in sent.of("Practitioner")]
    assert sorted(ids) == sorted({report.signed_by.id, RESIDENT.id, ONE.id, OTHER.id}), "each once"


def test_who_signs_their_own_read_is_named_once() -> None:
    report = make_signed_report()
    own = replace(report, preliminary=Preliminary(by=report.signed_by, at=AT))
    assert report_bundle(own, IDENTITY) == report_bundle(report, IDENTITY)


def test_who_was_told_of_which_observation_by_whom_and_how() -> None:
    sent = Sent(read_by_many())
    first, second = sent.of("Communication")
    assert (first["status"], first["priority"]) == ("completed", "asap")
    assert first["medium"][0]["coding"][0]["code"] == "PHONE"
    assert first["recipient"] == [{"display": "ZZWARD Three"}]
    assert sent.name(first["sender"]) == "ZZRESIDENT-1"
    assert first["sent"] == first["received"]
    assert datetime.fromisoformat(first["sent"]) == AT
    assert first["note"] == [{"text": "Read back."}]
    kinds = [sent.by_url[one["reference"]]["resourceType"] for one in first["about"]]
    assert kinds == ["DiagnosticReport", "Observation"]
    (observation,) = (sent.by_url[one["reference"]] for one in first["about"][1:])
    assert observation["code"]["text"] in first["payload"][0]["contentString"]
    assert second["medium"] == [{"text": "secure message"}]
    assert "received" not in second, "nobody repeated it"
    assert sent.name(second["sender"]) == "ZZREADER-7"


def test_a_later_version_adds_who_was_told_since_and_sends_nothing_twice() -> None:
    first = replace(make_signed_report(), communications=(told(),))
    later = make_amended_report(first, communications=(told(), told(Route.VIDEO)))
    before, after = Sent(first), Sent(first, later)
    urls = [url for url, one in after.by_url.items() if one["resourceType"] == "Communication"]
    assert len(urls) == 2
    assert [url for url in urls if url in before.by_url] == urls[:1]
    assert before.requests[urls[0]] == after.requests[urls[0]]
    for url in urls:
        assert after.requests[url]["method"] == "POST"
        assert after.requests[url]["ifNoneExist"]


@pytest.mark.parametrize("how", list(Route))
def test_every_route_has_words(how: Route) -> None:
    (one,) = Sent(replace(make_signed_report(), communications=(told(how),))).of("Communication")
    assert one["medium"][0]["text"] == how.value

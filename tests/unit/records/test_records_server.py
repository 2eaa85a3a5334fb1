"""A record from a FHIR server, over real sockets: what it gives, and what servers do otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from medmm import Assistant
from medmm.config.record_server import RecordServerEntry
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import IdentifierSystems
from medmm.domain.receivers import BearerToken, HttpServer
from medmm.domain.record_source import READ_SCOPE, RecordSource
from medmm.domain.study import Study
from medmm.records import RecordDocument, RecordFit, RecordServer, read_record
from tests.dicom_files import film_file
from tests.http_peer import Peer, Request, serving
from tests.kept import kept
from tests.quick_assistant import opened, quick_assistant
from tests.unit.records.test_records_bulk_export import DRUG, OF_A, OF_B, TAKEN, A, B, patient

Json = dict[str, Any]
MRN = "urn:oid:1.2.3"
WHO = PatientIdentity(
    patient_id="ZZ-1", family_name="ZZBULK", given_name="A", birth_date=date(1960, 1, 2)
)
CREATININE = {
    "resourceType": "Observation",
    "id": "lab",
    "status": "final",
    "subject": {"reference": "Patient/a"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]},
    "effectiveDateTime": "2019-05-06",
    "valueQuantity": {
        "value": "EXACT",
        "unit": "mg/dL",
        "system": "http://unitsofmeasure.org",
        "code": "mg/dL",
    },
}
ALL = (A, B, OF_A, OF_B, TAKEN, DRUG, CREATININE)


class Server:
    """A FHIR server as it should be; its methods are what others do otherwise."""

    def __init__(self, *resources: Json, size: int = 2) -> None:
        self.resources, self.size = resources, size

    def __call__(self, request: Request) -> None:
        parts = urlsplit(request.path)
        kind, query = parts.path.rpartition("/")[2], parse_qs(parts.query)
        if kind == "metadata":
            return self.metadata(request)
        found = self.found(kind, query)
        start = int(query.get("page", ["0"])[0])
        self.page(request, kind, found, start)

    def metadata(self, request: Request) -> None:
        kinds = {one["resourceType"] for one in self.resources}
        rest = [{"mode": "server", "resource": [{"type": kind} for kind in sorted(kinds)]}]
        request.answer(200, {"resourceType": "CapabilityStatement", "rest": rest})

    def found(self, kind: str, query: dict[str, list[str]]) -> list[Json]:
        mine = [one for one in self.resources if one["resourceType"] == kind]
        if "identifier" in query:
            value = query["identifier"][0].rpartition("|")[2]
            return [one for one in mine if one["identifier"][0]["value"] == value]
        of = f"Patient/{query['patient'][0]}"
        found = [one for one in mine if str(one["subject"]["reference"]).endswith(of)]
        if "_include" in query:
            found += [one for one in self.resources if one["resourceType"] == "Medication"]
        return found

    def page(self, request: Request, kind: str, found: list[Json], start: int) -> None:
        here = found[start : start + self.size]
        bundle: Json = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": sum(one["resourceType"] == kind for one in found),
            "entry": [
                {
                    "resource": one,
                    "search": {"mode": "match" if one["resourceType"] == kind else "include"},
                }
                for one in here
            ],
        }
        if start + self.size < len(found):
            joined = "&" if "?" in request.path else "?"
            bundle["link"] = self.onward(f"{request.path}{joined}page={start + self.size}")
        text = json.dumps(bundle, indent=2).replace('"EXACT"', "1.10")
        request.answer(200, text.encode(), kind="application/fhir+json")

    def onward(self, path: str) -> list[Json]:
        return [{"relation": "next", "url": path}]


def source(peer: Peer, **more: Any) -> RecordSource:
    return RecordSource(server=HttpServer(url=f"{peer.url}/fhir", total_s=10), **more)


def asked(
    behaviour: Callable[[Request], None],
    who: PatientIdentity = WHO,
    *,
    systems: IdentifierSystems | None = None,
    **more: Any,
) -> tuple[RecordFit, Peer, list[float]]:
    slept: list[float] = []
    with serving(behaviour) as peer:
        server = RecordServer(
            source(peer, **more), systems or IdentifierSystems(mrn=MRN), sleep=slept.append
        )
        return server.fit(who), peer, slept


def document(fit: RecordFit) -> RecordDocument:
    assert fit.content is not None, fit.note
    found = read_record(fit.content)
    assert found.sha256 == fit.sha256
    return found


def ids(fit: RecordFit) -> set[str]:
    return {fact.id for fact in document(fit).facts}


def test_the_record_of_the_patient_alone_page_by_page_with_what_it_refers_to() -> None:
    fit, peer, _ = asked(Server(*ALL, size=1))
    assert ids(fit) == {"Condition/c1", "MedicationStatement/m1", "Observation/lab"}
    found = document(fit)
    assert found.the_patient().patient_id == "ZZ-1"
    assert not found.incomplete
    assert any("11289" in str(fact.codings) for fact in found.facts), "the drug was included"
    paths = [path for _, path in peer.asked]
    assert f"/fhir/Patient?identifier={MRN.replace(':', '%3A')}%7CZZ-1" in paths
    assert not any(path.startswith("/fhir/AllergyIntolerance") for path in paths), "not kept there"


def test_digits_stay_as_the_server_wrote_them() -> None:
    fit, _, _ = asked(Server(*ALL))
    assert b'"value": 1.10,' in (fit.content or b"")


def test_the_same_record_has_the_same_digest() -> None:
    first, _, _ = asked(Server(*ALL))
    again, _, _ = asked(Server(*ALL))
    assert first.sha256 == again.sha256 is not None


class Deaf(Server):
    """It ignores what it is asked by (Orthanc and others do with keys they do not know)."""

    def found(self, kind: str, query: dict[str, list[str]]) -> list[Json]:
        return [one for one in self.resources if one["resourceType"] == kind]


def test_a_server_that_ignores_the_search_gives_nobody_elses_facts() -> None:
    fit, _, _ = asked(Deaf(A, B, OF_A, OF_B, CREATININE))
    assert ids(fit) == {"Condition/c1", "Observation/lab"}


@pytest.mark.parametrize(
    ("resources", "who", "why"),
    [
        ((B,), WHO, "does not know the patient ID"),
        ((A,), replace(WHO, family_name="ZZOTHER", birth_date=date(1999, 9, 9)), "another patient"),
        ((A, patient("x", "ZZ-1", name=A["name"])), WHO, "2 patients"),
        ((A,), replace(WHO, issuer="ELSEWHERE"), "another hospital's"),
        ((A,), replace(WHO, patient_id=None), "no patient ID"),
    ],
)
def test_whose_record_it_is_must_be_sure(
    resources: tuple[Json, ...], who: PatientIdentity, why: str
) -> None:
    fit, _, _ = asked(Server(*resources), who)
    assert not fit.found
    assert why in (fit.note or "")
    assert "ZZ" not in (fit.note or ""), "a notice names nobody"


def test_a_number_of_another_system_is_another_number() -> None:
    other = {**A, "identifier": [{"system": "urn:oid:9.9", "value": "ZZ-1"}]}
    assert not asked(Server(other))[0].found
    assert asked(Server(other), systems=IdentifierSystems())[0].found, "no system is set"


def test_a_patient_whom_the_server_does_not_know_yet_is_waited_for() -> None:
    class Late(Server):
        looked = 0

        def found(self, kind: str, query: dict[str, list[str]]) -> list[Json]:
            self.looked += kind == "Patient"
            return super().found(kind, query) if self.looked > 2 else []

    fit, _, slept = asked(Late(*ALL), wait_for_patient_s=60)
    assert ids(fit)
    assert len(slept) == 2
    assert not asked(Late(*ALL))[0].found, "by default nobody waits"


class Busy(Server):
    """It asks to wait, twice."""

    left = 2

    def __call__(self, request: Request) -> None:
        if self.left and "Condition" in request.path:
            self.left -= 1
            return request.answer(503, {}, Retry_After="3")
        super().__call__(request)


def test_a_server_that_asks_to_wait_is_asked_again() -> None:
    fit, _, slept = asked(Busy(*ALL))
    assert not document(fit).incomplete
    assert slept == [3.0, 3.0]


def test_what_is_still_busy_when_the_wait_is_over_is_said_to_lack() -> None:
    fit, _, slept = asked(Busy(*ALL), wait_s=1)
    assert slept == []
    assert "Condition/c1" not in ids(fit)
    assert document(fit).incomplete


def test_a_server_that_is_not_there_costs_the_wait_and_a_notice() -> None:
    slept: list[float] = []
    nobody = RecordSource(server=HttpServer(url="http://127.0.0.1:9/fhir"), wait_s=4)
    fit = RecordServer(nobody, IdentifierSystems(mrn=MRN), sleep=slept.append).fit(WHO)
    assert not fit.found
    assert "did not answer (NO CONNECTION)" in (fit.note or "")
    assert slept


class Endless(Server):
    def page(self, request: Request, kind: str, found: list[Json], start: int) -> None:
        super().page(request, kind, found * 1000 if kind == "Condition" else found, start % 10)


class Circle(Server):
    def onward(self, path: str) -> list[Json]:
        return super().onward(path.partition("&page")[0])


class SendsAway(Server):
    def onward(self, path: str) -> list[Json]:
        return super().onward(f"http://127.0.0.2:1{path}")


class Few(Server):
    def page(self, request: Request, kind: str, found: list[Json], start: int) -> None:
        if kind == "Condition":
            entry = [{"resource": one} for one in found]
            bundle = {"resourceType": "Bundle", "total": 9, "entry": entry}
            return request.answer(200, bundle)
        super().page(request, kind, found, start)


class Fails(Server):
    def page(self, request: Request, kind: str, found: list[Json], start: int) -> None:
        if kind == "Condition":
            return request.answer(500, {"resourceType": "OperationOutcome"})
        super().page(request, kind, found, start)


class NoJson(Server):
    def page(self, request: Request, kind: str, found: list[Json], start: int) -> None:
        if kind == "Condition":
            return request.answer(200, b"<Bundle/>")
        super().page(request, kind, found, start)


@pytest.mark.parametrize("behaviour", [Endless, Circle, SendsAway, Few, Fails, NoJson])
def test_a_part_of_a_record_is_said_to_be_one(behaviour: type[Server]) -> None:
    more = {**OF_A, "id": "c9"}
    fit, peer, _ = asked(behaviour(*ALL, more, size=1))
    found = document(fit)
    assert found.incomplete
    assert "Observation/lab" in ids(fit), "what the server gives is used"
    assert len(peer.asked) < 600


def test_a_server_that_takes_too_long_gives_a_part() -> None:
    fit, _, _ = asked(Server(*ALL), longest_s=0)
    found = document(fit)
    assert found.facts == ()
    assert found.incomplete


def test_a_link_to_another_host_is_not_followed_and_sees_no_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-token")
    with serving(Server(*ALL)) as elsewhere:

        class Away(Server):
            def onward(self, path: str) -> list[Json]:
                return super().onward(elsewhere.url + path)

        with serving(Away(*ALL, {**OF_A, "id": "c9"}, size=1)) as peer:
            server = replace(source(peer).server, sign_in=BearerToken(file=token))
            fit = RecordServer(RecordSource(server=server), IdentifierSystems(mrn=MRN)).fit(WHO)
            assert peer.requests[0].fields["authorization"] == "Bearer secret-token"
        assert document(fit).incomplete
        assert elsewhere.asked == []


def test_a_token_that_is_refused_gives_no_record_and_says_so() -> None:
    fit, _, _ = asked(lambda request: request.answer(401, {}))
    assert not fit.found
    assert "HTTP 401" in (fit.note or "")


def test_the_settings_ask_to_read_alone() -> None:
    smart = {
        "token_url": "https://login.hospital.example/token",
        "client_id": "medmm",
        "key_file": "/key.pem",
    }
    entry = RecordServerEntry.model_validate(
        {"url": "https://ehr.hospital.example/r4", "smart": smart, "wait_s": 5}
    )
    found = entry.source()
    assert found.wait_s == 5
    assert found.server.total_s == 20, "a silent server holds a study up no longer"
    assert found.server.sign_in is not None
    assert found.server.sign_in.scope == READ_SCOPE  # type: ignore[union-attr]


def with_server(folder: Path, url: str) -> Assistant:
    entry = {"url": url, "plain_http_on_loopback": True, "wait_s": 0}
    return quick_assistant(folder, record_server=entry, identifiers={"mrn": MRN})


def test_a_study_gets_its_record_from_the_server_and_keeps_it_when_that_is_gone(
    tmp_path: Path,
) -> None:
    film = film_file(tmp_path / "in", PatientName="ZZBULK^A")
    with serving(Server(*ALL)) as peer, with_server(tmp_path / "data", f"{peer.url}/fhir") as made:
        case = made.case(opened(made, film)).case
        assert {"Condition/c1", "Observation/lab"} <= {fact.id for fact in case.context.facts}
        entry = kept(made).events(case.study.uid)[0]
        assert entry.details["record_server"] == peer.url.removeprefix("http://")
        asked_before = len(peer.asked)
        made.inspect(film)
        assert len(peer.asked) == asked_before, "a look asks nobody"
        url = f"{peer.url}/fhir"
    with with_server(tmp_path / "data", url) as made:
        study = made.admit(film)
        assert isinstance(study, Study)
        codes = {one.code: one.text for one in study.warnings}
        assert "NO CONNECTION" in codes["record-not-found"]
        assert "record-kept" in codes
        assert made.case(made.open_case(study.uid).id).case.context.facts


def test_a_study_of_whom_the_server_knows_nothing_goes_on_and_says_so(tmp_path: Path) -> None:
    film = film_file(tmp_path / "in", PatientName="ZZBULK^A")
    with serving(Server(B)) as peer, with_server(tmp_path / "data", f"{peer.url}/fhir") as made:
        study = made.admit(film)
        assert isinstance(study, Study)
        (notice,) = [one for one in study.warnings if one.code == "record-not-found"]
        assert "does not know the patient ID" in notice.text

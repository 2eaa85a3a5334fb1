"""Reports to a FHIR server: every version once, whatever breaks between; who medmm is; and what no server may do to it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from medmm.connections.sign_in import ClientKey
from medmm.delivery import render
from medmm.delivery.fhir.server import FhirServer
from medmm.delivery.fhir.versions import version_in
from medmm.delivery.senders import sender_to
from medmm.domain.errors import ConfigError
from medmm.domain.receivers import BackendServices, FhirReceiver, HttpServer
from medmm.domain.report import SignedReport
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission
from tests.fhir_peer import FhirStore, fhir_server, outcome
from tests.http_peer import Request, serving
from tests.unit.delivery.test_delivery_fhir import IDENTITY
from tests.unit.delivery.test_delivery_versions import CHAIN

ARRIVED, REFUSED, POSTPONED = Outcome.ARRIVED, Outcome.REFUSED, Outcome.POSTPONED
DONE = Transmission(outcome=ARRIVED, code="HTTP 200")
NAME = "ZZTEST^ONE"


def bundle(versions: tuple[SignedReport, ...]) -> OutgoingObject:
    content = render(versions[-1], IDENTITY, "fhir", versions=versions).encode()
    return OutgoingObject(name="report.json", key=versions[0].id, content=content)


BUNDLES = tuple(bundle(CHAIN[:number]) for number in range(1, len(CHAIN) + 1))


def sender(url: str, **changes: Any) -> FhirServer:
    server = replace(HttpServer(url=url, total_s=5.0), **changes)
    found = sender_to(FhirReceiver(server=server))
    assert isinstance(found, FhirServer)
    return found


def sent(url: str, one: OutgoingObject = BUNDLES[0], **changes: Any) -> Transmission:
    return sender(url, **changes).send([one])


# ---- every version once --------------------------------------------------------------------------


def test_versions_update_one_report_and_a_repeat_writes_nothing() -> None:
    store = FhirStore()
    with fhir_server(store) as peer:
        for number, one in enumerate(BUNDLES, start=1):
            assert sent(peer.url, one) == DONE
            (report,) = store.of("DiagnosticReport")
            assert store.versions("DiagnosticReport") == [number]
            held = {place: list(versions) for place, versions in store.resources.items()}
            again = sent(peer.url, one)
            assert (again.outcome, again.code) == (ARRIVED, "HTTP 200 FOUND")
            assert store.resources == held
    assert report["status"] == "entered-in-error"
    assert len(store.of("Patient")) == len(store.of("ImagingStudy")) == 1
    assert report["subject"]["reference"] == f"Patient/{store.of('Patient')[0]['id']}"
    asked = [one for one in peer.asked if one[0] == "POST"]
    assert asked == [("POST", "/fhir")] * len(BUNDLES)


def test_a_transaction_that_was_answered_by_silence_is_found_afterwards() -> None:
    """Its Provenance, which nothing finds, is there once."""
    store, hangs = FhirStore(), [True]

    def guard(request: Request) -> bool:
        if request.method == "POST" and hangs.pop():
            store.transaction(json.loads(request.body))
            request.stopped.wait(20)
            return False
        return True

    with fhir_server(store, guard) as peer:
        found = sent(peer.url, total_s=0.5)
        assert (found.outcome, found.code) == (POSTPONED, "HTTP TIMEOUT")
        assert sent(peer.url).code == "HTTP 200 FOUND"
    provenances = json.loads(BUNDLES[0].content)["entry"]
    wanted = sum(one["resource"]["resourceType"] == "Provenance" for one in provenances)
    assert len(store.of("Provenance")) == wanted


def test_an_earlier_version_is_never_written_over_a_later_one() -> None:
    store = FhirStore()
    with fhir_server(store) as peer:
        assert sent(peer.url, BUNDLES[2]) == DONE  # the first that arrives
        assert sent(peer.url, BUNDLES[1]).code == "HTTP 200 FOUND"
        assert sent(peer.url, BUNDLES[3]) == DONE
    assert store.versions("DiagnosticReport") == [2]
    assert store.of("DiagnosticReport")[0]["status"] == "entered-in-error"


def test_a_version_that_was_signed_before_an_earlier_one_arrives_all_the_same() -> None:
    """The clock was set back in between, or stood still."""
    store = FhirStore()
    first = replace(CHAIN[0], signed_at=CHAIN[1].signed_at)
    later = replace(CHAIN[0], signed_at=CHAIN[2].signed_at)
    for one in (first, later):
        store.resources.clear()
        versions = (one, CHAIN[1])
        with fhir_server(store) as peer:
            assert sent(peer.url, bundle(versions[:1])) == DONE
            assert sent(peer.url, bundle(versions)) == DONE
        assert store.of("DiagnosticReport")[0]["status"] == "corrected"


@pytest.mark.parametrize(
    "said",
    [None, 1, [1], [{"type": 1}], [{"type": {"text": 1}}], [{"type": {"text": "version x"}}]],
)
def test_what_is_no_number_of_a_version_is_the_first(said: object) -> None:
    assert version_in({"identifier": said}) == 1


def test_a_server_that_ignores_what_it_searches_by_has_not_the_report() -> None:
    other = json.loads(BUNDLES[3].content)
    report = next(
        one["resource"]
        for one in other["entry"]
        if one["resource"]["resourceType"] == "DiagnosticReport"
    )
    report = {**report, "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:x"}]}
    listed = {"resourceType": "Bundle", "entry": [{"resource": report}, {"resource": 1}, 2]}

    def guard(request: Request) -> bool:
        if request.method == "GET":
            request.answer(200, listed)
        return request.method == "POST"

    with fhir_server(FhirStore(), guard) as peer:
        assert sent(peer.url) == DONE


def test_several_patients_of_one_number_are_refused_by_the_server() -> None:
    store = FhirStore()
    patient = json.loads(BUNDLES[0].content)["entry"][0]["resource"]
    for number in ("a", "b"):
        store.resources[("Patient", number)] = [{**patient, "id": number}]
    with fhir_server(store) as peer:
        found = sent(peer.url)
    assert (found.outcome, found.code) == (REFUSED, "HTTP 412 multiple-matches")
    assert not store.of("DiagnosticReport")


def test_what_is_no_transaction_is_refused_and_nothing_leaves() -> None:
    with fhir_server(FhirStore()) as peer:
        for content in (b"", b"[" * 100_000, b"{}", b'{"resourceType": "Bundle"}', b"\xff"):
            found = sent(peer.url, replace(BUNDLES[0], content=content))
            assert (found.outcome, found.code) == (REFUSED, "NO TRANSACTION")
    assert not peer.asked


# ---- what a server answers -----------------------------------------------------------------------

STATUSES: dict[str, tuple[int, Any, Outcome, str]] = {
    "faulty content": (422, outcome("invariant"), REFUSED, "HTTP 422 invariant"),
    "bad request": (400, outcome("structure"), REFUSED, "HTTP 400 structure"),
    "too many at once": (400, outcome("throttled"), POSTPONED, "HTTP 400 throttled"),
    "a lock": (409, outcome("lock-error"), POSTPONED, "HTTP 409 lock-error"),
    "a conflict": (409, outcome("conflict"), POSTPONED, "HTTP 409 conflict"),
    "rights": (403, outcome("forbidden"), POSTPONED, "HTTP 403 forbidden"),
    "sign in": (401, outcome("login"), POSTPONED, "HTTP 401 login"),
    "no such place": (404, outcome("not-found"), POSTPONED, "HTTP 404 not-found"),
    "too large": (413, b"", REFUSED, "HTTP 413"),
    "no transactions": (501, outcome("not-supported"), REFUSED, "HTTP 501 not-supported"),
    "slow": (408, b"", POSTPONED, "HTTP 408"),
    "too early": (425, b"", POSTPONED, "HTTP 425"),
    "too often": (429, b"", POSTPONED, "HTTP 429"),
    "failed": (500, outcome("exception"), POSTPONED, "HTTP 500 exception"),
    "gone for now": (503, b"<html>", POSTPONED, "HTTP 503"),
    "a code of its own": (422, outcome(NAME), REFUSED, "HTTP 422"),
    "a warning alone": (422, outcome("value", "", "warning"), REFUSED, "HTTP 422"),
    "moved": (308, b"", POSTPONED, "HTTP 308"),
    "later": (202, b"", POSTPONED, "HTTP 202"),
    "a page": (200, b"<html>Sign in</html>", POSTPONED, "HTTP 200"),
    "other JSON": (200, {"resourceType": "Bundle", "entry": 7}, POSTPONED, "HTTP 200"),
    "an outcome": (200, outcome("informational", "", "information"), POSTPONED, "HTTP 200"),
}


@pytest.mark.parametrize("case", STATUSES)
def test_an_answer_decides(case: str) -> None:
    status, value, wanted, code = STATUSES[case]

    def guard(request: Request) -> bool:
        if request.method == "POST":
            moved = {"Location": "http://127.0.0.2:9/"} if status == 308 else {}
            request.answer(status, value, "application/fhir+json", Retry_After="7", **moved)
        return request.method == "GET"

    with fhir_server(FhirStore(), guard) as peer:
        found = sent(peer.url)
    assert (found.outcome, found.code, found.retry_after_s) == (wanted, code, 7.0)
    assert len(peer.asked) == 2


def test_a_transaction_that_was_done_in_part_is_for_a_person() -> None:
    store = FhirStore()

    def guard(request: Request) -> bool:
        if request.method == "POST":
            done = store.transaction(json.loads(request.body))
            done["entry"][3]["response"]["status"] = "422 Unprocessable"
            request.answer(200, done)
        return request.method == "GET"

    with fhir_server(store, guard) as peer:
        found = sent(peer.url)
    assert (found.outcome, found.code) == (REFUSED, "HTTP 200 ENTRY 422")


def test_what_the_server_says_stands_in_the_reason_and_never_in_the_code() -> None:
    def guard(request: Request) -> bool:
        if request.method == "POST":
            value = outcome("value", f"{NAME}: the birth date\nis wrong")
            value["issue"][0]["expression"] = ["Patient.birthDate"]
            request.answer(422, value)
        return request.method == "GET"

    with fhir_server(FhirStore(), guard) as peer:
        found = sent(peer.url)
    assert found.code == "HTTP 422 value"
    assert found.reason == f"{NAME}: the birth date is wrong at Patient.birthDate"


def test_a_look_that_fails_writes_nothing() -> None:
    for status, wanted in ((404, POSTPONED), (403, POSTPONED), (500, POSTPONED), (200, POSTPONED)):
        with serving(lambda r, s=status: r.answer(s, b"<html>", "text/html")) as peer:  # type: ignore[misc]
            found = sent(peer.url)
        assert (found.outcome, found.code) == (wanted, f"HTTP {status}")
        assert [method for method, _ in peer.asked] == ["GET"]


# ---- who medmm is --------------------------------------------------------------------------------


class TokenServer:
    """Gives numbered tokens to whoever signs with the key that it knows."""

    def __init__(self, key: RSAKey | ECKey, algorithm: str) -> None:
        self.key, self.algorithm = key, algorithm
        self.given = 0
        self.lasts: object = 300
        self.seen: set[str] = set()
        self.url = ""

    def __call__(self, request: Request) -> None:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        said = jwt.decode(form["client_assertion"], self.key, algorithms=[self.algorithm])
        claims = said.claims
        now = time.time()
        sound = (
            form["grant_type"] == "client_credentials"
            and form["client_assertion_type"].endswith("client-assertion-type:jwt-bearer")
            and said.header["typ"] == "JWT"
            and claims["iss"] == claims["sub"] == "medmm-client"
            and claims["aud"] == self.url
            and now < claims["exp"] <= now + 300
            and claims["jti"] not in self.seen
        )
        self.seen.add(claims["jti"])
        if not sound:
            return request.answer(401, {"error": "invalid_client", "error_description": NAME})
        self.given += 1
        token = {"access_token": f"t{self.given}", "token_type": "bearer", "expires_in": self.lasts}
        return request.answer(200, token)


def key_file(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    file = folder / "key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def only(store_guard: set[str]) -> Callable[[Request], bool]:
    """Refuse every token but these."""

    def guard(request: Request) -> bool:
        if request.fields.get("authorization") in {f"Bearer {one}" for one in store_guard}:
            return True
        request.answer(401, outcome("expired"))
        return False

    return guard


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_token_is_asked_for_by_a_signed_assertion_and_used_again(
    algorithm: str, tmp_path: Path
) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "RS384":
        key = rsa.generate_private_key(65537, 2048)
        tokens = TokenServer(RSAKey.import_key(public(key)), algorithm)
    else:
        key = ec.generate_private_key(ec.SECP384R1())
        tokens = TokenServer(ECKey.import_key(public(key)), algorithm)
    allowed = {"t1"}
    with serving(tokens) as at, fhir_server(FhirStore(), only(allowed)) as peer:
        tokens.url = f"{at.url}/token"
        services = BackendServices(
            token_url=tokens.url, client_id="medmm-client", key_file=key_file(tmp_path, key)
        )
        one = sender(peer.url, sign_in=services)
        assert [one.send([b]).outcome for b in BUNDLES[:2]] == [ARRIVED, ARRIVED]
        assert tokens.given == 1  # four requests
        allowed.clear()
        allowed.add("t2")  # the server forgot the first
        assert one.send([BUNDLES[2]]).outcome is ARRIVED
        assert tokens.given == 2
        allowed.clear()
        found = one.send([BUNDLES[3]])
        assert (found.outcome, found.code) == (POSTPONED, "HTTP 401 expired")
        assert tokens.given == 3  # asked for once more, not for ever
    assert "t2" not in repr(one)


def test_a_token_that_ends_is_asked_for_anew(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    tokens = TokenServer(ECKey.import_key(public(key)), "ES384")
    now = [0.0]
    with serving(tokens) as at:
        tokens.url = f"{at.url}/token"
        services = BackendServices(
            token_url=tokens.url, client_id="medmm-client", key_file=key_file(tmp_path, key)
        )
        one = ClientKey(HttpServer(url=at.url, sign_in=services), services, clock=lambda: now[0])
        said = []
        for now[0] in (0.0, 269.0, 271.0, 540.0):
            said.append(one.field()["Authorization"])
        assert said == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]
        tokens.lasts = "soon"
        now[0] = 1000.0
        one.field()
        now[0] = 1200.0
        assert one.field() == {"Authorization": "Bearer t3"}  # five minutes are taken for granted


def test_a_token_server_that_gives_none_is_told_by_its_code(tmp_path: Path) -> None:
    file = key_file(tmp_path, ec.generate_private_key(ec.SECP384R1()))
    answers: list[tuple[int, Any, str]] = [
        (400, {"error": "invalid_scope", "error_description": NAME}, "OAUTH invalid_scope"),
        (401, {"error": NAME}, "OAUTH HTTP 401"),
        (503, b"", "OAUTH HTTP 503"),
        (302, b"", "OAUTH HTTP 302"),
        (200, b"<html>", "OAUTH NO TOKEN"),
        (200, {"access_token": "a\nb", "token_type": "bearer"}, "OAUTH NO TOKEN"),
        (200, {"access_token": "x", "token_type": "mac"}, "OAUTH NO TOKEN"),
    ]
    for status, value, code in answers:
        with serving(lambda r, s=status, v=value: r.answer(s, v)) as at:  # type: ignore[misc]
            services = BackendServices(token_url=f"{at.url}/t", client_id="m", key_file=file)
            found = sent("http://127.0.0.1:9", sign_in=services)
        assert (found.outcome, found.code) == (POSTPONED, code)
    services = BackendServices(token_url="http://127.0.0.1:9/t", client_id="m", key_file=file)
    assert sent("http://127.0.0.1:9", sign_in=services).code == "NO CONNECTION"


def test_a_key_of_another_kind_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    other = key_file(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    none = tmp_path / "none.pem"
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"no key")
    for file in (other, none, broken):
        services = BackendServices(token_url="http://127.0.0.1:9/t", client_id="m", key_file=file)
        with pytest.raises(ConfigError, match="private key of medmm"):
            sent("http://127.0.0.1:9", sign_in=services)


def test_the_whole_of_a_request_has_its_time(tmp_path: Path) -> None:
    """A server that takes in nothing holds medmm no longer than one that answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        found = sent(url, total_s=0.4)
    assert (found.outcome, found.code) == (POSTPONED, "HTTP TIMEOUT")
    assert time.monotonic() - begun < 2

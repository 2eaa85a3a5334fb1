"""Objects to a DICOMweb server: what is sent, how its answers are judged, and that no server holds, floods or misleads medmm."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from medmm.delivery.dicom.stow import StowServer
from medmm.delivery.senders import sender_to
from medmm.domain.errors import ConfigError
from medmm.domain.receivers import BearerToken, HttpServer, StowReceiver, TlsFiles, UserPassword
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission
from tests.certificates import Authority
from tests.http_peer import Request, serving

ARRIVED, REFUSED, POSTPONED = Outcome.ARRIVED, Outcome.REFUSED, Outcome.POSTPONED
NAME = "ZZTEST^ONE"
SR = OutgoingObject(name="sr.dcm", key="2.25.1", content=b"\0" * 128 + b"DICM sr")
SEG = OutgoingObject(name="seg-1.dcm", key="2.25.2", content=b"\0" * 128 + b"DICM seg")
BOTH = (SR, SEG)


def sent(url: str, objects: tuple[OutgoingObject, ...] = BOTH, **changes: Any) -> Transmission:
    server = replace(HttpServer(url=url, total_s=5.0), **changes)
    return sender_to(StowReceiver(server=server)).send(objects)


def listed(stored: dict[str, int], failed: dict[str, int]) -> dict[str, Any]:
    """An answer of DICOM JSON."""

    def item(uid: str, tag: str, code: int) -> dict[str, Any]:
        found: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
        return found | ({tag: {"vr": "US", "Value": [code]}} if code else {})

    return {
        "00081199": {"vr": "SQ", "Value": [item(u, "00081196", c) for u, c in stored.items()]},
        "00081198": {"vr": "SQ", "Value": [item(u, "00081197", c) for u, c in failed.items()]},
    }


def test_every_object_goes_in_a_part_of_its_own_byte_for_byte() -> None:
    done = listed({"2.25.1": 0, "2.25.2": 0}, {})
    with serving(lambda r: r.answer(200, done, "application/dicom+json")) as peer:
        assert sent(f"{peer.url}/dicom-web") == Transmission(outcome=ARRIVED, code="HTTP 200")
    (request,) = peer.requests
    assert peer.asked == [("POST", "/dicom-web/studies")]
    said = request.fields["content-type"]
    assert said.startswith('multipart/related; type="application/dicom"; boundary=')
    boundary = b"--" + said.rpartition("=")[2].encode()
    parts = request.body.split(boundary)
    assert parts[0] == b""
    assert parts[3] == b"--\r\n"
    for part, one in zip(parts[1:3], BOTH, strict=True):
        head, _, content = part.partition(b"\r\n\r\n")
        assert head == b"\r\nContent-Type: application/dicom"
        assert content == one.content + b"\r\n"
    assert request.fields["accept"] == "application/dicom+json"
    assert "authorization" not in request.fields


LISTS: dict[str, tuple[int, dict[str, int], dict[str, int], Outcome, str]] = {
    "with a warning": (202, {"2.25.1": 0xB000, "2.25.2": 0}, {}, ARRIVED, "HTTP 202 B000"),
    "there before": (409, {}, {"2.25.1": 0x0111, "2.25.2": 0x0111}, ARRIVED, "HTTP 409 0111"),
    "partly refused": (202, {"2.25.1": 0}, {"2.25.2": 0xA900}, REFUSED, "HTTP 202 A900"),
    "class unknown": (409, {}, {"2.25.1": 0x0122, "2.25.2": 0x0122}, REFUSED, "HTTP 409 0122"),
    "not understood": (400, {"2.25.1": 0}, {"2.25.2": 0xC000}, REFUSED, "HTTP 400 C000"),
    "disk full": (409, {}, {"2.25.1": 0xA700, "2.25.2": 0xA700}, POSTPONED, "HTTP 409 A700"),
    "one later": (202, {}, {"2.25.1": 0xA900, "2.25.2": 0x0110}, POSTPONED, "HTTP 202 0110"),
    "one unnamed": (200, {"2.25.1": 0}, {}, POSTPONED, "HTTP 200 UNNAMED"),
    "one unnamed and bad": (400, {"2.25.1": 0}, {}, REFUSED, "HTTP 400 UNNAMED"),
    "in both lists": (
        202,
        {"2.25.1": 0, "2.25.2": 0},
        {"2.25.2": 0xA900},
        REFUSED,
        "HTTP 202 A900",
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_what_the_server_says_of_each_object_decides(case: str) -> None:
    status, stored, failed, outcome, code = LISTS[case]
    answer = listed(stored, failed)
    with serving(lambda r: r.answer(status, answer, "application/dicom+json; charset=utf-8")) as p:
        found = sent(p.url)
    assert (found.outcome, found.code) == (outcome, code)
    if failed and outcome is not ARRIVED:
        assert "seg-1.dcm: " in found.reason


STATUSES = {
    200: POSTPONED,  # with no list: a page for people, say
    204: POSTPONED,
    301: POSTPONED,
    307: POSTPONED,
    400: REFUSED,
    401: POSTPONED,
    403: POSTPONED,
    404: POSTPONED,
    409: POSTPONED,
    413: REFUSED,
    415: REFUSED,
    429: POSTPONED,
    500: POSTPONED,
    501: REFUSED,
    503: POSTPONED,
}


@pytest.mark.parametrize("status", STATUSES)
def test_without_a_list_the_status_decides_and_a_page_is_no_success(status: int) -> None:
    page = f"<html>Sign in, {NAME}</html>".encode()
    elsewhere = {"Location": "http://127.0.0.2:9/studies"} if 300 <= status < 400 else {}
    with serving(lambda r: r.answer(status, page, "text/html", **elsewhere)) as peer:
        found = sent(peer.url)
    assert (found.outcome, found.code) == (STATUSES[status], f"HTTP {status}")
    assert len(peer.asked) == 1  # nothing is followed, nothing is asked twice


def test_a_server_says_when_to_come_again_in_seconds_or_by_a_date() -> None:
    with serving(lambda r: r.answer(503, b"", Retry_After="120")) as peer:
        assert sent(peer.url).retry_after_s == 120.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with serving(lambda r: r.answer(429, b"", Retry_After=later)) as peer:
        wait = sent(peer.url).retry_after_s
    assert wait is not None
    assert 80 < wait <= 90
    with serving(lambda r: r.answer(503, b"", Retry_After="soon")) as peer:
        assert sent(peer.url).retry_after_s is None


def test_a_token_or_a_password_goes_along_as_its_file_says_now(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first\n", encoding="utf-8")
    done = listed({"2.25.1": 0, "2.25.2": 0}, {})
    with serving(lambda r: r.answer(200, done)) as peer:
        server = HttpServer(url=peer.url, sign_in=BearerToken(file=file))
        sender = StowServer(StowReceiver(server=server))
        sender.send(BOTH)
        file.write_text("second\n", encoding="utf-8")
        sender.send(BOTH)
        sent(peer.url, sign_in=UserPassword(user="medmm", password_file=file))
    said = [request.fields["authorization"] for request in peer.requests]
    assert said == ["Bearer first", "Bearer second", "Basic bWVkbW06c2Vjb25k"]
    assert "first" not in repr(sender)
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no line of text"):
        sent("http://127.0.0.1:9", sign_in=BearerToken(file=file))


def hang(request: Request) -> None:
    request.stopped.wait(20)


def drip(request: Request) -> None:
    request.head(200, "application/dicom+json")
    while not request.stopped.is_set():
        request.write(b" ")
        time.sleep(0.05)


def flood(request: Request) -> None:
    request.head(200, "application/dicom+json")
    for _ in range(10_000):
        request.write(b" " * 65_536)


def break_off(request: Request) -> None:
    request.head(200, "application/dicom+json", Content_Length="100000")
    request.write(b"{")


def garbage(request: Request) -> None:
    request.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")


BROKEN: dict[str, tuple[Callable[[Request], None], str]] = {
    "hangs": (hang, "HTTP TIMEOUT"),
    "drips": (drip, "HTTP TIMEOUT"),
    "floods": (flood, "HTTP 200 TOO LARGE"),
    "breaks off": (break_off, "HTTP BROKEN OFF"),
    "speaks no HTTP": (garbage, "HTTP BROKEN OFF"),
    "deep JSON": (lambda r: r.answer(200, b"[" * 100_000), "HTTP 200"),
    "other JSON": (lambda r: r.answer(200, {"00081199": {"Value": "x"}}), "HTTP 200"),
    "numbers": (lambda r: r.answer(200, [1, 2]), "HTTP 200"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_no_server_holds_or_floods_or_misleads(fault: str) -> None:
    behaviour, code = BROKEN[fault]
    begun = time.monotonic()
    with serving(behaviour) as peer:
        found = sent(peer.url, total_s=0.6)
    assert (found.outcome, found.code) == (POSTPONED, code)
    assert time.monotonic() - begun < 3


def test_a_server_that_is_down_is_postponed() -> None:
    found = sent("http://127.0.0.1:9")
    assert (found.outcome, found.code) == (POSTPONED, "NO CONNECTION")


@pytest.mark.parametrize("url", ["http://169.254.169.254", "http://192.0.2.1", "http://0.0.0.0"])
def test_some_addresses_are_never_spoken_to(url: str) -> None:
    with pytest.raises(ConfigError, match="never spoken to"):
        sent(url)


def test_a_name_that_leads_nowhere_is_told() -> None:
    found = sent("https://pacs.invalid")
    assert (found.outcome, found.code) == (POSTPONED, "NO CONNECTION")


def test_certificates_are_checked_at_both_ends(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "hospital")
    elsewhere = Authority(tmp_path, "elsewhere")
    good, expired = authority.sign("good"), authority.sign("expired", days=-1)
    mine, theirs = authority.sign("medmm"), elsewhere.sign("intruder")
    done = listed({"2.25.1": 0, "2.25.2": 0}, {})

    def codes(
        server: tuple[Path, Path], client: tuple[Path, Path] | None, trusted: Path | None
    ) -> tuple[Outcome, str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*server)
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        certificate, key = client or (None, None)
        tls = TlsFiles(ca_file=trusted, certificate=certificate, key=key)
        with serving(lambda r: r.answer(200, done), context) as peer:
            found = sent(peer.url, tls=tls)
            spelt = sent(peer.url.replace("https", "HTTPS"), tls=tls)
        assert spelt.outcome is found.outcome
        return found.outcome, found.code

    assert codes(good, mine, authority.certificate) == (ARRIVED, "HTTP 200")
    assert codes(expired, mine, authority.certificate) == (POSTPONED, "TLS REFUSED")
    assert codes(good, mine, elsewhere.certificate) == (POSTPONED, "TLS REFUSED")
    assert codes(good, mine, None) == (POSTPONED, "TLS REFUSED")
    for client in (theirs, None):
        outcome, code = codes(good, client, authority.certificate)
        assert outcome is POSTPONED
        assert code in ("TLS REFUSED", "HTTP BROKEN OFF")  # TLS 1.3 tells it after the handshake
    with pytest.raises(ConfigError, match="certificates to trust"):
        sent("https://127.0.0.1:9", tls=TlsFiles(ca_file=tmp_path / "none"))


def test_what_a_server_says_of_a_patient_stays_out_of_the_code() -> None:
    said = {"Message": f"{NAME} is unknown", "Details": "bad"}
    with serving(lambda r: r.answer(400, said)) as peer:
        found = sent(peer.url)
    assert found.code == "HTTP 400"
    assert NAME in found.reason

"""Receivers in the settings: what is refused, and what the senders get of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from medmm.config.receivers import DicomNodeEntry, FhirServerEntry, StowEntry
from medmm.domain.receivers import (
    SCOPE,
    BackendServices,
    BearerToken,
    DicomReceiver,
    FhirReceiver,
    HttpServer,
    StowReceiver,
    TlsFiles,
    UserPassword,
)

ENTRIES: TypeAdapter[Any] = TypeAdapter(DicomNodeEntry | StowEntry | FhirServerEntry)
PACS = {"kind": "dicom", "host": "pacs.hospital.example", "title": "PACS", "plain": True}
STOW = {"kind": "stow", "url": "https://pacs.hospital.example/dicom-web"}
FHIR = {"kind": "fhir", "url": "https://ehr.hospital.example/r4"}
SMART = {
    "token_url": "https://login.hospital.example/token",
    "client_id": "medmm",
    "key_file": "/etc/medmm/key.pem",
}


def receiver(said: dict[str, Any]) -> Any:
    return ENTRIES.validate_python(said).receiver()


def test_each_kind_makes_its_noun() -> None:
    assert receiver(PACS) == DicomReceiver(host="pacs.hospital.example", port=104, title="PACS")
    tls = {"ca_file": "/ca.pem", "certificate": "/a.pem", "key": "/a.key"}
    files = TlsFiles(ca_file=Path("/ca.pem"), certificate=Path("/a.pem"), key=Path("/a.key"))
    said = {**PACS, "plain": False, "port": 2762, "calling": "AI", "tls": tls}
    assert receiver(said) == DicomReceiver(
        host="pacs.hospital.example", port=2762, title="PACS", calling="AI", tls=files
    )
    token = receiver({**STOW, "token_file": "/token"})
    assert token == StowReceiver(
        server=HttpServer(url=STOW["url"], sign_in=BearerToken(file=Path("/token")))
    )
    basic = receiver({**STOW, "user": "medmm", "password_file": "/password", "timeout_s": 30})
    signs_in = UserPassword(user="medmm", password_file=Path("/password"))
    assert basic.server.sign_in == signs_in
    assert basic.server.total_s == 30
    assert receiver({**FHIR, "smart": SMART}) == FhirReceiver(
        server=HttpServer(
            url=FHIR["url"],
            sign_in=BackendServices(
                token_url=SMART["token_url"],
                client_id="medmm",
                key_file=Path(SMART["key_file"]),
                scope=SCOPE,
            ),
        )
    )
    assert "system/DiagnosticReport.crus" in SCOPE.split()


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "in the clear": ({**PACS, "plain": False}, "needs tls"),
    "half a certificate": ({**PACS, "tls": {"key": "/a"}}, "a certificate needs its key"),
    "a long title": ({**PACS, "title": "A" * 17}, "no AE title"),
    "http elsewhere": ({**STOW, "url": "http://pacs.hospital.example"}, "write https"),
    "http here unsaid": ({**STOW, "url": "http://127.0.0.1:8042"}, "plain_http_on_loopback"),
    "link-local": ({**STOW, "url": "https://169.254.169.254/"}, "link-local"),
    "metadata": ({**FHIR, "url": "https://metadata.google.internal/"}, "credentials of a cloud"),
    "a user in it": ({**FHIR, "url": "https://a:b@ehr.hospital.example"}, "without user"),
    "no address": ({**FHIR, "url": "ehr.hospital.example"}, "no address"),
    "half a user": ({**STOW, "user": "medmm"}, "go together"),
    "two ways": (
        {**FHIR, "smart": SMART, "token_file": "/t"},
        "one way to sign in",
    ),
    "a token in the settings": ({**STOW, "token": "s3cret"}, "Extra inputs"),
    "a token server in the clear": (
        {**FHIR, "smart": {**SMART, "token_url": "http://login.hospital.example"}},
        "smart.token_url",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_refused_and_no_secret_is_shown(fault: str) -> None:
    said, why = FAULTS[fault]
    kind = {"dicom": DicomNodeEntry, "stow": StowEntry, "fhir": FhirServerEntry}[said["kind"]]
    with pytest.raises(ValidationError, match=why) as raised:
        kind(**said)
    assert "s3cret" not in str(raised.value)


def test_this_machine_may_be_spoken_to_in_the_clear() -> None:
    assert receiver({**PACS, "host": "127.0.0.1", "plain": False}).tls is None
    here = {**STOW, "url": "http://127.0.0.1:8042/dicom-web", "plain_http_on_loopback": True}
    assert receiver(here).server.host == "127.0.0.1:8042"

"""`medmm serve` over sockets: TLS, half-sent requests and uploads, signals, and what the log says."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from medmm.assistant import Assistant
from medmm.config import TlsEntry
from medmm.domain.errors import ConfigError
from medmm.doors.http import serving
from medmm.doors.http.serving import serve_until_stopped
from medmm.web.issuer_keys import WELL_KNOWN
from tests.api import AUDIENCE, ROLES, Issuer, api_settings, listening_issuer
from tests.certificates import Authority
from tests.dicom_files import film_file
from tests.kept import kept
from tests.listener import until
from tests.quick_assistant import quick_assistant
from tests.warm_parent import WarmParent

FILM_KIND = {"content-type": "application/dicom"}


@dataclass
class Serving:
    """A server of this process, and what it told."""

    address: tuple[str, int] = ("", 0)
    told: list[dict[str, Any]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def base(self, scheme: str = "http") -> str:
        return f"{scheme}://localhost:{self.address[1]}"


@contextmanager
def serving_(assistant: Assistant) -> Iterator[Serving]:
    made, ready = Serving(), threading.Event()

    def begun(address: tuple[str, int]) -> None:
        made.address = address
        ready.set()

    thread = threading.Thread(
        target=serve_until_stopped,
        args=(assistant, lambda event, **said: made.told.append({"event": event, **said})),
        kwargs={"port": 0, "stopping": made.stopping, "ready": begun},
    )
    thread.start()
    try:
        assert ready.wait(30)
        yield made
    finally:
        made.stopping.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with listening_issuer() as made:
        yield made


@pytest.fixture
def assistant(tmp_path: Path, issuer: Issuer) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", **api_settings(issuer, stalled_seconds=0.4)) as made:
        yield made


def spooled(assistant: Assistant) -> list[Path]:
    walk = os.walk(assistant.settings.data_dir / "uploads")  # a folder may go in the midst of it
    return [Path(folder) / name for folder, _, names in walk for name in names]


def head_of(issuer: Issuer, place: str, **head: Any) -> bytes:
    lines = {"Host": "localhost", "Authorization": f"Bearer {issuer.token()}", **head}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {place} HTTP/1.1\r\n{text}\r\n".encode()


def test_an_upload_that_is_cut_leaves_nothing(
    assistant: Assistant, issuer: Issuer, tmp_path: Path
) -> None:
    data = film_file(tmp_path).read_bytes()
    kind = {"Content-Type": "application/dicom", "Content-Length": len(data)}
    with serving_(assistant) as server:
        with socket.create_connection(server.address) as cut:
            cut.sendall(head_of(issuer, "/cases", **kind) + data[: len(data) // 2])
            until(lambda: spooled(assistant), 10)
        until(lambda: not spooled(assistant), 10)
        with socket.create_connection(server.address) as stalled:
            stalled.sendall(head_of(issuer, "/cases", **kind) + data[:1000])
            answer = stalled.recv(4096)
        assert b" 408 " in answer.splitlines()[0]
        until(lambda: not spooled(assistant), 10)
        whole = httpx.post(
            f"{server.base()}/cases",
            content=data,
            headers={**FILM_KIND, "authorization": f"Bearer {issuer.token()}"},
        )
    assert whole.status_code == 201, whole.text
    assert len(assistant.cases()) == 1


def test_half_a_request_is_not_waited_for(
    assistant: Assistant, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.3)
    with serving_(assistant) as server:
        with socket.create_connection(server.address) as slow:
            slow.settimeout(10)
            slow.sendall(b"GET /cases HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            assert slow.recv(100) == b""
        with socket.create_connection(server.address) as silent:
            silent.settimeout(10)
            assert silent.recv(100) == b""
        with socket.create_connection(server.address) as long:
            long.settimeout(10)
            long.sendall(b"GET /cases HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000)
            assert b" 400 " in long.recv(4096).splitlines()[0]
        head = {"authorization": f"Bearer {issuer.token()}"}
        with httpx.Client(base_url=server.base(), headers=head) as client:
            for _ in range(3):  # one that keeps its connection is not ended by that
                assert client.get("/cases").status_code == 200
                time.sleep(0.2)


def test_an_answer_waits_for_no_acknowledgement(
    assistant: Assistant, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: list[int] = []
    made = serving.Protocol.connection_made

    def noted(self: serving.Protocol, transport: Any) -> None:
        made(self, transport)
        taken = transport.get_extra_info("socket")
        at_once.append(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(serving.Protocol, "connection_made", noted)
    with serving_(assistant) as server:
        httpx.get(f"{server.base()}/fhir/metadata")
    assert at_once[0] != 0


def test_tokens_go_over_tls(tmp_path: Path, issuer: Issuer) -> None:
    authority, other = Authority(tmp_path, "hospital"), Authority(tmp_path, "elsewhere")
    certificate, key = authority.sign("server")
    tls = TlsEntry(certificate=certificate, key=key)
    settings = api_settings(issuer, tls=tls)
    with quick_assistant(tmp_path / "data", **settings) as assistant, serving_(assistant) as server:
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        trusting.check_hostname = False  # the certificates of the tests name an address
        head = {"authorization": f"Bearer {issuer.token()}"}
        answer = httpx.get(f"{server.base('https')}/cases", headers=head, verify=trusting)
        assert answer.status_code == 200
        wrong = ssl.create_default_context(cafile=str(other.certificate))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.base('https')}/cases", headers=head, verify=wrong)
        old = ssl.create_default_context(cafile=str(authority.certificate))
        old.check_hostname = False
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("AES256-SHA256")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.base('https')}/cases", headers=head, verify=old)


def test_a_role_taken_away_is_in_the_log_by_id(assistant: Assistant, issuer: Issuer) -> None:
    with serving_(assistant) as server:
        head = {"authorization": f"Bearer {issuer.token('gardener', 'g-77')}"}
        for _ in range(2):
            assert httpx.get(f"{server.base()}/cases", headers=head).status_code == 403
    told = [one for one in kept(assistant).events() if one.verb == "note_session"]
    assert [one.details["person"] for one in told] == ["g-77"]


def test_a_port_that_is_taken_is_the_operators_to_change(assistant: Assistant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError) as error:
        serve_until_stopped(assistant, lambda event, **said: None, port=taken.getsockname()[1])
    assert "port" in error.value.where


SERVE = """
import sys
from medmm.doors.cli import main
sys.argv = ["medmm", *sys.argv[1:]]
main()
"""


def test_the_command_ends_in_order(tmp_path: Path, issuer: Issuer, warm_parent: WarmParent) -> None:
    config = tmp_path / "settings.yaml"
    sign_in = {"metadata_url": issuer.url + WELL_KNOWN, "client_id": "medmm", "roles": ROLES}
    settings = {"data_dir": str(tmp_path / "data"), "sign_in": sign_in}
    config.write_text(yaml.safe_dump({**settings, "serve": {"audience": AUDIENCE}}))
    pid = warm_parent.start(SERVE, "--config", config, "serve", "--port", "0", "--json")

    def told() -> list[dict[str, Any]]:
        return [json.loads(line) for line in warm_parent.said(pid).splitlines()]

    until(told, 30)
    port = told()[0]["port"]
    head = {"authorization": f"Bearer {issuer.token()}"}
    answer = httpx.get(f"http://localhost:{port}/cases?search=zzname", headers=head)
    assert answer.json()["total"] == 0
    os.kill(pid, signal.SIGTERM)
    ended = warm_parent.ended(pid)
    lines = [json.loads(line) for line in ended.said.splitlines()]
    assert ended.code == 0
    assert [one["event"] for one in lines] == ["serving", "answered", "stopped"]
    assert "zzname" not in ended.said

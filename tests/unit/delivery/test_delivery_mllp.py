"""Sending over MLLP to a small server that answers as receivers do, well and badly."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from medmm.connections.mllp import END, START
from medmm.delivery.hl7.mllp import MllpReceiver, Receipt, Sent, send
from medmm.delivery.hl7.result_message import control_id, result_message
from medmm.domain.errors import InputError
from tests.factories import make_signed_report

MESSAGE = result_message(make_signed_report(), None)
OWN = control_id(make_signed_report())
Script = Callable[[socket.socket], None]


def ack(code: str, of: str = OWN, more: str = "") -> bytes:
    header = "MSH|^~\\&|EHR||MEDMM||20260101||ACK^R01^ACK|A1|P|2.5.1"
    return START + f"{header}\rMSA|{code}|{of}{more}\r".encode() + END


@contextmanager
def server(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Take one connection, read one frame, then do as the script says."""
    got: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listening.accept()
            with tls.wrap_socket(connection, server_side=True) if tls else connection as served:
                frame = b""
                while not frame.endswith(END):
                    more = served.recv(65_536)
                    if not more:
                        return
                    frame += more
                got.append(frame)
                script(served)
        except OSError:
            return  # the other end is gone

    worker = threading.Thread(target=serve)
    worker.start()
    try:
        yield listening.getsockname()[1], got
    finally:
        listening.close()
        worker.join(timeout=10)


def sent(script: Script, answer_s: float = 5) -> Receipt:
    with server(script) as (port, got):
        receipt = send(MESSAGE, MllpReceiver(host="127.0.0.1", port=port, answer_s=answer_s))
        assert got == [START + MESSAGE + END]
    return receipt


def answers(*parts: bytes) -> Script:
    """Send parts so that each comes in a packet of its own."""

    def script(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, part in enumerate(parts):
            if number:
                threading.Event().wait(0.05)
            connection.sendall(part)

    return script


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("AA", Sent.ACCEPTED),
        ("CA", Sent.ACCEPTED),
        ("AE", Sent.FAULTY),
        ("CE", Sent.FAULTY),
        ("AR", Sent.REJECTED),
        ("CR", Sent.REJECTED),
        ("ZZ", Sent.UNANSWERED),
    ],
)
def test_each_answer_is_told_apart(code: str, outcome: Sent) -> None:
    receipt = sent(answers(ack(code)))
    assert (receipt.outcome, receipt.code, receipt.control_id) == (outcome, code, OWN)


def test_the_receivers_words_and_the_place_of_the_fault_are_read() -> None:
    more = "|Unknown \\T\\ wrong\rERR||PID^1^3|204^Unknown key^HL70357|E||||No such patient"
    receipt = sent(answers(ack("AE", more=more)))
    assert receipt.reason == "Unknown & wrong; No such patient"
    assert receipt.fault == "204 at PID-1-3"


def test_an_answer_of_another_message_is_passed_over() -> None:
    """Two frames in one packet, of which the second is meant."""
    assert sent(answers(ack("AE", of="OTHER") + ack("AA"))).outcome is Sent.ACCEPTED
    assert sent(answers(ack("AE", of="OTHER"), ack("AA"))).outcome is Sent.ACCEPTED
    lost = sent(answers(ack("AA", of="OTHER")))
    assert lost.outcome is Sent.UNANSWERED
    assert "closed" in lost.reason


@pytest.mark.parametrize("cut", [1, 20, -3, -1])
def test_an_answer_in_two_packets_is_one(cut: int) -> None:
    whole = ack("AA")
    assert sent(answers(whole[:cut], whole[cut:])).outcome is Sent.ACCEPTED


def test_a_reset_after_sending_may_have_been_taken() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    receipt = sent(reset)
    assert receipt.outcome is Sent.UNANSWERED
    assert "ConnectionResetError" in receipt.reason or "closed" in receipt.reason


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "never ending"])
def test_waiting_has_an_end(drip: bytes) -> None:
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        while not done.wait(0.05):
            if drip:
                connection.sendall(drip)

    with server(script) as (port, _):
        receipt = send(MESSAGE, MllpReceiver(host="127.0.0.1", port=port, answer_s=0.3))
        done.set()
    assert receipt.outcome is Sent.UNANSWERED
    assert "within 0.3 s" in receipt.reason


def test_an_answer_without_end_is_not_kept() -> None:
    receipt = sent(answers(b"x" * 1_100_000))
    assert receipt.outcome is Sent.UNANSWERED


@pytest.mark.parametrize("answer", [b"", START + END, b"\x00" * 40 + END, START + b"MSA" + END])
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    assert sent(answers(answer)).outcome is Sent.UNANSWERED


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    receipt = send(MESSAGE, MllpReceiver(host="127.0.0.1", port=port, connect_s=2))
    assert receipt.outcome is Sent.UNREACHABLE
    assert "ConnectionRefusedError" in receipt.reason


@pytest.mark.parametrize("content", [b"", b"PID|1\r", b"MSH|^~\\&|A\r", MESSAGE + START, MESSAGE + END])  # fmt: skip
def test_what_is_no_message_is_not_sent(content: bytes) -> None:
    with pytest.raises(InputError):
        send(content, MllpReceiver(host="127.0.0.1", port=1))


def certificate(folder: Path, name: str) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(
    ("name", "outcome"), [("localhost", Sent.ACCEPTED), ("elsewhere", Sent.UNREACHABLE)]
)
def test_over_tls_the_name_of_the_receiver_is_checked(
    name: str, outcome: Sent, tmp_path: Path
) -> None:
    pem = certificate(tmp_path, name)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    with server(answers(ack("AA")), serving) as (port, got):
        trusting = ssl.create_default_context(cafile=str(pem))
        where = MllpReceiver(host="localhost", port=port, tls=trusting, answer_s=5)
        assert send(MESSAGE, where).outcome is outcome
    assert bool(got) is (outcome is Sent.ACCEPTED)

"""Senders of the delivery room on loopback and on a small disk: what became of it, in codes that name nobody."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from medmm.connections.tls import client_context
from medmm.delivery.folder import FolderSender
from medmm.delivery.hl7.mllp import MllpReceiver
from medmm.delivery.hl7.result_message import control_id, result_message
from medmm.delivery.hl7.sender import MllpSender
from medmm.delivery.senders import sender_to
from medmm.domain.errors import ConfigError
from medmm.domain.receivers import (
    DicomReceiver,
    FhirReceiver,
    HttpServer,
    StowReceiver,
    TlsFiles,
)
from medmm.domain.transmission import Outcome, OutgoingObject
from tests.certificates import Authority
from tests.factories import make_amended_report, make_signed_report
from tests.mllp_receiver import mllp_peer
from tests.unit.store.test_store_full_disk import SmallDisk, disk

__all__ = ["disk"]
NAME = "ZZPATIENT"
REPORTS = (make_signed_report(), make_amended_report(make_signed_report()))
MESSAGES = tuple(
    OutgoingObject(name=f"{one.id}.oru.hl7", key=control_id(one), content=result_message(one, None))
    for one in REPORTS
)


def sender(port: int, tls: ssl.SSLContext | None = None, **how: bool) -> MllpSender:
    return MllpSender(
        receiver=MllpReceiver(host="127.0.0.1", port=port, tls=tls, answer_s=5), **how
    )


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ("AA", Outcome.ARRIVED, "MSA AA"),
        ("CA", Outcome.ARRIVED, "MSA CA"),
        (f"AE|{NAME} has no order", Outcome.REFUSED, "MSA AE 101 at PID-1-5"),
        ("CE", Outcome.REFUSED, "MSA CE"),
        ("AR", Outcome.POSTPONED, "MSA AR"),
        ("", Outcome.POSTPONED, "unanswered"),
        ("AB", Outcome.POSTPONED, "unanswered"),
    ],
)
def test_acknowledgements_are_outcomes(answer: str, outcome: Outcome, code: str) -> None:
    with mllp_peer(answer) as peer:
        found = sender(peer.port).send(MESSAGES[:1])
    assert (found.outcome, found.code) == (outcome, code)
    assert (NAME in found.reason) is (NAME in answer)


def test_messages_go_in_their_order_until_one_is_not_taken() -> None:
    with mllp_peer("AA", "AR") as peer:
        assert sender(peer.port).send(MESSAGES).code == "MSA AR"
        assert sender(peer.port, refuses=True).send(MESSAGES).outcome is Outcome.REFUSED
        own = [one.key for one in MESSAGES]
        assert peer.control_ids == [*own, own[0]]


@pytest.mark.parametrize("fault", [f"{NAME} at PID-5", f"101 at {NAME}", f"101|{NAME}", "12345"])
def test_only_numbers_and_places_of_a_fault_are_in_a_code(fault: str) -> None:
    from medmm.delivery.hl7.mllp import Receipt, Sent

    receipt = Receipt(outcome=Sent.FAULTY, control_id="A", code="AE", fault=f"{fault}; 204")
    found = MllpSender(receiver=MllpReceiver(host="", port=1))._transmission(receipt)
    assert found.code == "MSA AE 204"
    assert fault in found.reason, "all of it stands beside the delivery"


def test_each_end_shows_its_certificate(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*theirs.sign("ehr"))
    serving.load_verify_locations(ours.certificate)
    serving.verify_mode = ssl.CERT_REQUIRED
    certificate, key = ours.sign("medmm")
    known = client_context(TlsFiles(ca_file=theirs.certificate, certificate=certificate, key=key))
    assert known.minimum_version is ssl.TLSVersion.TLSv1_2
    with mllp_peer(tls=serving) as peer:
        assert sender(peer.port, known).send(MESSAGES[:1]).outcome is Outcome.ARRIVED
        strange = client_context(TlsFiles(ca_file=ours.certificate))
        nameless = client_context(TlsFiles(ca_file=theirs.certificate))
        for context in (strange, nameless):
            assert sender(peer.port, context).send(MESSAGES[:1]).outcome is Outcome.POSTPONED
        assert len(peer.came) == 1


def test_certificates_that_cannot_be_used_are_the_operators_to_mend(tmp_path: Path) -> None:
    certificate, _ = Authority(tmp_path, "ours").sign("medmm")
    (tmp_path / "broken.pem").write_text("no key")
    for ca_file, own, key in (
        (tmp_path / "none.pem", None, None),
        (None, certificate, tmp_path / "broken.pem"),
    ):
        with pytest.raises(ConfigError, match="can't be"):
            client_context(TlsFiles(ca_file=ca_file, certificate=own, key=key))


def test_a_disk_that_is_full_holds_nothing_half_and_goes_on(disk: SmallDisk) -> None:
    big = OutgoingObject(name="report.pdf", key="1", content=b"x" * 1_000_000)
    disk.fill()
    found = FolderSender(disk.folder).send([big])
    assert (found.outcome, found.code) == (Outcome.POSTPONED, "ENOSPC")
    assert sorted(path.name for path in disk.folder.iterdir()) == ["ballast"]
    disk.free()
    assert FolderSender(disk.folder).send([big]).outcome is Outcome.ARRIVED
    assert (disk.folder / "report.pdf").read_bytes() == big.content


def test_a_folder_is_never_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "none", tmp_path / "file", tmp_path / "file" / "below"):
        found = FolderSender(folder).send(MESSAGES)
        assert (found.outcome, found.code) == (Outcome.POSTPONED, "ENOENT")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_is_sent_where_there_is_nothing() -> None:
    server = HttpServer(url="http://127.0.0.1:9")
    node = DicomReceiver(host="127.0.0.1", port=9, title="PACS")
    for receiver in (node, StowReceiver(server=server), FhirReceiver(server=server)):
        found = sender_to(receiver).send([])
        assert (found.outcome, found.code) == (Outcome.ARRIVED, "NOTHING TO SEND")

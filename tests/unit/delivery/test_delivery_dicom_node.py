"""Objects to a DICOM node: what is proposed and sent, how its answers are judged, and that no node holds or misleads medmm."""

from __future__ import annotations

import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    KeyObjectSelectionDocumentStorage,
)

from medmm.delivery.dicom.objects import dicom_objects
from medmm.delivery.senders import sender_to
from medmm.domain.errors import ConfigError
from medmm.domain.receivers import DicomReceiver, TlsFiles
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission
from tests.certificates import Authority
from tests.dicom_node import KINDS, node
from tests.listener import entry, receiving
from tests.signed_studies import signed

ARRIVED, REFUSED, POSTPONED = Outcome.ARRIVED, Outcome.REFUSED, Outcome.POSTPONED


@pytest.fixture(scope="module")
def objects() -> tuple[OutgoingObject, ...]:
    """SR, segmentation, key object and PDF of a chest report."""
    one = signed("chest")
    made = dicom_objects(one.report, one.versions, one.source)
    return tuple(
        OutgoingObject(name=f"{m.name}.dcm", key=m.reference.sop_uid, content=m.content)
        for m in made
    )


def sent(port: int, objects: tuple[OutgoingObject, ...], **changes: Any) -> Transmission:
    said = {"host": "127.0.0.1", "port": port, "title": "PACS", "connect_s": 5.0, "answer_s": 5.0}
    return sender_to(DicomReceiver(**(said | changes))).send(objects)  # type: ignore[arg-type]


def test_all_objects_go_in_one_association_byte_for_byte(
    objects: tuple[OutgoingObject, ...],
) -> None:
    with node() as one:
        assert sent(one.port, objects) == Transmission(outcome=ARRIVED, code="0000")
        assert sent(one.port, objects) == Transmission(outcome=ARRIVED, code="0000")
    assert len(one.running) == 2
    assert [uid for uid, _ in one.came] == [m.key for m in objects] * 2
    for (_, data), made in zip(one.came, objects * 2, strict=True):
        assert made.content.endswith(data)
    own, default = [ExplicitVRLittleEndian], [ImplicitVRLittleEndian]
    assert one.proposed == [(kind, one) for kind in KINDS for one in (own, default)] * 2


def test_a_node_that_knows_the_default_syntax_alone_gets_it(
    objects: tuple[OutgoingObject, ...],
) -> None:
    with node(classes={Comprehensive3DSRStorage: [ImplicitVRLittleEndian]}) as one:
        assert sent(one.port, objects[:1]).outcome is ARRIVED
    assert not objects[0].content.endswith(one.came[0][1])


STATUSES = {
    0x0000: ARRIVED,
    0xB000: ARRIVED,
    0xB006: ARRIVED,
    0xB007: ARRIVED,
    0x0111: ARRIVED,
    0xA700: POSTPONED,
    0xA7FF: POSTPONED,
    0x0110: POSTPONED,
    0x0124: POSTPONED,
    0x0210: POSTPONED,
    0xFE00: POSTPONED,  # of no standard: nobody knows
    0xA900: REFUSED,
    0xC000: REFUSED,
    0xC123: REFUSED,
    0x0117: REFUSED,
    0x0122: REFUSED,
    0x0211: REFUSED,
    0x0212: REFUSED,
}


def test_a_status_decides(objects: tuple[OutgoingObject, ...]) -> None:
    status = 0

    def answers(number: int) -> int | Dataset:
        said = Dataset()
        said.Status = status if number % 2 == 1 else 0
        if number % 2 == 1:
            said.ErrorComment = "ZZTEST^ONE is unknown"
        return said

    with node(answers) as one:
        for status, outcome in STATUSES.items():
            one.came.clear()
            found = sent(one.port, objects[1:3])
            assert (found.outcome, found.code) == (outcome, f"{status:04X}")
            assert len(one.came) == 2  # one that is refused keeps none of the others back
            if status:
                assert "ZZTEST^ONE" in found.reason
                assert found.reason.startswith("seg-1.dcm: ")


def test_what_may_still_arrive_counts_before_what_never_will(
    objects: tuple[OutgoingObject, ...],
) -> None:
    with node(lambda number: {1: 0xC000, 2: 0xA700}.get(number, 0)) as one:
        found = sent(one.port, objects[:3])
    assert (found.outcome, found.code) == (POSTPONED, "A700")


def test_a_kind_that_the_node_does_not_know_is_refused_and_the_others_arrive(
    objects: tuple[OutgoingObject, ...],
) -> None:
    known = {
        Comprehensive3DSRStorage: [ExplicitVRLittleEndian],
        KeyObjectSelectionDocumentStorage: [ExplicitVRLittleEndian],
    }
    with node(classes=known) as one:
        found = sent(one.port, objects)
        assert (found.outcome, found.code) == (REFUSED, "CONTEXT REFUSED 3")
        assert len(one.came) == 2
        assert "seg-1.dcm: the node does not know this kind of object" in found.reason
        found = sent(one.port, objects[1:2])
        assert (found.outcome, found.code) == (REFUSED, "CONTEXT REFUSED 3")


def test_an_association_that_is_rejected_is_postponed_with_its_reason(
    objects: tuple[OutgoingObject, ...],
) -> None:
    with node(require_called_aet=True) as one:
        found = sent(one.port, objects, title="OTHER")
    assert (found.outcome, found.code) == (POSTPONED, "A-ASSOCIATE-RJ 1.1.7")
    assert found.reason == "association rejected: Called AE title not recognised"
    with node(require_calling_aet=["FRIEND"]) as one:
        assert sent(one.port, objects).code == "A-ASSOCIATE-RJ 1.1.3"


def test_what_is_no_object_is_refused_and_the_others_arrive(
    objects: tuple[OutgoingObject, ...],
) -> None:
    broken = replace(objects[0], content=b"no object")
    with node() as one:
        found = sent(one.port, (broken, *objects[1:]))
    assert (found.outcome, found.code) == (REFUSED, "NO OBJECT")
    assert len(one.came) == len(objects) - 1


def test_a_node_that_aborts_in_the_middle_gets_all_again(
    objects: tuple[OutgoingObject, ...],
) -> None:
    """What arrived before arrives once more, as the same objects."""

    def answers(number: int) -> int:
        if number == 2:
            one.running[-1].abort()
        return 0

    with node(answers) as one:
        found = sent(one.port, objects)
        assert (found.outcome, found.code) == (POSTPONED, "ABORTED")
        assert sent(one.port, objects).outcome is ARRIVED
    keys = [made.key for made in objects]
    assert [uid for uid, _ in one.came] == [*keys[:2], *keys]


@contextmanager
def bare(behaviour: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A socket that does not speak as it should."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def run() -> None:
            while not stopped.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        behaviour(connection, stopped)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join(5)


def silent(connection: socket.socket, stopped: threading.Event) -> None:
    stopped.wait(10)


def closes(connection: socket.socket, stopped: threading.Event) -> None:
    connection.recv(10)


def garbage(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    stopped.wait(10)


def lying_length(connection: socket.socket, stopped: threading.Event) -> None:
    connection.recv(65_536)
    connection.sendall(b"\x02\x00\xff\xff\xff\xff" + b"\0" * 1000)
    stopped.wait(10)


@pytest.mark.parametrize("behaviour", [silent, closes, garbage, lying_length])
def test_no_node_holds_medmm_for_longer_than_it_may(
    behaviour: Callable[[socket.socket, threading.Event], None],
    objects: tuple[OutgoingObject, ...],
) -> None:
    begun = time.monotonic()
    with bare(behaviour) as port:
        found = sent(port, objects, connect_s=0.5, answer_s=0.5)
    assert (found.outcome, found.code) == (POSTPONED, "NO ASSOCIATION")
    assert time.monotonic() - begun < 4


def test_an_object_that_is_never_answered_is_postponed(
    objects: tuple[OutgoingObject, ...],
) -> None:
    def sleeps(number: int) -> int:
        time.sleep(1.5)
        return 0

    with node(sleeps) as one:
        found = sent(one.port, objects, answer_s=0.4)
    assert (found.outcome, found.code) == (POSTPONED, "NO ANSWER")


def test_an_answer_to_another_message_is_none(objects: tuple[OutgoingObject, ...]) -> None:
    """The library would take its success for that of the object that was sent."""

    def answers(number: int) -> int:
        if number == 2:
            stray = C_STORE()
            stray.MessageIDBeingRespondedTo, stray.Status = 1, 0x0000
            stray.AffectedSOPClassUID = KINDS[0]
            stray.AffectedSOPInstanceUID = objects[0].key
            context = one.running[-1].accepted_contexts[0]
            one.running[-1].dimse.send_msg(stray, context.context_id or 1)
            return 0xA700
        return 0

    with node(answers) as one:
        found = sent(one.port, objects)
    assert (found.outcome, found.code) == (POSTPONED, "WRONG ANSWER")


def test_a_node_that_is_down_is_postponed(objects: tuple[OutgoingObject, ...]) -> None:
    found = sent(9, objects)
    assert (found.outcome, found.code) == (POSTPONED, "NO CONNECTION")
    found = sent(104, objects, host="pacs.invalid")
    assert (found.outcome, found.code) == (POSTPONED, "NO CONNECTION")
    with pytest.raises(ConfigError, match="never spoken to"):
        sent(104, objects, host="169.254.169.254")


def test_certificates_are_checked_at_both_ends(
    tmp_path: Path, objects: tuple[OutgoingObject, ...]
) -> None:
    authority, elsewhere = Authority(tmp_path, "hospital"), Authority(tmp_path, "elsewhere")
    mine, theirs = authority.sign("medmm"), elsewhere.sign("intruder")

    def found(
        server: tuple[Path, Path], client: tuple[Path, Path] | None, trusted: Path
    ) -> tuple[Outcome, str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*server)
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        certificate, key = client or (None, None)
        tls = TlsFiles(ca_file=trusted, certificate=certificate, key=key)
        with node(context=context) as one:
            said = sent(one.port, objects[:1], tls=tls, connect_s=2.0)
        return said.outcome, said.code

    good = authority.sign("good")
    assert found(good, mine, authority.certificate) == (ARRIVED, "0000")
    expired = authority.sign("expired", days=-1)
    assert found(expired, mine, authority.certificate) == (POSTPONED, "TLS REFUSED")
    assert found(good, mine, elsewhere.certificate) == (POSTPONED, "TLS REFUSED")
    for client in (theirs, None):  # TLS 1.3 tells it after the handshake
        outcome, code = found(good, client, authority.certificate)
        assert (outcome, code) == (POSTPONED, "NO ASSOCIATION")


def test_a_node_in_the_clear_does_not_get_what_was_to_be_secret(
    objects: tuple[OutgoingObject, ...],
) -> None:
    with bare(closes) as port:
        found = sent(port, objects, tls=TlsFiles(), connect_s=1.0)
    assert (found.outcome, found.code) == (POSTPONED, "TLS REFUSED")


def test_nothing_reaches_the_log_of_whoever_sends(objects: tuple[OutgoingObject, ...]) -> None:
    """A handler of one's own: pytest's is given to loggers that pass nothing on, too."""
    told = io.StringIO()
    handler, root = logging.StreamHandler(told), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with node() as one:
            sent(one.port, objects)
            sent(9, objects)
        logging.getLogger("medmm").debug("this is heard")
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert told.getvalue() == "this is heard\n"


def test_medmm_s_own_listener_takes_them_and_puts_them_aside(
    tmp_path: Path, objects: tuple[OutgoingObject, ...]
) -> None:
    with receiving(tmp_path, entry(callers=({"title": "MEDMM_OUT"},))) as one:
        port = one.address[1]
        found = sent(port, objects, title="MEDMM", calling="MEDMM_OUT")
        stranger = sent(port, objects, title="MEDMM", calling="STRANGER")
    assert (found.outcome, found.code) == (ARRIVED, "B000")
    assert len(one.aside()) == len(objects)
    assert (stranger.outcome, stranger.code) == (POSTPONED, "A-ASSOCIATE-RJ 1.1.3")

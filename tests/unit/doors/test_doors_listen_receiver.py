"""What a caller of `medmm listen` is answered, and what then stands in the spool."""

from __future__ import annotations

import errno
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
)
from pynetdicom import ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import create_file_meta, encode, encode_file_meta
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import build_context

from medmm.doors.dicom import arriving, receiver, upper_layer
from medmm.doors.dicom.negotiation import rejection
from medmm.doors.dicom.store_messages import StoreRequest, read_store_request, store_response
from tests.dicom_files import film_file, mr_file
from tests.listener import (
    WANTED,
    Listening,
    associated,
    connected,
    entry,
    events,
    receiving,
    sent,
    until,
)

PRIVATE = "1.3.12.2.1107.5.9.1"  # Siemens' CSA Non-Image Storage, which comes along with MR studies
SUCCESS, ASIDE, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xB000, 0xA700, 0xC000


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listening]:
    with receiving(tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_file(tmp_path_factory.mktemp("film"))


def dataset_bytes(path: Path) -> bytes:
    """What follows the file meta information."""
    whole = path.read_bytes()
    length = struct.unpack("<L", whole[140:144])[0]
    return whole[144 + length :]


def test_an_echo_is_answered(listener: Listening) -> None:
    link = associated(listener.address)
    assert link.send_c_echo().Status == SUCCESS
    link.release()


def test_an_object_stands_as_it_was_sent_and_as_a_dicom_file(
    listener: Listening, film: Path
) -> None:
    assert sent(listener.address, film) == [SUCCESS]
    (kept,) = listener.stored()
    assert dataset_bytes(kept) == dataset_bytes(film)
    meta = dcmread(kept).file_meta
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert meta.MediaStorageSOPInstanceUID == "1.2.3.3"
    assert kept.stat().st_mode & 0o077 == 0
    assert not listener.arriving()


@pytest.mark.parametrize("instance", ["1.2.3", "1.2.33"])
def test_the_file_meta_information_is_what_pydicom_writes(instance: str) -> None:
    command = arriving.Command(
        sop_class=MRImageStorage, sop_instance=instance, syntax=JPEG2000Lossless
    )
    meta = create_file_meta(
        sop_class_uid=MRImageStorage,
        sop_instance_uid=UID(instance),
        transfer_syntax=JPEG2000Lossless,
        implementation_uid=arriving.IMPLEMENTATION_UID,
        implementation_version=arriving.IMPLEMENTATION_NAME,
    )
    assert arriving._file_head(command) == bytes(128) + b"DICM" + encode_file_meta(meta)


@pytest.mark.parametrize("instance", ["1.2.3", "1.2.33"])
@pytest.mark.parametrize("comment", [None, "put aside"])
def test_the_answer_is_encoded_as_pynetdicom_does(instance: str, comment: str | None) -> None:
    answered = C_STORE()
    answered.MessageID = answered.MessageIDBeingRespondedTo = 7
    answered.AffectedSOPClassUID, answered.AffectedSOPInstanceUID = MRImageStorage, instance
    answered.Status = 0xB000 if comment else 0x0000
    if comment:
        answered.ErrorComment = comment
    message = C_STORE_RSP()
    message.primitive_to_message(answered)
    expected = encode(message.command_set, True, True)
    request = StoreRequest(message_id=7, sop_class=MRImageStorage, sop_instance=instance)
    assert store_response(request, answered.Status, comment or "") == expected


def test_the_same_object_again_is_a_success_and_kept_once(listener: Listening, film: Path) -> None:
    assert sent(listener.address, film, film) == [SUCCESS, SUCCESS]
    assert sent(listener.address, film) == [SUCCESS]
    assert len(listener.stored()) == 1


def test_the_file_does_not_depend_on_who_sent_it(tmp_path: Path, film: Path) -> None:
    found = []
    for name in ("SCU", "OTHER"):
        callers = ({"title": name},)
        with receiving(tmp_path / name, entry(callers=callers)) as one:
            assert sent(one.address, film, calling=name) == [SUCCESS]
            found.append(one.stored()[0].read_bytes())
    assert found[0] == found[1]


def test_another_content_under_a_uid_is_put_aside(listener: Listening, film: Path) -> None:
    other = dcmread(film)
    other.PatientID = "ZZ-9"
    assert sent(listener.address, film, other) == [SUCCESS, ASIDE]
    assert (len(listener.stored()), len(listener.aside())) == (1, 1)
    said = listener.aside()[0].with_suffix(".json").read_text()
    assert "another object came under its UID" in said
    assert "ZZ" not in said


@pytest.mark.parametrize("unwanted", [CTImageStorage, UID(PRIVATE)])
def test_an_unwanted_class_is_taken_with_a_warning_and_put_aside(
    listener: Listening, film: Path, unwanted: UID
) -> None:
    other = dcmread(film)
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = unwanted
    how = {"classes": {unwanted: [ExplicitVRLittleEndian]}}
    assert sent(listener.address, other, **how) == [ASIDE]
    assert (len(listener.stored()), len(listener.aside())) == (0, 1)


def test_uids_unlike_those_of_the_command_are_put_aside(
    listener: Listening, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dcmread(film)
    other.SOPInstanceUID = "1.2.3.4711"  # the command takes that of the file meta information
    link = associated(listener.address)
    from pynetdicom import _config

    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    path = film.with_name("lying.dcm")
    other.file_meta.MediaStorageSOPInstanceUID = "1.2.3.3"
    other.save_as(path, enforce_file_format=False)
    assert link.send_c_store(path).Status == ASIDE
    link.release()
    assert "not those of the command" in listener.aside()[0].with_suffix(".json").read_text()


def test_every_storage_class_is_offered_with_every_syntax(listener: Listening) -> None:
    asked = [(name, syntax) for name in WANTED for syntax in ALL_TRANSFER_SYNTAXES]
    for first in range(0, len(asked), 120):  # an association proposes 128 at most
        some = asked[first : first + 120]
        contexts = [build_context(name, syntax) for name, syntax in some]
        link = associated(listener.address, contexts=contexts)
        agreed = {(str(c.abstract_syntax), c.transfer_syntax[0]) for c in link.accepted_contexts}
        link.release()
        assert agreed == set(some)


def test_retired_jpeg_is_taken_and_a_query_or_an_unknown_syntax_is_not(listener: Listening) -> None:
    find, jpeg = "1.2.840.10008.5.1.4.1.2.2.1", UID("1.2.840.10008.1.2.4.53")
    classes = {
        MRImageStorage: [jpeg],
        find: [ImplicitVRLittleEndian],
        CTImageStorage: [UID("1.2.826.0.1.3680043.9.4711")],
    }
    link = associated(listener.address, classes)
    assert {str(c.abstract_syntax) for c in link.accepted_contexts} == {
        MRImageStorage,
        "1.2.840.10008.1.1",
    }
    link.release()


@pytest.mark.parametrize(
    ("proposed", "agreed"),
    [
        ([ImplicitVRLittleEndian, ExplicitVRLittleEndian], ExplicitVRLittleEndian),
        ([JPEG2000Lossless, ExplicitVRLittleEndian], JPEG2000Lossless),
        ([ImplicitVRLittleEndian, ExplicitVRBigEndian], ImplicitVRLittleEndian),
    ],
)
def test_the_senders_first_syntax_is_agreed_but_for_implicit_vr(
    listener: Listening, proposed: list[UID], agreed: UID
) -> None:
    link = associated(listener.address, {MRImageStorage: proposed})
    found = {str(c.abstract_syntax): c.transfer_syntax[0] for c in link.accepted_contexts}
    link.release()
    assert found[MRImageStorage] == agreed


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_each_encoding_of_a_data_set_finds_its_study(
    listener: Listening, film: Path, syntax: UID
) -> None:
    other = dcmread(film)
    other.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        other.PixelData = other.pixel_array.byteswap().tobytes()
    how: dict[str, Any] = {"classes": {str(other.SOPClassUID): [syntax]}}
    other.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian)
    assert sent(listener.address, other, **how) == [SUCCESS]
    (kept,) = listener.stored()
    assert dcmread(kept).StudyInstanceUID == "1.2.3.1"


@pytest.mark.parametrize(
    ("calling", "called", "reason", "why"),
    [("STRANGER", "MEDMM", 3, "caller"), ("SCU", "ELSEWHERE", 7, "title")],
)
def test_an_unknown_title_is_rejected_as_the_protocol_has_it(
    listener: Listening, calling: str, called: str, reason: int, why: str
) -> None:
    link = associated(listener.address, calling=calling, called=called)
    assert link.is_rejected
    answered = link.acceptor.primitive
    assert isinstance(answered, A_ASSOCIATE)
    assert (answered.result, answered.result_source, answered.diagnostic) == (1, 1, reason)
    until(lambda: listener.told)
    assert events(listener.told, "rejected")[0]["why"] == why


def test_a_caller_is_known_at_its_address_alone(tmp_path: Path) -> None:
    callers = ({"title": "SCU", "host": "192.0.2.7"}, {"title": "HERE", "host": "127.0.0.1"})
    with receiving(tmp_path, entry(callers=callers)) as one:
        assert associated(one.address).is_rejected
        link = associated(one.address, calling="HERE")
        assert link.is_established
        link.release()


@pytest.mark.parametrize(
    ("host", "let_in"), [("192.0.2.7", True), ("::ffff:192.0.2.7", True), ("::1", False)]
)
def test_an_address_is_the_same_over_ipv6(host: str, let_in: bool) -> None:
    listen = entry(callers=({"title": "SCU", "host": "192.0.2.7"},))
    assert (rejection(listen, "SCU", "MEDMM", host) is None) is let_in


def test_nobody_is_let_in_by_settings_that_name_nobody(tmp_path: Path) -> None:
    with (
        pytest.raises(receiver.ConfigError, match="nobody may send"),
        receiving(tmp_path, entry(callers=())),
    ):
        pass


def test_a_port_that_is_taken_is_named(tmp_path: Path, listener: Listening) -> None:
    port = listener.address[1]
    with (
        pytest.raises(receiver.ConfigError, match=r"EADDRINUSE.*correct bind and port"),
        receiving(tmp_path / "second", entry(port=port)),
    ):
        pass


def test_too_many_associations_are_rejected_for_now(tmp_path: Path) -> None:
    with receiving(tmp_path, entry(associations=2)) as one:
        links = [associated(one.address) for _ in range(2)]
        third = associated(one.address)
        assert third.is_rejected
        answered = third.acceptor.primitive
        assert isinstance(answered, A_ASSOCIATE)
        assert (answered.result, answered.result_source, answered.diagnostic) == (2, 3, 2)
        until(lambda: one.told)
        assert events(one.told, "rejected")[0]["why"] == "associations"
        for link in links:
            link.release()


def test_an_object_over_the_limit_is_refused_and_the_next_is_taken(tmp_path: Path) -> None:
    small = mr_file(tmp_path, "small.dcm", 0)
    large = film_file(tmp_path, "large.dcm")
    with receiving(tmp_path, entry(object_bytes=50_000)) as one:
        assert sent(one.address, large, small) == [NO_ROOM, SUCCESS]
        assert len(one.stored()) == 1
        assert not one.arriving()
        assert "larger" in events(one.told, "not-kept")[0]["why"]


def test_an_association_over_its_limit_is_aborted(tmp_path: Path, film: Path) -> None:
    with receiving(tmp_path, entry(association_bytes=200_000)) as one:
        link = associated(one.address)
        assert link.send_c_store(str(film)).Status == SUCCESS
        assert not link.send_c_store(str(film))  # no answer
        until(lambda: link.is_aborted)
        until(lambda: not one.arriving())


def test_a_full_disk_is_a700_and_the_study_goes_on_afterwards(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(tmp_path) as one:
        with monkeypatch.context() as patch:
            patch.setattr(arriving, "flushed_file", _full)
            assert sent(one.address, film, film) == [NO_ROOM, NO_ROOM]
        assert len(events(one.told, "not-kept")) == 1  # said once, not for each object
        assert sent(one.address, film) == [SUCCESS]
        assert not one.arriving()


def _full(path: Path) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_while_an_object_is_flushed_or_moved_is_a700(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with receiving(tmp_path) as one:
        with monkeypatch.context() as patch:
            patch.setattr("medmm.files.os.fsync", full)
            assert sent(one.address, film) == [NO_ROOM]
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", full)
            assert sent(one.address, film) == [NO_ROOM]
        assert events(one.told, "not-kept")
        assert not one.arriving()
        assert not one.stored()
        assert sent(one.address, film) == [SUCCESS]


def test_below_the_watermark_nothing_is_taken(tmp_path: Path, film: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with receiving(tmp_path, entry(free_bytes=2 * free)) as one:
        assert sent(one.address, film) == [NO_ROOM]
        assert not one.arriving()


def test_a_defect_is_answered_with_c211_and_told_without_what_it_says(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("ZZTEST^FILM")

    with receiving(tmp_path) as one:
        monkeypatch.setattr(receiver, "object_uids", broken)
        assert sent(one.address, film) == [0xC211]
        (said,) = events(one.told, "defect")
        assert said["error"] == "ZeroDivisionError"
        assert "ZZTEST" not in str(one.told) + caplog.text
        assert not one.arriving()


def store_request(dataset: bytes, *, whole: int | None = None) -> bytes:
    """The PDUs of a C-STORE of an MR image in presentation context 3."""
    name = MRImageStorage.encode() + (b"\0" if len(MRImageStorage) % 2 else b"")
    fields = [
        (0x0002, name),
        (0x0100, struct.pack("<H", 1)),
        (0x0110, struct.pack("<H", 7)),
        (0x0700, struct.pack("<H", 0)),
        (0x0800, struct.pack("<H", 1)),
        (0x1000, b"1.2.4.3\0"),
    ]
    body = b"".join(struct.pack("<HHL", 0, tag, len(value)) + value for tag, value in fields)
    command = struct.pack("<HHLL", 0, 0, 4, len(body)) + body
    return pdu(0x03, command) + pdu(0x02, dataset, whole)


def pdu(control: int, fragment: bytes, whole: int | None = None) -> bytes:
    """A P-DATA-TF PDU of one fragment; `whole` lies about its length."""
    length = len(fragment) + 2 if whole is None else whole
    return struct.pack(">BBLLBB", 4, 0, length + 4, length, 3, control) + fragment


def test_a_half_sent_object_leaves_nothing(listener: Listening) -> None:
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(store_request(bytes(5000), whole=100_000)[:-1000])
    until(lambda: link.is_established)
    bare.shutdown(socket.SHUT_RDWR)
    bare.close()
    until(lambda: not listener.arriving() and not listener.receiver._arriving)
    assert not listener.stored()


def test_an_abort_between_fragments_leaves_nothing(listener: Listening) -> None:
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    request = store_request(bytes(5000))
    bare.sendall(request[:-5012] + pdu(0x00, bytes(5000)))
    until(listener.arriving)
    link.abort()
    until(lambda: not listener.arriving() and not listener.receiver._arriving)
    assert not listener.stored()


def test_a_reset_between_store_and_answer_keeps_the_object(listener: Listening, film: Path) -> None:
    """The sender does not know, and sends it again: it is there once."""
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    mr = mr_file(film.parent, "reset.dcm", 0, SOPInstanceUID="1.2.4.3")
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bare.sendall(store_request(dataset_bytes(mr)))
    until(listener.stored)
    bare.close()
    assert sent(listener.address, mr) == [SUCCESS]
    assert len(listener.stored()) == 1


@pytest.mark.parametrize("length", [0xFFFFFFFF, upper_layer.MOST_PDU_BYTES + 1])
def test_a_lying_length_is_aborted_at_once(listener: Listening, length: int) -> None:
    with connected(listener.address) as bare:
        bare.sendall(struct.pack(">BBL", 1, 0, length))
        answered = bare.recv(100)
    assert answered == b"" or answered[0] == 7  # A-ABORT, or closed


def test_a_lying_length_in_an_association_is_aborted(listener: Listening) -> None:
    link = associated(listener.address)
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(struct.pack(">BBL", 4, 0, 0xFFFFFFF0))
    until(lambda: link.is_aborted)


def test_a_command_that_never_ends_is_aborted(listener: Listening) -> None:
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(pdu(0x01, bytes(60_000)) * 3)
    until(lambda: link.is_aborted)


def test_a_data_set_without_a_command_is_not_kept(listener: Listening) -> None:
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(pdu(0x00, bytes(100)))
    link.abort()
    until(lambda: not listener.receiver._arriving)
    assert not listener.arriving() + listener.stored() + listener.aside()


def test_bytes_that_are_no_data_set_are_put_aside(listener: Listening) -> None:
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(store_request(b"no data set at all" * 40))
    until(listener.aside)
    link.abort()
    assert "UIDs can't be read" in listener.aside()[0].with_suffix(".json").read_text()


def test_a_caller_that_says_nothing_keeps_nobody_out(listener: Listening, film: Path) -> None:
    with connected(listener.address), connected(listener.address):
        assert sent(listener.address, film) == [SUCCESS]


def test_callers_that_hang_up_or_never_speak_leave_nothing_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    with receiving(tmp_path) as one:
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x04\0\0\0\0\x04", bytes(100), b"\x01"):
            with connected(one.address) as bare:
                bare.sendall(words)
        with connected(one.address):  # still there when the listener stops
            until(lambda: one.receiver._server.active_associations)
            one.receiver.stop()
    until(lambda: threading.active_count() == before)


def test_probes_take_no_association_away(tmp_path: Path, film: Path) -> None:
    with receiving(tmp_path, entry(associations=1)) as one:
        for _ in range(30):
            with connected(one.address):
                pass

        def let_in() -> bool:
            link = associated(one.address)
            if link.is_established:
                assert link.send_c_store(str(film)).Status == SUCCESS
                link.release()
            return bool(link.is_released)

        until(let_in)  # the library alone would count them for half a minute


def test_a_caller_that_stops_in_a_pdu_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "IDLE_S", 0.3)
    with receiving(tmp_path) as one, connected(one.address) as bare:
        bare.sendall(struct.pack(">BBL", 1, 0, 1000) + b"half")
        bare.settimeout(10)
        assert bare.recv(10) == b""


def test_stopping_finishes_the_object_that_is_arriving(tmp_path: Path, film: Path) -> None:
    with receiving(tmp_path) as one:
        link = associated(one.address, {MRImageStorage: [ExplicitVRLittleEndian]})
        bare = link.dul.socket.socket
        assert bare is not None
        mr = mr_file(film.parent, "last.dcm", 0, SOPInstanceUID="1.2.4.3")
        whole = dataset_bytes(mr)
        begun = store_request(b"")[: -len(pdu(0x02, b""))] + pdu(0x00, whole[:2000])
        bare.sendall(begun)
        until(one.arriving)
        stopping = threading.Thread(target=one.receiver.stop)
        stopping.start()
        time.sleep(0.3)
        assert stopping.is_alive()
        bare.sendall(pdu(0x02, whole[2000:]))
        stopping.join(10)
        assert len(one.stored()) == 1
        assert not one.arriving()


def command_set(*changes: tuple[int, bytes | None]) -> bytes:
    """The command set of a C-STORE request, with elements changed, added, or taken out."""
    said: dict[int, bytes | None] = {
        0x0002: b"1.2.840.10008.5.1.4.1.1.4\0",
        0x0100: struct.pack("<H", 1),
        0x0110: struct.pack("<H", 7),
        0x0700: struct.pack("<H", 0),
        0x0800: struct.pack("<H", 1),
        0x1000: b"1.2.4.3\0",
        **dict(changes),
    }
    elements = ((tag, value) for tag, value in said.items() if value is not None)
    return b"".join(struct.pack("<HHL", 0, tag, len(value)) + value for tag, value in elements)


def test_a_command_is_read_as_pynetdicom_encodes_it() -> None:
    asked = C_STORE()
    asked.MessageID, asked.Priority = 7, 2
    asked.AffectedSOPClassUID, asked.AffectedSOPInstanceUID = MRImageStorage, "1.2.33"
    asked.MoveOriginatorApplicationEntityTitle, asked.MoveOriginatorMessageID = "PACS", 3
    asked.DataSet = BytesIO(b"something")
    message = C_STORE_RQ()
    message.primitive_to_message(asked)
    found = read_store_request(encode(message.command_set, True, True) or b"")
    assert found == StoreRequest(message_id=7, sop_class=MRImageStorage, sop_instance="1.2.33")


@pytest.mark.parametrize(
    "command",
    [
        b"",
        command_set((0x0100, struct.pack("<H", 0x30))),  # C-ECHO
        command_set((0x0800, struct.pack("<H", 0x101))),  # no data set follows
        command_set((0x0110, None)),
        command_set((0x1000, None)),
        command_set((0x1000, b"../../etc")),
        command_set((0x1000, b"1" * 65)),
        command_set() + struct.pack("<HHL", 8, 0x60, 2) + b"MR",
        command_set() + command_set(),
        command_set() + struct.pack("<HHL", 0, 0x1030, 400) + b"short",
        command_set() + b"\0\0",
    ],
)
def test_a_command_that_is_no_plain_c_store_is_left_to_the_library(command: bytes) -> None:
    assert read_store_request(command_set()) is not None
    assert read_store_request(command) is None


def test_an_object_is_the_same_file_whichever_way_its_command_came(
    tmp_path: Path, film: Path
) -> None:
    """A command cut in two is the library's; the file and the answer don't differ."""
    mr = dataset_bytes(mr_file(film.parent, "ways.dcm", 0, SOPInstanceUID="1.2.4.3"))
    kept, answers = [], []
    request = store_request(mr)
    command = request[12 : -len(pdu(0x02, mr))]
    for number, plain in enumerate((True, False)):
        parts = request if plain else pdu(0x01, command[:40]) + pdu(0x03, command[40:])
        parts += b"" if plain else pdu(0x02, mr)
        with receiving(tmp_path / str(number)) as one:
            link = associated(one.address, {MRImageStorage: [ExplicitVRLittleEndian]})
            link.bind(evt.EVT_DATA_RECV, lambda event: answers.append(bytes(event.data)))
            bare = link.dul.socket.socket
            assert bare is not None
            bare.sendall(parts)
            until(one.stored)
            until(lambda: len(answers) > number)  # noqa: B023
            link.abort()
            kept.append(one.stored()[0].read_bytes())
    assert kept[0] == kept[1]
    assert answers[0] == answers[1]


def test_objects_and_echoes_take_turns(listener: Listening, film: Path) -> None:
    link = associated(listener.address)
    for number in range(3):
        mr = mr_file(film.parent, "turn.dcm", number, SOPInstanceUID=f"1.2.4.{number}")
        assert link.send_c_store(mr).Status == SUCCESS
        assert link.send_c_echo().Status == SUCCESS
    link.release()
    assert link.is_released
    assert len(listener.stored()) == 3


@pytest.mark.parametrize("further", [pdu(0x03, command_set()), None])
def test_a_command_within_a_data_set_is_aborted(listener: Listening, further: bytes | None) -> None:
    """Alone in its PDU, or behind a fragment of the data set in one."""
    link = associated(listener.address, {MRImageStorage: [ExplicitVRLittleEndian]})
    bare = link.dul.socket.socket
    assert bare is not None
    fragments = pdu(0x00, bytes(100))[6:] + pdu(0x03, command_set())[6:]
    together = struct.pack(">BBL", 4, 0, len(fragments)) + fragments
    bare.sendall(pdu(0x03, command_set()) + pdu(0x00, bytes(100)) + (further or together))
    until(lambda: link.is_aborted)
    until(lambda: not listener.arriving())
    assert not listener.stored() + listener.aside()


def test_a_caller_that_stops_in_a_data_set_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "IDLE_S", 0.3)
    with receiving(tmp_path) as one:
        link = associated(one.address, {MRImageStorage: [ExplicitVRLittleEndian]})
        bare = link.dul.socket.socket
        assert bare is not None
        bare.sendall(store_request(bytes(5000))[:-1000])
        until(lambda: link.is_aborted or not link.is_established)
        until(lambda: not one.arriving())


def test_stopping_does_not_wait_for_an_association_that_is_idle(tmp_path: Path, film: Path) -> None:
    with receiving(tmp_path) as one:
        link = associated(one.address)
        assert link.send_c_store(str(film)).Status == SUCCESS
        begun = time.monotonic()
        one.receiver.stop()
        assert time.monotonic() - begun < 3
        until(lambda: link.is_aborted)

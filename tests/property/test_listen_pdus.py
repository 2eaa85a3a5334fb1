"""However an object is cut into PDUs, it arrives as it was; wherever it breaks off, nothing half stays."""

from __future__ import annotations

import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from tests.dicom_files import mr_file
from tests.listener import Listening, associated, receiving, until
from tests.unit.doors.test_doors_listen_receiver import dataset_bytes, store_request

ONE_MR = {MRImageStorage: [ExplicitVRLittleEndian]}


@pytest.fixture(scope="module")
def content() -> bytes:
    """The data set of one small MR image."""
    with tempfile.TemporaryDirectory() as folder:
        return dataset_bytes(mr_file(Path(folder), "mr.dcm", 0, SOPInstanceUID="1.2.4.3"))


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with receiving(tmp_path_factory.mktemp("data")) as found:
        yield found


def cut(message: bytes, control: int, lengths: list[int]) -> list[bytes]:
    """PDVs of a command or data set, of these lengths and a last one."""
    parts, start = [], 0
    for length in lengths:
        parts.append(message[start : start + length])
        start += length
    parts.append(message[start:])
    last = len(parts) - 1
    return [
        struct.pack(">LBB", len(part) + 2, 3, control + (2 if number == last else 0)) + part
        for number, part in enumerate(parts)
    ]


def pdus(fragments: list[bytes], together: list[int]) -> bytes:
    """P-DATA-TF PDUs, of so many PDVs each."""
    found, left = b"", list(fragments)
    for count in [*together, *[1] * len(left)]:
        some, left = left[:count], left[count:]
        if some:
            body = b"".join(some)
            found += struct.pack(">BBL", 4, 0, len(body)) + body
    return found


def command() -> bytes:
    """The command set of the C-STORE."""
    return store_request(b"")[12 : -len(struct.pack(">BBLLBB", 4, 0, 0, 0, 0, 0))]


cuts = st.lists(st.integers(min_value=0, max_value=4000), max_size=6)
counts = st.lists(st.integers(min_value=1, max_value=3), max_size=6)


@settings(max_examples=15)
@given(of_command=st.lists(st.integers(0, 60), max_size=3), of_data=cuts, together=counts)
def test_an_object_arrives_however_it_is_cut(
    listener: Listening,
    content: bytes,
    of_command: list[int],
    of_data: list[int],
    together: list[int],
) -> None:
    sent = pdus(cut(command(), 1, of_command) + cut(content, 0, of_data), together)
    before = dict(listener.receiver.counted)
    link = associated(listener.address, ONE_MR)
    bare = link.dul.socket.socket
    assert bare is not None
    bare.sendall(sent)
    until(lambda: sum(listener.receiver.counted.values()) > sum(before.values()))
    link.abort()
    (kept,) = listener.stored()
    assert dataset_bytes(kept) == content
    assert listener.receiver.counted["aside"] == listener.receiver.counted["refused"] == 0


@settings(max_examples=15)
@given(of_data=cuts, share=st.floats(0, 0.999), how=st.sampled_from(["abort", "close", "reset"]))
def test_nothing_half_stays_wherever_it_breaks_off(
    content: bytes, of_data: list[int], share: float, how: str
) -> None:
    whole = pdus(cut(command(), 1, []) + cut(content, 0, of_data), [])
    with tempfile.TemporaryDirectory() as folder, receiving(Path(folder)) as one:
        link = associated(one.address, ONE_MR)
        bare = link.dul.socket.socket
        assert bare is not None
        bare.sendall(whole[: int(share * len(whole))])
        if how == "abort":
            link.abort()
        else:
            if how == "reset":
                bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            bare.close()
        until(lambda: not one.receiver._server.active_associations)
        one.receiver.drop_abandoned()
        assert not one.arriving()
        assert not one.stored()
        assert not one.aside()

"""Files with damaged heads and lying lengths on their way into a spool: left, or taken as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.doors.dicom.spool import Spool
from medmm.doors.folder.file_objects import LeftOutError, arrived_file, file_head
from tests.dicom_files import mr_file
from tests.listener import WANTED


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return mr_file(tmp_path_factory.mktemp("head"), "mr.dcm", 5.0).read_bytes()


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Spool:
    return Spool(tmp_path_factory.mktemp("spool"), object_bytes=2**20, free_bytes=0)


def parts(data: bytes, size: int) -> Iterator[bytes]:
    return iter([data[at : at + size] for at in range(0, len(data), size)])


@given(
    at=st.integers(128, 900),
    put=st.sampled_from([b"\xff\xff\xff\xff", b"\x00", b"\xff\xff", b"\xfe\xff\x00\xe0", b"UN"]),
    cut=st.integers(0, 2000),
    size=st.integers(1, 4000),
)
def test_a_damaged_head_is_left_or_the_file_is_taken_as_it_is(
    whole: bytes, spool: Spool, at: int, put: bytes, cut: int, size: int
) -> None:
    data = whole[:at] + put + whole[at + len(put) : len(whole) - cut]
    try:
        arrived, _ = arrived_file(parts(data, size), spool.room, WANTED)
    except LeftOutError:
        assert not list(spool.room.folder.iterdir())
        return
    assert arrived.path.read_bytes() == data
    arrived.drop()
    assert not list(spool.room.folder.iterdir())


@given(st.binary(max_size=400))
def test_any_bytes_have_a_head_or_none(data: bytes) -> None:
    for first in (data, bytes(128) + b"DICM" + data, b"\x08\x00\x05\x00" + data):
        found = file_head(first)
        assert found is None or found.size_bytes <= len(first)


def test_the_data_set_follows_the_head(whole: bytes) -> None:
    head = file_head(whole[:65_536])
    assert head is not None
    assert whole[head.size_bytes : head.size_bytes + 2] == b"\x08\x00"

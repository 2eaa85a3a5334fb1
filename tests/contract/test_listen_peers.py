"""dcmtk's programs send to the listener; what arrived is counted, since exit codes lie."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests.certificates import Authority
from tests.dicom_files import mr_file
from tests.listener import Listening, entry, receiving

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed"),
]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listening]:
    with receiving(tmp_path / "data") as found:
        yield found


def store(one: Listening, *words: object) -> subprocess.CompletedProcess[str]:
    host, port = one.address
    options = [str(word) for word in words if not isinstance(word, Path)]
    files = [str(word) for word in words if isinstance(word, Path)]
    command = ["storescu", "-aet", "SCU", "-aec", "MEDMM", *options, host, str(port), *files]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_echoscu_is_answered(listener: Listening) -> None:
    host, port = listener.address
    command = ["echoscu", "-v", "-aet", "SCU", "-aec", "MEDMM", host, str(port)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Received Echo Response (Success)" in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("MR_small.dcm", "-xe"),
        ("MR_small_implicit.dcm", "-xi"),
        ("MR_small_bigendian.dcm", "-xb"),
        ("MR_small_RLE.dcm", "-xr"),
        ("MR_small_jp2klossless.dcm", "-xv"),
        ("MR_small_jpeg_ls_lossless.dcm", "-xt"),
        ("JPEG-lossy.dcm", "-xx"),
        ("image_dfl.dcm", "-xd"),
        ("SC_rgb_jpeg_dcmtk.dcm", "-xy"),
        ("MR_small_RLE.dcm", "-xr +C"),  # all in one proposal: the sender's first is agreed
    ],
)
def test_each_transfer_syntax_arrives_as_it_was_sent(
    listener: Listening, name: str, option: str
) -> None:
    path = Path(str(get_testdata_file(name)))
    found = store(listener, "-v", *option.split(), path)
    arrived = listener.stored() + listener.aside()  # of other classes than are read: aside
    assert len(arrived) == 1, found.stderr
    before, after = dcmread(path), dcmread(arrived[0])
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert after.PixelData == before.PixelData


def test_four_senders_at_once_arrive_whole(listener: Listening, tmp_path: Path) -> None:
    for sender in range(4):
        for number in range(25):
            uid = f"1.2.4.3.{sender}.{number}"
            name = f"{sender}/{number}.dcm"
            mr_file(tmp_path / "in", name, 5.0 * number, SOPInstanceUID=uid)
    host, port = listener.address
    command = ["storescu", "-aet", "SCU", "-aec", "MEDMM", "+sd", host, str(port)]
    running = [
        subprocess.Popen(
            [*command, str(tmp_path / "in" / str(sender))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for sender in range(4)
    ]
    for one in running:
        one.wait(120)
    assert len(listener.stored()) == 100
    assert {dcmread(file).SOPInstanceUID for file in listener.stored()} == {
        f"1.2.4.3.{sender}.{number}" for sender in range(4) for number in range(25)
    }
    assert not listener.aside()


def test_a_folder_with_an_unwanted_object_in_it_arrives_to_its_end(
    listener: Listening, tmp_path: Path
) -> None:
    """dcmtk and Orthanc stop at a failure; a warning stops neither."""
    ct = Path(str(get_testdata_file("CT_small.dcm")))
    files = [mr_file(tmp_path, f"{n}.dcm", n, SOPInstanceUID=f"1.2.4.{n}") for n in (1, 2)]
    found = store(listener, "-v", "-R", files[0], ct, files[1])
    assert (len(listener.stored()), len(listener.aside())) == (2, 1), found.stderr
    assert "Warning" in found.stdout + found.stderr


def test_an_unknown_caller_is_told_so(listener: Listening, tmp_path: Path) -> None:
    host, port = listener.address
    command = ["echoscu", "-aet", "STRANGER", "-aec", "MEDMM", host, str(port)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Calling AE Title Not Recognized" in found.stdout + found.stderr


def test_echoscu_speaks_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "hospital")
    certificate, key = authority.sign("listener")
    mine, my_key = authority.sign("scanner")
    theirs, their_key = Authority(tmp_path, "elsewhere").sign("intruder")
    tls = {"certificate": certificate, "key": key, "callers_ca": authority.certificate}
    with receiving(tmp_path / "data", entry(tls=tls)) as one:
        host, port = one.address
        told = []
        for pair in ((my_key, mine), (their_key, theirs)):
            command = ["echoscu", "-v", "-aet", "SCU", "-aec", "MEDMM", "+tls", *map(str, pair)]
            command += ["+cf", str(authority.certificate), host, str(port)]
            found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            told.append("(Success)" in found.stdout + found.stderr)
    assert told == [True, False]

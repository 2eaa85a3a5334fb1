"""Studies are fetched from dcmtk's dcmqrscp and from Orthanc, beside dcmtk's own clients."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ComprehensiveSRStorage, JPEG2000Lossless

from medmm.config import DicomSource, DicomwebSource
from medmm.domain.errors import ConfigError, Unavailable
from medmm.doors.dicom.spool import Spool
from medmm.doors.fetch.dicomweb import DicomwebServer
from medmm.doors.fetch.matches import StudyMatch, StudyQuery
from medmm.doors.fetch.pacs import Pacs
from tests.dicom_files import mr_file
from tests.listener import WANTED, entry, receiving, until

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(shutil.which("dcmqrscp") is None, reason="dcmtk is not installed"),
]
ORTHANC = pytest.param(
    "orthanc",
    marks=pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed"),
)
STUDY = "1.2.4.1"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Peer:
    """A PACS of others: its ports, and the port on which it knows the title MEDMM."""

    port: int
    title: str
    listens: int
    http: int = 0


DCMQRSCP = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
medmm = (MEDMM, 127.0.0.1, {listens})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PEER {folder} RW (200, 1024mb) ANY
AETable END
"""


def dcmqrscp(folder: Path) -> tuple[Peer, list[str]]:
    peer = Peer(port=free_port(), title="PEER", listens=free_port())
    (folder / "db").mkdir()
    config = folder / "dcmqrscp.cfg"
    config.write_text(DCMQRSCP.format(port=peer.port, listens=peer.listens, folder=folder / "db"))
    return peer, ["dcmqrscp", "-c", str(config), "+xv", str(peer.port)]


def orthanc(folder: Path) -> tuple[Peer, list[str]]:
    peer = Peer(port=free_port(), title="PEER", listens=free_port(), http=free_port())
    said = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomAet": "PEER",
        "DicomPort": peer.port,
        "HttpPort": peer.http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {
            "medmm": {
                "AET": "MEDMM",
                "Host": "127.0.0.1",
                "Port": peer.listens,
                "AllowGet": True,
            }
        },
        "Plugins": [str(one) for one in Path("/usr/share/orthanc/plugins").glob("*DicomWeb*")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(said))
    return peer, ["Orthanc", str(config)]


def sent(peer: Peer, *files: Path, option: str = "") -> None:
    found = subprocess.run(
        [
            "storescu",
            "-aet",
            "MEDMM",
            "-aec",
            peer.title,
            *option.split(),
            "127.0.0.1",
            str(peer.port),
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr


@pytest.fixture(scope="module", params=["dcmqrscp", ORTHANC])
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp(request.param)
    found, command = {"dcmqrscp": dcmqrscp, "orthanc": orthanc}[request.param](folder)
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: answers(found.port), 60)
        files = [
            mr_file(
                folder,
                f"{n}.dcm",
                5.0 * n,
                AccessionNumber="A1",
                StudyDate="20200304",
                StudyID="1",
                StudyTime="101112",
                PatientName="ZZTEST",
                SeriesNumber=1,
                InstanceNumber=n,
            )
            for n in range(4)
        ]
        sent(found, *files)
        coded = dcmread(files[0])
        coded.StudyInstanceUID, coded.SOPInstanceUID = "1.2.4.7", "1.2.4.7.1"
        coded.file_meta.MediaStorageSOPInstanceUID = "1.2.4.7.1"
        coded.AccessionNumber, coded.SeriesInstanceUID = "A7", "1.2.4.7.2"
        coded.compress(JPEG2000Lossless, generate_instance_uid=False)
        coded.save_as(folder / "coded.dcm")
        sent(found, folder / "coded.dcm", option="-xv")
        report = dcmread(files[0])
        for keyword in ("PixelData", "Rows", "Columns", "PixelSpacing"):
            delattr(report, keyword)
        report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
        report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = "1.2.4.1.8"
        report.SeriesInstanceUID, report.Modality = "1.2.4.2.8", "SR"
        report.save_as(folder / "sr.dcm")
        sent(found, folder / "sr.dcm", option="-R")
        yield found
    finally:
        running.terminate()
        running.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def asked(peer: Peer, **changes: object) -> Pacs:
    made = {
        "host": "127.0.0.1",
        "port": peer.port,
        "title": peer.title,
        "answer_s": 10.0,
        **changes,
    }
    return Pacs("peer", DicomSource(kind="dicom", **made), lambda event, **said: None)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "fetched", object_bytes=2**30, free_bytes=0)


@pytest.mark.parametrize(
    "query",
    [
        StudyQuery(study_uid=STUDY),
        StudyQuery(accession="A1"),
        StudyQuery(
            patient_id="ZZ-2", accession="A1", since=date(2020, 3, 4), until=date(2020, 3, 4)
        ),
    ],
)
def test_a_study_is_found(peer: Peer, query: StudyQuery) -> None:
    found = asked(peer).search(query)
    assert [one.study_uid for one in found.matches] == [STUDY]
    assert not asked(peer).search(StudyQuery(accession="A9")).matches


def test_findscu_finds_as_many(peer: Peer) -> None:
    said = subprocess.run(
        [
            "findscu",
            "-S",
            "-aet",
            "MEDMM",
            "-aec",
            peer.title,
            "-k",
            "QueryRetrieveLevel=STUDY",
            "-k",
            "PatientID=ZZ-2",
            "-k",
            "StudyInstanceUID",
            "127.0.0.1",
            str(peer.port),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = asked(peer).search(StudyQuery(patient_id="ZZ-2")).matches
    assert (said.stdout + said.stderr).count("(0020,000d)") == len(ours) == 2


def test_a_study_comes_by_c_get_without_its_report(peer: Peer, spool: Spool) -> None:
    got = asked(peer).retrieve(StudyMatch(study_uid=STUDY), spool, WANTED)
    assert (got.new, got.left, got.failed) == (4, 1, 0)
    assert len(list(spool.studies.glob("*/*/*.dcm"))) == 4


def test_getscu_gets_as_many(peer: Peer, spool: Spool, tmp_path: Path) -> None:
    subprocess.run(
        [
            "getscu",
            "-S",
            "-aet",
            "MEDMM",
            "-aec",
            peer.title,
            "-od",
            str(tmp_path),
            "-k",
            "QueryRetrieveLevel=STUDY",
            "-k",
            f"StudyInstanceUID={STUDY}",
            "127.0.0.1",
            str(peer.port),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    got = asked(peer).retrieve(StudyMatch(study_uid=STUDY), spool, WANTED)
    arrived = [dcmread(file) for file in tmp_path.iterdir() if file.is_file()]
    assert len(arrived) == got.new + got.left
    ours = {dcmread(file).SOPInstanceUID for file in spool.studies.glob("*/*/*.dcm")}
    assert ours == {one.SOPInstanceUID for one in arrived if one.Modality == "MR"}


def test_a_compressed_image_comes_as_it_is_stored(peer: Peer, spool: Spool, tmp_path: Path) -> None:
    coded = StudyMatch(study_uid="1.2.4.7")
    moving = asked(peer, retrieve="move", move_to="MEDMM")
    listen = entry(any_caller=True, callers=(), port=peer.listens)
    with receiving(tmp_path / "data", listen) as found:
        if not peer.http:  # dcmqrscp 3.6.7 takes the first context of the class, and can't convert
            with pytest.raises(Unavailable, match="0xA702") as refused:
                asked(peer).retrieve(coded, spool, WANTED)
            assert "retrieve: move" in refused.value.remedy
            with pytest.raises(Unavailable, match="0xA702"):
                moving.retrieve(coded, spool, WANTED)
            return
        assert asked(peer).retrieve(coded, spool, WANTED).new == 1
        assert moving.retrieve(coded, spool, WANTED).new == 1
        (got,) = spool.studies.glob("*/*/*.dcm")
        for file in (got, *found.stored()):
            assert dcmread(file).file_meta.TransferSyntaxUID == JPEG2000Lossless


def test_a_study_is_moved_to_the_listener(peer: Peer, spool: Spool, tmp_path: Path) -> None:
    listen = entry(any_caller=True, callers=(), port=peer.listens)
    moving = asked(peer, retrieve="move", move_to="MEDMM")
    with receiving(tmp_path / "data", listen) as found:
        got = moving.retrieve(StudyMatch(study_uid=STUDY), spool, WANTED)
        assert got.moved_to == "MEDMM"
        assert len(found.stored()) == 4
    nowhere = asked(peer, retrieve="move", move_to="NOWHERE")
    with pytest.raises((ConfigError, Unavailable), match=r"0x(A801|C000)"):
        nowhere.retrieve(StudyMatch(study_uid=STUDY), spool, WANTED)


def test_a_wrong_title_is_told(peer: Peer) -> None:
    with pytest.raises((ConfigError, Unavailable)) as refused:
        asked(peer, title="WRONG", calling="INTRUDER").search(StudyQuery(accession="A1"))
    assert "title" in refused.value.remedy


def test_a_study_comes_over_dicomweb_as_it_is_stored(peer: Peer, spool: Spool) -> None:
    if not peer.http:
        pytest.skip("dcmqrscp speaks no DICOMweb")
    source = DicomwebSource(
        kind="dicomweb",
        url=f"http://127.0.0.1:{peer.http}/dicom-web",
        hosts=("127.0.0.1",),
        plain_http_on_loopback=True,
    )
    server = DicomwebServer("peer", source)
    until(lambda: answers(peer.http), 30)
    (found,) = server.search(StudyQuery(accession="A1", patient_id="ZZ-2")).matches
    assert (found.study_uid, found.instances) == (STUDY, 5)
    got = server.retrieve(found, spool, WANTED)
    assert (got.new, got.left) == (4, 1)
    (coded,) = server.search(StudyQuery(study_uid="1.2.4.7")).matches
    assert server.retrieve(coded, spool, WANTED).new == 1
    syntaxes = {dcmread(f).file_meta.TransferSyntaxUID for f in spool.studies.glob("*/*/*.dcm")}
    assert JPEG2000Lossless in syntaxes
    assert not server.search(StudyQuery(accession="A9")).matches

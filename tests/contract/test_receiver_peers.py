"""Signed results before real receivers: dcmtk's storescp and Orthanc; what arrived is counted, since exit codes and statuses lie.

Each skips where its program is not installed: storescp comes with Debian's dcmtk, Orthanc with orthanc and orthanc-dicomweb.
"""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from medmm.delivery import Joins, render
from medmm.delivery.dicom.objects import dicom_objects
from medmm.delivery.senders import sender_to
from medmm.domain.receivers import (
    DicomReceiver,
    FhirReceiver,
    HttpServer,
    StowReceiver,
    TlsFiles,
    UserPassword,
)
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission
from tests.certificates import Authority
from tests.fhir_peer import FhirStore, fhir_server
from tests.orthanc import Orthanc, free_port, orthanc, storescp, wait_for_port
from tests.signed_studies import Signed, signed
from tests.unit.delivery.test_delivery_fhir import IDENTITY
from tests.unit.delivery.test_delivery_joins import joins
from tests.unit.delivery.test_delivery_versions import CHAIN

pytestmark = pytest.mark.peers
ARRIVED, REFUSED, POSTPONED = Outcome.ARRIVED, Outcome.REFUSED, Outcome.POSTPONED


def outgoing(one: Signed) -> tuple[OutgoingObject, ...]:
    return tuple(
        OutgoingObject(
            name=f"{made.name}.dcm",
            key=made.reference.sop_uid,
            content=made.content,
        )
        for made in dicom_objects(one.report, one.versions, one.source)
    )


@pytest.fixture(scope="module")
def versions() -> tuple[tuple[OutgoingObject, ...], ...]:
    """Original, amended and withdrawn report of a hippocampus, with two segmentations."""
    first = signed("hippocampus")
    return tuple(outgoing(one) for one in (first, first.amended(), first.amended().withdrawn()))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as found:
        yield found


def data_set(content: bytes) -> bytes:
    """An object without preamble and file meta information, which each receiver writes anew."""
    buffer = BytesIO(content)
    dcmread(buffer, stop_before_pixels=True, specific_tags=[])
    meta_length = int.from_bytes(content[140:144], "little")
    return content[144 + meta_length :]


def to_node(
    port: int, objects: tuple[OutgoingObject, ...], title: str = "PACS", tls: TlsFiles | None = None
) -> Transmission:
    receiver = DicomReceiver(host="localhost", port=port, title=title, tls=tls, answer_s=20)
    return sender_to(receiver).send(objects)


def test_storescp_gets_every_version_byte_for_byte(
    versions: tuple[tuple[OutgoingObject, ...], ...], tmp_path: Path
) -> None:
    folder = tmp_path / "came"
    with storescp(folder, "--bit-preserving") as port:
        for objects in (*versions, versions[0]):  # the first once more: it does no harm
            assert to_node(port, objects) == Transmission(outcome=ARRIVED, code="0000")
    came = {data_set(file.read_bytes()) for file in folder.iterdir()}
    assert came == {data_set(one.content) for objects in versions for one in objects}
    assert len(list(folder.iterdir())) == len(came)


def test_orthanc_gets_every_version_by_c_store(
    pacs: Orthanc, versions: tuple[tuple[OutgoingObject, ...], ...]
) -> None:
    pacs.clear()
    for objects in (*versions, versions[0]):
        assert to_node(pacs.dicom_port, objects, "ORTHANC").outcome is ARRIVED
    sent = {one.key: data_set(one.content) for objects in versions for one in objects}
    assert {uid: data_set(content) for uid, content in pacs.files().items()} == sent


def test_orthanc_gets_every_version_by_stow(
    pacs: Orthanc, versions: tuple[tuple[OutgoingObject, ...], ...]
) -> None:
    pacs.clear()
    sender = sender_to(StowReceiver(server=HttpServer(url=pacs.dicomweb)))
    for objects in (*versions, versions[0]):
        assert sender.send(objects) == Transmission(outcome=ARRIVED, code="HTTP 200")
    sent = {one.key: data_set(one.content) for objects in versions for one in objects}
    assert {uid: data_set(content) for uid, content in pacs.files().items()} == sent


def test_orthanc_refuses_one_object_and_keeps_the_others(
    pacs: Orthanc, versions: tuple[tuple[OutgoingObject, ...], ...]
) -> None:
    """It answers 400 for all of them: what it can't parse it names nowhere, what lacks a UID as C000."""
    sender = sender_to(StowReceiver(server=HttpServer(url=pacs.dicomweb)))
    first, *others = versions[0]
    lacking = dcmread(BytesIO(first.content))
    del lacking.StudyInstanceUID
    buffer = BytesIO()
    lacking.save_as(buffer)
    for content, code in ((b"no object", "HTTP 400 UNNAMED"), (buffer.getvalue(), "HTTP 400 C000")):
        pacs.clear()
        found = sender.send([replace(first, content=content), *others])
        assert (found.outcome, found.code) == (REFUSED, code)
        assert set(pacs.files()) == {one.key for one in others}
        assert found.reason.startswith(first.name)


def test_orthanc_does_not_know_label_maps_over_an_association(pacs: Orthanc) -> None:
    """Debian's 1.10.1: SOP class of supplement 243. The others arrive; by STOW it is taken."""
    pacs.clear()
    objects = outgoing(signed("hippocampus", label_maps=True))
    found = to_node(pacs.dicom_port, objects, "ORTHANC")
    assert (found.outcome, found.code) == (REFUSED, "CONTEXT REFUSED 3")
    others = {one.key for one in objects if not one.name.startswith("seg")}
    assert set(pacs.files()) == others
    assert len(others) < len(objects)
    sender = sender_to(StowReceiver(server=HttpServer(url=pacs.dicomweb)))
    assert sender.send(objects).outcome is ARRIVED
    assert len(pacs.files()) == len(objects)


def test_orthanc_asks_who_medmm_is(
    tmp_path: Path, versions: tuple[tuple[OutgoingObject, ...], ...]
) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n", encoding="ascii")
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n", encoding="ascii")
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"medmm": "s3cret"}}
    strict = {"DicomCheckCalledAet": True, "DicomAlwaysAllowStore": False}
    with orthanc(tmp_path / "orthanc", **users, **strict) as one:
        codes = [
            sender_to(StowReceiver(server=HttpServer(url=one.dicomweb, sign_in=sign_in)))
            .send(versions[0])
            .code
            for sign_in in (
                None,
                UserPassword(user="medmm", password_file=wrong),
                UserPassword(user="medmm", password_file=password),
            )
        ]
        assert codes == ["HTTP 401", "HTTP 401", "HTTP 200"]
        found = to_node(one.dicom_port, versions[0], "OTHER")
        assert found.outcome is POSTPONED
        # It closes at once, and one time in fifteen its reason is lost with the connection.
        assert found.code in ("A-ASSOCIATE-RJ 1.1.7", "NO ASSOCIATION")
        # An unknown caller gets its association, and is cut off at its first object.
        found = to_node(one.dicom_port, versions[0], "ORTHANC")
        assert (found.outcome, found.code) == (POSTPONED, "ABORTED")


def test_storescp_with_a_full_disk_is_tried_again(
    versions: tuple[tuple[OutgoingObject, ...], ...], tmp_path: Path
) -> None:
    """Files may have 20 kB there: one object arrives, the next does not."""
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("dcmtk is not installed")

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    port = free_port()
    command = [program, "-aet", "PACS", "-od", str(tmp_path), str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=small_files)
    try:
        wait_for_port(port, server)
        found = to_node(port, versions[0])
    finally:
        server.terminate()
        server.wait(30)
    assert (found.outcome, found.code) == (POSTPONED, "A700")


@pytest.mark.parametrize("client", ["known", "foreign"])
def test_storescp_checks_medmm_s_certificate(
    client: str, versions: tuple[tuple[OutgoingObject, ...], ...], tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "hospital")
    certificate, key = authority.sign("localhost")
    signs = authority if client == "known" else Authority(tmp_path, "elsewhere")
    mine, my_key = signs.sign("medmm")
    options = ["+tls", str(key), str(certificate), "+cf", str(authority.certificate), "-rc"]
    with storescp(tmp_path / "came", *options) as port:
        tls = TlsFiles(ca_file=authority.certificate, certificate=mine, key=my_key)
        receiver = DicomReceiver(host="127.0.0.1", port=port, title="PACS", tls=tls)
        found = sender_to(receiver).send(versions[0][:1])
    came = len(list((tmp_path / "came").iterdir()))
    if client == "known":
        assert (found.outcome, came) == (ARRIVED, 1)
    else:
        assert (found.outcome, came) == (POSTPONED, 0)


@pytest.mark.parametrize("made", [None, joins()], ids=["alone", "joined"])
def test_what_a_fhir_server_gets_is_valid_r4(
    made: Joins | None, shared_data: Path, tmp_path: Path
) -> None:
    """Every request, before it is done, and what is kept of it afterwards."""
    from tests.contract.test_delivery_r4 import assert_r4

    checker = shared_data.parent / "tools" / "fhir_r4_check"
    if not checker.exists():
        pytest.skip("the R4 checker is not beside the shared data")
    paths: list[Path] = []

    def keep(content: bytes) -> None:
        paths.append(tmp_path / f"{len(paths)}.json")
        paths[-1].write_bytes(content)

    store = FhirStore(takes=keep)
    with fhir_server(store) as peer:
        sender = sender_to(FhirReceiver(server=HttpServer(url=peer.url)))
        for number in range(1, len(CHAIN) + 1):
            content = render(CHAIN[number - 1], IDENTITY, "fhir", made, CHAIN[:number]).encode()
            one = OutgoingObject(name="fhir.json", key="x", content=content)
            assert sender.send([one]).outcome is ARRIVED
    assert len(paths) == len(CHAIN)
    assert_r4(checker, paths)

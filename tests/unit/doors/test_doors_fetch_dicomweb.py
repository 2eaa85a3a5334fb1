"""What is asked of a DICOMweb server and what comes of it, also where the server misbehaves."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import ComprehensiveSRStorage, JPEG2000Lossless

from medmm.config import DicomwebSource
from medmm.domain.errors import ConfigError, InputError, MedmmError, Unavailable
from medmm.domain.report import CaseState
from medmm.doors.dicom.spool import Spool
from medmm.doors.fetch import dicomweb as client
from medmm.doors.fetch import fetching
from medmm.doors.fetch.dicomweb import DicomwebServer
from medmm.doors.fetch.matches import StudyMatch, StudyQuery
from medmm.doors.fetch.multipart import BrokenAnswerError, Multipart, boundary_of
from tests.certificates import Authority
from tests.dicom_files import film_file, mr_file
from tests.dicomweb import BOUNDARY, Handler, ToyServer, dicomweb
from tests.listener import WANTED, Event, entry, events
from tests.quick_assistant import quick_assistant

STUDY = StudyMatch(study_uid="1.2.4.1")
HERE = {"hosts": ("127.0.0.1",), "plain_http_on_loopback": True}


def source_of(url: str, **changes: Any) -> DicomwebSource:
    return DicomwebSource(kind="dicomweb", url=url, **{**HERE, "answer_s": 5.0, **changes})


def asked(toy: ToyServer, **changes: Any) -> DicomwebServer:
    return DicomwebServer("toy", source_of(toy.url, **changes))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "fetched", object_bytes=2**30, free_bytes=0)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("slices")
    return [
        mr_file(
            folder, f"{n}.dcm", 5.0 * n, AccessionNumber="A1", SeriesInstanceUID=f"1.2.4.2.{n % 2}"
        )
        for n in range(4)
    ]


def stored(spool: Spool) -> list[Path]:
    return sorted(spool.studies.glob("*/*/*.dcm"))


def nothing_half_done(spool: Spool) -> bool:
    return not (stored(spool) or list(spool.room.folder.iterdir()) or spool.waiting())


def test_a_study_is_found_and_fetched_series_by_series(
    slices: list[Path], spool: Spool, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with dicomweb(*slices) as toy:
        server = asked(toy, token_file=token)
        (found,) = server.search(StudyQuery(accession="A1")).matches
        got = server.retrieve(found, spool, WANTED)
        again = server.retrieve(found, spool, WANTED)
    assert (found.study_uid, found.instances) == ("1.2.4.1", 4)
    assert (got.new, again.again) == (4, 4)
    assert {file.read_bytes() for file in stored(spool)} == {f.read_bytes() for f in slices}
    series = [(path, fields) for path, _, fields in toy.asked if path.count("/series/")]
    assert len(series) == 4
    assert all(fields["Accept"].endswith("transfer-syntax=*") for _, fields in series)
    assert all(fields["Authorization"] == "Bearer s3cret" for _, _, fields in toy.asked)


def test_a_user_and_a_password_are_shown_as_orthanc_asks(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    with dicomweb() as toy:
        server = asked(toy, user="medmm", password_file=password)
        assert not server.search(StudyQuery(accession="A1")).matches
    assert [fields["Authorization"] for _, _, fields in toy.asked] == ["Basic bWVkbW06czNjcmV0"]


def test_answers_of_other_patients_are_left(slices: list[Path], tmp_path: Path) -> None:
    film = film_file(tmp_path, "film.dcm")

    def everything(handler: Handler) -> bool:
        handler.json(handler.toy.studies({}, "study"))
        return True

    with dicomweb(*slices, film, misbehave=everything) as toy:
        found = asked(toy).search(StudyQuery(patient_id="ZZ-2"))
    assert [one.patient_id for one in found.matches] == ["ZZ-2"]
    assert found.others == 1


def test_pages_are_read_to_the_limit() -> None:
    def many(handler: Handler) -> bool:
        _, query, _ = handler.toy.asked[-1]
        first = int(query["offset"])
        count = min(2, int(query["limit"]))  # it gives fewer than were asked for
        handler.json(
            [
                {"0020000D": {"Value": [f"1.{n}"]}, "00100020": {"Value": ["P"]}}
                for n in range(first, min(first + count, 7))
            ]
        )
        return True

    with dicomweb(misbehave=many) as toy:
        assert len(asked(toy).search(StudyQuery(patient_id="P")).matches) == 7
        found = asked(toy, matches=5).search(StudyQuery(patient_id="P"))
    assert (len(found.matches), found.cut) == (5, True)


def test_a_compressed_object_comes_as_it_is_and_one_of_another_class_is_left(
    tmp_path: Path, spool: Spool
) -> None:
    coded = dcmread(mr_file(tmp_path, "coded.dcm", 5.0))
    coded.compress(JPEG2000Lossless, generate_instance_uid=False)
    coded.save_as(tmp_path / "coded.dcm")
    report = dcmread(mr_file(tmp_path, "sr.dcm", 5.0, SOPInstanceUID="1.2.4.8"))
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    report.save_as(tmp_path / "sr.dcm")
    with dicomweb(tmp_path / "coded.dcm", tmp_path / "sr.dcm") as toy:
        got = asked(toy).retrieve(STUDY, spool, WANTED)
    assert (got.new, got.left) == (1, 1)
    assert stored(spool)[0].read_bytes() == (tmp_path / "coded.dcm").read_bytes()


def of_objects(answer: Callable[[Handler], None]) -> Callable[[Handler], bool]:
    """Misbehave where objects are asked for alone."""

    def misbehave(handler: Handler) -> bool:
        if handler.path.count("/series/") == 0:
            return False
        answer(handler)
        return True

    return misbehave


def cut(handler: Handler) -> None:
    handler.objects([handler.toy.files[0].read_bytes()], end=False)


def short(handler: Handler) -> None:
    handler.objects([handler.toy.files[0].read_bytes()])


def junk(handler: Handler) -> None:
    handler.objects([b"<html>no object</html>" * 50])


def page(handler: Handler) -> None:
    handler.body(200, "text/html", b"<html></html>")


def breaks_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", f"multipart/related; boundary={BOUNDARY}")
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(f"--{BOUNDARY}\r\n\r\n".encode() + handler.toy.files[0].read_bytes())
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def no_end(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", f"multipart/related; boundary={BOUNDARY}")
    handler.end_headers()
    try:
        handler.wfile.write(f"--{BOUNDARY}\r\n\r\n".encode() + handler.toy.files[0].read_bytes())
        while True:
            handler.wfile.write(bytes(65_536))
            time.sleep(0.001)
    except OSError:
        pass


def says_nothing(handler: Handler) -> None:
    time.sleep(1.2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (cut, "ends in the middle of an object"),
        (short, "did not send"),
        (junk, "can't be taken: no DICOM file"),
        (page, "no multipart/related"),
        (breaks_off, "broke off in the middle"),
        (says_nothing, "said nothing for 0.5 s"),
    ],
)
def test_what_does_not_come_whole_leaves_nothing_half(
    slices: list[Path], spool: Spool, answer: Callable[[Handler], None], said: str
) -> None:
    with (
        dicomweb(*slices, misbehave=of_objects(answer)) as toy,
        pytest.raises(Unavailable, match=said),
    ):
        asked(toy, answer_s=0.5).retrieve(STUDY, spool, WANTED)
    assert nothing_half_done(spool)


def test_an_object_or_an_answer_without_end_is_ended(slices: list[Path], tmp_path: Path) -> None:
    small = Spool(tmp_path / "small", object_bytes=2**20, free_bytes=0)
    with dicomweb(*slices, misbehave=of_objects(no_end)) as toy:
        with pytest.raises(Unavailable, match="larger than object_bytes"):
            asked(toy).retrieve(STUDY, small, WANTED)
        large = Spool(tmp_path / "large", object_bytes=2**30, free_bytes=0)
        with pytest.raises(Unavailable, match="took longer"):
            asked(toy, study_s=0.3).retrieve(STUDY, large, WANTED)
    assert nothing_half_done(small)
    assert nothing_half_done(large)


def test_objects_of_another_study_are_put_aside(
    slices: list[Path], spool: Spool, tmp_path: Path
) -> None:
    film = film_file(tmp_path, "film.dcm").read_bytes()
    with dicomweb(*slices, misbehave=of_objects(lambda h: h.objects([film]))) as toy:
        with pytest.raises(Unavailable, match="did not send 4 objects"):
            asked(toy).retrieve(STUDY, spool, WANTED)
        got = asked(toy).retrieve(STUDY, spool, WANTED, incomplete=True)
    assert (got.new, got.aside, got.failed) == (0, 2, 4)
    assert "another study" in next(spool.aside.glob("*/*.json")).read_text()
    assert nothing_half_done(spool)


def test_a_full_disk_is_said_and_leaves_nothing_half(slices: list[Path], spool: Spool) -> None:
    spool.room = replace(spool.room, free_bytes=2**60)
    with dicomweb(*slices) as toy, pytest.raises(Unavailable, match="the disk is full"):
        asked(toy).retrieve(STUDY, spool, WANTED)
    assert nothing_half_done(spool)


def answered(status: int, **fields: str) -> Callable[[Handler], bool]:
    def misbehave(handler: Handler) -> bool:
        handler.body(status, "text/plain", b"ZZTEST", **fields)
        return True

    return misbehave


@pytest.mark.parametrize(
    ("misbehave", "error", "said"),
    [
        (answered(302, Location="http://127.0.0.1:1/"), ConfigError, "never followed"),
        (answered(401), ConfigError, "doesn't let medmm in"),
        (answered(404), InputError, "no such study"),
        (answered(400), ConfigError, "refuses"),
        (answered(429), Unavailable, "overloaded"),
        (answered(500), Unavailable, "failed"),
        (answered(200), Unavailable, "no JSON"),
        (answered(200, **{"Content-Encoding": "gzip"}), ConfigError, "packs"),
    ],
)
def test_what_is_no_answer_is_told(
    misbehave: Callable[[Handler], bool], error: type[MedmmError], said: str
) -> None:
    with dicomweb(misbehave=misbehave) as toy, pytest.raises(error, match=said) as refused:
        asked(toy).search(StudyQuery(accession="A1"))
    assert "ZZTEST" not in str(refused.value)
    assert len(toy.asked) == 1


def answering(found: Any) -> Callable[[Handler], bool]:
    def misbehave(handler: Handler) -> bool:
        handler.json(found)
        return True

    return misbehave


@pytest.mark.parametrize("found", [{"a": 1}, [1], "x", None])
def test_json_that_is_no_list_of_studies_is_told(found: Any) -> None:
    with (
        dicomweb(misbehave=answering(found)) as toy,
        pytest.raises(Unavailable, match="no list of studies"),
    ):
        asked(toy).search(StudyQuery(accession="A1"))


@pytest.mark.parametrize("found", [{"0020000D": "x"}, {"0020000D": {"Value": 3}}, {}])
def test_studies_of_another_form_are_none_that_was_asked_for(found: Any) -> None:
    with dicomweb(misbehave=answering([found])) as toy:
        assert asked(toy).search(StudyQuery(accession="A1")).others == 1


def test_pages_without_end_and_a_large_answer_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(10**6))

    def endless(handler: Handler) -> bool:
        handler.json([{"0020000D": {"Value": [f"1.{next(count)}"]}}])
        return True

    monkeypatch.setattr(client, "MOST_PAGES", 5)
    with dicomweb(misbehave=endless) as toy, pytest.raises(Unavailable, match="5 pages"):
        asked(toy).search(StudyQuery(accession="A1"))
    monkeypatch.setattr(client, "MOST_JSON_BYTES", 10)
    with dicomweb(misbehave=endless) as toy, pytest.raises(Unavailable, match="16 MiB"):
        asked(toy).search(StudyQuery(accession="A1"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "http://pacs.example/dicom-web", "hosts": ("pacs.example",)}, "plain http"),
        ({"url": "https://pacs.example/x"}, "not among `hosts`"),
        ({"url": "https://169.254.169.254/x", "hosts": ("169.254.169.254",)}, "link-local"),
        ({"url": "https://u:p@pacs.example/x", "hosts": ("pacs.example",)}, "without user"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        source_of(**changes)


def test_a_name_that_leads_to_a_forbidden_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def found(*args: Any, **how: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    server = DicomwebServer("toy", source_of("https://pacs.example/x", hosts=("pacs.example",)))
    with pytest.raises(ConfigError, match="never spoken to"):
        server.search(StudyQuery(accession="A1"))


def test_a_server_that_is_not_there_and_a_token_that_is_none(tmp_path: Path) -> None:
    toy = ToyServer(port=1)
    with pytest.raises(Unavailable, match="can't be reached"):
        asked(toy).search(StudyQuery(accession="A1"))
    with pytest.raises(ConfigError, match="token or password"):
        asked(toy, token_file=tmp_path / "none").search(StudyQuery(accession="A1"))


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    import ssl
    import threading
    from http.server import HTTPServer

    made = Authority(tmp_path, "hospital")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made.sign("pacs"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    source = source_of(f"https://127.0.0.1:{server.server_address[1]}/x")
    with pytest.raises(ConfigError, match="can't be trusted"):
        DicomwebServer("toy", source).search(StudyQuery(accession="A1"))
    thread.join()
    server.server_close()


def test_a_fetched_study_becomes_one_drafted_case(slices: list[Path], tmp_path: Path) -> None:
    told: list[Event] = []

    def tell(event: str, **said: Any) -> None:
        told.append((event, said))

    with dicomweb(*slices) as toy:
        settings = {"listen": entry(), "sources": {"toy": source_of(toy.url, action="admit")}}
        with quick_assistant(tmp_path / "data", **settings) as assistant:
            source = fetching.source_named(assistant, "toy", tell)
            matches = fetching.chosen(
                fetching.search(source, StudyQuery(patient_id="ZZ-2"), tell), every=False
            )
            fetching.fetch(assistant, "toy", source, matches, tell)
            (case,) = assistant.cases()
    assert case.state is CaseState.OPENED
    assert events(told, "admitted")[0]["instances"] == 4
    assert "ZZ" not in json.dumps(told)


def test_parts_are_cut_wherever_the_body_is() -> None:
    body = b"--b\r\nA: 1\r\n\r\none\r\n--c\r\n--b\r\nB: 2\r\n\r\n\r\n--b\r\n\r\nthree\r\n--b--\r\n"
    for size in range(1, len(body) + 1):
        chunks = iter([body[at : at + size] for at in range(0, len(body), size)])
        found = [b"".join(part) for part in Multipart("b", chunks)]
        assert found == [b"one\r\n--c", b"", b"three"]
    with pytest.raises(BrokenAnswerError, match="before its end"):
        list(Multipart("b", iter([])))
    with pytest.raises(BrokenAnswerError):
        boundary_of("application/dicom")
    assert boundary_of('multipart/related; type="application/dicom"; boundary="a b"') == "a b"


def test_a_large_object_is_never_held_whole(spool: Spool) -> None:
    head = b"--b\r\n\r\n"

    def body() -> Any:
        yield head
        for _ in range(512):  # 32 MiB
            yield bytes(65_536)
        yield b"\r\n--b--"

    tracemalloc.start()
    try:
        size = sum(len(data) for part in Multipart("b", body()) for data in part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 32 << 20
    assert peak < 2**20

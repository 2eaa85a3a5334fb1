"""What is asked of a PACS and what comes of it: matches, studies, refusals, and a PACS that misbehaves."""

from __future__ import annotations

import errno
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, JPEG2000Lossless, MRImageStorage

from medmm.assistant import Assistant
from medmm.config import DicomSource
from medmm.domain.errors import ConfigError, InputError, Unavailable
from medmm.domain.report import CaseState
from medmm.doors.dicom.arriving import ArrivingObject
from medmm.doors.dicom.listening import opened_spool
from medmm.doors.dicom.spool import Spool
from medmm.doors.fetch import fetching
from medmm.doors.fetch.matches import Found, StudyMatch, StudyQuery
from medmm.doors.fetch.pacs import Pacs
from tests.certificates import Authority
from tests.dicom_files import film_file, mr_file
from tests.listener import WANTED, Event, entry, events, listening, receiving, until
from tests.pacs import ToyPacs, pacs
from tests.quick_assistant import quick_assistant

STUDY = StudyMatch(study_uid="1.2.4.1")


def told_nothing(event: str, **said: object) -> None:
    raise AssertionError(event)


def asked(toy: ToyPacs, **changes: Any) -> Pacs:
    made = {"host": "127.0.0.1", "port": toy.port, "title": "TOYPACS", "answer_s": 5.0, **changes}
    return Pacs("toy", DicomSource(kind="dicom", **made), told_nothing)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "fetched", object_bytes=2**30, free_bytes=0)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("slices")
    return [
        mr_file(folder, f"{number}.dcm", 5.0 * number, AccessionNumber="A1") for number in range(4)
    ]


def stored(spool: Spool) -> list[Path]:
    return sorted(spool.studies.glob("*/*/*.dcm"))


def nothing_half_done(spool: Spool) -> bool:
    return not (stored(spool) or list(spool.room.folder.iterdir()) or spool.waiting())


@pytest.mark.parametrize(
    "keys",
    [
        {"study_uid": "1.2.4.1"},
        {"accession": "A1"},
        {"patient_id": "ZZ-2"},
        {"patient_id": "ZZ-2", "since": date(2020, 3, 4), "until": date(2020, 3, 4)},
        {"patient_id": "ZZ-2", "since": date(2020, 1, 1)},
    ],
)
def test_a_study_is_found_by_each_key(slices: list[Path], keys: dict[str, Any]) -> None:
    with pacs(*slices) as toy:
        (found,) = asked(toy).search(StudyQuery(**keys)).matches
    assert (found.study_uid, found.instances, found.modalities) == ("1.2.4.1", 4, ("MR",))
    assert "PatientName" not in toy.asked[0]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "nothing says which"),
        ({"since": date(2020, 1, 1)}, "nothing says which"),
        ({"patient_id": "ZZ*"}, "wildcard"),
        ({"accession": "A1\\A2"}, "wildcard"),
        ({"study_uid": "1.2.x"}, "no Study Instance UID"),
        (
            {"patient_id": "1", "since": date(2020, 1, 2), "until": date(2020, 1, 1)},
            "--to lies before",
        ),
    ],
)
def test_a_search_that_would_find_others_is_not_made(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        StudyQuery(**keys).checked()


def answer_of(uid: str, patient: str = "ZZ-2") -> Dataset:
    made = Dataset()
    made.StudyInstanceUID, made.PatientID, made.StudyDate = uid, patient, "20200304"
    return made


def test_answers_of_other_patients_are_left() -> None:
    others = [answer_of("1.1", "ZZ-1"), answer_of("1.2"), answer_of("1.3", "zz-2"), answer_of("")]
    with pacs(answers=lambda keys: others) as toy:
        found = asked(toy).search(StudyQuery(patient_id="ZZ-2"))
    assert [one.study_uid for one in found.matches] == ["1.2"]
    assert found.others == 3


def test_a_search_with_too_many_answers_is_cancelled() -> None:
    many = [answer_of(f"1.{number}") for number in range(3000)]
    with pacs(answers=lambda keys: many) as toy:
        found = asked(toy, matches=3).search(StudyQuery(patient_id="ZZ-2"))
        assert (len(found.matches), found.cut) == (3, True)
        until(lambda: toy.cancelled)
    with pytest.raises(InputError, match="more than 3 studies match"):
        fetching.chosen(found, every=True)


def test_of_several_matches_none_is_taken_unless_all_are_wanted() -> None:
    found = Found(matches=(STUDY, StudyMatch(study_uid="1.2.4.9")))
    with pytest.raises(InputError, match="2 studies match, and none is fetched"):
        fetching.chosen(found, every=False)
    assert len(fetching.chosen(found, every=True)) == 2
    with pytest.raises(InputError, match="no study matches"):
        fetching.chosen(Found(matches=()), every=True)


def test_a_study_comes_by_c_get(slices: list[Path], spool: Spool) -> None:
    with pacs(*slices) as toy:
        got = asked(toy).retrieve(STUDY, spool, WANTED)
        again = asked(toy).retrieve(STUDY, spool, WANTED)
    assert (got.new, got.again, got.failed) == (4, 0, 0)
    assert (again.new, again.again) == (0, 4)
    images = {dcmread(file).SOPInstanceUID: dcmread(file).PixelData for file in stored(spool)}
    assert images == {dcmread(f).SOPInstanceUID: dcmread(f).PixelData for f in slices}


def test_a_compressed_image_comes_as_it_is(tmp_path: Path, spool: Spool) -> None:
    coded = dcmread(mr_file(tmp_path, "coded.dcm", 5.0))
    coded.compress(JPEG2000Lossless)
    coded.save_as(tmp_path / "coded.dcm")
    with pacs(tmp_path / "coded.dcm") as toy:
        # the toy proposes nothing of its own: it sends in the context that fits
        got = asked(toy).retrieve(STUDY, spool, WANTED)
    assert got.new == 1
    assert dcmread(stored(spool)[0]).file_meta.TransferSyntaxUID == JPEG2000Lossless


def test_objects_of_other_classes_are_left_and_those_of_other_studies_put_aside(
    slices: list[Path], spool: Spool, tmp_path: Path
) -> None:
    report = dcmread(slices[0])
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = "1.2.4.8"
    other = dcmread(film_file(tmp_path, "film.dcm"))
    with pacs(*slices, also_sends=[report, other]) as toy:
        got = asked(toy).retrieve(STUDY, spool, WANTED)
    assert (got.new, got.left, got.aside, got.failed) == (4, 1, 1, 0)
    (why,) = spool.aside.glob("*/*.json")
    assert "another study" in json.loads(why.read_text())["why"]
    assert len(list(spool.studies.iterdir())) == 1


def test_an_abort_in_the_middle_leaves_nothing_half(slices: list[Path], spool: Spool) -> None:
    def abort(event: Any, number: int) -> None:
        if number == 2:
            event.assoc.abort()

    with pacs(*slices, during_get=abort) as toy:
        with pytest.raises(Unavailable, match="broke off"):
            asked(toy).retrieve(STUDY, spool, WANTED)
        assert nothing_half_done(spool)
        toy.during_get = lambda event, number: None
        assert asked(toy).retrieve(STUDY, spool, WANTED).new == 4


def test_a_full_disk_is_said_and_leaves_nothing_half(slices: list[Path], spool: Spool) -> None:
    spool.room = replace(spool.room, free_bytes=2**60)
    with pacs(*slices) as toy, pytest.raises(Unavailable, match="the disk is full"):
        asked(toy).retrieve(STUDY, spool, WANTED)
    assert nothing_half_done(spool)


def test_a_disk_that_fills_while_an_object_comes(
    slices: list[Path], spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, calls = ArrivingObject._take, []

    def full(self: ArrivingObject, fragment: memoryview) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "no space left")
        take(self, fragment)

    monkeypatch.setattr(ArrivingObject, "_take", full)
    with pacs(*slices) as toy:
        with pytest.raises(Unavailable, match="the disk is full"):
            asked(toy).retrieve(STUDY, spool, WANTED)
        assert nothing_half_done(spool)
        assert asked(toy).retrieve(STUDY, spool, WANTED).new == 4


def test_objects_that_could_not_be_sent_are_counted(slices: list[Path], spool: Spool) -> None:
    odd = dcmread(slices[0])
    odd.SOPClassUID = "1.2.3.4.5.6"  # a class that nobody proposed
    with pacs(*slices, also_sends=[odd]) as toy:
        with pytest.raises(Unavailable, match="could not send 1 objects"):
            asked(toy).retrieve(STUDY, spool, WANTED)
        assert nothing_half_done(spool)
        got = asked(toy).retrieve(STUDY, spool, WANTED, incomplete=True)
    assert (got.new, got.failed) == (4, 1)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x04\x00\xff\xff\xff\xff" + bytes(100),  # a PDU of 4 GiB, as it says
        b"\x04\x00\x00\x00\x00\x10" + b"\xff" * 16,  # an item that is longer than its PDU
        b"\x04\x00\x00\x00\x01\x00" + bytes(10),  # half a PDU, and no more
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x00",  # A-ABORT
    ],
    ids=["long", "lying", "half", "http", "abort"],
)
def test_junk_in_the_middle_of_a_study_leaves_nothing_half(
    slices: list[Path], spool: Spool, junk: bytes
) -> None:
    def send(event: Any, number: int) -> None:
        if number == 2:
            event.assoc.dul.socket.socket.sendall(junk)
            time.sleep(0.3)

    with pacs(*slices, during_get=send) as toy, pytest.raises(Unavailable, match="broke off"):
        asked(toy, answer_s=1.0).retrieve(STUDY, spool, WANTED)
    assert nothing_half_done(spool)


def test_half_a_pdu_and_then_nothing_is_not_waited_for(slices: list[Path], spool: Spool) -> None:
    ended = threading.Event()

    def half(event: Any, number: int) -> None:
        event.assoc.dul.socket.socket.sendall(b"\x04\x00\x00\x00\x01\x00" + bytes(10))
        ended.wait(20)

    with pacs(*slices, during_get=half) as toy:
        began = time.monotonic()
        before = set(threading.enumerate())
        with pytest.raises(Unavailable, match="broke off"):
            asked(toy, answer_s=0.5).retrieve(STUDY, spool, WANTED)
        ours = [
            one for one in threading.enumerate() if one not in before and "Acceptor" not in one.name
        ]
        for one in ours:
            one.join(5)
        took = time.monotonic() - began
        stuck = [one.name for one in ours if one.is_alive() and "Requestor" in one.name]
        ended.set()
    assert not stuck
    assert took < 10
    assert nothing_half_done(spool)


def test_an_association_without_end_is_ended(slices: list[Path], spool: Spool) -> None:
    with pacs(*slices) as toy:
        source = asked(toy, answer_s=1.0).source
        small = Pacs("toy", source, told_nothing, association_bytes=20_000)
        with pytest.raises(Unavailable, match="broke off"):
            small.retrieve(STUDY, spool, WANTED)
    assert nothing_half_done(spool)


def test_a_fetched_object_of_other_content_is_put_aside(
    slices: list[Path], spool: Spool, tmp_path: Path
) -> None:
    changed = dcmread(slices[0])
    changed.PatientSex = "M"
    changed.save_as(tmp_path / "changed.dcm")
    with pacs(*slices) as toy:
        asked(toy).retrieve(STUDY, spool, WANTED)
    with pacs(tmp_path / "changed.dcm", *slices[1:]) as toy:
        got = asked(toy).retrieve(STUDY, spool, WANTED)
    assert (got.new, got.again, got.aside) == (0, 3, 1)
    assert len(stored(spool)) == 4


def test_over_tls_the_pacs_shows_whom_it_is(
    slices: list[Path], spool: Spool, tmp_path: Path
) -> None:
    hospital, elsewhere = Authority(tmp_path, "hospital"), Authority(tmp_path, "elsewhere")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*hospital.sign("pacs"))
    context.load_verify_locations(hospital.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = hospital.sign("medmm")
    own = {"certificate": certificate, "key": key}
    with pacs(*slices, tls=context) as toy:
        known = asked(toy, tls={"ca_file": hospital.certificate, **own})
        assert known.retrieve(STUDY, spool, WANTED).new == 4
        for tls in ({"ca_file": elsewhere.certificate, **own}, None):
            with pytest.raises(Unavailable, match="can't be reached, or ended"):
                asked(toy, tls=tls, answer_s=2.0).search(StudyQuery(accession="A1"))
        junk = tmp_path / "junk.pem"
        junk.write_text("no certificate")
        with pytest.raises(ConfigError, match="certificates of a source can't be used"):
            asked(toy, tls={"ca_file": junk}).search(StudyQuery(accession="A1"))


def test_who_is_not_known_is_told_so() -> None:
    with pacs(refuse=True) as toy, pytest.raises(ConfigError, match="Calling AE title not rec"):
        asked(toy).search(StudyQuery(accession="A1"))


@contextmanager
def silent_server(first: bytes = b"") -> Iterator[int]:
    """Accepts a connection and says nothing, or no more than this."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            held.append(server.accept()[0])
            held[0].sendall(first)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)
        for one in held:
            one.close()


def test_a_pacs_that_is_not_there_or_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="can't be reached"):
        asked(ToyPacs(port=port)).search(StudyQuery(accession="A1"))
    for first in (b"", b"\x02\x00\x00\x00\x01\x00", b"\x02\x00\xff\xff\xff\xff", b"HTTP/1.1 400"):
        with (
            silent_server(first) as port,
            pytest.raises(Unavailable, match="can't be reached, or ended"),
        ):
            asked(ToyPacs(port=port), answer_s=0.5).search(StudyQuery(accession="A1"))
    with pacs(silent_s=2) as toy, pytest.raises(Unavailable, match=r"within 0\.5 s"):
        asked(toy, answer_s=0.5).search(StudyQuery(accession="A1"))


def test_a_study_is_moved_to_a_listener(slices: list[Path], tmp_path: Path, spool: Spool) -> None:
    with receiving(tmp_path / "data", entry(any_caller=True, callers=())) as found:
        with pacs(*slices, destinations={"MEDMM": found.address}) as toy:
            got = asked(toy, retrieve="move", move_to="MEDMM").retrieve(STUDY, spool, WANTED)
        assert (got.new, got.moved_to) == (4, "MEDMM")
        assert len(found.stored()) == 4


def test_a_move_to_a_title_that_the_pacs_does_not_know(slices: list[Path], spool: Spool) -> None:
    with pacs(*slices) as toy:
        moving = asked(toy, retrieve="move", move_to="NOWHERE")
        with pytest.raises(ConfigError, match="0xA801") as refused:
            moving.retrieve(STUDY, spool, WANTED)
    assert "NOWHERE" in refused.value.remedy


def fetched(assistant: Assistant, **keys: Any) -> list[Event]:
    told: list[Event] = []

    def tell(event: str, **said: Any) -> None:
        told.append((event, said))

    source = fetching.source_named(assistant, "toy", tell)
    matches = fetching.chosen(fetching.search(source, StudyQuery(**keys), tell), every=True)
    fetching.fetch(assistant, "toy", source, matches, tell)
    return told


def test_a_fetched_study_becomes_one_drafted_case(slices: list[Path], tmp_path: Path) -> None:
    with pacs(*slices) as toy:
        source = DicomSource(
            kind="dicom", host="127.0.0.1", port=toy.port, title="TOYPACS", site="North"
        )
        settings = {"listen": entry(), "sources": {"toy": source}}
        with quick_assistant(tmp_path / "data", **settings) as assistant:
            told = fetched(assistant, accession="A1")
            again = fetched(assistant, accession="A1")
            (case,) = assistant.cases()
            with pytest.raises(InputError, match="known: toy"):
                fetching.source_named(assistant, "other", told_nothing)
    assert (case.state, case.site) == (CaseState.DRAFTED, "North")
    assert [event for event, _ in told] == ["fetched", "admitted", "drafted"]
    assert events(told, "fetched")[0]["new"] == 4
    assert [event for event, _ in again] == ["fetched"]
    for identity in ("ZZ", "1.2.4.1", "A1"):
        assert f'"{identity}' not in json.dumps(told)


def test_what_can_not_be_admitted_now_is_admitted_by_the_next_fetch(
    slices: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pacs(*slices) as toy:
        source = DicomSource(kind="dicom", host="127.0.0.1", port=toy.port, title="TOYPACS")
        settings = {"listen": entry(), "sources": {"toy": source}}
        with quick_assistant(tmp_path / "data", **settings) as assistant:

            def busy(*args: Any, **how: Any) -> Any:
                raise Unavailable("the store is busy", remedy="try again")

            with monkeypatch.context() as patch:
                patch.setattr(assistant, "admit", busy)
                with pytest.raises(Unavailable, match="1 studies came and can't be admitted now"):
                    fetched(assistant, accession="A1")
            told = fetched(assistant, accession="A1")
            with (
                opened_spool(assistant, fetching.SPOOL, "fetch"),
                pytest.raises(ConfigError, match="another fetch works on this data folder"),
            ):
                fetched(assistant, accession="A1")
    assert [event for event, _ in told] == ["fetched", "admitted", "drafted"]
    assert events(told, "fetched")[0]["again"] == 4


def test_of_several_studies_one_that_fails_keeps_none_of_the_others(
    slices: list[Path], tmp_path: Path
) -> None:
    film = film_file(tmp_path, "film.dcm", PatientID="ZZ-2")

    def abort(event: Any, number: int) -> None:
        if event.identifier.StudyInstanceUID == STUDY.study_uid and number == 2:
            event.assoc.abort()

    with pacs(*slices, film, during_get=abort) as toy:
        source = DicomSource(kind="dicom", host="127.0.0.1", port=toy.port, title="TOYPACS")
        settings = {"listen": entry(), "sources": {"toy": source}}
        with quick_assistant(tmp_path / "data", **settings) as assistant:
            told = fetched(assistant, patient_id="ZZ-2")
            assert [case.study_uid for case in assistant.cases()] == ["1.2.3.1"]
    assert [event for event, _ in told] == ["not-fetched", "fetched", "admitted", "drafted"]


def test_a_study_that_is_gone_meanwhile_is_told(slices: list[Path], tmp_path: Path) -> None:
    with pacs(*slices) as toy:
        source = DicomSource(kind="dicom", host="127.0.0.1", port=toy.port, title="TOYPACS")
        settings = {"listen": entry(), "sources": {"toy": source}}
        with quick_assistant(tmp_path / "data", **settings) as assistant:
            pacs_ = fetching.source_named(assistant, "toy", told_nothing)
            gone = (StudyMatch(study_uid="1.2.9"),)
            (error,) = fetching.fetch(assistant, "toy", pacs_, gone, lambda event, **said: None)
    assert error is not None
    assert "sent nothing of it" in error.problem


def test_a_moved_study_is_drafted_by_the_listener(slices: list[Path], tmp_path: Path) -> None:
    listen = entry(any_caller=True, callers=(), quiet_seconds=0.3, force_seconds=60)
    with quick_assistant(tmp_path / "data", listen=listen) as assistant:
        with (
            listening(assistant) as (address, told),
            pacs(*slices, destinations={"MEDMM": address}) as toy,
        ):
            spool = Spool(tmp_path / "fetched", object_bytes=2**30, free_bytes=0)
            asked(toy, retrieve="move", move_to="MEDMM").retrieve(STUDY, spool, WANTED)
            until(lambda: events(told, "drafted"), 20)
        assert len(assistant.cases()) == 1


def test_classes_that_are_read_are_asked_for_with_what_may_hold_them() -> None:
    from medmm.doors.fetch.getting import MOST_CONTEXTS, storage_contexts

    contexts, roles = storage_contexts(WANTED)
    assert len(contexts) == MOST_CONTEXTS - 1
    of_mr = [one.transfer_syntax for one in contexts if one.abstract_syntax == MRImageStorage]
    assert [JPEG2000Lossless] in of_mr
    assert {str(one.sop_class_uid) for one in roles} >= {*WANTED, ComprehensiveSRStorage}

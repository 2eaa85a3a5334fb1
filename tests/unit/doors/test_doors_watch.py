"""What is dropped into a watched folder: when it counts, what it becomes, and what is left there."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from medmm.assistant import Assistant
from medmm.config import FolderSource
from medmm.domain.errors import ConfigError, InputError
from medmm.doors.dicom.spool import Spool
from medmm.doors.folder import taking, watching
from medmm.doors.folder.media import named_files, opened_media
from medmm.doors.folder.watching import FolderWatch, watch_until_stopped
from medmm.web import zip_files
from tests.dicom_files import film_file, mr_file
from tests.listener import WANTED, Event, entry, events, until
from tests.quick_assistant import quick_assistant

SETTLE_S = 10.0


class Watched:
    """A watched folder with a clock that stands still until it is moved."""

    def __init__(self, folder: Path, **source: Any) -> None:
        self.root, self.data = folder / "dropped", folder / "data"
        self.root.mkdir()
        self.data.mkdir()
        self.source = FolderSource(kind="folder", path=self.root, settle_seconds=SETTLE_S, **source)
        self.now, self.told = 0.0, list[Event]()
        self.free_bytes = 0
        self.start()

    def start(self) -> None:
        self.spool = Spool(self.data / "watched", object_bytes=2**30, free_bytes=self.free_bytes)
        self.watch = FolderWatch(
            "drop",
            self.source,
            self.spool,
            WANTED,
            lambda event, **said: self.told.append((event, said)),
            clock=lambda: self.now,
        )

    def looks(self, times: int = 2, seconds: float = SETTLE_S) -> int:
        taken = 0
        for _ in range(times):
            taken += self.watch.look()
            self.now += seconds
        return taken

    def stored(self) -> list[Path]:
        return sorted(self.spool.studies.glob("*/*/*.dcm"))

    def left(self) -> list[str]:
        return [said["why"] for said in events(self.told, "left")]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_file_counts_once_its_size_and_time_rest(watched: Watched) -> None:
    film = film_file(watched.root / "a/b", "film.dcm")
    whole = film.read_bytes()
    film.write_bytes(whole[:-100])
    assert watched.looks(1) == 0
    film.write_bytes(whole)
    assert watched.looks(1) == 0  # it grew: its rest begins anew
    assert watched.looks(1, 0) == 1
    assert watched.stored()[0].read_bytes() == whole
    assert film.exists()
    assert watched.looks(3) == 0


def test_a_file_that_grows_while_it_is_copied_waits(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = film_file(watched.root, "film.dcm")
    watched.looks(1)
    arrived = taking.arrived_file

    def grown(*args: Any) -> Any:
        found = arrived(*args)
        with film.open("ab") as file:
            file.write(bytes(2))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(taking, "arrived_file", grown)
        assert watched.looks(1) == 0
    assert not watched.stored()
    assert not list(watched.spool.room.folder.iterdir())
    assert watched.looks(2) == 1


def test_a_file_that_vanishes_is_no_trouble(watched: Watched) -> None:
    film = film_file(watched.root, "film.dcm")
    watched.looks(1)
    film.unlink()
    assert watched.looks(2) == 0
    assert watched.told == []


def test_what_is_no_image_is_left_and_said_once_with_a_list(watched: Watched) -> None:
    (watched.root / "notes of ZZTEST.txt").write_text("no image" * 100)
    (watched.root / "empty").write_bytes(b"")
    film_file(watched.root, "ct.dcm", SOPClassUID=CTImageStorage)
    os.mkfifo(watched.root / "pipe")
    (watched.root / "link").symlink_to("/etc/hostname")
    (watched.root / ".hidden").write_text("no image")
    assert watched.looks(4) == 0
    watched.start()
    assert watched.looks(3) == 0
    why = ["it is of a class that is not read here", "the file is empty", "no DICOM file"]
    assert sorted(watched.left()) == sorted(
        [*why, "no regular file", "a link, which is not followed"]
    )
    assert not events(watched.told, "not-read")
    assert "ZZTEST" not in json.dumps(watched.told)
    listed = Path(events(watched.told, "left")[0]["listed_in"])
    assert "ZZTEST" in listed.read_text()
    assert listed.stat().st_mode & 0o77 == 0


def test_the_same_object_twice_is_kept_once_and_another_under_its_uid_is_left(
    watched: Watched,
) -> None:
    film = film_file(watched.root, "film.dcm")
    shutil.copy(film, watched.root / "copy.dcm")
    assert watched.looks(2) == 1
    film_file(watched.root, "other.dcm", PatientSex="M")
    assert watched.looks(2) == 0
    assert watched.left() == ["another object came under its UID"]
    assert len(watched.stored()) == 1


def test_a_restart_in_the_middle_takes_nothing_twice(watched: Watched) -> None:
    film_file(watched.root, "film.dcm")
    mr_file(watched.root, "mr.dcm", 5)
    assert watched.looks(2) == 2
    (watched.data / "watched/drop.seen").unlink()  # as if it was killed before it remembered
    watched.start()
    assert watched.looks(2) == 0
    assert len(watched.stored()) == 2


def test_what_was_taken_is_removed_where_the_source_says_so(tmp_path: Path) -> None:
    watched = Watched(tmp_path, afterwards="remove")
    film = film_file(watched.root, "film.dcm")
    notes = watched.root / "notes.txt"
    notes.write_text("no image")
    mr = [mr_file(tmp_path, f"{number}.dcm", 5.0 * number) for number in range(2)]
    whole = packed(watched.root / "whole.zip", mr[0])
    mixed = packed(watched.root / "mixed.zip", mr[1], notes)
    assert watched.looks(2) == 3
    assert not film.exists()
    assert not whole.exists()
    assert notes.exists()
    assert mixed.exists()  # of which something is in no spool


def test_a_full_disk_is_said_once_and_nothing_is_lost(watched: Watched) -> None:
    film_file(watched.root, "film.dcm")
    watched.spool.room = replace(watched.spool.room, free_bytes=2**60)
    assert watched.looks(5) == 0
    assert len(events(watched.told, "not-kept")) == 1
    assert not list(watched.spool.room.folder.iterdir())
    watched.spool.room = replace(watched.spool.room, free_bytes=0)
    assert watched.looks(1) == 1


def test_a_share_that_is_away_is_said_once(watched: Watched) -> None:
    film_file(watched.root, "film.dcm")
    watched.looks(2)
    watched.root.rename(watched.root.with_name("away"))
    watched.looks(3)
    assert len(events(watched.told, "unreachable")) == 1
    watched.root.with_name("away").rename(watched.root)
    assert watched.looks(3) == 0  # what was taken before is remembered


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_tried_again(watched: Watched) -> None:
    film = film_file(watched.root, "film.dcm")
    film.chmod(0)
    watched.looks(3)
    assert len(events(watched.told, "not-read")) == 1
    film.chmod(0o600)
    assert watched.looks(1) == 1


def test_a_file_that_may_not_be_read_is_said_once_whatever_else_comes(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, opens = film_file(watched.root, "ZZTEST.dcm", SOPInstanceUID="1.2.3.9"), taking._opened

    def opened(path: Path) -> int:
        if path == closed:
            raise PermissionError
        return opens(path)

    monkeypatch.setattr(taking, "_opened", opened)
    for number in range(3):
        film_file(watched.root, f"{number}.dcm", SOPInstanceUID=f"1.2.3.{number + 10}")
        watched.looks(2)
    (said,) = events(watched.told, "not-read")
    assert said["why"] == "PermissionError"
    assert "ZZTEST" not in json.dumps(watched.told)
    assert "ZZTEST.dcm" in Path(said["listed_in"]).read_text()
    monkeypatch.undo()
    assert watched.looks(1) == 1


def test_a_file_without_preamble_and_one_of_implicit_vr_count(watched: Watched) -> None:
    film = film_file(watched.root, "film.dcm")
    bare = watched.root / "bare"
    meta = dcmread(film).file_meta
    bare.write_bytes(film.read_bytes()[132 + 12 + meta.FileMetaInformationGroupLength :])
    assert watched.looks(2) == 1  # of the same content as the film


def packed(path: Path, *files: Path, name: Callable[[Path], str] = lambda p: p.name) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, name(file))
    return path


def test_a_zip_archive_brings_its_images(watched: Watched, tmp_path: Path) -> None:
    files = [mr_file(tmp_path, f"{number}.dcm", 5.0 * number) for number in range(3)]
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    inner = packed(tmp_path / "inner.zip", film_file(tmp_path, "film.dcm"))
    outside = "../../../outside/"
    packed(watched.root / "study.zip", *files, notes, inner, name=lambda p: outside + p.name)
    assert watched.looks(2) == 3  # what is packed twice is not opened
    assert not list(tmp_path.rglob("outside"))
    assert not list(watched.spool.room.folder.iterdir())


@pytest.mark.parametrize("wrong", ["encrypted", "cut", "damaged", "empty", "bomb"])
def test_a_wrong_archive_brings_nothing_at_all(
    watched: Watched, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [mr_file(tmp_path, f"{number}.dcm", 5.0 * number) for number in range(3)]
    archive = packed(watched.root / "study.zip", *([] if wrong == "empty" else files))
    data = bytearray(archive.read_bytes())
    if wrong == "encrypted":
        data[data.rfind(b"PK\1\2") + 8] |= 1
    elif wrong == "cut":
        del data[-40:]
    elif wrong == "damaged":
        last = data.rfind(b"PK\3\4")
        data[last + 400 : last + 420] = bytes(20)
    archive.write_bytes(data)
    if wrong == "bomb":
        monkeypatch.setattr(zip_files, "SURE_BYTES", 10_000)
        monkeypatch.setattr(zip_files, "RATIO", 0)
    assert watched.looks(3) == 0
    assert not watched.stored()
    assert not list(watched.spool.room.folder.iterdir())
    said = {
        "encrypted": "encrypted",
        "cut": "no end",
        "damaged": "damaged",
        "empty": "without an image",
        "bomb": "unpacks to more than is taken",
    }
    (why,) = watched.left()
    assert said[wrong] in why


def directory(path: Path, *named: list[str]) -> None:
    """A DICOMDIR that names these files."""
    made = Dataset()
    made.DirectoryRecordSequence = [Dataset()]  # of a patient, which names none
    for names in named:
        record = Dataset()
        with disable_value_validation():
            record.ReferencedFileID = names
        made.DirectoryRecordSequence.append(record)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    made.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    made.save_as(path, enforce_file_format=True)


def medium(folder: Path, count: int = 3) -> Path:
    """A folder with a DICOMDIR, as on a disc."""
    disc = folder / "disc"
    for number in range(count):
        mr_file(disc / "IMAGES", f"IM{number}", 5.0 * number)
    directory(disc / "DICOMDIR", *(["IMAGES", f"IM{number}"] for number in range(count)))
    return disc


def lowered(disc: Path) -> None:
    """As some systems show the names of a disc."""
    for path in sorted(disc.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))


def test_a_disc_is_taken_and_files_that_it_lacks_are_said(watched: Watched, tmp_path: Path) -> None:
    disc = watched.root / "disc"
    shutil.copytree(medium(tmp_path), disc)
    lowered(disc)
    found = named_files(disc / "dicomdir")
    assert (len(found.there), found.missing) == (3, 0)
    found.there[1].unlink()
    assert watched.looks(2) == 2
    assert watched.left() == []  # files may still be on their way
    watched.looks(3, 60)
    assert watched.left() == [
        "a DICOMDIR, which holds no image: 1 files that it names are not there"
    ]


def test_a_directory_that_leads_out_of_its_medium_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    disc = tmp_path / "disc"
    disc.mkdir()
    (disc / "LINK").symlink_to(tmp_path / "secret")
    directory(disc / "DICOMDIR", ["..", "SECRET"], ["LINK"], ["/ETC", "HOSTNAME"])
    found = named_files(disc / "DICOMDIR")
    assert (found.there, found.missing) == ((), 3)
    (disc / "DICOMDIR").write_bytes(b"no directory")
    with pytest.raises(InputError, match="can't read this DICOMDIR"):
        named_files(disc / "DICOMDIR")


@contextmanager
def watching_folder(assistant: Assistant, folder: Path) -> Iterator[list[Event]]:
    told: list[Event] = []
    stopping = threading.Event()
    source = FolderSource(kind="folder", path=folder, settle_seconds=0.2, poll_seconds=0.1)
    thread = threading.Thread(
        target=watch_until_stopped,
        args=(assistant, {"drop": source}, lambda e, **said: told.append((e, said)), stopping),
    )
    thread.start()
    try:
        yield told
    finally:
        stopping.set()
        thread.join()


def test_a_dropped_study_becomes_one_drafted_case(tmp_path: Path) -> None:
    listen = entry(quiet_seconds=0.5, force_seconds=60)
    with quick_assistant(tmp_path / "data", listen=listen) as assistant:
        folder = tmp_path / "dropped"
        for number in range(4):
            mr_file(folder / "a", f"{number}.dcm", 5.0 * number)
        with watching_folder(assistant, folder) as told:
            until(lambda: events(told, "drafted"), 30)
            shutil.copytree(folder / "a", folder / "again")
            until(lambda: len(list(folder.rglob("*.dcm"))) == 8)
        with watching_folder(assistant, folder) as again:
            until(lambda: events(again, "watching"))
            until(lambda: len(watching.Remembered(tmp_path / "data/watched/drop.seen")._marks) == 8)
        assert len(assistant.cases()) == 1
        assert events(told, "admitted")[0]["instances"] == 4
        assert not events(again, "admitted")
        assert "ZZ" not in json.dumps(told)


def test_folders_that_can_not_be_watched_are_refused(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        for folder, why in (
            (tmp_path / "none", "no folder is there"),
            (tmp_path, "medmm's own data"),
            (tmp_path / "data/objects", "medmm's own data"),
        ):
            if "objects" in str(folder):
                folder.mkdir(exist_ok=True)
            source = FolderSource(kind="folder", path=folder)
            with pytest.raises(ConfigError, match=why):
                watch_until_stopped(assistant, {"drop": source}, lambda event, **said: None)
        with pytest.raises(ConfigError, match="no folder is named"):
            watch_until_stopped(assistant, {}, lambda event, **said: None)


def test_archives_and_directories_are_opened_for_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with quick_assistant(tmp_path / "data", listen=entry()) as assistant:
        disc = medium(tmp_path)
        archive = packed(tmp_path / "study.zip", *named_files(disc / "DICOMDIR").there)
        left = tmp_path / "data/unpacked/left"
        left.mkdir(parents=True)
        os.utime(left, (0, 0))  # of a command that was killed long ago
        with opened_media([archive], assistant.settings) as files:
            study = assistant.admit(files)
            assert len(list(files[0].iterdir())) == 3
        assert not list((tmp_path / "data/unpacked").iterdir())
        with opened_media([disc / "DICOMDIR"], assistant.settings) as files:
            assert assistant.admit(files) == study
        next(
            path for path in disc.rglob("*") if path.is_file() and path.name != "DICOMDIR"
        ).unlink()
        with opened_media([disc], assistant.settings) as files:
            assert files == [disc]
    assert "names 1 files that are not there" in capsys.readouterr().err

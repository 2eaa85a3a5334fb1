"""Who may act is what the directory says at each call: the settings' readers, or one that is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.directory import ConfiguredReaders, Directory
from medmm.domain.errors import PermissionDenied, Unavailable
from medmm.domain.report import Reader
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READERS, READS, GivenNetworks, opened, signed

ATTENDING = Reader(id="ward-7", name="ZZREADER Seven", role="attending")


class Ward:
    """A directory whose persons come and go."""

    def __init__(self, *readers: Reader) -> None:
        self.there = {reader.id: reader for reader in readers}
        self.answers = True

    def readers(self) -> tuple[Reader, ...]:
        return tuple(self.there.values())

    def reader(self, reader_id: str) -> Reader:
        if not self.answers:
            raise Unavailable("the directory does not answer", remedy="try again")
        if reader_id not in self.there:
            raise PermissionDenied("nobody of this id is on the ward", remedy="ask the ward")
        return self.there[reader_id]


def of(folder: Path, directory: Directory | None) -> Assistant:
    """An assistant that asks this directory."""
    settings = Settings(data_dir=folder, readers=READERS, threads=1)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    return Assistant(settings, networks=networks, directory=directory)


@pytest.mark.parametrize(
    "directory", [ConfiguredReaders([ATTENDING]), Ward(ATTENDING)], ids=["settings", "ward"]
)
def test_a_directory_knows_whom_it_lists_and_nobody_else(directory: Directory) -> None:
    assert directory.readers() == (ATTENDING,)
    assert directory.reader("ward-7") == ATTENDING
    for other in ("", "WARD-7", "ward-7 ", "reader-1"):
        with pytest.raises(PermissionDenied) as refused:
            directory.reader(other)
        assert refused.value.remedy


def test_without_a_directory_the_readers_of_the_settings_may_act(tmp_path: Path) -> None:
    entry = ReaderEntry(id="reader-1", name="ZZREADER One", role="attending")
    assert Settings(readers=(entry,)).directory().readers() == (entry.reader(),)
    with of(tmp_path / "data", None) as assistant:
        assert assistant.readers() == tuple(one.reader() for one in READERS)


def test_a_given_directory_takes_the_place_of_the_settings(tmp_path: Path) -> None:
    with of(tmp_path / "data", Ward(ATTENDING)) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        assert signed(assistant, case_id, ATTENDING).signed_by == ATTENDING
        with pytest.raises(PermissionDenied, match="on the ward"):
            assistant.case(case_id, by=READERS[0].reader())


def test_who_left_or_lost_a_role_is_known_at_the_next_call(tmp_path: Path) -> None:
    ward = Ward(ATTENDING)
    with of(tmp_path / "data", ward) as assistant:
        case_id = opened(assistant, film_file(tmp_path / "in"))
        assert assistant.case(case_id, by="ward-7").case.id == case_id
        ward.there["ward-7"] = Reader(id="ward-7", name=ATTENDING.name, role="auditor")
        with pytest.raises(PermissionDenied, match="'auditor', not 'attending'"):
            assistant.sign(case_id, by=ATTENDING)
        ward.there.clear()
        with pytest.raises(PermissionDenied, match="on the ward"):
            assistant.case(case_id, by="ward-7")
        outcomes = [(e.actor, e.outcome) for e in assistant.history(case_id) if e.verb == "case"]
        assert outcomes == [("ward-7", "done")]


def test_a_directory_that_does_not_answer_lets_nobody_act(tmp_path: Path) -> None:
    ward = Ward(ATTENDING)
    with of(tmp_path / "data", ward) as assistant:
        ward.answers = False
        with pytest.raises(Unavailable):
            assistant.admit(film_file(tmp_path / "in"), by="ward-7")
        ward.answers = True
        opened(assistant, film_file(tmp_path / "in"), by="ward-7")

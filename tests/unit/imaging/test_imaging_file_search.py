"""What is opened under a path and what is not: links, loops, pipes, devices, sockets, other file systems, depth, numbers."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from medmm.domain.errors import InputError
from medmm.domain.study import Study
from medmm.imaging import StudyFiles, read_studies, study_files
from medmm.imaging import file_search as finding
from medmm.imaging.dicom.files import content_of, open_dicom, opened
from medmm.imaging.file_search import find_files
from tests.dicom_files import SAYS_FRONTAL, film_file, picture


def found(path: Path) -> dict[str, str | None]:
    """By path below the root: why it is not opened, or None."""
    files = {}
    for one in find_files(path):
        where = Path(one.where["path"]) if isinstance(one, InputError) else one
        files[str(where.relative_to(path))] = one.problem if isinstance(one, InputError) else None
    return files


def test_links_loops_and_special_files_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "in"
    (root / "a").mkdir(parents=True)
    (root / "a" / "file").write_bytes(b"x")
    (root / "a" / "up").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "inside").symlink_to(root / "a" / "file")
    (root / "gone").symlink_to(root / "nothing")
    (root / "out").symlink_to("/etc/hostname")
    (root / "device").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        files = found(root)
    assert files.pop("a/file") is None
    assert files.pop("inside") is None
    assert files.pop("pipe") == files.pop("socket") == "not a regular file"
    assert files.pop("gone") == "no such file or folder"
    assert set(files) == {"a/up", "self", "out", "device"}
    assert all(files.values())


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/dev/null", "/proc", "/proc/self/status", "/sys", "a\0b", ""]
)
def test_what_is_no_file_of_images_is_refused_by_its_name(path: str, tmp_path: Path) -> None:
    (one,) = find_files(Path(path) if path else tmp_path / "nothing")
    assert isinstance(one, InputError)


def test_a_folder_of_another_file_system_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "mounted").mkdir(parents=True)
    (tmp_path / "in" / "mounted" / "file").write_bytes(b"x")
    (tmp_path / "in" / "file").write_bytes(b"x")
    real = Path.lstat

    def elsewhere(path: Path) -> os.stat_result:
        state = real(path)
        return (
            os.stat_result((*state[:2], state.st_dev + 1, *state[3:]))
            if path.name == "mounted"
            else state
        )

    monkeypatch.setattr(Path, "lstat", elsewhere)
    assert found(tmp_path / "in") == {
        "file": None, "mounted": "a folder on another file system is not entered"
    }  # fmt: skip


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser may read every folder")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert found(tmp_path) == {"closed": "a folder can't be opened: PermissionError"}
    (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_can_t_be_listed_is_said_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        film_file(tmp_path / name)
    real = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(finding.os, "scandir", refusing)
    assert found(tmp_path) == {"a": "a folder can't be opened: PermissionError", "b/film.dcm": None}


def test_a_tree_deeper_than_python_recurses_is_walked(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for _ in range(1500):  # Path.mkdir and rmtree recurse themselves
        folder = folder / "d"
        folder.mkdir()
    film_file(folder)
    assert list(find_files(tmp_path / "in")) == [folder / "film.dcm"]
    (folder / "film.dcm").unlink()
    while folder != tmp_path:
        folder.rmdir()
        folder = folder.parent


def test_what_was_put_in_the_place_of_a_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    os.mkfifo(path)
    for read in (open_dicom, content_of):
        with pytest.raises(InputError, match="not a regular file"):
            read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError), opened(path):
        pass


def test_hard_links_and_a_path_named_twice_are_one_image(tmp_path: Path) -> None:
    path = film_file(tmp_path)
    (intake,) = read_studies([path, tmp_path, path], patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert isinstance(intake.outcome, Study)
    assert len(intake.files) == 1
    (tmp_path / "hard").hardlink_to(path)
    (intake,) = read_studies(tmp_path, patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert isinstance(intake.outcome, Study)
    assert len(intake.outcome.volumes) == 1


def test_outcomes_follow_the_order_of_the_paths(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"no film")
    paths = [film_file(tmp_path, f"{n}.dcm", picture() // n, StudyInstanceUID=f"1.2.{n}", SOPInstanceUID=f"1.3.{n}") for n in (3, 1, 2)]  # fmt: skip
    given = [paths[0], tmp_path / "nothing", paths[1], bad, paths[2]]
    intakes = list(read_studies(given, patient_secret=b"x", kinds=SAYS_FRONTAL))
    assert [intake.path for intake in intakes] == given


def test_files_that_vanish_or_change_between_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        study_files, "HEADERS_BYTES", -1
    )  # no header is held, so that every file is opened again
    paths = [
        film_file(
            tmp_path,
            f"{n}.dcm",
            picture() // n,
            StudyInstanceUID=f"1.2.{n}",
            SOPInstanceUID=f"1.3.{n}",
        )
        for n in (1, 2, 3)
    ]
    intakes = read_studies(tmp_path, patient_secret=b"x", kinds=SAYS_FRONTAL)
    assert isinstance(next(intakes).outcome, Study)
    paths[1].unlink()
    film_file(tmp_path, "3.dcm", StudyInstanceUID="1.2.3", SOPInstanceUID="1.3.3")
    outcomes = {intake.path.name: intake.outcome for intake in intakes}
    assert all(isinstance(outcome, InputError) for outcome in outcomes.values())
    assert "changed" in str(outcomes["3.dcm"])
    assert set(outcomes) == {"2.dcm", "3.dcm"}


def test_what_is_remembered_of_a_file_is_little(tmp_path: Path) -> None:
    pixels = picture(8, 8)
    first = film_file(tmp_path, "0.dcm", pixels, ImageComments="x" * 8000)
    data = first.read_bytes()
    for number in range(1, 200):
        uid = f"1.2.3.{number:04}".encode()
        (tmp_path / f"{number}.dcm").write_bytes(data.replace(b"1.2.3.3\0", uid[:7] + b"\0"))
    tracemalloc.start()
    try:
        files, problems = StudyFiles.under([tmp_path], headers=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not problems
    assert sum(map(len, files.studies.values())) == 200
    assert peak < 1_000_000  # the files themselves hold 1.7 MB

"""What people are handed studies in: zip archives, and media with a DICOMDIR."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import Tag

from medmm.domain.errors import InputError, Unavailable
from medmm.web.zip_files import files_in, is_zip

if TYPE_CHECKING:
    from medmm.config import Settings

DIRECTORY_NAME = "DICOMDIR"
LEFT_S = 86_400.0
DIRECTORY_BYTES = 64 << 20
FILE_ID = Tag("ReferencedFileID")
_NO_DIRECTORY = (
    InvalidDicomError,
    BytesLengthException,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFiles:
    """What a DICOMDIR names: the files that are there, and how many are not."""

    there: tuple[Path, ...]
    missing: int


def named_files(directory: Path) -> NamedFiles:
    """Find the files that a DICOMDIR names, whatever case a medium gives their names.

    Raises: InputError if it is no DICOMDIR.
    Source: PS3.10 8.2 (File IDs), PS3.3 F.3 (Referenced File ID); ISO 9660 for `;1`.
    """
    try:
        if directory.stat().st_size > DIRECTORY_BYTES:
            raise ValueError("too large")
        found = pydicom.dcmread(directory)
        # Unread values: pydicom quotes those that it doubts
        values = [one.get_item(FILE_ID) for one in found.DirectoryRecordSequence]
        named = [_parts(one.value) for one in values if one is not None and one.value]
    except _NO_DIRECTORY as error:
        raise InputError(
            f"can't read this DICOMDIR: {type(error).__name__}",
            remedy="name the folder: its files are found without it",
            path=str(directory),
        ) from error
    names: dict[Path, dict[str, Path]] = {}
    there = [_found(directory.parent, parts, names) for parts in named]
    paths = tuple(dict.fromkeys(path for path in there if path is not None))
    return NamedFiles(there=paths, missing=there.count(None))


def _parts(value: object) -> tuple[str, ...]:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return tuple(part.strip(" \0") for part in text.split("\\"))


def _found(folder: Path, parts: Sequence[str], names: dict[Path, dict[str, Path]]) -> Path | None:
    """Go down part by part, without regard to case, version or a trailing dot."""
    place = folder
    for part in parts:
        if place not in names:
            try:
                entries = sorted(place.iterdir())
            except OSError:
                entries = []
            names[place] = {_plain(entry.name): entry for entry in reversed(entries)}
        found = names[place].get(_plain(part))
        if found is None or found.is_symlink():  # a link could lead anywhere
            return None
        place = found
    return place if place.is_file() else None


def _plain(name: str) -> str:
    return name.upper().partition(";")[0].rstrip(".")


def is_directory_file(path: Path) -> bool:
    """Tell whether a file goes by the name of a DICOMDIR."""
    return _plain(path.name) == DIRECTORY_NAME


@contextmanager
def opened_media(paths: Sequence[Path], settings: Settings) -> Iterator[list[Path]]:
    """Give what lies in archives and on media: folders and files that the assistant can read.

    A zip archive is unpacked into the data folder for as long as it is needed; in place of a
    DICOMDIR come the files that it names. How many files a DICOMDIR names that are not there is
    said on stderr.

    Raises: InputError if an archive or DICOMDIR can't be read, or unpacks to more than
        `upload_bytes`; Unavailable if it can't be unpacked here.
    """
    folders: list[Path] = []
    try:
        yield [one for path in paths for one in _opened(path, settings, folders)]
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _opened(path: Path, settings: Settings, folders: list[Path]) -> list[Path]:
    if path.is_dir():
        _say_missing(entry for entry in path.iterdir() if is_directory_file(entry))
        return [path]
    if not path.is_file():
        return [path]
    if is_directory_file(path):
        _say_missing([path])
        return list(named_files(path).there)
    if not is_zip(path):
        return [path]
    try:
        root = settings.data_dir / "unpacked"
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in root.iterdir():  # by commands that were killed
            if time.time() - left.stat().st_mtime > LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=root))
        folders.append(folder)
        _unpack(path, folder / path.name, settings)
    except OSError as error:
        raise Unavailable(
            f"the zip archive can't be unpacked: {type(error).__name__}",
            remedy="see that the disk of the data folder has room, or unpack it yourself",
            path=str(path),
        ) from error
    return [folder / path.name]


def _unpack(path: Path, folder: Path, settings: Settings) -> None:
    """Write the files of an archive under numbers: no name in it names a file here."""
    folder.mkdir()
    try:
        for number, parts in enumerate(files_in(path, settings.upload_bytes), 1):
            with (folder / str(number)).open("xb") as out:
                for part in parts:
                    out.write(part)
                    if shutil.disk_usage(folder).free < settings.listen.free_bytes:
                        raise OSError("no room")
    except InputError as error:
        raise InputError(error.problem, remedy=error.remedy, path=str(path)) from error


def _say_missing(directories: Iterator[Path] | list[Path]) -> None:
    for directory in directories:
        try:
            missing = named_files(directory).missing
        except InputError:  # the files beside it are read all the same
            continue
        if missing:
            sys.stderr.write(
                f"! the DICOMDIR names {missing} files that are not there: copy the whole medium"
                f"{os.linesep}"
            )

"""One film of a public set or of one's own, with its report and labels."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.pixels import check_grid, display, stored_values

Grey = NDArray[np.float32]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_ARCHIVE_ERRORS = (OSError, KeyError, EOFError, tarfile.TarError, zipfile.BadZipFile)
_PICTURE_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSource:
    """Where the pixels of a film lie: a file, or a `member` of a zip or tar archive.

    Pictures are told by their suffix, anything else is DICOM. `inverted` says that small values are
    to be shown white although the picture file does not know it; DICOM states that itself.
    """

    path: Path
    member: str | None = None
    inverted: bool = False

    def grey(self) -> Grey:
        """Load the pixels: float32 (rows, columns), 0 black to 1 white, window applied.

        Raises: InputError if the film is not there or can't be decoded.
        """
        grey = (
            self._picture()
            if PurePosixPath(self.member or self.path).suffix.lower() in PICTURES
            else self._dicom()
        )
        return np.float32(1) - grey if self.inverted else grey

    def _bytes(self) -> bytes:
        try:
            if self.member is None:
                return self.path.read_bytes()
            if zipfile.is_zipfile(self.path):
                with zipfile.ZipFile(self.path) as packed:
                    return packed.read(self.member)
            with tarfile.open(self.path) as shard:
                member = shard.extractfile(self.member)
                if member is None:
                    raise KeyError(self.member)
                return member.read()
        except _ARCHIVE_ERRORS as error:
            raise InputError(
                "a film can't be read", remedy="fetch the data again", **self._where()
            ) from error

    def _picture(self) -> Grey:
        data = self._bytes()
        try:
            with Image.open(io.BytesIO(data)) as picture:
                if picture.mode.startswith("I;16"):
                    return np.asarray(picture).astype(np.float32) / np.float32(65535)
                if picture.mode in ("I", "F"):
                    raise ValueError("neither 8 nor 16 bits")
                return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)
        except _PICTURE_ERRORS as error:
            raise InputError(
                "a film can't be decoded", remedy="fetch the data again", **self._where()
            ) from error

    def _dicom(self) -> Grey:
        if self.member is None:
            return _dicom_grey(self.path)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.dcm"
            path.write_bytes(self._bytes())
            return _dicom_grey(path)

    def _where(self) -> dict[str, str]:
        return {"path": str(self.path)} | ({"member": self.member} if self.member else {})


def _dicom_grey(path: Path) -> Grey:
    """Load the one frame of a DICOM film, as the gate shows it.

    Raises: InputError if it can't be read.
    """
    check_grid(open_dicom(path))
    stored, dataset = stored_values(path)
    if len(stored) != 1:
        raise InputError(
            f"{len(stored)} frames in a film", remedy="give films of one frame", path=str(path)
        )
    return display(stored, dataset, path)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportText:
    """The words of a report by section, "" where it has none; `language` as in BCP 47."""

    findings: str = ""
    impression: str = ""
    indication: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedFilm:
    """A frontal film and what is known of it.

    `age_years`, `sex` and `view` are never a network's input.

    Attributes:
        uid: the film's own name in its set.
        patient: a key of the patient within the set; no patient is in two splits.
        findings: 1 present, 0 absent, None unknown, by names of the vocabulary; a name that is
            missing is unknown.
        report: None if the set has no reports.
        sex: "F", "M" or None.
    """

    uid: str
    patient: str
    split: Split
    film: FilmSource
    findings: Mapping[str, float | None]
    report: ReportText | None = None
    age_years: float | None = None
    sex: str | None = None
    view: View = View.UNKNOWN

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InputError(
                f"no split {self.split!r}", remedy=f"use {', '.join(SPLITS)}", uid=self.uid
            )
        if self.view is View.LATERAL:
            raise InputError("a lateral film", remedy="leave it out and count it", uid=self.uid)
        if wrong := sorted(n for n, value in self.findings.items() if value not in (0, 1, None)):
            raise InputError(
                f"findings {wrong} are neither 0, 1 nor None",
                remedy="correct the label",
                uid=self.uid,
            )

    def labels(self, names: Iterable[str]) -> list[float]:
        """Return 1 present, 0 absent, NaN unknown, in the order of `names`."""
        values = (self.findings.get(name) for name in names)
        return [float("nan") if value is None else float(value) for value in values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a folder held: its frontal films, and by reason the count of what was left out.

    Raises: InputError if a patient is in two splits or two films share a uid.
    """

    name: str
    films: tuple[ReportedFilm, ...]
    left_out: Mapping[str, int]

    def __post_init__(self) -> None:
        splits: defaultdict[str, set[str]] = defaultdict(set)
        uids: set[str] = set()
        for film in self.films:
            splits[film.patient].add(film.split)
            if len(splits[film.patient]) > 1:
                raise InputError(
                    f"a patient is in {' and '.join(sorted(splits[film.patient]))}",
                    remedy="give all films of a patient one split",
                    layout=self.name,
                    uid=film.uid,
                )
            if film.uid in uids:
                raise InputError(
                    "a film is listed twice", remedy="list it once", layout=self.name, uid=film.uid
                )
            uids.add(film.uid)

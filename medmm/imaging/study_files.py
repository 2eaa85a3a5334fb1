"""The files of each study under some paths, by Study Instance UID, whatever their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.imaging.dicom.content_uids import content_uid
from medmm.imaging.dicom.files import DicomFile, archive_of, open_dicom, opened
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import identity_of
from medmm.imaging.file_search import find_files
from medmm.imaging.nifti.files import NiftiFile, is_nifti, open_nifti

# What is left beside images. A file of another name may be an image that is damaged.
OTHER_KINDS = frozenset(
    """.bat .bmp .bval .bvec .cfg .css .csv .db .dll .doc .docx .exe .gif .htm .html .ico .inf
    .ini .jar .jpeg .jpg .js .json .lnk .log .md .ndjson .pdf .png .py .rtf .sh .sqlite .tif
    .tiff .tsv .txt .xls .xlsx .xml .yaml .yml""".split()  # noqa: SIM905
)
# Of files whose headers are held at once; the others are opened again when their study is judged
HEADERS_BYTES = 2**26
NOTHING_HERE = "no file here"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that came in, by digest and SOP Instance UID; `kept` if it is the store's."""

    path: Path
    sha256: str
    sop_uid: str | None
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A DICOM file as it was found; `opened` holds its header where there was room for it."""

    path: Path
    sha256: str
    sop_uid: str | None
    opened: DicomFile | None = field(default=None, compare=False, repr=False)

    def open(self) -> DicomFile:
        """Open the file with its header.

        Raises: InputError if it is gone, or is not what it was when it was found.
        """
        if self.opened is not None:
            return self.opened
        file = open_dicom(self.path)
        if file.sha256 != self.sha256:
            raise InputError(
                "the file changed while it was read", remedy="send it again", path=str(self.path)
            )
        return file


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that belongs to no study: unreadable, or a DICOMDIR (held in `directory`).

    `other_kind`: it is another kind of thing than an image, by its name and its first bytes;
    nothing is missing without it.
    """

    path: Path
    error: InputError | None = None
    directory: SourceFile | None = None
    other_kind: bool = False


# By Study Instance UID: what the store keeps of a study.
Kept = Callable[[str], Sequence[SourceFile]]


class StudyFiles:
    """What lies under some paths; each file is read once for its digest and header.

    No pixels are decoded.

    Attributes:
        studies: the DICOM files of each Study Instance UID, in the order they were met.
        converted: the NIfTI files of each content.
        identities: who the first file of each study says the patient is.
    """

    def __init__(self, *, headers: bool = True) -> None:
        self.studies: dict[str, list[ImageFile]] = {}
        self.converted: dict[str, list[NiftiFile]] = {}
        self.identities: dict[str, PatientIdentity] = {}
        self._room_bytes = HEADERS_BYTES if headers else -1
        self._seen: set[Path] = set()

    @classmethod
    def under(
        cls, paths: Sequence[Path], *, headers: bool = True
    ) -> tuple[StudyFiles, tuple[Problem, ...]]:
        """Find everything under the paths at once; without `headers` no study is to be judged."""
        found = cls(headers=headers)
        return found, tuple(problem for path in paths for problem in found.add(path))

    def add(self, path: Path) -> Iterator[Problem]:
        """Take in what lies under a path; what belongs to no study is given back as it is met."""
        empty = True
        for found in find_files(path):
            empty = False
            if isinstance(found, InputError):
                yield Problem(path=Path(found.where["path"]), error=found)
            elif found not in self._seen:  # named twice, or inside another path
                self._seen.add(found)
                yield from self._taken(found)
        if empty:
            error = InputError(NOTHING_HERE, remedy="check the folder", path=str(path))
            yield Problem(path=path, error=error)

    def _taken(self, path: Path) -> Iterator[Problem]:
        try:
            if is_nifti(path):
                nifti = open_nifti(path)
                self.converted.setdefault(nifti.sha256, []).append(nifti)
                return
            file = open_dicom(path)
            uid = study_uid(file)
        except InputError as error:
            yield Problem(path=path, error=error, other_kind=_is_other_kind(path))
            return
        if uid is None:
            yield Problem(path=path, directory=source_of(file), other_kind=True)
            return
        self.identities.setdefault(uid, identity_of(Tags(file.header)))
        self._room_bytes -= max(file.room_bytes - (file.pixel_bytes or 0), 0)
        self.studies.setdefault(uid, []).append(
            ImageFile(
                path=path,
                sha256=file.sha256,
                sop_uid=Tags(file.header).text("SOPInstanceUID"),
                opened=file if self._room_bytes >= 0 else None,
            )
        )

    def contents(self) -> Mapping[str, tuple[Path, tuple[str, ...]]]:
        """Return by study UID the path of its first file and the digests of its files.

        Each content comes once, sorted.
        """
        dicom = {
            uid: (files[0].path, tuple(sorted({file.sha256 for file in files})))
            for uid, files in self.studies.items()
        }
        nifti = {
            content_uid("study", digest): (files[0].path, (digest,))
            for digest, files in self.converted.items()
        }
        return dicom | nifti

    def paths_of(self, uid: str) -> tuple[Path, ...]:
        """Return every file of a study, copies too, in the order they were met."""
        converted = {
            content_uid("study", digest): files for digest, files in self.converted.items()
        }
        return tuple(file.path for file in self.studies.get(uid, converted.get(uid, ())))

    def only(self, uid: str) -> None:
        """Leave out every study but this one. Raises: InputError if it is not here."""
        if uid not in self.contents():
            raise InputError(
                "no image of this study is here", remedy="look with `medmm study show`", study=uid
            )
        self.studies = {uid: self.studies[uid]} if uid in self.studies else {}
        self.converted = {
            d: files for d, files in self.converted.items() if content_uid("study", d) == uid
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a study lies: the topmost folder that holds it alone, else its first file.

    `names` are those it goes by, the nearest first: of the file or folder, then of the folders
    above that hold no image of another patient.
    """

    path: Path
    names: tuple[str, ...]


def places(files: StudyFiles, root: Path) -> dict[str, Place]:
    """Return the place below `root` of each study."""
    of_study = {uid: files.paths_of(uid) for uid in files.contents()}
    owners: dict[Path, set[str]] = {}
    for uid, paths in of_study.items():
        for folder in {
            folder for path in paths for folder in path.parents if folder.is_relative_to(root)
        } - {root}:
            owners.setdefault(folder, set()).add(uid)
    numbers = {uid: who.patient_id for uid, who in files.identities.items()}
    found = {}
    for uid, paths in of_study.items():
        shared = Path(os.path.commonpath([path.parent for path in paths]))
        above = [folder for folder in (shared, *shared.parents) if folder in owners]
        alone = [folder for folder in above if owners[folder] == {uid}]
        of_patient = [f.name for f in above if len({numbers.get(one) for one in owners[f]}) == 1]
        place = alone[-1] if alone else paths[0]
        file = (paths[0].stem,) if len(paths) == 1 else ()
        found[uid] = Place(
            path=place,
            names=(*file, *(of_patient if numbers.get(uid) else [f.name for f in alone])),
        )
    return found


def _is_other_kind(path: Path) -> bool:
    try:
        with opened(path) as file:
            head = file.read(265)
    except InputError:
        return False
    return head[128:132] != b"DICM" and (
        path.suffix.lower() in OTHER_KINDS or archive_of(head) is not None
    )


def source_of(file: DicomFile) -> SourceFile:
    """Describe the file by its digest and SOP Instance UID."""
    return SourceFile(
        path=file.path, sha256=file.sha256, sop_uid=Tags(file.header).text("SOPInstanceUID")
    )


def study_uid(file: DicomFile) -> str | None:
    """Return the Study Instance UID; None for a DICOMDIR.

    Raises: InputError if a UID is missing or malformed.
    """
    tags = Tags(file.header)
    stated = Tags(file.header.file_meta).text("MediaStorageSOPClassUID")
    if MediaStorageDirectoryStorage in (stated, tags.text("SOPClassUID")):
        return None
    uids = [
        tags.text(f"{level}UID") or ""
        for level in ("StudyInstance", "SeriesInstance", "SOPInstance", "SOPClass")
    ]
    if not all(uids) or any(set(uid) & set("/\\: ") for uid in uids):
        raise InputError(
            "a UID of study, series or image is missing or malformed",
            remedy="export the file again with its UIDs",
            path=str(file.path),
        )
    return uids[0]

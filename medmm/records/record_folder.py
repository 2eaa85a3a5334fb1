"""A folder of records: which one goes with a study, by UID, name, or patient number.

The signs are asked in this order. A folder in it that is a bulk export holds a record a patient.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import MatchVerdict, compare_identities
from medmm.records import json_parser
from medmm.records.bulk_export import SUFFIX, BulkExport, is_export
from medmm.records.document import read_file
from medmm.records.fhir_access import items
from medmm.records.patient import identity_of, is_animal
from medmm.records.requests import study_uids

SUFFIXES = (".json", ".ndjson")
MOST_NAMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFit:
    """The record that goes with a study, by its digest; or why none does, as a whole sentence.

    Attributes:
        path: of its file, or of the folder of a bulk export.
        content: put together from a bulk export or a server; None where the file is the record.
    """

    path: Path | None = None
    sha256: str | None = None
    note: str | None = None
    content: bytes | None = field(default=None, repr=False)

    @property
    def found(self) -> bool:
        """Whether there is a record."""
        return self.path is not None or self.content is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Indexed:
    """What of a record says whose it is; nothing if the file can't be read as one.

    Of a bulk export `sha256` tells one of its records from another.
    """

    path: Path
    sha256: str | None = None
    patients: tuple[PatientIdentity, ...] = ()
    study_uids: frozenset[str] = frozenset()
    export: BulkExport | None = None
    of: str = ""

    @property
    def called(self) -> str | None:
        """How its file is called; None of a record of an export, which is called by nobody."""
        return None if self.export else self.path.stem

    def fit(self) -> RecordFit:
        """Give the record.

        Raises: InputError as `BulkExport.record`.
        """
        if self.export is None:
            return RecordFit(path=self.path, sha256=self.sha256)
        content = self.export.record(self.of)
        return RecordFit(
            path=self.path, sha256=hashlib.sha256(content).hexdigest(), content=content
        )


class RecordFolder:
    """The records of a folder at any depth, each read once, and again if its file changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[tuple[int, ...], _Indexed]] = {}
        self._exports: dict[Path, tuple[object, list[_Indexed]]] = {}

    def fit(
        self, study_uid: str, identity: PatientIdentity | None, names: Sequence[str] = ()
    ) -> RecordFit:
        """Find the one record that fits a study; if two fit by the same sign, neither does.

        Signs, the first that any record bears: the file is called by the Study Instance UID or an
        ImagingStudy in it has that UID; the file is called as one of `names`, the first before the
        others; its one patient has the patient ID of the image, and nothing else contradicts.

        Raises: InputError if the folder can't be used.
        """
        known = self._refreshed()
        numbered = [r for r in known if identity and _has_number(r, identity)]
        signs = [
            (
                "Study UID",
                [r for r in known if r.called == study_uid or study_uid in r.study_uids],
            )
        ]
        signs += [("name", [r for r in known if r.called == name]) for name in names]
        signs += [("patient ID", [r for r in numbered if identity and _may_be(r, identity)])]
        for sign, found in signs:
            if len({r.sha256 or str(r.path) for r in found}) > 1:
                return RecordFit(
                    note=f"{len(found)} records fit the study by its {sign} ({_named(found)}): "
                    "neither is used."
                )
            if found:
                return found[0].fit()
        if numbered:
            text = (
                "A record has the patient ID of the image and names another patient "
                f"({_named(numbered)}): not used."
            )
            return RecordFit(note=text)
        unread = [r for r in known if r.sha256 is None]
        more = (
            f" {len(unread)} of its files can't be read as records ({_named(unread)})."
            if unread
            else ""
        )
        return RecordFit(note="No record of the folder fits the study." + more)

    def _refreshed(self) -> list[_Indexed]:
        """Return every record of the folder, in order of path."""
        found: dict[Path, tuple[tuple[int, ...], _Indexed]] = {}
        exports: dict[Path, tuple[object, list[_Indexed]]] = {}
        records: list[_Indexed] = []
        for folder, files in _folders(self.folder):
            marks = {p: mark for p, mark in files.items() if p.name.lower().endswith(SUFFIX)}
            export = self._exports.get(folder)
            if (export is None or export[0] != marks) and is_export(list(marks)):
                export = marks, _index_export(folder, list(marks))
            if export is not None and export[0] == marks:
                exports[folder] = export
                records += export[1]
                files = {path: mark for path, mark in files.items() if path not in marks}
            for path, mark in files.items():
                known = self._known.get(path)
                found[path] = known if known and known[0] == mark else (mark, _index(path))
                records.append(found[path][1])
        self._known, self._exports = found, exports
        return records


def record_file(path: Path) -> RecordFit:
    """Take a record that is named itself; what is wrong is said when it is read."""
    try:
        return RecordFit(path=path, sha256=hashlib.sha256(read_file(path)).hexdigest())
    except InputError:
        return RecordFit(path=path)


def _record_files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield files named as records are, without links, pipes and hidden ones."""
    if not os.path.isdir(folder):
        raise InputError(
            "no such folder",
            remedy="name a folder of FHIR Bundles, or one Bundle",
            path=str(folder),
        )
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                shown = sorted(
                    (e for e in entries if not e.name.startswith(".")), key=lambda e: e.name
                )
                for entry in shown:
                    if entry.name.lower().endswith(SUFFIXES) and entry.is_file(
                        follow_symlinks=False
                    ):
                        yield here / entry.name, entry.stat(follow_symlinks=False)
                waiting += [
                    here / e.name for e in reversed(shown) if e.is_dir(follow_symlinks=False)
                ]
        except OSError as error:
            problem = f"a folder of records can't be opened: {type(error).__name__}"
            raise InputError(problem, remedy="check its permissions", path=str(here)) from error


def _folders(folder: Path) -> Iterator[tuple[Path, dict[Path, tuple[int, ...]]]]:
    """Yield each folder with its files and what tells that one of them changed."""
    files: dict[Path, dict[Path, tuple[int, ...]]] = {}
    for path, state in _record_files(folder):
        mark = (state.st_ino, state.st_size, state.st_mtime_ns)
        files.setdefault(path.parent, {})[path] = mark
    yield from files.items()


def _index_export(folder: Path, files: Sequence[Path]) -> list[_Indexed]:
    try:
        export = BulkExport(files)
    except InputError:
        return [_Indexed(path=folder)]
    return [
        _Indexed(
            path=folder,
            sha256=f"{folder} {id_}",
            patients=tuple(one.identities),
            study_uids=frozenset(one.study_uids),
            export=export,
            of=id_,
        )
        for id_, one in export.patients.items()
    ]


def _index(path: Path) -> _Indexed:
    try:
        data = read_file(path)
        resources = [r for value in json_parser.parse(data)[0] for r in _resources(value)]
    except InputError:
        return _Indexed(path=path)
    if not resources:  # some other JSON that lies among them
        return _Indexed(path=path)
    patients = [r for r in resources if r["resourceType"] == "Patient" and not is_animal(r)]
    studies = [r for r in resources if r["resourceType"] == "ImagingStudy"]
    return _Indexed(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        patients=tuple(identity_of(patient) for patient in patients),
        study_uids=frozenset(uid for study in studies for uid in study_uids(study)),
    )


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the resources of a Bundle, or the lone one."""
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        entries = value.get("entry")
        for entry in items(entries if isinstance(entries, list) else []):
            resource = entry.get("resource")
            if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
                yield resource
    elif isinstance(value, dict) and isinstance(value.get("resourceType"), str):
        yield value


def _has_number(record: _Indexed, identity: PatientIdentity) -> bool:
    if len(record.patients) != 1 or not identity.patient_id:
        return False
    patient = record.patients[0]
    return identity.patient_id in {patient.patient_id, *(value for _, value in patient.identifiers)}


def _may_be(record: _Indexed, identity: PatientIdentity) -> bool:
    return compare_identities(identity, record.patients[0]).verdict is not MatchVerdict.MISMATCH


def _named(found: Sequence[_Indexed]) -> str:
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return ", ".join(r.path.name for r in found[:MOST_NAMES]) + more

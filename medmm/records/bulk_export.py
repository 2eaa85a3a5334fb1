"""A bulk export: files of NDJSON with one type of resource each, of many patients.

The record of one of them is put together from the lines that name the patient, and from what these
lines refer to. Lines that say what was deleted or not given, and lines that are no JSON, go into
every record: of whom they speak is not known.

Source: HL7 FHIR Bulk Data Access 2.0.0 (output, error and deleted files); FHIR R4 Patient.link.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.records import json_parser
from medmm.records.fhir_access import text_of
from medmm.records.patient import identity_of, is_animal, links
from medmm.records.requests import study_uids

SUFFIX = ".ndjson"
FOR_ALL = ("OperationOutcome", "Bundle")  # what was not given; what was deleted
OF_MANY = ("Group", "List")  # name patients and say nothing of one
MERGED = ("replaces", "replaced-by")
# Where a line refers to; JSON may escape a solidus
PATIENT = re.compile(rb'["/]Patient\\?/([A-Za-z0-9.\-]{1,64})')
REFERENCE = re.compile(rb'"reference"\s*:\s*"(?:[^"]*/)?([A-Z][A-Za-z]*)\\?/([A-Za-z0-9.\-]{1,64})')
Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """Where a line lies: the number of its file, and its bytes there."""

    file: int
    start: int
    size: int


@dataclass(slots=True)
class BulkPatient:
    """A patient of an export, and the lines of the record."""

    id: str
    identities: list[PatientIdentity] = field(default_factory=list)
    study_uids: set[str] = field(default_factory=set)
    lines: dict[Line, None] = field(default_factory=dict)


class BulkExport:
    """The files of one export, their lines found once."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self._patients: dict[str, BulkPatient] = {}
        self._referred: dict[tuple[bytes, bytes], Line] = {}
        self._for_all: list[Line] = []
        self._marks = self._marked()
        for number, path in enumerate(self.files):
            for line, data in _lines(number, path):
                self._take(line, data)

    @property
    def patients(self) -> Mapping[str, BulkPatient]:
        """By id: who is in it with a Patient of their own."""
        return {id_: one for id_, one in self._patients.items() if one.identities}

    def record(self, patient: str) -> bytes:
        """Put the record of a patient together, as NDJSON.

        Raises: InputError if a file changed since, or it is larger than a record may be.
        """
        found = self._patients[patient]
        if self._marked() != self._marks:
            raise InputError(
                "the bulk export changed while it was read",
                remedy="wait until the export is complete, then try again",
                path=str(self.files[0].parent),
            )
        lines = dict.fromkeys([*found.lines, *self._for_all])
        texts = self._texts(lines)
        named = {pair for text in texts for pair in REFERENCE.findall(text)}
        beside = dict.fromkeys(self._referred[p] for p in sorted(named) if p in self._referred)
        texts += self._texts({line: None for line in beside if line not in lines})
        if sum(map(len, texts)) > json_parser.LARGEST_BYTES:
            raise json_parser.too_large()
        return b"".join(text.rstrip(b"\r\n") + b"\n" for text in texts)

    def _texts(self, lines: Mapping[Line, None]) -> list[bytes]:
        texts = []
        for number, path in enumerate(self.files):
            wanted = [line for line in lines if line.file == number]
            if wanted:
                with path.open("rb") as file:
                    for line in sorted(wanted, key=lambda one: one.start):
                        file.seek(line.start)
                        texts.append(file.read(line.size))
        return texts

    def _take(self, line: Line, data: bytes) -> None:
        resource = _resource(data)
        kind = "" if resource is None else str(resource.get("resourceType"))
        if resource is None or kind in FOR_ALL:
            self._for_all.append(line)
        elif kind == "Patient":
            self._take_patient(line, resource)
        elif kind not in OF_MANY:
            named = {id_.decode() for id_ in PATIENT.findall(data)}
            uids = set(study_uids(resource)) if kind == "ImagingStudy" else set()
            for id_ in named:
                one = self._patient(id_)
                one.lines[line] = None
                one.study_uids |= uids
            if not named:
                self._referred[kind.encode(), str(resource.get("id")).encode()] = line

    def _take_patient(self, line: Line, resource: dict[str, Any]) -> None:
        one = self._patient(text_of(resource.get("id")) or "")
        one.lines[line] = None
        if not is_animal(resource):
            one.identities.append(identity_of(resource))
        for kind, name in links(resource):
            if kind in MERGED:
                self._patient(name.rpartition("/")[2]).lines[line] = None

    def _patient(self, id_: str) -> BulkPatient:
        return self._patients.setdefault(id_, BulkPatient(id_))

    def _marked(self) -> tuple[Mark, ...]:
        return tuple(_mark(path.stat()) for path in self.files)


def is_export(files: Sequence[Path]) -> bool:
    """Tell whether files of one folder are a bulk export: one of them holds Patients alone.

    A lone file of one Patient is a record, and no export.
    """
    ndjson = [path for path in files if path.name.lower().endswith(SUFFIX)]
    counts = [_patients_alone(path) for path in ndjson]
    return any(counts) and (len(ndjson) > 1 or any(count > 1 for count in counts))


def _patients_alone(path: Path) -> int:
    """Count up to two Patients of a file that begins with them; 0 if it begins otherwise."""
    count = 0
    for _, data in _lines(0, path):
        resource = _resource(data)
        if resource is None or resource.get("resourceType") != "Patient":
            return 0
        count += 1
        if count == 2:
            break
    return count


def _lines(number: int, path: Path) -> Iterator[tuple[Line, bytes]]:
    """Yield the lines of a file that hold something.

    Raises: InputError if it can't be read, or a line is longer than a record may be.
    """
    try:
        with path.open("rb") as file:
            start = 0
            while data := file.readline(json_parser.LARGEST_BYTES + 1):
                if len(data) > json_parser.LARGEST_BYTES:
                    raise json_parser.too_large()
                if data.strip():
                    yield Line(number, start, len(data)), data
                start += len(data)
    except OSError as error:
        raise InputError(
            f"a file of the bulk export can't be read: {type(error).__name__}",
            remedy="check its permissions",
            path=str(path),
        ) from error


def _resource(data: bytes) -> dict[str, Any] | None:
    """Read a line; None if it is no resource. What it means is judged with the whole record."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "resourceType" in found else None


def _mark(state: os.stat_result) -> Mark:
    return state.st_ino, state.st_size, state.st_mtime_ns

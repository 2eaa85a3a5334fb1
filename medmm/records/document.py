"""One record as it came: its patients, its facts whatever their date, and what was left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeGuard

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.record import Fact, Omission
from medmm.records import jsontext
from medmm.records.elements import items
from medmm.records.facts import KINDS, end_of, facts_of
from medmm.records.patient import doubts, identity_of, is_animal
from medmm.records.strict import deviations

ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")  # FHIR R4 datatype id
TYPE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
Entry = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDocument:
    """What a Bundle, a lone resource or NDJSON says, before any time cut.

    `left_out` also says which resources are not strict R4 and were "read tolerantly". `ended` says by fact id when
    a fact ceased to hold, where the source does.
    """

    patients: tuple[PatientIdentity, ...]
    facts: tuple[Fact, ...]
    left_out: tuple[Omission, ...]
    sha256: str
    ended: Mapping[str, datetime | date] = field(default_factory=dict)

    def the_patient(self) -> PatientIdentity:
        """The one patient. Raises: InputError if there is none or several: whose facts would they be?"""
        if len(self.patients) != 1:
            raise InputError(
                f"the record holds {len(self.patients)} human patients",
                remedy="send a Bundle with exactly one Patient",
                sha256=self.sha256,
            )
        return self.patients[0]


def read_record(source: Path | bytes) -> RecordDocument:
    """Read FHIR R4 JSON: a Bundle, a lone resource, or NDJSON. Nothing is fetched, no reference is followed outside.

    Raises: InputError if the file can't be read, is no FHIR JSON, or a resource id is not valid.
    """
    data = source if isinstance(source, bytes) else _read(source)
    values, left_out = jsontext.parse(data)
    entries, skipped = _entries(values)
    left_out += skipped
    humans = [r for _, r in entries if r["resourceType"] == "Patient" and not is_animal(r)]
    own = _own_references(humans[0]) if len(humans) == 1 else None
    facts: dict[str, Fact] = {}
    ended: dict[str, datetime | date] = {}
    left_out += _unread_prose(entries)
    for place, resource in entries:
        for found in _read_entry(place, resource, own):
            if isinstance(found, Omission):
                left_out.append(found)
            elif found.id in facts:
                left_out.append(Omission(source=found.source, reason="a second resource of one id; the first was read"))
            else:
                facts[found.id] = found
                if (end := end_of(resource)) is not None:
                    ended[found.id] = end
    return RecordDocument(
        patients=tuple(identity_of(patient) for patient in humans),
        facts=tuple(facts.values()),
        left_out=tuple(left_out),
        sha256=hashlib.sha256(data).hexdigest(),
        ended=ended,
    )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > jsontext.LARGEST_BYTES:
            raise InputError(
                f"the record has {path.stat().st_size} bytes", remedy=f"send at most {jsontext.LARGEST_BYTES} bytes"
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the record can't be read: {type(error).__name__}",
            remedy="name an existing FHIR JSON file",
            path=str(path),
        ) from error


def _entries(values: list[Any]) -> tuple[list[Entry], list[Omission]]:
    """Every resource with its place, and what is none."""
    entries: list[Entry] = []
    left_out: list[Omission] = []
    for number, value in enumerate(values):
        if not _is_resource(value):
            raise InputError("the record is no FHIR resource", remedy="send a FHIR R4 Bundle as JSON")
        if value["resourceType"] == "Bundle":
            for place, resource, reason in _bundle(value):
                if reason:
                    left_out.append(Omission(source=place, reason=reason))
                else:
                    entries.append((f"{place} {_reference(resource)}", resource))
        else:
            place = f"line {number + 1} " if len(values) > 1 else ""
            entries.append((place + _reference(value), value))
    return entries, left_out


def _bundle(bundle: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    for number, entry in enumerate(items(bundle.get("entry") or [])):
        place, resource = f"entry[{number}]", entry.get("resource")
        if not _is_resource(resource):
            yield place, {}, "no resource in this entry (deleted or empty)"
        elif resource["resourceType"] == "Bundle":
            yield place, {}, "a Bundle inside a Bundle is not read"
        else:
            if isinstance(entry.get("fullUrl"), str):
                resource = {**resource, "_fullUrl": entry["fullUrl"]}
            yield place, resource, ""


def _is_resource(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it is an object that names its type in a way that can be said again."""
    return isinstance(value, dict) and bool(TYPE.fullmatch(str(value.get("resourceType", ""))))


def _reference(resource: dict[str, Any]) -> str:
    """`Type/id`. Raises: InputError for an id that FHIR does not allow: it must never become a path."""
    given = resource.get("id")
    if given is None:
        given = "unnamed-" + hashlib.sha256(repr(sorted(resource)).encode() + repr(resource).encode()).hexdigest()[:12]
        resource["id"] = given
    if not isinstance(given, str) or not ID.fullmatch(given):
        raise InputError("a resource id is not valid", remedy="use 1 to 64 letters, digits, '-' and '.'")
    return f"{resource['resourceType']}/{given}"


def _own_references(patient: dict[str, Any]) -> set[str]:
    """How the one patient may be referred to."""
    return {f"Patient/{patient['id']}", str(patient.get("_fullUrl", f"Patient/{patient['id']}"))}


def _read_entry(place: str, resource: dict[str, Any], own: set[str] | None) -> Iterator[Fact | Omission]:
    kind = resource["resourceType"]
    if kind != "Patient" and kind not in KINDS:
        yield Omission(source=place, reason=f"{kind} is not read")
        return
    if said := deviations(resource):
        yield Omission(source=place, reason=said)
    if kind == "Patient":
        reasons = ["the patient is an animal"] if is_animal(resource) else doubts(resource)
        yield from (Omission(source=place, reason=reason) for reason in reasons)
        return
    subject = resource.get("subject") or resource.get("patient")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    if own is not None and reference is None:
        yield Omission(source=place, reason="it does not say whose it is")
    elif own is not None and not _is_own(str(reference).partition("/_history/")[0], own):
        yield Omission(source=place, reason="it is another patient's")
    else:
        yield from facts_of(resource, place)


def _unread_prose(entries: list[Entry]) -> Iterator[Omission]:
    """One note for all narratives and notes: they are text for people, and coded facts alone are read."""
    for element, word in (("text", "narrative"), ("note", "note")):
        count = sum(bool(resource.get(element)) for _, resource in entries)
        if count:
            yield Omission(source="record", reason=f"the {word} of {count} resources is not read")


def _is_own(reference: str, own: set[str]) -> bool:
    return reference in own or any(reference.endswith("/" + name) for name in own if name.startswith("Patient/"))

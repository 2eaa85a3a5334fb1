"""One record as it came: its patients, its facts whatever their date, and what was left out."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeGuard

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.record import Fact, Omission
from medmm.records import jsontext
from medmm.records.elements import items
from medmm.records.facts import dates_of, end_of, facts_of
from medmm.records.patient import doubts, identity_of, is_animal
from medmm.records.references import Entry, Owner, References, Resource
from medmm.records.resources import KINDS
from medmm.records.strict import deviations

ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")  # FHIR R4 datatype id
TYPE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
SHARED_ID = "another resource has the same id"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDocument:
    """What a Bundle, a lone resource or NDJSON says, before any time cut.

    `left_out` also says which resources are not strict R4 and were "read tolerantly". By fact id, `ended` says when a
    fact ceased to hold, and `dated` all that dates it, where that is more than `Fact.when`.
    """

    patients: tuple[PatientIdentity, ...]
    facts: tuple[Fact, ...]
    left_out: tuple[Omission, ...]
    sha256: str
    ended: Mapping[str, datetime | date] = field(default_factory=dict)
    dated: Mapping[str, tuple[datetime | date, ...]] = field(default_factory=dict)

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
    data = source if isinstance(source, bytes) else read_file(source)
    values, left_out = jsontext.parse(data)
    entries, skipped = _entries(values)
    humans = [r for _, r in entries if r["resourceType"] == "Patient" and not is_animal(r)]
    if len(humans) > 1:
        skipped.append(Omission(source="record", reason=f"{len(humans)} patients: it can't be joined to a study"))
    collected = _Collected()
    references = References(entries, humans[0] if len(humans) == 1 else None)
    for place, resource in entries:
        collected.add(resource, _read_entry(place, resource, references))
    return RecordDocument(
        patients=tuple(identity_of(patient) for patient in humans),
        facts=tuple(collected.facts.values()),
        left_out=(*left_out, *skipped, *_unread_prose(entries), *references.notes(), *collected.left_out),
        sha256=hashlib.sha256(data).hexdigest(),
        ended=collected.ended,
        dated=collected.dated,
    )


class _Collected:
    """Facts and omissions as they come, each fact under an id of its own."""

    def __init__(self) -> None:
        self.facts: dict[str, Fact] = {}
        self.left_out: list[Omission] = []
        self.ended: dict[str, datetime | date] = {}
        self.dated: dict[str, tuple[datetime | date, ...]] = {}
        self._of_one_id: Counter[str] = Counter()
        self._contents: set[Fact] = set()

    def add(self, resource: Resource, found: Iterator[Fact | Omission]) -> None:
        """Keep what was found in one resource."""
        end, dates = end_of(resource), dates_of(resource)
        for item in found:
            if isinstance(item, Omission):
                self.left_out.append(item)
                continue
            fact = self._under_own_id(item)
            if fact is None:
                self.left_out.append(Omission(source=item.source, reason="stands in the record before"))
                continue
            self.facts[fact.id] = fact
            if end is not None:
                self.ended[fact.id] = end
            if len(dates) > 1:
                self.dated[fact.id] = dates

    def _under_own_id(self, fact: Fact) -> Fact | None:
        """The fact; of one id with other contents all are kept, marked; None if it stands there already."""
        content = replace(fact, source="-")
        if content in self._contents:
            return None
        self._contents.add(content)
        self._of_one_id[fact.id] += 1
        number = self._of_one_id[fact.id]
        if number == 1:
            return fact
        self.facts[fact.id] = _marked(self.facts[fact.id])
        return _marked(replace(fact, id=f"{fact.id}~{number}"))  # "~" is in no FHIR id


def _marked(fact: Fact) -> Fact:
    return fact if SHARED_ID in fact.marks else replace(fact, marks=(*fact.marks, SHARED_ID))


def read_file(path: Path) -> bytes:
    """The bytes of a file, never more than may be read."""
    try:
        if not path.is_file():
            raise InputError("the record is no file", remedy="name an existing FHIR JSON file", path=str(path))
        if path.stat().st_size > jsontext.LARGEST_BYTES:
            raise jsontext.too_large()
        with path.open("rb") as file:
            data = file.read(jsontext.LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"the record can't be read: {type(error).__name__}",
            remedy="name an existing FHIR JSON file",
            path=str(path),
        ) from error
    if len(data) > jsontext.LARGEST_BYTES:
        raise jsontext.too_large()
    return data


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


def _read_entry(place: str, resource: Resource, references: References) -> Iterator[Fact | Omission]:
    kind = resource["resourceType"]
    if kind == "Medication" and references.names(resource):
        return  # read where a prescription refers to it
    if kind != "Patient" and kind not in KINDS:
        yield Omission(source=place, reason=f"{kind} is not read")
        return
    if said := deviations(resource):
        yield Omission(source=place, reason=said)
    if kind == "Patient":
        reasons = ["the patient is an animal"] if is_animal(resource) else doubts(resource)
        yield from (Omission(source=place, reason=reason) for reason in reasons)
        return
    owner = references.owner(resource)
    if owner is Owner.UNSAID:
        yield Omission(source=place, reason="it does not say whose it is")
    elif owner is Owner.OTHER:
        yield Omission(source=place, reason="it is another patient's")
    else:
        marks = ("its patient is named by an address that was not followed",) if owner is Owner.BY_ADDRESS else ()
        for found in facts_of(resource, place, references.referred):
            yield replace(found, marks=(*found.marks, *marks)) if isinstance(found, Fact) and marks else found


def _unread_prose(entries: list[Entry]) -> Iterator[Omission]:
    """One note for all narratives and notes: they are text for people, and coded facts alone are read."""
    for element, word in (("text", "narrative"), ("note", "note")):
        count = sum(bool(resource.get(element)) for _, resource in entries)
        if count:
            yield Omission(source="record", reason=f"the {word} of {count} resources is not read")

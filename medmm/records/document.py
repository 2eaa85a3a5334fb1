"""One record as it came: patients, facts whatever their date, and what was left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.record import Fact, FactStatus, Omission
from medmm.records import json_parser
from medmm.records.bundles import contents_of
from medmm.records.facts import facts_of
from medmm.records.fhir_access import items, words_at
from medmm.records.patient import (
    died_of,
    doubts,
    identity_of,
    is_animal,
    is_replaced,
    questions,
    the_one,
)
from medmm.records.periods import Dating, Span, dating_of
from medmm.records.r4_conformance import deviations
from medmm.records.references import Entry, Owner, References, Resource
from medmm.records.requests import Requested, requests_of
from medmm.records.resources import KINDS
from medmm.records.statuses import status_of
from medmm.records.versions import CurrentVersions, Version, newest

SHARED_ID = "another resource has the same id"
CONTRADICTED = "another version says otherwise, and which of them is newer is not said"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDocument:
    """What a Bundle, a lone resource or NDJSON says, before any time cut.

    Attributes:
        left_out: also which resources are not strict R4 and were "read tolerantly".
        ended: by fact id, when it ceased to hold, as the last moment that this can mean.
        ended_from: by fact id, the first moment that this can mean, where it is another.
        dated: by fact id, all that dates it, where that is more than `Fact.when`.
        sites: by fact id, the body sites that its source names.
        incomplete: why the record is known to be a part.
        questions: what a person must confirm of its patient, whatever the study.
        died: the last moment at which the patient can have died, if that is dated.
        requests: the patient's requests that stand, by which a study finds the one that ordered it.
    """

    patients: tuple[PatientIdentity, ...]
    facts: tuple[Fact, ...]
    left_out: tuple[Omission, ...]
    sha256: str
    ended: Mapping[str, datetime | date] = field(default_factory=dict)
    ended_from: Mapping[str, datetime | date] = field(default_factory=dict)
    dated: Mapping[str, tuple[datetime | date, ...]] = field(default_factory=dict)
    sites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    incomplete: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    died: datetime | date | None = None
    patient_versions: bool = False
    requests: tuple[Requested, ...] = ()

    def the_patient(self) -> PatientIdentity:
        """Return the one patient.

        Raises: InputError if there is none or several: whose facts would they be?
        """
        if self.patient_versions:
            raise InputError(
                "the record holds several versions of its patient, and which is the newest is "
                "not said",
                remedy="send a Bundle with the newest Patient alone, or with meta.versionId",
                sha256=self.sha256,
            )
        if len(self.patients) != 1:
            raise InputError(
                f"the record holds {len(self.patients)} human patients",
                remedy="send a Bundle with exactly one Patient",
                sha256=self.sha256,
            )
        return self.patients[0]


def read_record(source: Path | bytes) -> RecordDocument:
    """Read FHIR R4 JSON: a Bundle, a lone resource, or NDJSON.

    Nothing is fetched, and no reference is followed outside.

    Raises: InputError if the file can't be read, is not FHIR JSON, or a resource id is not
        valid.
    """
    data = source if isinstance(source, bytes) else read_file(source)
    values, tolerated = json_parser.parse(data)
    found = contents_of(values)
    standing = newest(found.versions)
    entries = list(standing.entries)
    humans, merged = the_one(
        _each_once(r for _, r in entries if r["resourceType"] == "Patient" and not is_animal(r))
    )
    left_out = [*tolerated, *found.left_out, *standing.left_out, *_of_several(humans, merged)]
    one = humans[0] if len(humans) == 1 else None
    references = References(entries, [one, *merged] if one else [])
    identities = tuple(identity_of(patient, merged if one else ()) for patient in humans)
    born = identities[0].birth_date if one else None
    collected = _Collected(standing.rivals)
    for place, resource in entries:
        dating = (
            dating_of(resource, resource["resourceType"], born)
            if resource["resourceType"] in KINDS
            else Dating()
        )
        collected.add(resource, dating, _read_entry(place, resource, references, dating))
    withdrawn = _withdrawn(entries)
    left_out += [*_unread_prose(entries), *references.notes(), *collected.left_out]
    if withdrawn:
        left_out += [_of_withdrawn(fact) for fact in collected.facts.values()]
    return RecordDocument(
        patients=identities,
        facts=() if withdrawn else tuple(collected.facts.values()),
        left_out=tuple(left_out),
        sha256=hashlib.sha256(data).hexdigest(),
        ended=collected.ended,
        ended_from=collected.ended_from,
        dated=collected.dated,
        sites=collected.sites,
        incomplete=tuple(dict.fromkeys([*found.incomplete, *_unread_lines(tolerated)])),
        questions=tuple(
            questions(one, replaced=is_replaced(one), deleted=_maybe_deleted(one, standing))
        )
        if one
        else (),
        died=died_of(one) if one else None,
        requests=() if withdrawn else requests_of(entries, references),
        patient_versions=any(key.startswith("Patient/") for key in standing.rivals)
        and _differ(humans),
    )


def _of_several(humans: list[Resource], merged: list[Resource]) -> Iterator[Omission]:
    if len(humans) > 1:
        yield Omission(
            source="record", reason=f"{len(humans)} patients: it can't be joined to a study"
        )
    for patient in merged:
        yield Omission(
            source=f"Patient/{patient['id']}",
            reason="merged into the one patient: its facts are the patient's",
        )


def _each_once(patients: Iterable[Resource]) -> list[Resource]:
    """Drop patients already there with the same content, as on every page of a search."""
    kept: list[Resource] = []
    by_id: dict[str, list[Resource]] = {}
    for patient in patients:
        content = {
            name: value for name, value in patient.items() if name not in ("_fullUrl", "meta")
        }
        same_id = by_id.setdefault(patient["id"], [])
        if content not in same_id:
            same_id.append(content)
            kept.append(patient)
    return kept


def _maybe_deleted(patient: Resource, standing: CurrentVersions) -> bool:
    return any(
        version.resource is None for version in standing.rivals.get(f"Patient/{patient['id']}", ())
    )


def _differ(humans: list[Resource]) -> bool:
    return len(humans) > 1 and len({f"Patient/{human['id']}" for human in humans}) == 1


def _withdrawn(entries: Iterable[Entry]) -> bool:
    """Tell whether the record is a document that was entered in error.

    Source: FHIR R4 Composition.status.
    """
    compositions = [r for _, r in entries if r["resourceType"] == "Composition"]
    return any(r.get("status") == "entered-in-error" for r in compositions)


def _of_withdrawn(fact: Fact) -> Omission:
    return Omission(source=fact.source, reason="the document that it stands in is entered in error")


def _unread_lines(tolerated: Iterable[Omission]) -> Iterator[str]:
    count = sum(omission.source.startswith("line ") for omission in tolerated)
    if count:
        yield f"{count} of its lines {'is' if count == 1 else 'are'} no JSON"


class _Collected:
    """Facts and omissions as they come, each fact under an id of its own."""

    def __init__(self, rivals: Mapping[str, tuple[Version, ...]]) -> None:
        self.facts: dict[str, Fact] = {}
        self.left_out: list[Omission] = []
        self.ended: dict[str, datetime | date] = {}
        self.ended_from: dict[str, datetime | date] = {}
        self.sites: dict[str, tuple[str, ...]] = {}
        self._contested = {
            id(v.resource) for group in rivals.values() if _disagree(group) for v in group
        }
        self.dated: dict[str, tuple[datetime | date, ...]] = {}
        self._of_one_id: Counter[str] = Counter()
        self._contents: set[Fact] = set()

    def add(self, resource: Resource, dating: Dating, found: Iterator[Fact | Omission]) -> None:
        """Keep what was found in one resource."""
        for item in found:
            if isinstance(item, Omission):
                self.left_out.append(item)
                continue
            fact = self._under_own_id(
                _contradicted(item) if id(resource) in self._contested else item
            )
            if fact is None:
                self.left_out.append(
                    Omission(source=item.source, reason="stands in the record before")
                )
                continue
            self.facts[fact.id] = fact
            self._keep_times(fact, dating)
            if sites := tuple(words_at(resource, "bodySite")):
                self.sites[fact.id] = sites

    def _keep_times(self, fact: Fact, dating: Dating) -> None:
        ended: Span | None = dating.ended
        if ended is not None:
            self.ended[fact.id] = ended.last
            if ended.first != ended.last:
                self.ended_from[fact.id] = ended.first
        if len(dating.known) > 1:
            self.dated[fact.id] = dating.known

    def _under_own_id(self, fact: Fact) -> Fact | None:
        """Return the fact under its own id; None if it stands there already.

        Of one id with other contents all are kept, marked.
        """
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


def _disagree(versions: tuple[Version, ...]) -> bool:
    """Tell whether versions of unknown order differ on whether a fact holds.

    A deletion says that it does not.
    """
    resources = [version.resource for version in versions]
    said = {
        status_of(r, r["resourceType"])[0]
        for r in resources
        if r is not None and r["resourceType"] in KINDS
    }
    return None in resources or len(said) > 1


def _contradicted(fact: Fact) -> Fact:
    """Return a fact of which another version says otherwise as not known to hold.

    Nor is it known to have held.
    """
    held = fact.status in (FactStatus.ACTIVE, FactStatus.INACTIVE)
    return replace(
        fact,
        status=FactStatus.UNCONFIRMED if held else fact.status,
        marks=(*fact.marks, CONTRADICTED),
    )


def _marked(fact: Fact) -> Fact:
    return fact if SHARED_ID in fact.marks else replace(fact, marks=(*fact.marks, SHARED_ID))


def read_file(path: Path) -> bytes:
    """Read the bytes of a file, never more than may be read."""
    try:
        if not path.is_file():
            raise InputError(
                "the record is not a file", remedy="name an existing FHIR JSON file", path=str(path)
            )
        if path.stat().st_size > json_parser.LARGEST_BYTES:
            raise json_parser.too_large()
        with path.open("rb") as file:
            data = file.read(json_parser.LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"the record can't be read: {type(error).__name__}",
            remedy="name an existing FHIR JSON file",
            path=str(path),
        ) from error
    if len(data) > json_parser.LARGEST_BYTES:
        raise json_parser.too_large()
    return data


def _read_entry(
    place: str, resource: Resource, references: References, dating: Dating
) -> Iterator[Fact | Omission]:
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
    elif owner is Owner.UNTOLD:
        yield Omission(source=place, reason="whose it is can't be told")
    elif owner is Owner.NO_PATIENT:
        yield Omission(
            source=place, reason="it is about somebody or something other than the patient"
        )
    elif owner is Owner.OTHER:
        yield Omission(source=place, reason="it is another patient's")
    elif kind == "Observation" and references.is_about_another(resource):
        yield Omission(
            source=place, reason="its focus is somebody or something other than the patient"
        )
    else:
        marks = (
            ("its patient is named by an address that was not followed",)
            if owner is Owner.BY_ADDRESS
            else ()
        )
        for found in facts_of(resource, place, references.referred, dating):
            yield (
                replace(found, marks=(*found.marks, *marks))
                if isinstance(found, Fact) and marks
                else found
            )
        yield from _contained(place, resource)


def _contained(place: str, resource: Resource) -> Iterator[Omission]:
    """Note once contained resources that would be facts of their own.

    Members of a panel may be such.
    """
    kinds = [str(c.get("resourceType")) for c in items(resource.get("contained"))]
    if read := sorted({kind for kind in kinds if kind in KINDS}):
        yield Omission(source=place, reason=f"a contained {' and '.join(read)} is not read")


def _unread_prose(entries: list[Entry]) -> Iterator[Omission]:
    """Note once all narratives and notes: text for people, while coded facts are read."""
    for element, word in (("text", "narrative"), ("note", "note")):
        count = sum(bool(resource.get(element)) for _, resource in entries)
        if count:
            yield Omission(source="record", reason=f"the {word} of {count} resources is not read")

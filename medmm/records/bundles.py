"""What a record consists of: Bundles, lone resources, NDJSON lines; whether it is a part.

Its sender says whether it is only a part.

Source: FHIR R4 Bundle (total, link, entry.search, entry.request, entry.response), OperationOutcome
with value set issue-type, and the tags SUBSETTED, REDACTED and MASKED of v3-ObservationValue.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from medmm.domain.errors import InputError
from medmm.domain.record import Omission
from medmm.records.fhir_access import at, items
from medmm.records.references import Resource
from medmm.records.versions import Version, named_key, version_of

ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")  # FHIR R4 datatype id
TYPE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
# Issues that say that something was not given, whatever their severity (FHIR R4 value set
# issue-type).
NOT_ALL = (
    "incomplete",
    "suppressed",
    "too-costly",
    "timeout",
    "throttled",
    "exception",
    "no-store",
    "lock-error",
)
GRAVE = ("error", "fatal")
CUT = ("SUBSETTED", "REDACTED", "MASKED")
GONE = ("410",)
MOST_DIGITS = 16  # of a total; no search finds as much
FAILED = re.compile(r"[45]\d\d\b")


@dataclass(kw_only=True)
class Contents:
    """All resources of a record in order, what was left out, and why it is only a part.

    Of each resource all versions are here.
    """

    versions: list[Version] = field(default_factory=list)
    left_out: list[Omission] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    pages: list[Resource] = field(default_factory=list)
    cut: int = 0


def contents_of(values: list[Any]) -> Contents:
    """Collect every resource of a record with its place.

    Raises: InputError if a value is not a resource or an id is not valid.
    """
    found = Contents()
    for number, value in enumerate(values):
        if not is_resource(value):
            raise InputError(
                "the record is not a FHIR resource", remedy="send a FHIR R4 Bundle as JSON"
            )
        if value["resourceType"] == "Bundle":
            found.pages.append(value)
            _read_bundle(value, len(found.pages), found)
        else:
            place = f"line {number + 1} " if len(values) > 1 else ""
            _keep(place, {"resource": value}, None, found)
    found.incomplete += _of_pages(found.pages, found)
    if found.cut:
        found.incomplete.append(
            f"{found.cut} resources hold only some of their elements ({', '.join(CUT)})"
        )
    return found


def _read_bundle(bundle: Resource, number: int, found: Contents) -> None:
    history = bundle.get("type") == "history"
    for index, entry in enumerate(items(bundle.get("entry") or [])):
        resource = entry.get("resource")
        if (
            bundle.get("implicitRules")
            and is_resource(resource)
            and resource["resourceType"] != "Patient"
        ):
            place = f"entry[{index}]"
            found.left_out.append(
                Omission(
                    source=place, reason="implicitRules of the Bundle may turn its meaning round"
                )
            )
        else:
            _read_entry(f"entry[{index}]", entry, (number, index) if history else None, found)
    if cut_short(bundle):
        found.incomplete.append(
            "the Bundle says that it is a part (" + ", ".join(cut_short(bundle)) + ")"
        )


def _read_entry(
    place: str, entry: Resource, history: tuple[int, int] | None, found: Contents
) -> None:
    resource = entry.get("resource")
    if _is_deletion(entry, resource, history):
        _keep_deletion(place, entry, resource, history, found)
        return
    status = str(next(at(entry, "response.status"), ""))
    if FAILED.match(status) and not status.startswith(GONE):
        found.incomplete.append(f"{place} is an answer that failed ({status[:3]})")
    if next(at(entry, "request.method"), None) == "PATCH":
        found.incomplete.append(
            f"{place} is a change of a part of a resource (PATCH): it is not carried out"
        )
    if not is_resource(resource):
        found.left_out.append(
            Omission(source=place, reason="no resource in this entry (deleted or empty)")
        )
    elif resource["resourceType"] == "Bundle":
        found.left_out.append(Omission(source=place, reason="a Bundle inside a Bundle is not read"))
        found.incomplete.append(f"{place} is a Bundle inside a Bundle, which is not read")
    elif entry.get("modifierExtension"):
        found.left_out.append(
            Omission(
                source=place, reason="an unknown modifierExtension of its entry may turn it round"
            )
        )
    else:
        _keep(f"{place} ", entry, history, found)


def _is_deletion(entry: Resource, resource: Any, history: tuple[int, int] | None) -> bool:
    if str(next(at(entry, "request.method"), "")).upper() == "DELETE":
        return True
    status = str(next(at(entry, "response.status"), ""))
    return not is_resource(resource) and (
        status.startswith(GONE) or (history is not None and status.startswith("204"))
    )


def _keep_deletion(
    place: str, entry: Resource, resource: Any, history: tuple[int, int] | None, found: Contents
) -> None:
    own = f"{resource['resourceType']}/{resource.get('id')}" if is_resource(resource) else None
    key = named_key(own, next(at(entry, "request.url"), None), entry.get("fullUrl"))
    if key is None:
        found.left_out.append(
            Omission(source=place, reason="a deletion that names no single resource")
        )
        found.incomplete.append(
            f"{place} deletes something that it does not name, so deleted facts may stand in it"
        )
        return
    found.versions.append(version_of(f"{place} {key}", key, entry, history, deleted=True))


def _keep(place: str, entry: Resource, history: tuple[int, int] | None, found: Contents) -> None:
    resource = entry["resource"]
    if isinstance(entry.get("fullUrl"), str):
        resource = {**resource, "_fullUrl": entry["fullUrl"]}
        entry = {**entry, "resource": resource}
    name = _reference(resource)
    if resource["resourceType"] == "OperationOutcome":
        found.incomplete += list(_not_all(resource))
    found.cut += bool(cut_short(resource))
    unnamed = "/unnamed-" in name
    key = (named_key(entry.get("fullUrl")) if unnamed else None) or name
    found.versions.append(version_of(place + name, key, entry, history, deleted=False))


def cut_short(resource: Resource) -> list[str]:
    """Return the tags and labels by which a resource says that elements were taken from it."""
    said = [*at(resource, "meta.tag"), *at(resource, "meta.security")]
    codes = [item.get("code") for item in said if isinstance(item, dict)]
    return [code for code in CUT if code in codes]


def _not_all(outcome: Resource) -> Iterator[str]:
    """Say why an OperationOutcome means that something was not given."""
    for issue in items(outcome.get("issue")):
        code, severity = issue.get("code"), issue.get("severity")
        if code in NOT_ALL:
            yield f"its server says that something was not given (OperationOutcome {code})"
        elif severity in GRAVE:
            yield f"its server says that something went wrong (OperationOutcome {severity})"


def _of_pages(pages: list[Resource], found: Contents) -> Iterator[str]:
    """Say what totals and links tell of pages that are not there."""
    here = {url for page in pages for url in _links(page, "self")}
    if any(url not in here for page in pages for url in _links(page, "next")):
        yield "further pages of the search are not in it (link next)"
    totals: dict[str, int] = {}
    for page in pages:
        if page.get("total") is not None:
            total = str(page["total"])[:MOST_DIGITS]
            totals[total] = totals.get(total, 0) + _matches(page)
    for total, held in totals.items():
        if not re.fullmatch(r"[0-9]+", total, re.ASCII) or len(total) == MOST_DIGITS:
            found.left_out.append(
                Omission(source="record", reason="the total of the search is no number")
            )
        elif int(total) > held:
            yield f"the search found {total} resources and the record holds {held} of them"
        elif int(total) < held:
            found.left_out.append(
                Omission(
                    source="record",
                    reason=f"the search says that it found {total} resources, and {held} are there",
                )
            )


def _links(page: Resource, relation: str) -> Iterator[str]:
    for link in items(page.get("link")):
        if link.get("relation") == relation:
            yield str(link.get("url"))


def _matches(page: Resource) -> int:
    """Count the entries that a search counts, without what it included and messages."""
    modes = [next(at(entry, "search.mode"), "match") for entry in items(page.get("entry") or [])]
    return sum(mode not in ("include", "outcome") for mode in modes)


def is_resource(value: Any) -> TypeGuard[Resource]:
    """Tell whether a value is an object that names its type in a repeatable way."""
    return isinstance(value, dict) and bool(TYPE.fullmatch(str(value.get("resourceType", ""))))


def _reference(resource: Resource) -> str:
    """Return `Type/id`.

    Raises: InputError for an id that FHIR does not allow: it must never become a path.
    """
    given = resource.get("id")
    if given is None:
        given = (
            "unnamed-"
            + hashlib.sha256(repr(sorted(resource)).encode() + repr(resource).encode()).hexdigest()[
                :12
            ]
        )
        resource["id"] = given
    if not isinstance(given, str) or not ID.fullmatch(given):
        raise InputError(
            "a resource id is not valid", remedy="use 1 to 64 letters, digits, '-' and '.'"
        )
    return f"{resource['resourceType']}/{given}"

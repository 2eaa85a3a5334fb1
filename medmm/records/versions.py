"""Which version of a resource counts: the newest alone, and none if that is a deletion.

It is the newest of its type and id.

Source: FHIR R4 section 3.1.0.1.3 (versionId, lastUpdated), section 3.1.0.10 (history: newest first,
deletions by request.method), section 3.1.0.11 (Bundle.entry.request and response).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medmm.domain.record import Omission
from medmm.records.fhir_access import at, moment
from medmm.records.references import Entry, Resource

ADDRESS = re.compile(
    r"(?:(?P<base>.*)/)?(?P<key>[A-Z][A-Za-z]{0,63}/[A-Za-z0-9.\-]{1,64})(?:/_history/(?P<version>[^/?#]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a resource as it stands in a record; `resource` is None for a deletion.

    Attributes:
        key: `Type/id`.
        number: versionId where it is a whole number.
        updated: lastUpdated of the resource, else lastModified of the response.
        base: the server that its full URL names, if any.
        place_in_history: the history Bundle and the place in it, newest first; None elsewhere.
    """

    place: str
    key: str
    resource: Resource | None
    number: int | None = None
    updated: datetime | None = None
    base: str | None = None
    place_in_history: tuple[int, int] | None = None

    def is_newer_than(self, other: Version) -> bool | None:
        """Tell whether it surely is newer.

        Returns: None if nothing says so, or what says so contradicts itself.
        """
        if self.base and other.base and self.base != other.base:
            # Of two servers, whose numbers and clocks have nothing to do with each other
            return None
        if self.number is not None and self.number == other.number:
            return None
        said = set()
        if self.number is not None and other.number is not None:
            said.add(self.number > other.number)
        if self.updated is not None and other.updated is not None and self.updated != other.updated:
            said.add(self.updated > other.updated)
        if not said and self.place_in_history and other.place_in_history:
            (bundle, place), (other_bundle, other_place) = (
                self.place_in_history,
                other.place_in_history,
            )
            said |= {place < other_place} if bundle == other_bundle else set()
        return said.pop() if len(said) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentVersions:
    """What of a record counts: its resources, and what was left out.

    Those of unknown order are among them by key.
    """

    entries: tuple[Entry, ...]
    rivals: dict[str, tuple[Version, ...]]
    left_out: tuple[Omission, ...]


def version_of(
    place: str, key: str, entry: Resource, history: tuple[int, int] | None, *, deleted: bool
) -> Version:
    """Build a version from its resource and the entry around it."""
    resource = None if deleted else entry.get("resource")
    meta = entry["resource"].get("meta") if isinstance(entry.get("resource"), dict) else None
    updated = moment(
        next(at(meta, "lastUpdated"), None) or next(at(entry, "response.lastModified"), None)
    )[0]
    number = _number(next(at(meta, "versionId"), None))
    address = ADDRESS.fullmatch(str(entry.get("fullUrl", "")))
    return Version(
        place=place,
        key=key,
        resource=resource,
        number=number
        if number is not None
        else _number(_etag(next(at(entry, "response.etag"), None))),
        updated=updated if isinstance(updated, datetime) else None,
        base=address["base"] if address else None,
        place_in_history=history,
    )


def newest(versions: Iterable[Version]) -> CurrentVersions:
    """Keep the newest version of each type and id; if order is unknown, all that may be."""
    groups: dict[str, list[Version]] = {}
    for version in versions:
        groups.setdefault(version.key, []).append(version)
    standing: dict[int, Version] = {}
    rivals: dict[str, tuple[Version, ...]] = {}
    left_out: list[Omission] = []
    for key, group in groups.items():
        kept = _newest_of(group)
        left_out += [_older(v) for v in group if v not in kept]
        if len(kept) > 1:
            rivals[key] = tuple(kept)
        for version in kept:
            if version.resource is not None:
                standing[id(version)] = version
            elif len(kept) == 1:
                left_out.append(
                    Omission(
                        source=version.place, reason="deleted: its newest version is a deletion"
                    )
                )
            else:
                left_out.append(
                    Omission(
                        source=version.place,
                        reason="deleted, and whether before or after its other version is not said",
                    )
                )
    entries = [
        (v.place, v.resource)
        for g in groups.values()
        for v in g
        if id(v) in standing and v.resource is not None
    ]
    return CurrentVersions(entries=tuple(entries), rivals=rivals, left_out=tuple(left_out))


def _newest_of(group: list[Version]) -> list[Version]:
    """Return the version newer than all others, else it and all not surely older."""
    first = group[0]
    for version in group[1:]:
        if version.is_newer_than(first):
            first = version
    return [v for v in group if v is first or not first.is_newer_than(v)]


def _older(version: Version) -> Omission:
    return Omission(
        source=version.place, reason="an older version of what the record holds in a newer one"
    )


def _number(value: Any) -> int | None:
    """Return a versionId that counts; others are only names.

    It has at most 18 digits, so that no text of a sender costs time.
    """
    text = str(value) if isinstance(value, str) or type(value) is int else ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else None


def _etag(value: Any) -> Any:
    match = re.fullmatch(r'(?:W/)?"?([^"]*)"?', value) if isinstance(value, str) else None
    return match[1] if match else None


def named_key(*addresses: Any) -> str | None:
    """Return `Type/id` of the first of some addresses that names one resource."""
    return next(_keys(addresses), None)


def _keys(addresses: Iterable[Any]) -> Iterator[str]:
    for address in addresses:
        match = ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if match:
            yield match["key"]

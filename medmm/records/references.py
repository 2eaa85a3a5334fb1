"""References of a record: whose a resource is and what it refers to, within the record alone."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from medmm.domain.record import Omission

Resource = dict[str, Any]
Entry = tuple[str, Resource]


class Owner(Enum):
    """Whose a resource is."""

    PATIENT = "the one patient's, or the record does not say who that is"
    BY_ADDRESS = "the one patient's by its id, on a server that was not asked"
    OTHER = "another patient's"
    UNSAID = "it does not say"


class References:
    """How the resources of a record name each other. Nothing is fetched."""

    def __init__(self, entries: list[Entry], patient: Resource | None) -> None:
        self.referred = {name: resource for _, resource in entries for name in _names(resource)}
        self._own = None if patient is None else _names(patient)
        self._used = [name for _, resource in entries for name in _references(resource)]
        self._named = frozenset(self._used)

    def names(self, resource: Resource) -> bool:
        """Whether something in the record refers to a resource."""
        return not self._named.isdisjoint(_names(resource))

    def owner(self, resource: Resource) -> Owner:
        """Whose a resource is, by its subject or patient."""
        if self._own is None:
            return Owner.PATIENT
        subject = resource.get("subject") or resource.get("patient")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if reference is None:
            return Owner.UNSAID
        name = _without_version(str(reference))
        if name in self._own:
            return Owner.PATIENT
        relative, *addresses = self._own
        on_a_server = any(address.startswith("http") for address in addresses)
        if name.startswith("http") and name.endswith("/" + relative) and not on_a_server:
            return Owner.BY_ADDRESS
        return Owner.OTHER

    def notes(self) -> Iterator[Omission]:
        """One note on the references that lead out of the record or nowhere."""
        lost = {name for name in self._used if not name.startswith("#") and name not in self.referred}
        if lost:
            yield Omission(source="record", reason=f"{len(lost)} references lead out of the record: not followed")


def _names(resource: Resource) -> tuple[str, ...]:
    """How a resource may be referred to: `Type/id`, and its full URL."""
    relative = f"{resource['resourceType']}/{resource['id']}"
    address = resource.get("_fullUrl")
    return (relative, address) if isinstance(address, str) else (relative,)


def _without_version(reference: str) -> str:
    return reference.partition("/_history/")[0]


def _references(resource: Resource) -> Iterator[str]:
    """Every reference in a resource. Without recursion: a resource may be nested as deep as JSON may."""
    waiting: list[Any] = [resource]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("reference"), str):
                yield _without_version(value["reference"])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value

"""References of a record: whose a resource is and what it refers to, inside it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

from medmm.domain.identity_match import plain_id
from medmm.domain.record import Omission
from medmm.records.fhir_access import items, text_of
from medmm.records.patient import links

Resource = dict[str, Any]
Entry = tuple[str, Resource]
NO_PATIENT = re.compile(
    r"(?:.*/)?(Group|Device|Location|Practitioner|Organization|RelatedPerson|Substance|"
    r"Medication)/[^/]+"
)
FOCUS_EXTENSIONS = ("observation-focusCode", "observation-focal-subject")  # R4; STU3


class Owner(Enum):
    """Whose a resource is."""

    PATIENT = "the one patient's, or the record does not say who that is"
    BY_ADDRESS = "the one patient's by its id, on a server that was not asked"
    OTHER = "another patient's"
    NO_PATIENT = "it is about something that is no patient"
    UNTOLD = "what it says can't be matched with the patient"
    UNSAID = "it does not say"


class References:
    """How the resources of a record name each other. Nothing is fetched.

    `patients` are the resources of the one patient: several where some were merged into another;
    none if it is not known who that is.
    """

    def __init__(self, entries: list[Entry], patients: Sequence[Resource]) -> None:
        self.referred = {name: resource for _, resource in entries for name in _names(resource)}
        # The same person by definition
        linked = (name for patient in patients for _, name in links(patient))
        self._own = frozenset(
            [*(name for patient in patients for name in _names(patient)), *linked]
        )
        self._relative = tuple(_names(patient)[0] for patient in patients)
        self._identifiers = [pair for patient in patients for pair in _identifiers(patient)]
        self._used = [name for _, resource in entries for name in _references(resource)]
        self._named = frozenset(self._used)

    def names(self, resource: Resource) -> bool:
        """Tell whether something in the record refers to a resource."""
        return not self._named.isdisjoint(_names(resource))

    def owner(self, resource: Resource) -> Owner:
        """Return whose a resource is, by its subject or patient: reference, else identifier."""
        if not self._own:
            return Owner.PATIENT
        return self._meant(resource.get("subject") or resource.get("patient"), resource)

    def is_about_another(self, resource: Resource) -> bool:
        """Tell whether an observation is about somebody or something else than the patient.

        Source: FHIR R4 focus.
        """
        stated = resource.get("focus")
        for focus in stated if isinstance(stated, list) else [stated]:
            if (
                focus
                and self._own
                and self._meant(focus, resource) not in (Owner.PATIENT, Owner.BY_ADDRESS)
            ):
                return True
        urls = [str(e.get("url", "")) for e in items(resource.get("extension"))]
        return any(url.endswith(FOCUS_EXTENSIONS) for url in urls)

    def notes(self) -> Iterator[Omission]:
        """Note once the references that lead out of the record or nowhere."""
        lost = {
            name for name in self._used if not name.startswith("#") and name not in self.referred
        }
        if lost:
            yield Omission(
                source="record",
                reason=f"{len(lost)} references lead out of the record: not followed",
            )

    def _meant(self, reference: Any, resource: Resource) -> Owner:
        """Return whom a Reference means; that can't be told if its parts contradict."""
        if not isinstance(reference, dict):
            return Owner.UNSAID
        stated = reference.get("reference")
        by_identifier = self._by_identifiers(
            _identifiers({"identifier": reference.get("identifier")})
        )
        if stated is None:
            if reference.get("type") not in (None, "Patient"):
                return Owner.NO_PATIENT
            return by_identifier or Owner.UNSAID
        by_reference = self._by_reference(_without_version(str(stated)), resource)
        if by_identifier is None or by_identifier is by_reference:
            return by_reference
        elsewhere = (
            str(stated).startswith("http") and _without_version(str(stated)) not in self.referred
        )
        if by_reference in (Owner.BY_ADDRESS, Owner.UNTOLD) or (
            by_reference is Owner.OTHER and elsewhere
        ):
            return by_identifier
        contradicted = {by_reference, by_identifier} == {Owner.PATIENT, Owner.OTHER}
        return Owner.UNTOLD if contradicted else by_reference

    def _by_reference(self, name: str, resource: Resource) -> Owner:
        if name.startswith("#"):
            return self._contained(name, resource)
        if name in self._own:
            return Owner.PATIENT
        if NO_PATIENT.fullmatch(name):
            return Owner.NO_PATIENT
        found = self.referred.get(name)
        if found is not None:
            return Owner.OTHER if found["resourceType"] == "Patient" else Owner.NO_PATIENT
        if name.startswith("urn:"):
            return Owner.UNTOLD
        on_a_server = any(own.startswith("http") for own in self._own)
        if (
            name.startswith("http")
            and name.endswith(tuple("/" + own for own in self._relative))
            and not on_a_server
        ):
            return Owner.BY_ADDRESS
        return Owner.OTHER

    def _contained(self, name: str, resource: Resource) -> Owner:
        """Return whom a contained resource means.

        A Patient in it has no identity but its identifiers.
        """
        inner = next(
            (c for c in items(resource.get("contained")) if name == f"#{c.get('id')}"), None
        )
        if inner is None:
            return Owner.UNTOLD
        if inner.get("resourceType") != "Patient":
            return Owner.NO_PATIENT
        return self._by_identifiers(_identifiers(inner)) or Owner.UNTOLD

    def _by_identifiers(self, stated: list[tuple[str | None, str]]) -> Owner | None:
        """Return whose these identifiers are; None if there are none.

        They are another patient's only within one known system.
        """
        if not stated:
            return None
        found = {self._by_identifier(system, value) for system, value in stated}
        if Owner.PATIENT in found and Owner.OTHER not in found:
            return Owner.PATIENT
        return Owner.OTHER if found == {Owner.OTHER} else Owner.UNTOLD

    def _by_identifier(self, system: str | None, value: str) -> Owner:
        known = [
            (own, number)
            for own, number in self._identifiers
            if system is None or own in (None, system)
        ]
        if any(number == value for _, number in known):
            return Owner.PATIENT
        in_system = [number for own, number in known if own is not None and own == system]
        if in_system and all(plain_id(number) != plain_id(value) for number in in_system):
            return Owner.OTHER
        return Owner.UNTOLD


def _identifiers(resource: Resource) -> list[tuple[str | None, str]]:
    return [
        (text_of(i.get("system")), value)
        for i in items(resource.get("identifier"))
        if (value := text_of(i.get("value"))) is not None
    ]


def _names(resource: Resource) -> tuple[str, ...]:
    """Return how a resource may be referred to: `Type/id`, and its full URL."""
    relative = f"{resource['resourceType']}/{resource['id']}"
    address = resource.get("_fullUrl")
    return (relative, _without_version(address)) if isinstance(address, str) else (relative,)


def _without_version(reference: str) -> str:
    return reference.partition("/_history/")[0]


def _references(resource: Resource) -> Iterator[str]:
    """Yield every reference in a resource.

    It works without recursion: a resource may be nested as deep as JSON may.
    """
    waiting: list[Any] = [resource]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("reference"), str):
                yield _without_version(value["reference"])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value

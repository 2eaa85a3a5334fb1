"""The request of a record that ordered a study, by shared numbers or its ImagingStudy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from medmm.domain.imaging_order import OrderIdentifier, OrderRequest, StudyOrder
from medmm.domain.priority import Priority
from medmm.domain.record import FactStatus
from medmm.records.fhir_access import at, code_of, items, text_of
from medmm.records.references import Entry, Owner, References, Resource
from medmm.records.statuses import status_of

# Types of an identifier (HL7 table 0203) and the number of a study that each is.
TYPES = {"ACSN": "accession", "PLAC": "placer_order", "FILL": "filler_order"}
NUMBERS = tuple(TYPES.values())
LEVELS = {level.value for level in Priority}
# FHIR R4 ImagingStudy: the system of the identifier that is the Study Instance UID
DICOM_UID = "urn:dicom:uid"
OID = "urn:oid:"
ON_A_SERVER = re.compile(r"https?://[^\s]+/ServiceRequest/[A-Za-z0-9.\-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A request of the patient's, and the Study Instance UIDs said to be made for it."""

    request: OrderRequest
    study_uids: frozenset[str]


def requests_of(entries: Sequence[Entry], references: References) -> tuple[Requested, ...]:
    """Return the standing requests of the one patient, each once.

    Those entered in error, or of anybody else, are left out.
    """
    made: dict[str, set[str]] = {}
    for _, resource in entries:
        if resource["resourceType"] == "ImagingStudy":
            for name in at(resource, "basedOn.reference"):
                based = references.referred.get(str(name).partition("/_history/")[0])
                if based is not None:
                    made.setdefault(_key(based), set()).update(study_uids(resource))
    found = {}
    for _, resource in entries:
        if resource["resourceType"] != "ServiceRequest":
            continue
        if references.owner(resource) not in (Owner.PATIENT, Owner.BY_ADDRESS):
            continue
        if status_of(resource, "ServiceRequest")[0] in (
            FactStatus.ENTERED_IN_ERROR,
            FactStatus.REFUTED,
        ):
            continue
        uids = frozenset(made.get(_key(resource), ()))
        found[_key(resource)] = Requested(request=_request(resource), study_uids=uids)
    return tuple(found.values())


def study_uids(study: Resource) -> Iterator[str]:
    """Yield Study Instance UIDs of an ImagingStudy, by R4's identifier or STU3's element."""
    identifiers = study.get("identifier")
    for identifier in items(identifiers if isinstance(identifiers, list) else []):
        value = text_of(identifier.get("value")) or ""
        if text_of(identifier.get("system")) == DICOM_UID or value.startswith(OID):
            yield value.removeprefix(OID)
    if uid := text_of(study.get("uid")):
        yield uid.removeprefix(OID)


def with_request(
    order: StudyOrder, study_uid: str, requested: Sequence[Requested]
) -> tuple[OrderRequest | None, str]:
    """Find the one request that fits a study, or say in words why there is none.

    The words are empty if there is one.

    The record's own word on which study was made for which request counts before numbers.
    """
    named = [r.request for r in requested if study_uid in r.study_uids]
    fitting = named or [
        r.request for r in requested if not r.study_uids and _fits(order, r.request)
    ]
    if len(fitting) == 1 and (fitting[0].reference or fitting[0].identifiers):
        return fitting[0], ""
    if len(fitting) == 1:
        return None, "the request of the record has neither an address nor an identifier"
    if fitting:
        return None, f"{len(fitting)} requests of the record fit the study: none is named"
    if not requested:
        return None, "the record holds no request"
    if order.contradicting:
        return None, f"the images state several values of their {' and '.join(order.contradicting)}"
    if not any(getattr(order, number) for number in NUMBERS):
        return None, "the images state no number of their order"
    return None, "no request of the record bears the numbers of the images"


def _fits(order: StudyOrder, request: OrderRequest) -> bool:
    """Tell whether a number of the images is one of the request.

    A typed identifier is compared with its own number alone.
    """
    for identifier in request.identifiers:
        own = TYPES.get(identifier.kind or "")
        if any(
            getattr(order, number) == identifier.value for number in ((own,) if own else NUMBERS)
        ):
            return True
    return False


def _request(resource: Resource) -> OrderRequest:
    priority = text_of(resource.get("priority"))
    return OrderRequest(
        reference=_reference(resource),
        priority=priority if priority in LEVELS else None,
        identifiers=tuple(dict.fromkeys(_identifiers(resource))),
    )


def _identifiers(resource: Resource) -> Iterator[OrderIdentifier]:
    for element in ("identifier", "requisition"):
        for item in items(resource.get(element)):
            value = text_of(item.get("value"))
            if value and item.get("use") != "old":
                yield OrderIdentifier(
                    value=value, system=_uri(item), kind=code_of(item.get("type"))
                )


def _uri(item: Mapping[str, object]) -> str | None:
    system = text_of(item.get("system"))
    return system if system and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", system) else None


def _reference(resource: Resource) -> str | None:
    """Return `ServiceRequest/ID`; None if the id is a message's and no server's."""
    address, own = resource.get("_fullUrl"), str(resource.get("id", ""))
    message = isinstance(address, str) and not ON_A_SERVER.fullmatch(address)
    if message or own.startswith("unnamed-"):
        return None
    return f"ServiceRequest/{own}"


def _key(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"

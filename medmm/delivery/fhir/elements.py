"""Elements that resources of the Bundle share: references inside it, codes, times."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import quote

from medmm.domain.record import Coding
from medmm.domain.report import SignedReport

Json = dict[str, Any]
URI = "urn:ietf:rfc:3986"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def own_identifier(report: SignedReport, name: str) -> str:
    """Make the identifier by which a resource is found again, in every version of a report."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{report.root}/{name}").urn


def url(report: SignedReport, name: str) -> str:
    """Make the fullUrl of an entry from its name, the same in every version of a report.

    It is never the resource's identifier: Medplum puts the place of the resource wherever a Bundle
    holds its fullUrl, and would find none of them again (docs/conformance.md).
    """
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{report.root}/{name}/fullUrl").urn


def ref(report: SignedReport, name: str) -> Json:
    """Refer to an entry of the Bundle by its name."""
    return {"reference": url(report, name)}


def search(system: str, value: str) -> str:
    """Write a search by an identifier."""
    return f"identifier={quote(system, safe='')}|{quote(value, safe='')}"


def date_time(acquired: datetime, *, exact: bool) -> str:
    """Format a time to the second with its zone; the date alone if either is unknown.

    Source: FHIR R4 datatype dateTime, which asks for a zone where a time of day is given.
    """
    return acquired.isoformat() if exact else acquired.date().isoformat()


def concept(*codings: Coding, text: str | None = None) -> Json:
    """Make a CodeableConcept."""
    made: Json = {}
    if codings:
        made["coding"] = [
            {k: v for k, v in (("system", c.system), ("code", c.code), ("display", c.display)) if v}
            for c in codings
        ]
    if text:
        made["text"] = text
    return made

"""What joins a study to the hospital's order and patient: numbers, request, owners.

The owners are those whose numbers they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from medmm.domain.identity import PatientIdentity
from medmm.domain.plain_text import clean
from medmm.domain.priority import AS_ORDERED, CasePriority, Priority, most_urgent

# The rest of DICOM's issuers are local names
ISSUER_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIdentifier:
    """A request's identifier as the record states it; `kind` is its HL7 0203 code.

    That is ACSN, PLAC or FILL.
    """

    value: str
    system: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A ServiceRequest of the record: how it may be referred to.

    `reference` is "ServiceRequest/ID", where that is its place on the server that the record came
    from. `priority` is its code of FHIR R4 request-priority; None if it states none.
    """

    reference: str | None
    priority: str | None = None
    identifiers: tuple[OrderIdentifier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOrder:
    """What the images of a study state of its order, and the record's request that fits.

    Attributes:
        accession, placer_order, filler_order: numbers that the images state alike (DICOM PS3.3
            C.7.2.1, C.7.3.1, C.4.12).
        contradicting: in words, the numbers on which images of the study differ: none of these is
            used.
        portable: whether a description says that the film was taken at the bedside.
        contrast: of MR, whether every, no or some image states a contrast agent: "all", "none",
            "some"; None if nobody can tell. The module is required where an agent was used
            (PS3.3 A.4.3, C.7.6.4), so without it there was none.
        priority: as the images state it, in the words of FHIR R4 request-priority; of several the
            most urgent one.
        request: the one request of the record that ordered the study; None if none or several
            fit.
        request_note: why there is none, in words, where a record was given.
        message_orders: keys of the orders of an order system that `request` is made of; empty where
            it is the record's.
    """

    accession: str | None = None
    placer_order: str | None = None
    filler_order: str | None = None
    contradicting: tuple[str, ...] = ()
    portable: bool = False
    contrast: str | None = None
    priority: str | None = None
    request: OrderRequest | None = None
    request_note: str | None = None
    message_orders: tuple[str, ...] = ()

    @property
    def stated_priority(self) -> CasePriority | None:
        """The more urgent of what images and request state; None if neither states any."""
        levels = (self.priority, self.request.priority if self.request else None)
        stated = (CasePriority(level=Priority(one), reason=AS_ORDERED) for one in levels if one)
        return most_urgent(*stated)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierSystems:
    """The systems (absolute URIs) by which servers know patients and orders; None if not set.

    `mrn_issuers` are the names that images give as Issuer of Patient ID (0010,0021) and that mean
    the system `mrn`.
    """

    mrn: str | None = None
    mrn_issuers: tuple[str, ...] = ()
    accession: str | None = None
    placer_order: str | None = None
    filler_order: str | None = None

    def of_patient(self, identity: PatientIdentity | None) -> str | None:
        """Find the system of a patient ID: as the image states it, else the configured one.

        None if the ID is another hospital's.

        A name of an issuer that the settings do not know may be another hospital's.
        """
        if identity is None or not clean(identity.patient_id or ""):
            return None
        issuer = identity.issuer
        if issuer and ISSUER_URI.fullmatch(issuer):
            return issuer
        return self.mrn if not issuer or issuer in self.mrn_issuers else None

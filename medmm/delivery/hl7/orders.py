"""The numbers of a study's order, and what a message lacks to find patient and order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medmm.connections.hl7_text import Value
from medmm.delivery.fhir.joins import SETTINGS, Joins
from medmm.delivery.hl7.values import namespace_of, number
from medmm.domain.identity import PatientIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNumbers:
    """Placer's and filler's number of the order, and the accession number; "" if unknown."""

    placer: Value
    filler: Value
    accession: str


def order_numbers(joins: Joins) -> OrderNumbers:
    """Find the numbers: as the images state them, else as the record's request does.

    Where no filler's number is known, the accession number stands for it: it is the one number that
    the department gave to this order.
    """
    order, systems = joins.order, joins.systems
    accession = _stated(order.accession) or _requested(joins, "ACSN")
    placer = _stated(order.placer_order) or _requested(joins, "PLAC")
    filler = _stated(order.filler_order) or _requested(joins, "FILL")
    return OrderNumbers(
        placer=number(placer, systems.placer_order),
        filler=number(filler, systems.filler_order)
        if filler
        else number(accession, systems.accession),
        accession=accession,
    )


def notices(identity: PatientIdentity | None, joins: Joins) -> Iterator[str]:
    """Say what the message lacks, and which setting or image would give it."""
    yield from _of_patient(identity, joins)
    numbers = order_numbers(joins)
    if not numbers.filler:
        yield (
            "HL7: no order number is known (OBR-2, OBR-3, OBR-18), so the receiver finds the "
            "order by patient and Study Instance UID alone."
            if not numbers.placer
            else "HL7: neither filler nor accession number is known (OBR-3, OBR-18)."
        )
    for words in joins.order.contradicting:
        yield f"HL7: the images of the study state several values of their {words}: none is sent."
    if joins.restated_entry is not None:
        yield (
            "HL7: the patient's identity was stated anew after the report was signed (audit entry "
            f"{joins.restated_entry}); the message names the patient as is stated now, under the "
            "control id that this version has for good."
        )


def _of_patient(identity: PatientIdentity | None, joins: Joins) -> Iterator[str]:
    if identity is None or not (identity.patient_id or "").strip():
        yield "HL7: the image states no patient ID (PID-3)."
        return
    if joins.patient_system(identity) is not None:
        return
    if namespace := namespace_of(identity):
        yield (
            "HL7: the patient ID goes out with the name of its issuer as the image states it, of "
            f"{len(namespace)} characters, which no setting gives a system (identifiers.mrn and "
            f"identifiers.mrn_issuers; {SETTINGS})."
        )
    else:
        yield (
            "HL7: the patient ID has no assigning authority (PID-3.4), because no setting gives "
            f"its issuer a system (identifiers.mrn; {SETTINGS})."
        )


def _stated(value: str | None) -> str:
    return " ".join((value or "").split())


def _requested(joins: Joins, kind: str) -> str:
    request = joins.order.request
    found = (one.value for one in (request.identifiers if request else ()) if one.kind == kind)
    return _stated(next(found, None))

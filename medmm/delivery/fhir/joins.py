"""How a report finds the hospital's patient and order on a FHIR server.

It does so by identifiers under the configured systems.

Source: FHIR R4 Identifier, Reference (2.3.0), transaction with conditional create (3.1.0.11.3); HL7
table 0203.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import IdentifierSystems, OrderIdentifier, StudyOrder
from medmm.domain.plain_text import clean
from medmm.domain.printed_report import Printed
from medmm.domain.procedures import procedure_of
from medmm.domain.record import Coding

Json = dict[str, Any]
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
WORDS = {
    "MR": "Medical record number",
    "ACSN": "Accession ID",
    "PLAC": "Placer Identifier",
    "FILL": "Filler Identifier",
}
SETTINGS = "see `identifiers` in docs/configuration.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joins:
    """The joins of a Bundle: configured systems, the study's order, its procedure.

    `restated_entry` is as in `Printed`: the report says so, because its reader signed it for the
    identity of then.
    """

    systems: IdentifierSystems = field(default_factory=IdentifierSystems)
    order: StudyOrder = field(default_factory=StudyOrder)
    procedure: Coding | None = None
    restated_entry: int | None = None

    @classmethod
    def of(cls, printed: Printed, systems: IdentifierSystems) -> Joins:
        """Make the joins of a report from what it is printed from."""
        procedure = procedure_of(printed.study, printed.order)
        return cls(
            systems=systems,
            order=printed.order,
            procedure=procedure,
            restated_entry=printed.restated_entry,
        )

    def patient_system(self, identity: PatientIdentity | None) -> str | None:
        """Find the system of a patient ID; see `IdentifierSystems.of_patient`."""
        return self.systems.of_patient(identity)

    def accession(self) -> list[Json]:
        """Make an identifier of the accession number, if the images state one."""
        number = clean(self.order.accession or "")
        return [identifier(number, self.systems.accession, "ACSN")] if number else []

    def based_on(self) -> list[Json]:
        """Refer to the record's request by its place on its server and its own identifier."""
        request = self.order.request
        if request is None:
            return []
        reference: Json = {"type": "ServiceRequest"}
        if request.reference is not None:
            reference["reference"] = request.reference
        if request.identifiers:
            best = min(
                request.identifiers, key=lambda i: (self._system(i) is None, i.kind != "PLAC")
            )
            reference["identifier"] = identifier(clean(best.value), self._system(best), best.kind)
        return [reference]

    def notices(self, identity: PatientIdentity | None) -> Iterator[str]:
        """Say what the Bundle can't join itself to, and which setting or record would let it."""
        if (
            identity is not None
            and clean(identity.patient_id or "")
            and self.patient_system(identity) is None
        ):
            if identity.issuer:
                yield (
                    "FHIR: the image names an issuer of the patient ID that no setting gives a "
                    "system, so the patient is not searched for on the server (identifiers.mrn "
                    f"and identifiers.mrn_issuers; {SETTINGS})."
                )
            else:
                yield (
                    "FHIR: the patient ID has no identifier system, so the patient is not "
                    f"searched for on the server (identifiers.mrn; {SETTINGS})."
                )
        elif identity is not None and not clean(identity.patient_id or ""):
            yield (
                "FHIR: the image states no patient ID, so the patient is not searched for on "
                "the server."
            )
        if self.order.accession and self.systems.accession is None:
            yield (
                "FHIR: the accession number has no identifier system (identifiers.accession; "
                f"{SETTINGS})."
            )
        for number in self.order.contradicting:
            yield (
                f"FHIR: the images of the study state several values of their {number}: none is "
                "sent."
            )
        if self.order.request_note:
            yield f"FHIR: the report is based on no request: {self.order.request_note}."

    def _system(self, stated: OrderIdentifier) -> str | None:
        own = {
            "ACSN": self.systems.accession,
            "PLAC": self.systems.placer_order,
            "FILL": self.systems.filler_order,
        }
        return stated.system or own.get(stated.kind or "")


def joins_outcome(
    joins: Joins, identity: PatientIdentity | None, beside: Iterable[str] = ()
) -> Json:
    """Make an OperationOutcome: a warning for each join that the Bundle of a report lacks.

    If it lacks none, the outcome says that.

    Args:
        beside: what else must be said of the Bundle, in sentences.
    """
    lacking = [("incomplete", text) for text in joins.notices(identity)]
    said = [("informational", text) for text in beside]
    return outcome_of([*lacking, *said], "The Bundle lacks no join.")


def outcome_of(warnings: Iterable[tuple[str, str]], none: str) -> Json:
    """Make an OperationOutcome of warnings, each a code of issue-type and a sentence.

    Args:
        none: what it says if there are none.
    """
    issues = [
        {"severity": "warning", "code": code, "details": {"text": text}} for code, text in warnings
    ]
    nothing = {"severity": "information", "code": "informational", "details": {"text": none}}
    return {"resourceType": "OperationOutcome", "issue": issues or [nothing]}


def identifier(value: str, system: str | None, kind: str | None) -> Json:
    """Make a FHIR Identifier; without a system it is sent without one: none is invented."""
    made: Json = {}
    if kind in WORDS:
        made["type"] = {"coding": [{"system": TYPES, "code": kind, "display": WORDS[kind]}]}
    if system is not None:
        made["system"] = system
    return {**made, "value": value}

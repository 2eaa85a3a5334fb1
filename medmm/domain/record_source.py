"""A FHIR server that patients' records are asked from."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.receivers import HttpServer

# What the record of a patient consists of here
READ_KINDS = (
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "DiagnosticReport",
    "ServiceRequest",
    "ImagingStudy",
)
READ_SCOPE = " ".join(f"system/{kind}.rs" for kind in ("Patient", *READ_KINDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSource:
    """A FHIR R4 server, and how long a study waits for what it has.

    Attributes:
        server: `url` is its base.
        wait_s: for a server that is not there or asks to wait, over all questions of one study.
        wait_for_patient_s: for a patient whom it does not know yet.
        longest_s: for all that it has of a patient; what comes later is said to lack.
        page_size: how many resources a page of an answer may hold.
    """

    server: HttpServer
    wait_s: float = 20.0
    wait_for_patient_s: float = 0.0
    longest_s: float = 120.0
    page_size: int = 200
